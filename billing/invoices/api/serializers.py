"""What the API of invoices reads and writes."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.core.lifecycles import BillRunStatus, CreditNoteStatus, InvoiceStatus, Settlement
from billing.core.money import format_major
from billing.invoices.models import BillingReason, BillRunCustomerStatus, CreditReason, ReviewFlag
from billing.platform.api.fields import (
    FlagField,
    InstantField,
    MoneyField,
    PublicIdOf,
    QuantityField,
    TextField,
)
from billing.platform.api.serializers import Input, Output, Query

_STATUSES = [(str(value), str(value)) for value in InvoiceStatus]


@extend_schema_field({"type": "object", "additionalProperties": True})
class WorkingField(MoneyField):
    """How an amount came about, as stored with the line; booked amounts in it as decimal strings, like everywhere."""

    def __init__(self, *, currency: str = "currency") -> None:
        super().__init__(currency=currency, help_text="Price version, tiers used, exact amount, rounding.")

    def to_representation(self, value: tuple[dict[str, Any], str]) -> Any:  # type: ignore[override]
        working, currency = value
        return {**_shown(working, currency), "steps": [_shown(step, currency) for step in working["steps"]]}


def _shown(working: Mapping[str, Any], currency: str) -> dict[str, Any]:
    minor = working["amount_minor"]
    rest = {name: value for name, value in working.items() if name != "amount_minor"}
    return {**rest, "rounded_amount": format_major(minor, currency)}


class RowMoneyField(MoneyField):
    """An amount of a row that names its own currency, which is empty where there is no amount: then null."""

    def get_attribute(self, instance: Any) -> tuple[int, str] | None:
        found = super().get_attribute(instance)
        return found if found is not None and found[1] else None


@extend_schema_field(
    {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {name: {"type": "string"} for name in ("kind", "reference", "label", "amount")},
        },
    }
)
class AllowancesField(MoneyField):
    """What is taken off a line before tax; amounts as decimal strings."""

    def __init__(self, *, currency: str = "currency") -> None:
        super().__init__(currency=currency, help_text="Taken off before tax: kind, reference, label, amount.")

    def to_representation(self, value: tuple[list[dict[str, Any]], str]) -> Any:  # type: ignore[override]
        rows, currency = value
        return [
            {
                "kind": row["kind"],
                "reference": row["reference"],
                "label": row["label"],
                "amount": format_major(row["amount_minor"], currency),
            }
            for row in rows
        ]


class LineOutput(Output):
    """What every line says: what was served when, how much of it, and how its amount came about."""

    code = TextField()
    description = TextField()
    kind = TextField(help_text="recurring, usage or late_usage.")
    timing = TextField(help_text="in_advance or in_arrears.")
    quantity = QuantityField()
    unit_code = TextField(help_text="UN/ECE recommendation 20; C62 is 'one'.")
    unit_amount = QuantityField(allow_null=True, help_text="Where one price holds for the whole quantity.")
    service_start_on = serializers.DateField()
    service_last_on = serializers.DateField(help_text="Last day of service, inclusive.")


class TaxOutput(Output):
    """One row of a tax table: rounded once per category and rate."""

    category = TextField(help_text="As EN 16931 codes it: S, Z, E, AE, O, G.")
    percent = QuantityField()
    exemption_code = TextField(help_text="VATEX code where no tax is charged, else empty.")


class InvoiceLineOutput(LineOutput):
    """One line of an invoice."""

    id = TextField(source="public_id")
    position = serializers.IntegerField()
    meter = TextField(source="meter_code", help_text="Code of the meter; empty for a fee.")
    amount = MoneyField(source="amount_minor", currency="invoice.currency", help_text="Net.")
    gross = MoneyField(source="gross_minor", currency="invoice.currency", help_text="Before allowances.")
    allowances = AllowancesField(currency="invoice.currency")
    working = WorkingField(currency="invoice.currency")
    tax_category = TextField()
    tax_percent = QuantityField()


class InvoiceTaxOutput(TaxOutput):
    """One row of an invoice's tax table."""

    base = MoneyField(source="base_minor", currency="invoice.currency")
    tax = MoneyField(source="tax_minor", currency="invoice.currency")


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

    lines = InvoiceLineOutput(many=True)
    taxes = InvoiceTaxOutput(many=True)


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

    is_cancellation = FlagField(
        default=False,
        help_text="true: an unpaid invoice is taken back as if it had not been issued, its periods are billed again. "
        "false: what was billed stays billed; the open part is offset, the paid part is owed back.",
    )
    reason = serializers.ChoiceField(choices=CreditReason.choices)
    note = TextField(
        required=False, allow_blank=True, max_length=500, help_text="Printed on the credit note."
    )


class CreditNoteLineOutput(LineOutput):
    """One credited line."""

    id = TextField(source="public_id")
    position = serializers.IntegerField()
    invoice_line = PublicIdOf()
    amount = MoneyField(source="amount_minor", currency="credit_note.currency", help_text="Net.")
    gross = MoneyField(source="gross_minor", currency="credit_note.currency", help_text="Before allowances.")
    allowances = AllowancesField(currency="credit_note.currency")
    working = WorkingField(currency="credit_note.currency")


class CreditNoteTaxOutput(TaxOutput):
    """One row of a credit note's tax table."""

    base = MoneyField(source="base_minor", currency="credit_note.currency")
    tax = MoneyField(source="tax_minor", currency="credit_note.currency")


class CreditNoteOutput(Output):
    """A credit note without its lines."""

    id = TextField(source="public_id")
    number = TextField(allow_null=True)
    status = serializers.ChoiceField(choices=[(str(value), str(value)) for value in CreditNoteStatus])
    invoice = PublicIdOf()
    customer = PublicIdOf()
    legal_entity = PublicIdOf()
    is_cancellation = FlagField(help_text="Whether what the invoice billed can be billed again.")
    reason = serializers.ChoiceField(choices=CreditReason.choices)
    note = TextField()
    currency = TextField()
    subtotal = MoneyField(source="subtotal_minor")
    tax = MoneyField(source="tax_minor")
    total = MoneyField(source="total_minor")
    offset = MoneyField(source="offset_minor", help_text="Settles what was open of the invoice.")
    refundable = MoneyField(source="refund_minor", help_text="Was paid already and is owed back.")
    refunded = MoneyField(source="refunded_minor")
    issued_on = serializers.DateField(allow_null=True)
    finalized_at = InstantField(allow_null=True)
    created_at = InstantField()


class CreditNoteDetailOutput(CreditNoteOutput):
    """A credit note with its lines and tax table."""

    lines = CreditNoteLineOutput(many=True)
    taxes = CreditNoteTaxOutput(many=True)


class CreditNoteQuery(Query):
    """Which credit notes to list."""

    customer = TextField(required=False, max_length=36, help_text="Id of a customer.")
    invoice = TextField(required=False, max_length=36, help_text="Id of an invoice.")


class PreviewLineOutput(LineOutput):
    """One line as it would be."""

    meter = TextField(help_text="Code of the meter; empty for a fee.")
    amount = MoneyField(source="amount_minor", help_text="Net.")
    gross = MoneyField(source="gross_minor", help_text="Before allowances.")
    allowances = AllowancesField()
    working = WorkingField()


class PreviewTaxOutput(TaxOutput):
    """One row of the tax table as it would be."""

    base = MoneyField(source="base_minor")
    tax = MoneyField(source="tax_minor")


class LateUsageLineOutput(Output):
    """Late usage that waits for a decision."""

    code = TextField(help_text="Code of the price.")
    description = TextField()
    quantity = QuantityField(help_text="Units that came or went since the period was billed.")
    start_at = InstantField()
    end_at = InstantField()
    amount = MoneyField(source="amount_minor", help_text="Net.")
    currency = TextField()


class LateUsageOutput(Output):
    """What waits for a decision, all together."""

    waiting = LateUsageLineOutput(many=True)


class LateUsageInput(Input):
    """A decision about all late usage received so far."""

    decision = serializers.ChoiceField(
        ["bill", "forgive"], help_text="bill: with the next invoice. forgive: let it go."
    )
    reason = TextField(max_length=500, help_text="Why; kept with your name.")


class UpcomingInvoiceOutput(Output):
    """The next invoice of a subscription as it would be with the usage received so far. Nothing is written."""

    subscription = TextField()
    bills_at = InstantField(help_text="When it is due.")
    usage_until = InstantField(help_text="Usage received until here is in.")
    currency = TextField()
    subtotal = MoneyField(source="subtotal_minor")
    tax = MoneyField(source="tax_minor")
    total = MoneyField(source="total_minor")
    lines = PreviewLineOutput(many=True)
    taxes = PreviewTaxOutput(many=True)


class UsageSoFarOutput(Output):
    """One metered price: the quantity used so far and what it would cost."""

    code = TextField(help_text="Code of the price.")
    description = TextField()
    meter = TextField(help_text="Code of the meter.")
    unit_code = TextField()
    quantity = QuantityField()
    amount = MoneyField(source="amount_minor", help_text="Net, rounded as on the invoice.")


class CurrentUsageOutput(Output):
    """The usage of the current service period, and its amount if the period ended now."""

    subscription = TextField()
    as_of = InstantField(help_text="Now; a test clock's time where one runs.")
    period_start_at = InstantField()
    period_end_at = InstantField(help_text="Exclusive.")
    currency = TextField()
    total = MoneyField(source="total_minor", help_text="Net, without fees and tax.")
    items = UsageSoFarOutput(many=True)


class MailOutput(Output):
    """A mail that carries a document to one contact."""

    id = TextField(source="public_id")
    recipient = TextField()
    status = TextField()
    queued_at = InstantField()
    sent_at = InstantField(allow_null=True)


class QueuedMailsOutput(Output):
    """The mails that were queued."""

    data = MailOutput(many=True)  # type: ignore[assignment]  # a field, not the property


class BillRunOutput(Output):
    """One billing of many customers."""

    id = TextField(source="public_id")
    status = serializers.ChoiceField(choices=[(str(value), str(value)) for value in BillRunStatus])
    as_of = InstantField()
    customer = PublicIdOf(allow_null=True)
    needs_review = FlagField()
    usage_cutoff_at = InstantField()
    created_at = InstantField()
    completed_at = InstantField(allow_null=True)
    send_asked_at = InstantField(
        allow_null=True,
        help_text="When somebody asked to send its invoices; a run without review sends by itself.",
    )
    send_done_at = InstantField(allow_null=True, help_text="When all mails of that were queued.")


class BillRunDetailOutput(BillRunOutput):
    """A bill run with what it has made so far."""

    customers = serializers.DictField(child=serializers.IntegerField(), help_text="Customers by status.")
    invoices = serializers.IntegerField()
    totals = serializers.DictField(
        child=serializers.CharField(), help_text="Total per currency, major units."
    )


class BillRunCustomerOutput(Output):
    """One customer of a run."""

    customer = PublicIdOf()
    status = serializers.ChoiceField(choices=BillRunCustomerStatus.choices)
    invoices = serializers.IntegerField(source="invoice_count")
    currency = TextField(help_text="Of the amounts; empty if nothing was drafted.")
    total = RowMoneyField(source="total_minor", allow_null=True, help_text="Sum of its drafts, with tax.")
    last_total = RowMoneyField(
        source="last_total_minor",
        allow_null=True,
        help_text="Sum of the last invoices of the same subscriptions; null if none.",
    )
    flags = serializers.ListField(
        child=serializers.ChoiceField(choices=ReviewFlag.choices), help_text="Why it deserves a look."
    )
    looked_at = InstantField(allow_null=True)
    hold = PublicIdOf(allow_null=True)
    exclude_reason = TextField()
    error_code = TextField(help_text="Why it failed; empty if it did not.")
    error_message = TextField()


class BillRunCustomerQuery(Query):
    """Which customers of a run to list."""

    status = serializers.ChoiceField(required=False, choices=BillRunCustomerStatus.choices)
    flag = serializers.ChoiceField(required=False, choices=ReviewFlag.choices)
    customer = TextField(required=False, max_length=36, help_text="Id of a customer.")


class ExcludeInput(Input):
    """Why a customer is left out of a run."""

    reason = TextField(max_length=500)


class RetriedOutput(Output):
    """How many customers are tried again."""

    customers = serializers.IntegerField()


class SendingOutput(Output):
    """What sending a run queues, and what it skips."""

    invoices = serializers.IntegerField(help_text="Invoices whose mails are queued in the background.")
    totals = serializers.DictField(child=serializers.CharField(), help_text="Per currency, major units.")
    sent_before = serializers.IntegerField(help_text="Skipped: they were mailed before.")
    without_contact = serializers.IntegerField(help_text="Skipped: no contact has the mail role billing.")
    voided = serializers.IntegerField(help_text="Skipped.")


class BillingHoldInput(Input):
    """Whose billing is stopped, why, and until when."""

    customer = TextField(max_length=36, help_text="Id of a customer.")
    reason = TextField(max_length=500)
    until_on = serializers.DateField(
        required=False,
        allow_null=True,
        help_text="First day, in the customer's zone, on which it is billed again; without it: when released.",
    )


class BillingHoldOutput(Output):
    """A stop of one customer's billing."""

    id = TextField(source="public_id")
    customer = PublicIdOf()
    reason = TextField()
    held_at = InstantField()
    until_at = InstantField(allow_null=True, help_text="When it ends by itself.")
    released_at = InstantField(allow_null=True)


class BillingHoldQuery(Query):
    """Whose holds to list."""

    customer = TextField(required=False, max_length=36, help_text="Id of a customer.")
