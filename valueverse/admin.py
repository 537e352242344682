"""Registers the pages of the back office that span apps."""

from valueverse.backoffice import approvals, bill_runs, customers, invoices, payments, people, periods

__all__ = ["approvals", "bill_runs", "customers", "invoices", "payments", "people", "periods"]
