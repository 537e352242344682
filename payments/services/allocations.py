"""Putting received money to invoices, and taking it off again. A payment never touches an invoice otherwise."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import transaction

from billing.activity import services as activity
from billing.core.errors import BillingError, Kind
from billing.core.events import EventName
from billing.core.lifecycles import InvoiceStatus, Settlement
from billing.core.money import format_major
from billing.core.postings import allocation, allocation_reversal
from billing.invoices.models import Invoice
from billing.ledger import services as ledger
from billing.platform.actors import Actor
from customers.models import Customer
from payments.models import Payment, PaymentAllocation


class AllocationRefused(BillingError):
    """The payment and the invoice do not fit: other customer, currency, seller, or a draft."""

    code = "allocation_refused"
    kind = Kind.CONFLICT


class AllocationTooLarge(BillingError):
    """More than is open of the invoice, or more than is left of the payment (I17, I18)."""

    code = "allocation_too_large"
    kind = Kind.CONFLICT


class InvoiceAlreadySettled(BillingError):
    """Nothing is open of the invoice any more."""

    code = "invoice_already_settled"
    kind = Kind.CONFLICT


class AllocationAlreadyReversed(BillingError):
    """The allocation was taken back before."""

    code = "allocation_already_reversed"
    kind = Kind.CONFLICT


@transaction.atomic
def allocate_payment(
    *, payment_id: str, invoice_id: str, amount_minor: int, actor: Actor, at: datetime
) -> PaymentAllocation:
    """Settle an amount of an invoice with received money (journal entry 2b).

    Locks: customer, invoice, payment. Emits payment.allocated, and invoice.settled when nothing is left open.
    Raises AllocationRefused, AllocationTooLarge, InvoiceAlreadySettled, PeriodClosed.
    """
    invoice, payment = lock_pair(invoice_id, payment_id)
    _check_fit(invoice, payment)
    if invoice.open_minor == 0:
        raise InvoiceAlreadySettled(f"Invoice {invoice.number} is settled already.")
    limit = min(invoice.open_minor, payment.unapplied_minor)
    if not 0 < amount_minor <= limit:
        raise AllocationTooLarge(
            f"At most {format_major(limit, invoice.currency)} {invoice.currency} can be allocated: "
            f"{format_major(invoice.open_minor, invoice.currency)} is open, "
            f"{format_major(payment.unapplied_minor, invoice.currency)} is left of the payment.",
            field="amount",
        )
    on = at.astimezone(ZoneInfo(invoice.legal_entity.time_zone)).date()
    accounting_on, is_late = ledger.open_day(
        legal_entity=invoice.legal_entity, on=on, source_type="allocation"
    )
    made = PaymentAllocation.objects.create(
        payment=payment,
        invoice=invoice,
        amount_minor=amount_minor,
        accounting_on=accounting_on,
        created_at=at,
    )
    ledger.post_entry(
        draft=allocation(amount_minor),
        legal_entity=invoice.legal_entity,
        customer=invoice.customer,
        currency=invoice.currency,
        accounting_on=accounting_on,
        source_type="allocation",
        source_id=made.public_id,
        reference=invoice.number or "",
        actor=actor,
        is_late=is_late,
    )
    _record(EventName.PAYMENT_ALLOCATED, "payment", payment.public_id, made, actor, at)
    invoice.refresh_from_db()
    if invoice.settlement == Settlement.SETTLED:
        _record(EventName.INVOICE_SETTLED, "invoice", invoice.public_id, made, actor, at)
    return made


@transaction.atomic
def reverse_allocation(*, allocation_id: str, actor: Actor, at: datetime) -> PaymentAllocation:
    """Take an allocation back: the money is unapplied again and the invoice open (journal entry 9e).

    Locks: customer, invoice, payment. Emits invoice.reopened. Raises AllocationAlreadyReversed.
    """
    original = PaymentAllocation.objects.select_related("invoice", "payment").get(public_id=allocation_id)
    invoice, payment = lock_pair(original.invoice.public_id, original.payment.public_id)
    if original.reverses_id is not None or PaymentAllocation.objects.filter(reverses=original).exists():
        raise AllocationAlreadyReversed("This allocation was taken back already.")
    on = at.astimezone(ZoneInfo(invoice.legal_entity.time_zone)).date()
    accounting_on, is_late = ledger.open_day(
        legal_entity=invoice.legal_entity, on=on, source_type="allocation"
    )
    reversal = PaymentAllocation.objects.create(
        payment=payment,
        invoice=invoice,
        amount_minor=-original.amount_minor,
        reverses=original,
        accounting_on=accounting_on,
        created_at=at,
    )
    ledger.post_entry(
        draft=allocation_reversal(original.amount_minor),
        legal_entity=invoice.legal_entity,
        customer=invoice.customer,
        currency=invoice.currency,
        accounting_on=accounting_on,
        source_type="allocation",
        source_id=reversal.public_id,
        reference=invoice.number or "",
        actor=actor,
        is_late=is_late,
    )
    _record(EventName.INVOICE_REOPENED, "invoice", invoice.public_id, reversal, actor, at)
    return reversal


def lock_pair(invoice_id: str, payment_id: str) -> tuple[Invoice, Payment]:
    """Lock the invoice's customer, the invoice and the payment, in the order of `billing/platform/locks.py`."""
    found = Invoice.objects.only("customer_id").get(public_id=invoice_id)
    Customer.objects.select_for_update().get(pk=found.customer_id)
    invoice = (
        Invoice.objects.select_for_update(of=("self",))
        .select_related("customer", "legal_entity")
        .get(pk=found.pk)
    )
    payment = (
        Payment.objects.select_for_update(of=("self",)).select_related("customer").get(public_id=payment_id)
    )
    return invoice, payment


def _check_fit(invoice: Invoice, payment: Payment) -> None:
    if invoice.status != InvoiceStatus.FINALIZED:
        raise AllocationRefused("Only a finalized invoice is paid.", field="invoice")
    if payment.customer_id not in (invoice.customer_id, invoice.payer_id):
        raise AllocationRefused("The payment is another customer's.", field="invoice")
    if payment.currency != invoice.currency:
        raise AllocationRefused(
            f"The receipt is in {payment.currency}, the invoice in {invoice.currency}. "
            f"Choose a {payment.currency} invoice or refund it.",
            field="invoice",
        )
    if payment.legal_entity_id != invoice.legal_entity_id:
        raise AllocationRefused("The money was received by another legal entity.", field="invoice")


def _record(
    name: EventName, object_kind: str, object_id: str, made: PaymentAllocation, actor: Actor, at: datetime
) -> None:
    activity.record(
        name=name,
        object_kind=object_kind,
        object_id=object_id,
        customer_id=made.invoice.customer.public_id,
        actor=actor,
        at=at,
        data={
            "allocation": made.public_id,
            "payment": made.payment.public_id,
            "invoice": made.invoice.public_id,
            "number": made.invoice.number,
            "amount_minor": made.amount_minor,
            "currency": made.invoice.currency,
        },
    )
