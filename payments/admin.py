"""Money in the back office: its lists. Payments get their page in `valueverse.backoffice`."""

from datetime import timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import BigIntegerField, Case, DateTimeField, ExpressionWrapper, F, Q, Value, When
from django.db.models.functions import Coalesce
from django.utils.safestring import SafeString

from billing.core.lifecycles import PaymentStatus
from billing.platform import display
from billing.platform.admin import ReadOnlyAdmin
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
from payments.models import RECEIVED_PAYMENT_STATUSES, CollectionSchedule, PaymentMail, PaymentMethod

UNAPPLIED = Case(
    When(
        status__in=RECEIVED_PAYMENT_STATUSES,
        then=F("amount_minor") - F("allocated_minor") - F("unapplied_refunded_minor"),
    ),
    default=0,
    output_field=BigIntegerField(),
)
"""Received and not allocated or paid back."""


class UnappliedFilter(ListFilter):
    """Money that no invoice has got yet."""

    title = "Unapplied"
    parameters = ("unapplied",)
    options = (("yes", "Something is unapplied"), ("no", "Nothing is unapplied"))

    def understand(self) -> None:
        if self.given.get("unapplied", "yes") not in dict(self.options):
            self.problems["unapplied"] = f"“{self.given['unapplied'][:60]}” is not one of: yes, no."

    def condition(self) -> Q:
        left = Q(
            status__in=RECEIVED_PAYMENT_STATUSES,
            amount_minor__gt=F("allocated_minor") + F("unapplied_refunded_minor"),
        )
        return left if self.given["unapplied"] == "yes" else ~left

    def controls(self) -> list[Control]:
        value, problem = self.given.get("unapplied", ""), self.problems.get("unapplied", "")
        return [Control("unapplied", self.title, value, self.options, problem)]

    def in_words(self) -> str:
        return dict(self.options)[self.given["unapplied"]]


class StartedFilter(ListFilter):
    """Tried or recorded in the last so many days, by the clock of the customer."""

    title = "Started in the last days"
    parameters = ("started",)

    def understand(self) -> None:
        text = self.given.get("started", "1").strip()
        if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) <= 3650):
            self.problems["started"] = f"“{text[:20]}” is not a number of days from 1 to 3650."

    def condition(self) -> Q:
        days = timedelta(days=int(self.given["started"]))
        here = Coalesce(F("customer__test_clock__now_at"), Value(now(), output_field=DateTimeField()))
        since = ExpressionWrapper(here - Value(days), output_field=DateTimeField())
        return Q(initiated_at__gte=since)

    def controls(self) -> list[Control]:
        value, problem = self.given.get("started", ""), self.problems.get("started", "")
        return [Control("started", self.title, value, (), problem, "Like 7.")]

    def in_words(self) -> str:
        return f"Started in the last {self.given['started']} days"


class PaymentAdmin(ReadOnlyAdmin):
    """The list of payments."""

    list_display = [
        "received",
        "customer_link",
        "how",
        "invoice_link",
        "amount_figure",
        "unapplied_figure",
        "reference",
        "status_pill",
    ]
    list_filter = [
        states(PaymentStatus),
        "kind",
        date_range("received_on", "Received"),
        StartedFilter,
        amount_range("amount_minor", "Amount", "amount"),
        UnappliedFilter,
        text_is("gateway", "Gateway", "Like test."),
        "legal_entity",
        CurrencyFilter,
    ]
    list_amounts: ClassVar = {"amount_figure": F("amount_minor"), "unapplied_figure": UNAPPLIED}
    list_defer = ("invoice__snapshot",)
    list_help = "Money counts once it is received; it settles an invoice once it is allocated."
    list_select_related = ["customer", "invoice", "method", "legal_entity"]
    search_fields = [
        "=public_id",
        "=gateway_ref",
        "^reference",
        "customer__name",
        "^invoice__number",
        "=allocations__public_id",
        "=refunds__public_id",
    ]
    search_help_text = "Reference, customer or invoice"
    sortable_by = ("received", "amount_figure")
    empty_state = (
        "No payment yet. Record one on an invoice's or a customer's page; cards are charged automatically."
    )

    @admin.display(description="Received on", ordering="received_on")
    def received(self, row: Any) -> SafeString:
        return (
            display.day(row.received_on)
            if row.received_on
            else display.Cell.of("Not received", "not received")
        )

    @admin.display(description="How")
    def how(self, row: Any) -> str:
        return str(row.method or row.get_kind_display())

    @admin.display(description="Customer", ordering="customer__name")
    def customer_link(self, row: Any) -> SafeString:
        return display.link(row.customer)

    @admin.display(description="Invoice", ordering="invoice__number")
    def invoice_link(self, row: Any) -> SafeString:
        return display.link(row.invoice)

    @admin.display(description="Amount", ordering="amount_minor")
    def amount_figure(self, row: Any) -> SafeString:
        return display.amount_cell(row.amount_minor, row.currency)

    @admin.display(description="Unapplied")
    def unapplied_figure(self, row: Any) -> SafeString:
        return display.amount_cell(row.unapplied_minor, row.currency)

    @admin.display(description="State", ordering="status")
    def status_pill(self, row: Any) -> SafeString:
        return display.pill(row.status)


@admin.register(PaymentMethod)
class PaymentMethodAdmin(ReadOnlyAdmin):
    list_display = ["label", "customer", "gateway", "is_default", "created_at", "detached_at"]
    list_filter = [text_is("gateway", "Gateway", "Like test."), "is_default"]
    list_select_related = ["customer"]
    search_fields = ["label", "customer__name"]
    search_help_text = "Method or customer"
    sortable_by = ()
    empty_state = "No payment method yet. Customers add one through the API."


@admin.register(CollectionSchedule)
class CollectionScheduleAdmin(ReadOnlyAdmin):
    list_display = ["invoice_link", "customer", "attempts", "next_attempt_at", "stopped_reason"]
    list_display_links = ["attempts"]  # the first column leads to the invoice
    list_select_related = ["invoice__customer"]
    list_defer = ("invoice__snapshot",)
    list_filter = [instant_range("next_attempt_at", "Next attempt")]
    list_help = "When the next attempt to charge an invoice is due."
    search_fields = ["^invoice__number", "invoice__customer__name"]
    search_help_text = "Invoice or customer"
    sortable_by = ("next_attempt_at",)
    empty_state = "Nothing is being collected. Finalized invoices of customers who pay by card appear here."

    @admin.display(description="Invoice", ordering="invoice__number")
    def invoice_link(self, row: Any) -> SafeString:
        return display.link(row.invoice)

    @admin.display(description="Customer", ordering="invoice__customer__name")
    def customer(self, row: Any) -> SafeString:
        return display.link(row.invoice.customer)


@admin.register(PaymentMail)
class PaymentMailAdmin(ReadOnlyAdmin):
    list_display = [
        "recipient",
        "kind",
        "payment_link",
        "status_pill",
        "attempts",
        "queued_at",
        "sent_at",
        "error",
    ]
    list_filter = ["status", "kind"]
    list_select_related = ["payment__customer"]
    search_fields = ["^recipient", "^payment__invoice__number", "payment__customer__name"]
    empty_state = (
        "No mail yet. Money that comes in for an invoice sends a receipt; a declined charge says why."
    )

    @admin.display(description="Payment")
    def payment_link(self, row: Any) -> SafeString:
        return display.link(row.payment)

    @admin.display(description="State", ordering="status")
    def status_pill(self, row: Any) -> SafeString:
        return display.pill(row.status)
