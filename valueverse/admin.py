"""Registers the pages of the back office that span apps."""

from valueverse.backoffice import (
    api_keys,
    approvals,
    bill_runs,
    catalog,
    clocks,
    customers,
    invoices,
    payments,
    people,
    periods,
    policies,
    portal_access,
    sellers,
    subscriptions,
    tax_rates,
    usage_corrections,
)

__all__ = [
    "api_keys",
    "approvals",
    "bill_runs",
    "catalog",
    "clocks",
    "customers",
    "invoices",
    "payments",
    "people",
    "periods",
    "policies",
    "portal_access",
    "sellers",
    "subscriptions",
    "tax_rates",
    "usage_corrections",
]
