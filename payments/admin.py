"""Money in the back office: its lists. Payments get their page in `valueverse.backoffice`."""

from typing import Any

from django.contrib import admin
from django.utils.safestring import SafeString

from billing.platform import display
from billing.platform.admin import ReadOnlyAdmin
from payments.models import CollectionSchedule, PaymentMail, PaymentMethod


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
    list_filter = ["status", "kind", "gateway", "legal_entity"]
    list_select_related = ["customer", "invoice", "method"]
    search_fields = [
        "public_id", "gateway_ref", "reference", "customer__name", "invoice__number", "=allocations__public_id",
        "=refunds__public_id",
    ]  # fmt: skip
    empty_state = (
        "No payment yet. Record one on an invoice's or a customer's page; cards are charged automatically."
    )

    @admin.display(description="Received on", ordering="received_on")
    def received(self, row: Any) -> str:
        return str(row.received_on) if row.received_on else "Not received"

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
    list_filter = ["gateway", "is_default"]
    list_select_related = ["customer"]
    search_fields = ["label", "customer__name"]
    empty_state = "No payment method yet. Customers add one through the API."


@admin.register(CollectionSchedule)
class CollectionScheduleAdmin(ReadOnlyAdmin):
    list_display = ["invoice_link", "customer", "attempts", "next_attempt_at", "stopped_reason"]
    list_display_links = ["attempts"]  # the first column leads to the invoice
    list_select_related = ["invoice__customer"]
    search_fields = ["invoice__number", "invoice__customer__name"]
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
    search_fields = ["recipient", "payment__invoice__number", "payment__customer__name"]
    empty_state = (
        "No mail yet. Money that comes in for an invoice sends a receipt; a declined charge says why."
    )

    @admin.display(description="Payment")
    def payment_link(self, row: Any) -> SafeString:
        return display.link(row.payment)

    @admin.display(description="State", ordering="status")
    def status_pill(self, row: Any) -> SafeString:
        return display.pill(row.status)
