"""The lists of this app; the pages and verbs are in `valueverse.backoffice`."""

from django.contrib import admin

from billing.platform.admin import ReadOnlyAdmin
from billing.platform.lists.filters import CurrencyFilter, instant_range, text_is
from customers.models import NumberCounter


class LegalEntityAdmin(ReadOnlyAdmin):
    """The list of sellers; their page is in `valueverse.backoffice`."""

    list_display = ["name", "country", "accounting_currency", "time_zone", "number_format", "is_test"]
    list_filter = ["is_test"]
    list_help = "The firms that issue documents, each with its own numbers and books."
    empty_state = (
        "No legal entity yet. It issues the documents and keeps the books: New legal entity makes one."
    )


@admin.register(NumberCounter)
class NumberCounterAdmin(ReadOnlyAdmin):
    list_display = ["series", "year", "last_number", "last_issued_on"]
    list_help = "The last number taken, per series and year. Numbers have no gaps."
    empty_state = "No number has been taken yet. The first finalized document takes one."
    list_select_related = ["series__legal_entity"]


class CustomerAdmin(ReadOnlyAdmin):
    """The list of customers; their page is in `valueverse.backoffice`."""

    list_display = [
        "name",
        "external_id",
        "country",
        "currency",
        "collection_method",
        "legal_entity",
        "test_clock",
    ]
    list_filter = [
        "legal_entity",
        CurrencyFilter,
        "collection_method",
        text_is("country", "Country", "Like DE."),
        instant_range("created_at", "Created"),
    ]
    list_select_related = ["legal_entity", "test_clock"]
    search_fields = ["name", "legal_name", "=public_id", "=external_id"]
    search_help_text = "Name or id"
    sortable_by = ("name", "external_id")
    empty_state = "No customer yet. New customer makes one."


class TestClockAdmin(ReadOnlyAdmin):
    """The list of test clocks; their page is in `valueverse.backoffice`."""

    __test__ = False

    list_display = ["name", "public_id", "legal_entity", "now_at", "status"]
    list_select_related = ["legal_entity"]
    empty_state = "No test clock yet. It lets a year be played in a minute: New test clock makes one."


class UserAdmin(ReadOnlyAdmin):
    """The list of people; their page is in `valueverse.backoffice`."""

    list_display = ["email", "name", "is_staff", "is_superuser", "is_active", "last_login"]
    list_filter = ["is_staff", "is_active"]
    search_fields = ["email", "name"]
    search_help_text = "Name or mail address"
    exclude = ["password"]


class ApiKeyAdmin(ReadOnlyAdmin):
    list_display = ["name", "prefix", "customer", "created_at", "expires_at", "revoked_at", "last_used_at"]
    list_select_related = ["customer"]
    search_fields = ["name", "=prefix", "customer__name"]
    search_help_text = "Name, first characters or customer"
    exclude = ["secret_hash"]
    empty_state = "No API key yet. Programs need one: New API key makes one."
