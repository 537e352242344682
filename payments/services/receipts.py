"""Money that has arrived: booked to unapplied cash, then allocated where the invoice is known."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db import transaction

from billing.activity import services as activity
from billing.approvals import services as approvals
from billing.approvals.models import ApprovalAction
from billing.core.errors import BillingError, InvalidInput
from billing.core.events import EventName
from billing.core.lifecycles import PaymentStatus
from billing.core.postings import Role, payment_receipt
from billing.invoices.models import Invoice
from billing.ledger import services as ledger
from billing.platform.actors import Actor
from customers.models import Customer, LegalEntity
from payments.models import Payment, PaymentKind
from payments.services.allocations import AllocationRefused, InvoiceAlreadySettled, allocate_payment


class ReceiptInFuture(BillingError):
    """Money is recorded when it has arrived, not before."""

    code = "receipt_in_future"


def post_receipt(*, payment: Payment, actor: Actor) -> None:
    """Book received money to unapplied cash (journal entry 2a), in the transaction that marks it received."""
    assert payment.received_on is not None, "received money has a day of receipt"
    role = Role.BANK if payment.kind == PaymentKind.MANUAL else Role.GATEWAY_CLEARING
    accounting_on, is_late = ledger.open_day(
        legal_entity=payment.legal_entity, on=payment.received_on, source_type="payment"
    )
    ledger.post_entry(
        draft=payment_receipt(payment.amount_minor, role, payment.gateway),
        legal_entity=payment.legal_entity,
        customer=payment.customer,
        currency=payment.currency,
        accounting_on=accounting_on,
        source_type="payment",
        source_id=payment.public_id,
        reference=(payment.reference or payment.gateway_ref)[:60],
        actor=actor,
        is_late=is_late,
    )


def record_manual_payment(
    *,
    customer: Customer,
    amount_minor: int,
    currency: str,
    received_on: date,
    reference: str,
    actor: Actor,
    at: datetime,
    invoice: Invoice | None = None,
    legal_entity: LegalEntity | None = None,
) -> Payment:
    """Record a cheque, cash or transfer by hand; with an invoice, as much as is open of it is allocated at once.

    What is more than the invoice stays unapplied. Asks for approval first. Locks: customer, invoice, payment.
    Emits payment.succeeded, payment.allocated. Raises ApprovalRequired, InvalidInput, ReceiptInFuture,
    InvoiceAlreadySettled, AllocationRefused, ForeignCurrency.
    """
    if invoice is not None:
        invoice = Invoice.objects.select_related("legal_entity").get(pk=invoice.pk)
    seller = invoice.legal_entity if invoice else legal_entity or customer.legal_entity
    _check_receipt(amount_minor, received_on, seller, at)
    _check_fit(customer, seller, currency, invoice)
    approval = approvals.require(
        action=ApprovalAction.MANUAL_PAYMENT,
        object_kind="invoice" if invoice else "customer",
        object_id=invoice.public_id if invoice else customer.public_id,
        amount_minor=amount_minor,
        currency=currency,
        actor=actor,
        at=at,
        reason=reference,
    )
    with transaction.atomic():
        if invoice is not None:
            invoice = _lock_with_payer(customer, invoice)
            _check_fit(customer, seller, currency, invoice)
        approvals.mark_executed(approval=approval, at=at)
        payment = Payment.objects.create(
            customer=customer,
            legal_entity=seller,
            kind=PaymentKind.MANUAL,
            status=PaymentStatus.SUCCEEDED,
            currency=currency,
            amount_minor=amount_minor,
            invoice=invoice,
            reference=reference,
            received_on=received_on,
            approval=approval,
            initiated_at=at,
            finished_at=at,
        )
        post_receipt(payment=payment, actor=actor)
        record_payment(EventName.PAYMENT_SUCCEEDED, payment, actor, at)
        if invoice is not None:
            allocate_what_is_open(payment=payment, invoice=invoice, actor=actor, at=at)
    payment.refresh_from_db()
    return payment


def _check_receipt(amount_minor: int, received_on: date, seller: LegalEntity, at: datetime) -> None:
    if amount_minor <= 0:
        raise InvalidInput("The amount is above zero.", field="amount")
    if received_on > at.astimezone(ZoneInfo(seller.time_zone)).date():
        raise ReceiptInFuture("The day of receipt lies in the future.", field="received_on")


def _lock_with_payer(customer: Customer, invoice: Invoice) -> Invoice:
    """Lock who pays and whose invoice it is, by id, then the invoice, and return it as it stands now."""
    ids = {customer.pk, invoice.customer_id}
    list(Customer.objects.select_for_update().filter(pk__in=ids).order_by("pk"))
    return Invoice.objects.select_for_update(of=("self",)).select_related("legal_entity").get(pk=invoice.pk)


def _check_fit(customer: Customer, seller: LegalEntity, currency: str, invoice: Invoice | None) -> None:
    """Refuse what the books would refuse, before anybody is asked to approve it."""
    if invoice is not None:
        if customer.pk not in (invoice.customer_id, invoice.payer_id):
            raise AllocationRefused("The invoice is another customer's.", field="invoice")
        if currency != invoice.currency:
            raise AllocationRefused(
                f"The receipt is in {currency}, the invoice in {invoice.currency}.", field="currency"
            )
        if invoice.open_minor == 0:
            raise InvoiceAlreadySettled(f"Invoice {invoice} has nothing open to pay.")
    elif currency != seller.accounting_currency:
        raise ledger.ForeignCurrency(f"{seller} keeps its books in {seller.accounting_currency}.")


def allocate_what_is_open(*, payment: Payment, invoice: Invoice, actor: Actor, at: datetime) -> None:
    """Allocate as much of a payment as is open of its invoice; what is left stays unapplied cash.

    An invoice that was settled, credited or voided in the meantime takes nothing: the money waits for a person.
    """
    invoice = Invoice.objects.get(pk=invoice.pk)
    amount_minor = min(invoice.open_minor, payment.unapplied_minor)
    if amount_minor <= 0:
        return
    allocate_payment(
        payment_id=payment.public_id,
        invoice_id=invoice.public_id,
        amount_minor=amount_minor,
        actor=actor,
        at=at,
    )


def record_payment(name: EventName, payment: Payment, actor: Actor, at: datetime) -> None:
    """The activity row of a payment's fact."""
    activity.record(
        name=name,
        object_kind="payment",
        object_id=payment.public_id,
        customer_id=payment.customer.public_id,
        actor=actor,
        at=at,
        data={
            "status": payment.status,
            "amount_minor": payment.amount_minor,
            "currency": payment.currency,
            "invoice": payment.invoice.public_id if payment.invoice else None,
            "failure_code": payment.failure_code,
        },
    )
