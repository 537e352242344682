"""Collecting invoices automatically: intent, call, result, each in a transaction of its own.

No transaction is open while the gateway is called. Whatever a crash or a missing answer leaves behind stays `unknown`
or `initiated` until the janitor asks the gateway with our key; the same key never takes money twice.
"""

import hashlib
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction

from billing.core.errors import BillingError, Kind
from billing.core.events import EventName
from billing.core.lifecycles import PAYMENT_MOVES, InvoiceStatus, PaymentStatus, check_move
from billing.invoices.models import Invoice
from billing.platform import metrics
from billing.platform.actors import Actor
from customers.models import CollectionMethod, Customer
from payments.gateways import gateway
from payments.gateways.base import ChargeRequest, GatewayResult, GatewayUnanswered, MethodUnknown, Outcome
from payments.models import LIVE_PAYMENT_STATUSES, CollectionSchedule, Payment, PaymentKind
from payments.selectors import default_method, live_attempt
from payments.services.allocations import InvoiceAlreadySettled
from payments.services.receipts import allocate_what_is_open, post_receipt, record_payment

CHECK_DELAYS = (timedelta(minutes=5), timedelta(hours=1), timedelta(days=1))
"""When the janitor asks about an attempt without an answer; then daily. After Kill Bill's janitor."""

RETRY_DELAYS = (timedelta(hours=4), timedelta(days=1), timedelta(days=3), timedelta(days=7))
"""When a declined invoice is tried again, for declines that another try can overcome; then collection stops."""


NO_METHOD = "No payment method"
"""Why a schedule stopped, until the payer has a method again."""


class NoPaymentMethod(BillingError):
    """The payer has no method to charge."""

    code = "no_payment_method"
    kind = Kind.CONFLICT


class NotCollectable(BillingError):
    """The invoice is not one to collect: a draft, voided, or to be paid by the customer's own transfer."""

    code = "not_collectable"
    kind = Kind.CONFLICT


class PaymentInProgress(BillingError):
    """An attempt on this invoice may still succeed; a second one would risk charging twice (I16)."""

    code = "payment_in_progress"
    kind = Kind.CONFLICT


@transaction.atomic
def schedule_collection(*, invoice_id: str, at: datetime) -> CollectionSchedule | None:
    """Plan the first attempt on a finalized invoice: now, or when it falls due. None if it is not collected by us.

    Idempotent: an invoice has one schedule.
    """
    invoice = Invoice.objects.select_related("customer", "legal_entity").get(public_id=invoice_id)
    if invoice.customer.collection_method != CollectionMethod.CHARGE_AUTOMATICALLY or invoice.open_minor == 0:
        return None
    assert invoice.due_on is not None, "finalized invoices have a due date"
    due_at = datetime.combine(invoice.due_on, time.min, ZoneInfo(invoice.legal_entity.time_zone))
    schedule, _ = CollectionSchedule.objects.get_or_create(
        invoice=invoice, defaults={"next_attempt_at": max(at, due_at)}
    )
    return schedule


def collect_invoice(*, invoice_id: str, actor: Actor, at: datetime, request_key: str = "") -> Payment:
    """Charge what is open of an invoice by the payer's default method.

    Safe to run twice: a live attempt is refused, a settled invoice too. request_key: the caller's own key for this
    attempt; called again with it, the same attempt goes on and no other begins. Returns the payment in the state the
    gateway gave it: succeeded, failed, processing or unknown.
    Raises NotCollectable, InvoiceAlreadySettled, PaymentInProgress, NoPaymentMethod (and stops the schedule).
    """
    begun = Payment.objects.filter(idempotency_key=attempt_key(request_key)).first() if request_key else None
    if begun is not None:
        return check_payment(payment_id=begun.public_id, actor=actor, at=at)
    payment = _intend(invoice_id, request_key, actor, at)
    return _call(payment, actor, at)


def attempt_key(name: str) -> str:
    """The key that a gateway knows an attempt by: a digest of the caller's key, or else of the payment's id."""
    return hashlib.sha256(name.encode()).hexdigest()


def _intend(invoice_id: str, request_key: str, actor: Actor, at: datetime) -> Payment:
    """Transaction 1: write down what is about to happen."""
    with transaction.atomic():
        found = Invoice.objects.only("customer_id").get(public_id=invoice_id)
        Customer.objects.select_for_update().get(pk=found.customer_id)
        invoice = (
            Invoice.objects.select_for_update(of=("self",))
            .select_related("payer", "legal_entity")
            .get(pk=found.pk)
        )
        _check_collectable(invoice)
        method = default_method(customer=invoice.payer)
        if method is not None:
            payment = Payment(
                customer=invoice.payer,
                legal_entity=invoice.legal_entity,
                kind=PaymentKind.PROVIDER,
                status=PaymentStatus.INITIATED,
                currency=invoice.currency,
                amount_minor=invoice.open_minor,
                invoice=invoice,
                method=method,
                gateway=method.gateway,
                initiated_at=at,
                check_at=at + CHECK_DELAYS[0],
            )
            payment.idempotency_key = attempt_key(request_key or payment.public_id)
            payment.save()
            schedule, _ = CollectionSchedule.objects.get_or_create(invoice=invoice)
            schedule.attempts, schedule.next_attempt_at = schedule.attempts + 1, None
            schedule.save()
            record_payment(EventName.PAYMENT_INITIATED, payment, actor, at)
        else:
            CollectionSchedule.objects.filter(invoice=invoice).update(
                next_attempt_at=None, stopped_reason=NO_METHOD
            )
    if method is None:
        raise NoPaymentMethod(f"{invoice.payer} has no payment method. Add one, then collect again.")
    return payment


def _check_collectable(invoice: Invoice) -> None:
    if invoice.status != InvoiceStatus.FINALIZED:
        raise NotCollectable(f"Invoice {invoice} is {invoice.status}; only a finalized invoice is collected.")
    if invoice.open_minor == 0:
        raise InvoiceAlreadySettled(f"Invoice {invoice.number} is settled already.")
    if live_attempt(invoice=invoice) is not None:
        raise PaymentInProgress(f"A payment of invoice {invoice.number} is under way. Do not pay again.")


def _call(payment: Payment, actor: Actor, at: datetime) -> Payment:
    """The gateway call, outside any transaction of ours unless a caller holds one, and its result in transaction 2."""
    assert payment.method is not None and payment.invoice is not None, (
        "a gateway payment has a method and an invoice"
    )
    request = ChargeRequest(
        idempotency_key=payment.idempotency_key,
        method_ref=payment.method.gateway_ref,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        description=f"Invoice {payment.invoice.number}",
    )
    try:
        result = gateway(payment.gateway).charge(request)
    except GatewayUnanswered as error:
        return _note_unknown(payment, error.message, actor, at)
    except MethodUnknown as error:
        result = GatewayResult(
            Outcome.FAILED, "", payment.amount_minor, payment.currency, "method_unknown", error.message
        )
    return record_result(payment_id=payment.public_id, result=result, actor=actor, at=at)


def check_payment(*, payment_id: str, actor: Actor, at: datetime) -> Payment:
    """The janitor: ask the gateway what became of an attempt without an answer (F03 to F05).

    If the gateway never saw it, the same request is sent again with the same key. Final attempts are left alone.
    """
    payment = Payment.objects.select_related("method", "invoice", "customer").get(public_id=payment_id)
    if payment.status not in LIVE_PAYMENT_STATUSES:
        return payment
    try:
        result = gateway(payment.gateway).find_charge(payment.idempotency_key)
    except GatewayUnanswered as error:
        return _note_unknown(payment, error.message, actor, at)
    if result is None:
        return _call(payment, actor, at)
    return record_result(payment_id=payment.public_id, result=result, actor=actor, at=at)


def _note_unknown(payment: Payment, message: str, actor: Actor, at: datetime) -> Payment:
    """No answer is not a failure: note it, and when to ask next."""
    with transaction.atomic():
        payment = _lock_payment(payment.public_id)
        if payment.status not in LIVE_PAYMENT_STATUSES:
            return payment
        is_new = payment.status != PaymentStatus.UNKNOWN
        payment.status = PaymentStatus.UNKNOWN
        payment.failure_message = message
        payment.check_at = at + CHECK_DELAYS[min(payment.check_count, len(CHECK_DELAYS) - 1)]
        payment.check_count += 1
        payment.save(update_fields=["status", "failure_message", "check_at", "check_count"])
        if is_new:
            record_payment(EventName.PAYMENT_UNKNOWN, payment, actor, at)
    metrics.PAYMENTS.labels(result="unknown").inc()
    return payment


@transaction.atomic
def record_result(*, payment_id: str, result: GatewayResult, actor: Actor, at: datetime) -> Payment:
    """Transaction 2: what the gateway said. Money received is booked and allocated (journal entries 2a, 2b).

    Idempotent: a final payment stays as it is. A result over another amount or currency is not applied: the payment
    stays unknown for a person to look at (F07). Locks: customer, invoice, payment.
    Emits payment.succeeded or payment.failed (payment.unknown for another amount), then what the allocation emits.
    """
    payment = _lock_payment(payment_id)
    if payment.status not in LIVE_PAYMENT_STATUSES:
        return payment
    if (result.amount_minor, result.currency) != (payment.amount_minor, payment.currency):
        _hold_mismatch(payment, result, actor, at)
    elif result.outcome is Outcome.SUCCEEDED:
        _succeed(payment, result, actor, at)
    elif result.outcome is Outcome.FAILED:
        _fail(payment, result, actor, at)
    else:
        payment.status = PaymentStatus.PROCESSING
        payment.gateway_ref = result.gateway_ref
        payment.check_at = at + CHECK_DELAYS[min(payment.check_count, len(CHECK_DELAYS) - 1)]
        payment.check_count += 1
        payment.save(update_fields=["status", "gateway_ref", "check_at", "check_count"])
    label = payment.status
    transaction.on_commit(lambda: metrics.PAYMENTS.labels(result=label).inc())
    return payment


def _lock_payment(payment_id: str) -> Payment:
    found = Payment.objects.select_related("invoice").get(public_id=payment_id)
    if found.invoice is not None:
        Customer.objects.select_for_update().get(pk=found.invoice.customer_id)
        Invoice.objects.select_for_update().get(pk=found.invoice.pk)
    return (
        Payment.objects.select_for_update(of=("self",))
        .select_related("customer", "legal_entity", "invoice", "method")
        .get(pk=found.pk)
    )


def _succeed(payment: Payment, result: GatewayResult, actor: Actor, at: datetime) -> None:
    assert payment.invoice is not None
    check_move(PAYMENT_MOVES, payment.status, PaymentStatus.SUCCEEDED)
    payment.status = PaymentStatus.SUCCEEDED
    payment.gateway_ref = result.gateway_ref
    payment.received_on = at.astimezone(ZoneInfo(payment.legal_entity.time_zone)).date()
    payment.finished_at, payment.check_at, payment.failure_message = at, None, ""
    payment.save()
    post_receipt(payment=payment, actor=actor)
    record_payment(EventName.PAYMENT_SUCCEEDED, payment, actor, at)
    allocate_what_is_open(payment=payment, invoice=payment.invoice, actor=actor, at=at)


def _fail(payment: Payment, result: GatewayResult, actor: Actor, at: datetime) -> None:
    check_move(PAYMENT_MOVES, payment.status, PaymentStatus.FAILED)
    payment.status = PaymentStatus.FAILED
    payment.gateway_ref = result.gateway_ref
    payment.failure_code, payment.failure_message = result.failure_code, result.failure_message
    payment.finished_at, payment.check_at = at, None
    payment.save()
    schedule = CollectionSchedule.objects.get(invoice=payment.invoice)
    if result.may_retry and schedule.attempts <= len(RETRY_DELAYS):
        schedule.next_attempt_at = at + RETRY_DELAYS[schedule.attempts - 1]
    else:
        schedule.stopped_reason = f"Declined: {result.failure_code}"
    schedule.save()
    record_payment(EventName.PAYMENT_FAILED, payment, actor, at)


def _hold_mismatch(payment: Payment, result: GatewayResult, actor: Actor, at: datetime) -> None:
    payment.status = PaymentStatus.UNKNOWN
    payment.check_at = None
    payment.failure_code = "amount_mismatch"
    payment.failure_message = f"The gateway reports {result.amount_minor} {result.currency} in minor units."
    payment.save(update_fields=["status", "check_at", "failure_code", "failure_message"])
    record_payment(EventName.PAYMENT_UNKNOWN, payment, actor, at)
