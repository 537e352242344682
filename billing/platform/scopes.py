"""What an API key may be allowed to do."""

from enum import StrEnum


class Scope(StrEnum):
    """One area of the API, to read or to write. Writing does not include reading."""

    CATALOG_READ = "catalog:read"
    CATALOG_WRITE = "catalog:write"
    CUSTOMERS_READ = "customers:read"
    CUSTOMERS_WRITE = "customers:write"
    USAGE_READ = "usage:read"
    USAGE_WRITE = "usage:write"
    SUBSCRIPTIONS_READ = "subscriptions:read"
    SUBSCRIPTIONS_WRITE = "subscriptions:write"
    INVOICES_READ = "invoices:read"
    INVOICES_WRITE = "invoices:write"
    PAYMENTS_READ = "payments:read"
    PAYMENTS_WRITE = "payments:write"
    CLOCKS_WRITE = "clocks:write"
    LIVE_READ = "live:read"


ALL_SCOPES: tuple[Scope, ...] = tuple(Scope)
