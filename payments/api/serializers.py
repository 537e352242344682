"""What the API of payments reads and writes."""

from rest_framework import serializers

from billing.core.lifecycles import PaymentStatus, RefundStatus
from billing.platform.api.fields import (
    AmountField,
    FlagField,
    InstantField,
    MoneyField,
    PublicIdOf,
    TextField,
)
from billing.platform.api.serializers import Input, Output, Query
from payments.models import PaymentKind

_STATUSES = [(str(value), str(value)) for value in PaymentStatus]


class PaymentMethodInput(Input):
    """A method that the gateway knows already. No card number is ever accepted."""

    customer = TextField(max_length=36, help_text="Id of the customer.")
    gateway = TextField(max_length=20, help_text="Code of the gateway, for example test.")
    gateway_ref = TextField(max_length=120, help_text="The gateway's id of the method.")
    label = TextField(  # type: ignore[assignment]  # a field, not the label of this one
        max_length=80, help_text="How it reads on documents, for example 'card ...4242'."
    )


class PaymentMethodOutput(Output):
    """How a customer pays automatically."""

    id = TextField(source="public_id")
    customer = PublicIdOf()
    gateway = TextField()
    label = TextField()  # type: ignore[assignment]  # as above
    is_default = FlagField()
    created_at = InstantField()


class PaymentMethodQuery(Query):
    """Which payment methods to list."""

    customer = TextField(required=False, max_length=36, help_text="Id of a customer.")


class RefundOutput(Output):
    """Money going back."""

    id = TextField(source="public_id")
    payment = PublicIdOf()
    credit_note = PublicIdOf(allow_null=True)
    status = serializers.ChoiceField(choices=[(str(value), str(value)) for value in RefundStatus])
    currency = TextField()
    amount = MoneyField(source="amount_minor")
    reason = TextField()
    failure_message = TextField()
    initiated_at = InstantField()
    finished_at = InstantField(allow_null=True)


class RefundInput(Input):
    """Money to pay back."""

    amount = AmountField()
    reason = TextField(max_length=300)
    credit_note = TextField(
        required=False,
        max_length=36,
        help_text="Id of the credit note that owes it; unapplied cash unless told.",
    )


class AllocationOutput(Output):
    """Money of a payment put to an invoice; a negative amount takes it off again."""

    id = TextField(source="public_id")
    invoice = PublicIdOf()
    amount = MoneyField(source="amount_minor", currency="payment.currency")
    created_at = InstantField()


class PaymentOutput(Output):
    """One attempt to receive money, or one receipt recorded by hand."""

    id = TextField(source="public_id")
    customer = PublicIdOf()
    invoice = PublicIdOf(allow_null=True, help_text="What it is for.")
    kind = serializers.ChoiceField(choices=PaymentKind.choices)
    status = serializers.ChoiceField(choices=_STATUSES)
    method = PublicIdOf(allow_null=True)
    gateway = TextField(help_text="Code of the gateway; empty for receipts recorded by hand.")
    currency = TextField()
    amount = MoneyField(source="amount_minor")
    allocated = MoneyField(source="allocated_minor", help_text="Put to invoices.")
    unapplied = MoneyField(
        source="unapplied_minor", help_text="Received, and neither allocated nor paid back."
    )
    refunded = MoneyField(source="refunded_minor")
    failure_code = TextField(help_text="Why it failed; empty otherwise.")
    failure_message = TextField()
    reference = TextField()
    received_on = serializers.DateField(allow_null=True)
    accounting_on = serializers.DateField(
        allow_null=True,
        help_text="Day it counts in the books: later than received_on if that month was closed.",
    )
    initiated_at = InstantField()
    finished_at = InstantField(allow_null=True)


class PaymentDetailOutput(PaymentOutput):
    """A payment with what became of its money."""

    allocations = AllocationOutput(many=True)
    refunds = RefundOutput(many=True)


class PaymentQuery(Query):
    """Which payments to list."""

    customer = TextField(required=False, max_length=36, help_text="Id of a customer.")
    invoice = TextField(required=False, max_length=36, help_text="Id of an invoice.")
    status = serializers.ChoiceField(required=False, choices=_STATUSES)


class ManualPaymentInput(Input):
    """A cheque, cash or transfer that came in."""

    customer = TextField(max_length=36, help_text="Id of the customer who paid.")
    amount = AmountField()
    currency = TextField(max_length=3)
    received_on = serializers.DateField(help_text="In the time zone of the legal entity.")
    reference = TextField(max_length=140, help_text="What the statement says.")
    invoice = TextField(
        required=False, max_length=36, help_text="Id of the invoice it is for; else it stays unapplied."
    )
