"""Back office pages of this app: to be read."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import BigIntegerField, F, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing.core.lifecycles import PeriodStatus
from billing.core.postings import ROLE_NAMES, Role
from billing.ledger.models import Account, JournalEntry, Posting
from billing.platform import display
from billing.platform.admin import ReadOnlyAdmin, ReadOnlyInline
from billing.platform.lists.filters import CurrencyFilter, date_range, states, text_is
from billing.platform.lists.totals import Totals

DOCUMENT_LISTS = {
    "invoice": "invoices_invoice",
    "credit_note": "invoices_creditnote",
    "payment": "payments_payment",
    "allocation": "payments_payment",
    "refund": "payments_payment",
    "revenue_schedule_line": "revenue_revenueschedule",
    "usage_accrual": "revenue_usageaccrual",
}
"""Kind of a fact: the list in which it is found by its public id."""


class PostingInline(ReadOnlyInline):
    model = Posting
    fields = [
        "account_name", "debit", "credit", "in_books", "customer_link", "line_link", "service_days", "tax_rate"
    ]  # fmt: skip
    readonly_fields = [
        "account_name", "debit", "credit", "in_books", "customer_link", "line_link", "service_days"
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("account", "customer", "entry").order_by("pk")

    @admin.display(description="Account")
    def account_name(self, row: Any) -> SafeString:
        return display.link(row.account, f"{row.account.role} {ROLE_NAMES[Role(row.account.role)]}")

    @admin.display(description="Debit")
    def debit(self, row: Any) -> SafeString:
        return display.amount_cell(row.amount_minor if row.amount_minor > 0 else None, row.currency)

    @admin.display(description="Credit")
    def credit(self, row: Any) -> SafeString:
        return display.amount_cell(-row.amount_minor if row.amount_minor < 0 else None, row.currency)

    @admin.display(description="In the books")
    def in_books(self, row: Any) -> SafeString:
        return display.amount_cell(row.accounting_amount_minor, row.entry.accounting_currency)

    @admin.display(description="Customer")
    def customer_link(self, row: Any) -> SafeString:
        return display.link(row.customer)

    @admin.display(description="Document line")
    def line_link(self, row: Any) -> SafeString:
        """To the line of the document, with why it is what it is; a subscription item is accrued before it has one."""
        if not row.line_id:
            return display.NONE
        if not row.line_id.startswith("lin_") and not row.line_id.startswith("cnl_"):
            return format_html("{}", row.line_id)
        address = reverse("admin:document_line", args=[row.line_id])
        return format_html('<a class="fin-link" href="{}">{}</a>', address, row.line_id)

    @admin.display(description="Service")
    def service_days(self, row: Any) -> Any:
        if row.service_start_on is None or row.service_end_on is None:
            return display.NONE
        return display.days(row.service_start_on, row.service_end_on)


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    list_display = ["role", "name", "detail", "currency", "gl_code", "legal_entity"]
    list_filter = ["legal_entity", CurrencyFilter]
    search_fields = ["=role", "gl_code", "detail"]
    search_help_text = "Role or GL code"
    list_help = "Balances stand in the trial balance."
    list_select_related = ["legal_entity"]
    empty_state = "No account yet. An account is opened with its first posting."

    @admin.display(description="Account", ordering="role")
    def name(self, row: Any) -> str:
        return ROLE_NAMES[Role(row.role)]


class AccountingPeriodAdmin(ReadOnlyAdmin):
    """The list of accounting periods; their page is in `valueverse.backoffice`."""

    list_display = ["month", "legal_entity", "status_pill", "closed_at"]
    ordering = ["-start_on"]
    empty_state = "No accounting period yet. The first posted document or payment opens its month."

    @admin.display(description="Month", ordering="start_on")
    def month(self, row: Any) -> str:
        return display.month(row.start_on)

    @admin.display(description="State", ordering="status")
    def status_pill(self, row: Any) -> SafeString:
        return display.pill(row.status, tone="good" if row.status == "closed" else "")

    list_filter = ["legal_entity", states(PeriodStatus), date_range("start_on", "First day")]
    list_select_related = ["legal_entity"]


def debits_of(entry_pks: Iterable[int]) -> dict[int, int]:
    """What each entry moves, in minor units: the sum of its debits."""
    debits = Posting.objects.filter(entry__in=list(entry_pks), amount_minor__gt=0).order_by()
    return dict(debits.values_list("entry").annotate(total=Sum("amount_minor")))


@admin.register(JournalEntry)
class JournalEntryAdmin(ReadOnlyAdmin):
    list_display = [
        "accounting_on",
        "source_type",
        "purpose",
        "source_id",
        "amount_figure",
        "legal_entity",
        "is_late",
    ]
    list_filter = [
        "legal_entity",
        text_is("source_type", "Of", "Like invoice or payment."),
        date_range("accounting_on", "Dated"),
        "is_late",
        CurrencyFilter,
    ]
    list_select_related = ["legal_entity"]
    list_amounts: ClassVar = {"amount_figure": F("debit_minor")}
    list_help = "An entry is never changed; a mistake is corrected by another."
    search_fields = ["=public_id", "=source_id"]
    search_help_text = "Id of an entry or document"
    sortable_by = ["accounting_on"]
    empty_state = (
        "Nothing is posted yet. Finalizing an invoice or receiving a payment writes the first entry."
    )
    fields = (
        "public_id", "accounting_on", "document", "purpose", "legal_entity", "period", "amount_figure", "is_late",
        "reverses", "reversal", "reference", "actor_label", "posted_at",
        "exchange_rate", "exchange_rate_source", "exchange_rate_on",
    )  # fmt: skip
    readonly_fields = ("document", "amount_figure", "reversal")
    inlines = [PostingInline]

    @admin.display(description="Of")
    def document(self, row: Any) -> SafeString | str:
        """The fact behind the entry, found by its public id in the list of its kind."""
        name = DOCUMENT_LISTS.get(row.source_type)
        if name is None:
            return f"{row.source_type} {row.source_id}"
        address = f"{reverse(f'admin:{name}_changelist')}?q={row.source_id}"
        return format_html('<a class="fin-link" href="{}">{} {}</a>', address, row.source_type, row.source_id)

    @admin.display(description="Reversed by")
    def reversal(self, row: Any) -> SafeString:
        return display.link(getattr(row, "reversed_by", None))

    def prepare_rows(self, request: HttpRequest, rows: list[Any]) -> None:
        """The amounts of the entries of one page: a join would add up all entries before the first is shown."""
        found = debits_of(row.pk for row in rows)
        for row in rows:
            row.debit_minor = found.get(row.pk, 0)

    def totals(self, request: HttpRequest, rows: QuerySet[Any]) -> list[Totals]:
        postings = Posting.objects.filter(entry=OuterRef("pk"), amount_minor__gt=0).order_by()
        debits = postings.values("entry").annotate(total=Sum("amount_minor")).values("total")
        amount = Coalesce(Subquery(debits, output_field=BigIntegerField()), 0)
        return super().totals(request, rows.annotate(debit_minor=amount))

    @admin.display(description="Amount")
    def amount_figure(self, row: Any) -> SafeString:
        prepared = getattr(row, "debit_minor", None)
        minor = debits_of([row.pk]).get(row.pk, 0) if prepared is None else prepared
        return display.amount_cell(minor, row.currency)
