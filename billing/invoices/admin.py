"""Documents in the back office: their lists. Invoices and bill runs get their pages in `valueverse.backoffice`."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import (
    BigIntegerField,
    Case,
    DateField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    Value,
    When,
)  # fmt: skip
from django.http import HttpRequest
from django.utils.safestring import SafeString

from billing.core.lifecycles import BillRunStatus, CreditNoteStatus, InvoiceStatus, MailStatus
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
from billing.platform.lists.filters import (
    Control,
    CurrencyFilter,
    ListFilter,
    amount_range,
    date_range,
    instant_range,
    states,
    text_is,
)
from customers.selectors import today_of


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


SETTLED = F("allocated_minor") + F("offset_minor") + F("written_off_minor")
"""How much of an invoice is settled."""

OPEN = Case(
    When(status=InvoiceStatus.FINALIZED, then=F("total_minor") - SETTLED),
    default=0,
    output_field=BigIntegerField(),
)
"""How much of an invoice is open; nothing of drafts and voided ones."""


class SettlementFilter(ListFilter):
    """Open or settled: derived from the counters, so no column of its own."""

    title = "Settlement"
    parameters = ("settlement",)
    options = (("open", "Something is open"), ("partly", "Partly settled"), ("settled", "Settled"))

    def understand(self) -> None:
        if self.given.get("settlement", "open") not in dict(self.options):
            known = ", ".join(value for value, _ in self.options)
            self.problems["settlement"] = f"“{self.given['settlement'][:60]}” is not one of: {known}."

    def condition(self) -> Q:
        issued = Q(status=InvoiceStatus.FINALIZED)
        if self.given["settlement"] == "settled":
            return issued & Q(total_minor=SETTLED)
        found = issued & Q(total_minor__gt=SETTLED)
        if self.given["settlement"] == "partly":
            found &= Q(allocated_minor__gt=0) | Q(offset_minor__gt=0) | Q(written_off_minor__gt=0)
        return found

    def controls(self) -> list[Control]:
        value, problem = self.given.get("settlement", ""), self.problems.get("settlement", "")
        return [Control("settlement", self.title, value, self.options, problem)]

    def in_words(self) -> str:
        return dict(self.options)[self.given["settlement"]]


class DaysLateFilter(ListFilter):
    """Open invoices that many days past due, by the clock of their customer and the zone of their seller."""

    title = "Days late, at least"
    parameters = ("days_late",)

    def understand(self) -> None:
        text = self.given.get("days_late", "1").strip()
        if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) <= 3650):
            self.problems["days_late"] = f"“{text[:20]}” is not a number of days from 1 to 3650."

    def condition(self) -> Q:
        days = int(self.given["days_late"])
        today = today_of(customer="customer", legal_entity="legal_entity", at=now())
        return (
            Q(status=InvoiceStatus.FINALIZED)
            & Q(total_minor__gt=SETTLED)
            & Q(due_on__lte=ExpressionWrapper(today - Value(days), output_field=DateField()))
        )

    def controls(self) -> list[Control]:
        value, problem = self.given.get("days_late", ""), self.problems.get("days_late", "")
        return [Control("days_late", self.title, value, (), problem, "Like 30. Only what is open.")]

    def in_words(self) -> str:
        return f"At least {self.given['days_late']} days late"


class SentFilter(ListFilter):
    """Whether a mail with the document left."""

    title = "Sent"
    parameters = ("sent",)
    options = (("yes", "Sent"), ("no", "Not sent"))

    def understand(self) -> None:
        if self.given.get("sent", "yes") not in dict(self.options):
            self.problems["sent"] = f"“{self.given['sent'][:60]}” is not one of: yes, no."

    def condition(self) -> Q:
        return Q(sent_at__isnull=self.given["sent"] == "no")

    def controls(self) -> list[Control]:
        return [
            Control(
                "sent", self.title, self.given.get("sent", ""), self.options, self.problems.get("sent", "")
            )
        ]

    def in_words(self) -> str:
        return dict(self.options)[self.given["sent"]]


class HoldFilter(ListFilter):
    """Drafts that wait because somebody stopped the billing of their customer."""

    title = "On hold"
    parameters = ("on_hold",)
    options = (("yes", "Drafts on hold"),)

    def understand(self) -> None:
        if self.given.get("on_hold", "yes") != "yes":
            self.problems["on_hold"] = f"“{self.given['on_hold'][:60]}” is not one of: yes."

    def condition(self) -> Q:
        held = holds_in_force(at=now()).filter(customer=OuterRef("customer"))
        return Q(Exists(held), status=InvoiceStatus.DRAFT)

    def controls(self) -> list[Control]:
        value, problem = self.given.get("on_hold", ""), self.problems.get("on_hold", "")
        return [Control("on_hold", self.title, value, self.options, problem)]

    def in_words(self) -> str:
        return "Drafts on hold"


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
    list_filter = [
        states(InvoiceStatus),
        SettlementFilter,
        HoldFilter,
        DaysLateFilter,
        date_range("issued_on", "Issued"),
        date_range("due_on", "Due"),
        amount_range("total_minor", "Total", "total"),
        SentFilter,
        "legal_entity",
        CurrencyFilter,
        text_is("bill_run__public_id", "Bill run", "Its id, like run_01…"),
        "billing_reason",
    ]
    list_amounts: ClassVar = {
        "net_figure": F("subtotal_minor"),
        "tax_figure": F("tax_minor"),
        "total_figure": F("total_minor"),
        "open_figure": OPEN,
    }
    list_defer = ("snapshot",)
    list_help = "Drafts may still change; a finalized invoice is corrected by a credit note."
    list_select_related = ["customer", "legal_entity"]
    search_fields = ["^number", "=public_id", "customer__name"]
    search_help_text = "Number or customer"
    sortable_by = ("issued_on", "due_on", "total_figure")
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
    list_filter = [
        states(CreditNoteStatus),
        date_range("issued_on", "Issued"),
        amount_range("total_minor", "Total", "total"),
        "legal_entity",
        CurrencyFilter,
        "reason",
        "is_cancellation",
    ]
    list_amounts: ClassVar = {
        "net_figure": F("subtotal_minor"),
        "tax_figure": F("tax_minor"),
        "total_figure": F("total_minor"),
    }
    list_defer = ("snapshot", "invoice__snapshot")
    list_help = "Amounts are positive here; on a customer's account they reduce what is owed."
    list_select_related = ["customer", "legal_entity", "invoice"]
    search_fields = ["^number", "=public_id", "customer__name", "^invoice__number"]
    search_help_text = "Number or customer"
    sortable_by = ("issued_on", "total_figure")
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
    list_filter = [states(BillRunStatus), "needs_review"]
    list_amounts: ClassVar = {"total_figure": None}
    list_select_related = ["customer"]
    search_fields = ["=public_id", "customer__name"]
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
        return display.amounts_cell([display.Amount(minor, code) for code, minor in sorted(totals.items())])

    total_figure.is_multi = True  # type: ignore[attr-defined]  # a run may bill in several currencies

    @admin.display(description="Left out")
    def left_out(self, row: Any) -> Any:
        customers = row.figures.get("customers") or {}
        words = (("parked", "failed"), ("held", "held"), ("excluded", "excluded"))
        return ", ".join(f"{customers[code]:,} {word}" for code, word in words if customers.get(code)) or None

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
    list_filter = ["format", date_range("retain_until", "Kept until")]
    list_defer = ("content", "invoice__snapshot", "credit_note__snapshot")
    search_fields = ["=public_id", "^invoice__number", "^credit_note__number"]
    search_help_text = "Number of the document"
    sortable_by = ()
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
    list_filter = [states(MailStatus), instant_range("queued_at", "Queued")]
    list_defer = ("invoice__snapshot", "credit_note__snapshot")
    list_select_related = ["invoice", "credit_note"]
    list_help = "A mail that failed is tried again; after the last try it stays here as failed."
    search_fields = ["^recipient", "^invoice__number", "^credit_note__number"]
    search_help_text = "Recipient or number"
    empty_state = "No mail yet. Finalizing an invoice queues one for every billing contact."

    @admin.display(description="Document")
    def document(self, row: Any) -> SafeString:
        return display.link(row.invoice or row.credit_note)

    @admin.display(description="State", ordering="status")
    def status_pill(self, row: Any) -> SafeString:
        return display.pill(row.status)
