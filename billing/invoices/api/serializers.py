"""What the API of invoices reads and writes."""

from typing import Any

from rest_framework import serializers

from billing.core.lifecycles import BillRunStatus, InvoiceStatus, Settlement
from billing.invoices.models import BillingReason, CreditReason
from billing.platform.api.fields import InstantField, MoneyField, PublicIdOf, QuantityField, TextField
from billing.platform.api.serializers import Input, Output, Query

_STATUSES = [(str(value), str(value)) for value in InvoiceStatus]


class LineOutput(Output):
    """One line, with everything that explains its amount."""

    id = TextField(source="public_id")
    position = serializers.IntegerField()
    code = TextField()
    description = TextField()
    kind = TextField(help_text="recurring, usage or late_usage.")
    timing = TextField(help_text="in_advance or in_arrears.")
    meter = serializers.CharField(
        source="meter_code", default="", help_text="Code of the meter; empty for a fee."
    )
    quantity = QuantityField()
    unit_code = TextField()
    unit_amount = QuantityField(allow_null=True, help_text="Where one price holds for the whole quantity.")
    amount = serializers.SerializerMethodField(help_text="Net, in major units.")
    service_start_on = serializers.DateField()
    service_last_on = serializers.DateField(help_text="Last day of service, inclusive.")
    tax_category = TextField()
    tax_percent = QuantityField()
    working = serializers.DictField(help_text="How the amount came about: price version, steps, rounding.")

    def get_amount(self, line: Any) -> str:
        return MoneyField.shown(line.amount_minor, self.context["currency"])


class TaxOutput(Output):
    """One row of the tax table: rounded once per category and rate."""

    category = TextField()
    percent = QuantityField()
    base = serializers.SerializerMethodField()
    tax = serializers.SerializerMethodField()
    exemption_code = TextField()

    def get_base(self, row: Any) -> str:
        return MoneyField.shown(row.base_minor, self.context["currency"])

    def get_tax(self, row: Any) -> str:
        return MoneyField.shown(row.tax_minor, self.context["currency"])


class InvoiceOutput(Output):
    """An invoice without its lines."""

    id = TextField(source="public_id")
    number = TextField(allow_null=True, help_text="Taken when finalized.")
    status = serializers.ChoiceField(choices=_STATUSES)
    settlement = serializers.ChoiceField(
        choices=[(str(value), str(value)) for value in Settlement],
        allow_null=True,
        help_text="How much is settled; null for drafts and voided invoices.",
    )
    customer = PublicIdOf()
    payer = PublicIdOf()
    legal_entity = PublicIdOf()
    subscription = PublicIdOf(allow_null=True)
    billing_reason = serializers.ChoiceField(choices=BillingReason.choices)
    currency = TextField()
    subtotal = MoneyField(source="subtotal_minor")
    tax = MoneyField(source="tax_minor")
    total = MoneyField(source="total_minor")
    paid = MoneyField(source="allocated_minor")
    credited = MoneyField(source="credited_minor", help_text="Sum of its credit notes.")
    open = MoneyField(source="open_minor", help_text="Still owed.")
    issued_on = serializers.DateField(allow_null=True)
    tax_point_on = serializers.DateField(allow_null=True)
    due_on = serializers.DateField(allow_null=True)
    finalized_at = InstantField(allow_null=True)
    sent_at = InstantField(allow_null=True)
    voided_at = InstantField(allow_null=True)
    created_at = InstantField()


class InvoiceDetailOutput(InvoiceOutput):
    """An invoice with its lines and tax table."""

    lines = serializers.SerializerMethodField()
    taxes = serializers.SerializerMethodField()

    def get_lines(self, invoice: Any) -> list[dict[str, Any]]:
        return LineOutput(invoice.lines.all(), many=True, context={"currency": invoice.currency}).data

    def get_taxes(self, invoice: Any) -> list[dict[str, Any]]:
        return TaxOutput(invoice.taxes.all(), many=True, context={"currency": invoice.currency}).data


class InvoiceQuery(Query):
    """Which invoices to list."""

    customer = TextField(required=False, max_length=36, help_text="Id of a customer.")
    subscription = TextField(required=False, max_length=36, help_text="Id of a subscription.")
    number = TextField(required=False, max_length=40)
    status = serializers.ChoiceField(required=False, choices=_STATUSES)


class VoidInput(Input):
    """Why an invoice is taken back."""

    reason = TextField(max_length=500)


class CreditNoteInput(Input):
    """A credit note over a whole invoice."""

    kind = serializers.ChoiceField(
        choices=[("cancellation", "Cancellation"), ("credit", "Credit")],
        help_text="cancellation: as if it had not been issued; its periods are billed again. credit: it stays billed.",
    )
    reason = serializers.ChoiceField(choices=CreditReason.choices)
    note = TextField(
        required=False, allow_blank=True, max_length=500, help_text="Printed on the credit note."
    )
