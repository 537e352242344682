"""An installation of size, for measuring and for looking at long lists: see `manage.py generate_data`.

Customers, subscriptions, invoices and what follows from them are written by INSERT ... SELECT, as the services would
have left them, with every constraint and trigger of the database on. What an invoice says is not made up here: each
plan and quantity is drafted once through the services, in a transaction that is taken back, and copied from there.
"""
