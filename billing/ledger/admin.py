"""Back office pages of this app: to be read."""

from django.contrib import admin

from billing.ledger.models import Account, AccountingPeriod, JournalEntry, Posting
from billing.platform.admin import ReadOnlyAdmin, ReadOnlyInline


class PostingInline(ReadOnlyInline):
    model = Posting
    fields = [
        "account",
        "amount_minor",
        "accounting_amount_minor",
        "currency",
        "customer",
        "line_id",
        "tax_rate",
    ]


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    list_display = ["role", "detail", "currency", "gl_code", "legal_entity"]
    list_filter = ["legal_entity"]
    list_select_related = ["legal_entity"]


@admin.register(AccountingPeriod)
class AccountingPeriodAdmin(ReadOnlyAdmin):
    list_display = ["start_on", "end_on", "legal_entity", "status", "closed_at"]
    list_filter = ["legal_entity", "status"]
    list_select_related = ["legal_entity"]


@admin.register(JournalEntry)
class JournalEntryAdmin(ReadOnlyAdmin):
    list_display = [
        "accounting_on",
        "source_type",
        "purpose",
        "source_id",
        "currency",
        "legal_entity",
        "is_late",
    ]
    list_filter = ["legal_entity", "source_type"]
    list_select_related = ["legal_entity"]
    search_fields = ["public_id", "source_id"]
    inlines = [PostingInline]
