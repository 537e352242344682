"""Documents in the back office: their lists. Invoices and bill runs get their pages in `valueverse.backoffice`."""

from typing import Any

from django.contrib import admin
from django.db.models import Exists, F, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from billing.core.lifecycles import BillRunStatus, InvoiceStatus
from billing.invoices.models import (
    CreditNote,
    CreditNoteLine,
    CreditNoteTax,
    DocumentMail,
    StoredDocument,
)
from billing.invoices.selectors import holds_in_force
from billing.platform import display
from billing.platform.admin import ReadOnlyAdmin, ReadOnlyInline
from billing.platform.clock import now


class DocumentAdmin(ReadOnlyAdmin):
    """Columns that invoices and credit notes share."""

    @admin.display(description="Number", ordering="number")
    def document(self, row: Any) -> str:
        return row.number or "Draft"

    @admin.display(description="Customer", ordering="customer__name")
    def customer_link(self, row: Any) -> SafeString:
        return display.link(row.customer)

    @admin.display(description="State", ordering="status")
    def status_pill(self, row: Any) -> SafeString:
        return display.pill(row.status)

    @admin.display(description="Net", ordering="subtotal_minor")
    def net_figure(self, row: Any) -> SafeString:
        return display.amount_cell(row.subtotal_minor, row.currency)

    @admin.display(description="Tax", ordering="tax_minor")
    def tax_figure(self, row: Any) -> SafeString:
        return display.amount_cell(row.tax_minor, row.currency)

    @admin.display(description="Total", ordering="total_minor")
    def total_figure(self, row: Any) -> SafeString:
        return display.amount_cell(row.total_minor, row.currency)


class SettlementFilter(admin.SimpleListFilter):
    """Open or settled: derived from the counters, so no column of its own."""

    title = "settlement"
    parameter_name = "settlement"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "Something is open"), ("settled", "Settled")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        settled = F("allocated_minor") + F("offset_minor") + F("written_off_minor")
        if self.value() == "open":
            return queryset.filter(status=InvoiceStatus.FINALIZED, total_minor__gt=settled)
        if self.value() == "settled":
            return queryset.filter(status=InvoiceStatus.FINALIZED, total_minor=settled)
        return queryset


class HoldFilter(admin.SimpleListFilter):
    """Drafts that wait because somebody stopped the billing of their customer."""

    title = "on hold"
    parameter_name = "on_hold"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Drafts on hold")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() != "yes":
            return queryset
        held = holds_in_force(at=now()).filter(customer=OuterRef("customer"))
        return queryset.filter(Exists(held), status=InvoiceStatus.DRAFT)


class InvoiceAdmin(DocumentAdmin):
    """The list of invoices."""

    list_display = (
        "document",
        "customer_link",
        "issued_on",
        "due_on",
        "net_figure",
        "tax_figure",
        "total_figure",
        "open_figure",
        "status_pill",
        "settlement_pill",
    )
    list_filter = ["status", HoldFilter, SettlementFilter, "legal_entity", "currency", "billing_reason"]
    list_select_related = ["customer", "legal_entity"]
    search_fields = ["number", "public_id", "customer__name"]
    empty_state = "No invoice yet. Start a bill run: it drafts what is due of every subscription."

    @admin.display(description="Open")
    def open_figure(self, row: Any) -> SafeString:
        return display.amount_cell(row.open_minor if row.settlement else None, row.currency)

    @admin.display(description="Settlement")
    def settlement_pill(self, row: Any) -> SafeString:
        return display.pill(row.settlement) if row.settlement else display.NONE


class CreditNoteLineInline(ReadOnlyInline):
    model = CreditNoteLine
    fields = ["position", "description", "service", "quantity_figure", "net_figure", "tax_percent"]
    readonly_fields = ["service", "quantity_figure", "net_figure"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("credit_note")

    @admin.display(description="Service")
    def service(self, row: Any) -> str:
        return display.days(row.service_start_on, row.service_last_on)

    @admin.display(description="Quantity")
    def quantity_figure(self, row: Any) -> str:
        return display.quantity(row.quantity)

    @admin.display(description="Net")
    def net_figure(self, row: Any) -> SafeString:
        return display.amount_cell(row.amount_minor, row.credit_note.currency)


class CreditNoteTaxInline(ReadOnlyInline):
    model = CreditNoteTax
    fields = ["tax_country", "category", "percent", "base_figure", "tax_figure"]
    readonly_fields = ["base_figure", "tax_figure"]

    @admin.display(description="Base")
    def base_figure(self, row: Any) -> SafeString:
        return display.amount_cell(row.base_minor, row.credit_note.currency)

    @admin.display(description="Tax")
    def tax_figure(self, row: Any) -> SafeString:
        return display.amount_cell(row.tax_minor, row.credit_note.currency)


@admin.register(CreditNote)
class CreditNoteAdmin(DocumentAdmin):
    list_display = (
        "document",
        "customer_link",
        "invoice_link",
        "issued_on",
        "reason",
        "net_figure",
        "tax_figure",
        "total_figure",
        "status_pill",
    )
    list_filter = ["status", "legal_entity", "reason", "is_cancellation"]
    list_select_related = ["customer", "legal_entity", "invoice"]
    search_fields = ["number", "public_id", "customer__name", "invoice__number"]
    fields = (
        "public_id", "document", "status_pill", "customer_link", "invoice_link", "is_cancellation", "reason", "note",
        "issued_on", "net_figure", "tax_figure", "total_figure", "offset_figure", "refund_figure", "refunded_figure",
    )  # fmt: skip
    readonly_fields = (
        "document", "status_pill", "customer_link", "invoice_link", "net_figure", "tax_figure", "total_figure",
        "offset_figure", "refund_figure", "refunded_figure",
    )  # fmt: skip
    inlines = [CreditNoteLineInline, CreditNoteTaxInline]
    empty_state = "No credit note yet. Credit or cancel an invoice on its page."

    @admin.display(description="Invoice", ordering="invoice__number")
    def invoice_link(self, row: Any) -> SafeString:
        return display.link(row.invoice)

    @admin.display(description="Against the open amount")
    def offset_figure(self, row: Any) -> SafeString:
        return display.amount_cell(row.offset_minor, row.currency)

    @admin.display(description="Owed back")
    def refund_figure(self, row: Any) -> SafeString:
        return display.amount_cell(row.refund_minor, row.currency)

    @admin.display(description="Refunded")
    def refunded_figure(self, row: Any) -> SafeString:
        return display.amount_cell(row.refunded_minor, row.currency)


class BillRunAdmin(ReadOnlyAdmin):
    """The list of bill runs. Its figures are noted with the run, so that a page of it counts nothing."""

    list_display = [
        "as_of", "status_pill", "scope", "customers_figure", "invoices_figure", "total_figure", "left_out",
        "sending", "completed_at",
    ]  # fmt: skip
    list_filter = ["status", "needs_review"]
    list_select_related = ["customer"]
    search_fields = ["public_id", "customer__name"]
    empty_state = (
        "No bill run yet. Use Start bill run: it shows what would be billed before anything is written."
    )

    @admin.display(description="State", ordering="status")
    def status_pill(self, row: Any) -> SafeString:
        return display.pill(row.status)

    @admin.display(description="Scope", ordering="customer__name")
    def scope(self, row: Any) -> Any:
        return display.link(row.customer) if row.customer else "All customers"

    @admin.display(description="Customers", ordering="customer_count")
    def customers_figure(self, row: Any) -> SafeString:
        return display.count_cell(row.customer_count)

    @admin.display(description="Invoices")
    def invoices_figure(self, row: Any) -> SafeString:
        return display.count_cell(row.figures.get("invoices"))

    @admin.display(description="Total")
    def total_figure(self, row: Any) -> SafeString:
        totals = row.figures.get("totals") or {}
        if not totals:
            return display.amount_cell(None, "")
        return format_html_join(
            "", "{}", ((display.amount_cell(minor, code),) for code, minor in sorted(totals.items()))
        )

    @admin.display(description="Left out")
    def left_out(self, row: Any) -> Any:
        customers = row.figures.get("customers") or {}
        words = (("parked", "failed"), ("held", "held"), ("excluded", "excluded"))
        return ", ".join(f"{customers[code]:,} {word}" for code, word in words if customers.get(code)) or "–"

    @admin.display(description="Sent")
    def sending(self, row: Any) -> Any:
        if row.status != BillRunStatus.COMPLETED:
            return display.NONE
        if not row.needs_review:
            return "At once"
        if row.send_asked_at is None:
            return display.pill("draft", word="Not yet", tone="caution")
        return (
            display.pill("sent", word="Sent") if row.send_done_at else display.pill("queued", word="Sending")
        )


@admin.register(StoredDocument)
class StoredDocumentAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "invoice", "credit_note", "format", "sha256", "retain_until"]
    list_select_related = ["invoice", "credit_note"]
    search_fields = ["public_id", "invoice__number", "credit_note__number"]
    exclude = ["content"]
    empty_state = "No document is stored yet. Finalizing an invoice renders and stores its PDF."

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("content")


@admin.register(DocumentMail)
class DocumentMailAdmin(ReadOnlyAdmin):
    list_display = [
        "recipient",
        "document",
        "status_pill",
        "attempts",
        "queued_at",
        "sent_at",
        "error",
    ]
    list_filter = ["status"]
    list_select_related = ["invoice", "credit_note"]
    search_fields = ["recipient", "invoice__number", "credit_note__number"]
    empty_state = "No mail yet. Finalizing an invoice queues one for every billing contact."

    @admin.display(description="Document")
    def document(self, row: Any) -> SafeString:
        return display.link(row.invoice or row.credit_note)

    @admin.display(description="State", ordering="status")
    def status_pill(self, row: Any) -> SafeString:
        return display.pill(row.status)
