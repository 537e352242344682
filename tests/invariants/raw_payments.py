"""Payments, allocations and refunds in plain SQL."""

from typing import Any

from billing.approvals import services as approvals
from billing.approvals.models import ApprovalAction, ApprovalRequest
from billing.invoices.models import CreditNote, Invoice
from billing.platform.ids import new_public_id
from payments.models import Payment
from tests.factories import ACTOR, START
from tests.invariants.hostile import copy_row, sql


def attempt(payment: Payment, status: str, **changes: Any) -> int:
    """A copy of a gateway payment in another state, with nothing allocated."""
    fresh = {
        "status": status,
        "gateway_ref": "",
        "received_on": None,
        "finished_at": None,
        "allocated_minor": 0,
    }
    return copy_row("payments_payment", payment.pk, **(fresh | changes))


def allocate(payment: Payment, invoice: Invoice, amount_minor: int, reverses: int | None = None) -> int:
    ((row_id,),) = sql(
        "INSERT INTO payments_paymentallocation"
        " (public_id, payment_id, invoice_id, amount_minor, reverses_id, accounting_on, created_at)"
        " VALUES (%s, %s, %s, %s, %s, '2023-11-01', now()) RETURNING id",
        *(new_public_id("pal"), payment.pk, invoice.pk, amount_minor, reverses),
    )
    return int(row_id)


def approval_for(payment: Payment, amount_minor: int) -> ApprovalRequest:
    """A refund of a payment, approved by policy."""
    return approvals.require(
        action=ApprovalAction.REFUND,
        object_kind="payment",
        object_id=payment.public_id,
        amount_minor=amount_minor,
        currency=payment.currency,
        actor=ACTOR,
        at=START,
    )


def refund(payment: Payment, amount_minor: int, note: CreditNote | None = None, **changes: Any) -> None:
    columns: dict[str, Any] = {
        "public_id": new_public_id("rfd"),
        "payment_id": payment.pk,
        "credit_note_id": note.pk if note else None,
        "amount_minor": amount_minor,
        "currency": payment.currency,
        "status": "pending",
        "reason": "tests",
        "idempotency_key": new_public_id("key"),
        "gateway_ref": "",
        "failure_message": "",
        "initiated_at": START,
        **changes,
    }
    if "approval_id" not in columns:
        approval = approval_for(payment, amount_minor)
        approvals.mark_executed(approval=approval, at=START)
        columns["approval_id"] = approval.pk
    sql(
        f"INSERT INTO payments_refund ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})",
        *columns.values(),
    )
