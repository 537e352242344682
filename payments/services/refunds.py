"""Giving money back: recorded first, then sent, then booked."""

import hashlib
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Sum

from billing.activity import services as activity
from billing.approvals import services as approvals
from billing.approvals.models import ApprovalAction, ApprovalRequest
from billing.core.errors import BillingError, Kind
from billing.core.events import EventName
from billing.core.lifecycles import PaymentStatus, RefundStatus
from billing.core.money import format_major
from billing.core.postings import EntryDraft, PostingDraft, Role, refund
from billing.invoices.models import CreditNote
from billing.ledger import services as ledger
from billing.platform.actors import Actor
from customers.models import Customer
from payments.gateways import gateway
from payments.gateways.base import GatewayResult, GatewayUnanswered, Outcome, RefundRequest
from payments.models import RECEIVED_PAYMENT_STATUSES, Payment, PaymentKind, Refund


class RefundRefused(BillingError):
    """The payment cannot be refunded: not received, or the credit note is another customer's."""

    code = "refund_refused"
    kind = Kind.CONFLICT


class RefundTooLarge(BillingError):
    """More than is owed back or than was received (I18, I19)."""

    code = "refund_too_large"
    kind = Kind.CONFLICT


def refund_payment(
    *,
    payment_id: str,
    amount_minor: int,
    reason: str,
    actor: Actor,
    at: datetime,
    credit_note_id: str | None = None,
    request_key: str = "",
) -> Refund:
    """Pay money back by the way it came: what a credit note owes, or without one the payment's unapplied cash.

    The refund is recorded and approved before the gateway is called with its own key, outside any transaction; the
    result is booked (journal entry 6d). A manual payment is refunded by hand: recorded as paid at once.
    Emits refund.initiated, then refund.succeeded or refund.failed. A refund without an answer stays pending; the
    same call on it is repeated by complete_refund. request_key: the caller's own key for this refund; called again
    with it, the same refund goes on and no other begins. Raises ApprovalRequired, RefundRefused, RefundTooLarge.
    """
    begun = Refund.objects.filter(idempotency_key=_gateway_key(request_key)).first() if request_key else None
    if begun is not None:
        return complete_refund(refund_id=begun.public_id, actor=actor, at=at)
    payment = Payment.objects.select_related("customer").get(public_id=payment_id)
    note = CreditNote.objects.get(public_id=credit_note_id) if credit_note_id else None
    check_refund(payment, note, amount_minor)
    approval = approvals.require(
        action=ApprovalAction.REFUND,
        object_kind="payment",
        object_id=payment_id,
        amount_minor=amount_minor,
        currency=payment.currency,
        actor=actor,
        at=at,
        reason=reason,
    )
    made = _intend(payment, note, amount_minor, reason, request_key, approval, actor, at)
    return complete_refund(refund_id=made.public_id, actor=actor, at=at)


def _gateway_key(name: str) -> str:
    """The key that a gateway knows a refund by: a digest of the caller's key, or else of the refund's id."""
    return hashlib.sha256(name.encode()).hexdigest()


def complete_refund(*, refund_id: str, actor: Actor, at: datetime) -> Refund:
    """Send a pending refund, or ask for the answer that did not come: the same key pays once. Idempotent."""
    made = Refund.objects.select_related("payment").get(public_id=refund_id)
    if made.status != RefundStatus.PENDING:
        return made
    payment = made.payment
    if payment.kind == PaymentKind.MANUAL:
        result = GatewayResult(Outcome.SUCCEEDED, "", made.amount_minor, made.currency)
    else:
        request = RefundRequest(made.idempotency_key, payment.gateway_ref, made.amount_minor, made.currency)
        try:
            result = gateway(payment.gateway).refund(request)
        except GatewayUnanswered:
            return made
    return _record_result(refund_id, result, actor, at)


def check_refund(payment: Payment, note: CreditNote | None, amount_minor: int) -> None:
    """Raise RefundRefused or RefundTooLarge if this cannot be paid back; a face may ask before anybody acts."""
    if payment.status not in RECEIVED_PAYMENT_STATUSES:
        raise RefundRefused("Only money that was received is refunded.")
    if note is None:
        limit = payment.unapplied_minor
    else:
        if note.invoice.payer_id != payment.customer_id or note.currency != payment.currency:
            raise RefundRefused(
                "The credit note belongs to another customer or currency.", field="credit_note"
            )
        limit = min(note.refund_minor - note.refunded_minor, payment.amount_minor - payment.refunded_minor)
    if not 0 < amount_minor <= limit:
        raise RefundTooLarge(
            f"At most {format_major(limit, payment.currency)} {payment.currency} can be refunded.",
            field="amount",
        )


@transaction.atomic
def _intend(
    payment: Payment,
    note: CreditNote | None,
    amount_minor: int,
    reason: str,
    request_key: str,
    approval: ApprovalRequest,
    actor: Actor,
    at: datetime,
) -> Refund:
    Customer.objects.select_for_update().get(pk=payment.customer_id)
    payment = Payment.objects.select_for_update(of=("self",)).select_related("customer").get(pk=payment.pk)
    if note is not None:
        note = CreditNote.objects.select_for_update(of=("self",)).select_related("invoice").get(pk=note.pk)
    check_refund(payment, note, amount_minor)
    approvals.mark_executed(approval=approval, at=at)
    made = Refund(
        payment=payment,
        credit_note=note,
        amount_minor=amount_minor,
        currency=payment.currency,
        status=RefundStatus.PENDING,
        reason=reason,
        approval=approval,
        initiated_at=at,
    )
    made.idempotency_key = _gateway_key(request_key or made.public_id)
    made.save()
    _record(EventName.REFUND_INITIATED, made, payment, actor, at)
    return made


@transaction.atomic
def _record_result(refund_id: str, result: GatewayResult, actor: Actor, at: datetime) -> Refund:
    found = Refund.objects.select_related("payment").get(public_id=refund_id)
    Customer.objects.select_for_update().get(pk=found.payment.customer_id)
    payment = (
        Payment.objects.select_for_update(of=("self",))
        .select_related("customer", "legal_entity")
        .get(pk=found.payment_id)
    )
    made = Refund.objects.select_for_update(of=("self",)).select_related("credit_note").get(pk=found.pk)
    if made.status != RefundStatus.PENDING or result.outcome is Outcome.PROCESSING:
        return made
    succeeded = result.outcome is Outcome.SUCCEEDED
    made.status = RefundStatus.SUCCEEDED if succeeded else RefundStatus.FAILED
    made.gateway_ref, made.failure_message, made.finished_at = result.gateway_ref, result.failure_message, at
    made.save()
    if succeeded:
        paid_back = payment.refunds.filter(status=RefundStatus.SUCCEEDED).aggregate(paid=Sum("amount_minor"))
        is_all = paid_back["paid"] == payment.amount_minor
        payment.status = PaymentStatus.REFUNDED if is_all else PaymentStatus.PARTIALLY_REFUNDED
        payment.save(update_fields=["status"])
        _book(made, payment, actor, at)
    _record(EventName.REFUND_SUCCEEDED if succeeded else EventName.REFUND_FAILED, made, payment, actor, at)
    return made


def _book(made: Refund, payment: Payment, actor: Actor, at: datetime) -> None:
    on = at.astimezone(ZoneInfo(payment.legal_entity.time_zone)).date()
    accounting_on, is_late = ledger.open_day(legal_entity=payment.legal_entity, on=on, source_type="refund")
    role = Role.BANK if payment.kind == PaymentKind.MANUAL else Role.GATEWAY_CLEARING
    if made.credit_note is not None:
        draft = refund(made.amount_minor, role, payment.gateway)
    else:
        draft = EntryDraft(
            "succeed",
            (
                PostingDraft(Role.UNAPPLIED_CASH, made.amount_minor),
                PostingDraft(role, -made.amount_minor, detail=payment.gateway),
            ),
        )
    ledger.post_entry(
        draft=draft,
        legal_entity=payment.legal_entity,
        customer=payment.customer,
        currency=made.currency,
        accounting_on=accounting_on,
        source_type="refund",
        source_id=made.public_id,
        reference=made.gateway_ref[:60],
        actor=actor,
        is_late=is_late,
    )


def _record(name: EventName, made: Refund, payment: Payment, actor: Actor, at: datetime) -> None:
    activity.record(
        name=name,
        object_kind="refund",
        object_id=made.public_id,
        customer_id=payment.customer.public_id,
        actor=actor,
        at=at,
        data={
            "payment": payment.public_id,
            "credit_note": made.credit_note.public_id if made.credit_note else None,
            "amount_minor": made.amount_minor,
            "currency": made.currency,
        },
    )
