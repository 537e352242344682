"""What is configured, reachable, migrated and missing, with the fix for each finding. Looks, and changes nothing.

`findings.py` says what a result is, `machine.py` looks at this machine and its settings, `stores.py` at PostgreSQL
and Redis. `manage.py doctor` shows it all.
"""
