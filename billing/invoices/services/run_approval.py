"""The decisions on a whole run: approve, withdraw the approval, finalize, cancel."""

from datetime import datetime

from django.db import transaction
from django.db.models import F

from billing.activity import services as activity
from billing.approvals import services as approvals
from billing.approvals.models import ApprovalAction, ApprovalRequest
from billing.core.errors import BillingError, Kind
from billing.core.events import EventName
from billing.core.lifecycles import (
    BILL_RUN_MOVES,
    ApprovalStatus,
    BillRunStatus,
    InvoiceStatus,
    check_move,
)
from billing.invoices.models import BillRun, BillRunCustomerStatus
from billing.invoices.services.drafts import delete_draft
from billing.invoices.services.run_figures import note_run_figures, run_totals
from billing.platform.actors import Actor

NO_CURRENCY = "XXX"
"""ISO 4217: 'no currency', for the approval of a run that found nothing to bill."""


class RunChanged(BillingError):
    """Somebody held, excluded or retried a customer while the run was being approved."""

    code = "run_changed"
    kind = Kind.CONFLICT


class RunIsBeingDrafted(BillingError):
    """Customers that were taken back into the run have no draft yet."""

    code = "run_is_being_drafted"
    kind = Kind.CONFLICT


class NothingToDecide(BillingError):
    """Nobody asks for a second person's approval of this run."""

    code = "nothing_to_decide"
    kind = Kind.CONFLICT


def approve_bill_run(*, run: BillRun, actor: Actor, at: datetime) -> BillRun:
    """Approve what the run finalizes: its drafts without those held, excluded or failed. Emits bill_run.approved.

    Locks the run: nobody changes it between what is approved and the approval.
    Raises ApprovalRequired, InvalidTransition, RunChanged, RunIsBeingDrafted.
    """
    check_move(BILL_RUN_MOVES, run.status, BillRunStatus.APPROVED)
    totals = _totals_to_approve(run)
    granted = [
        approvals.require(
            action=ApprovalAction.BILL_RUN,
            object_kind="bill_run",
            object_id=run.public_id,
            amount_minor=total_minor,
            currency=currency,
            actor=actor,
            at=at,
        )
        for currency, total_minor in sorted(totals.items())
    ]
    with transaction.atomic():
        locked = BillRun.objects.select_for_update().get(pk=run.pk)
        check_move(BILL_RUN_MOVES, locked.status, BillRunStatus.APPROVED)
        if _totals_to_approve(locked) != totals:
            raise RunChanged("Somebody changed this run at this moment. Look again, then approve.")
        run = move_bill_run(run=locked, to=BillRunStatus.APPROVED, approval=granted[-1])
        for approval in granted:
            approvals.mark_executed(approval=approval, at=at)
        note_run_figures(run=run)
        record_run(EventName.BILL_RUN_APPROVED, run, actor, at)
    return run


def _totals_to_approve(run: BillRun) -> dict[str, int]:
    totals = run_totals(run=run)
    waiting = totals.customers.get(BillRunCustomerStatus.PENDING, 0)
    if waiting:
        raise RunIsBeingDrafted(
            f"{waiting} customers of this run are still being drafted. Look again in a moment."
        )
    return totals.totals_minor or {NO_CURRENCY: 0}


def open_requests(run: BillRun) -> list[ApprovalRequest]:
    """What waits for a second person: requests over this run as it stands; those over older figures are stale."""
    asked = list(
        ApprovalRequest.objects.filter(
            action=ApprovalAction.BILL_RUN, object_id=run.public_id, status=ApprovalStatus.REQUESTED
        ).order_by("currency", "-pk")
    )
    if not asked:
        return []
    totals = run_totals(run=run).totals_minor or {NO_CURRENCY: 0}
    return [request for request in asked if totals.get(request.currency) == request.amount_minor]


def approve_bill_run_as_second(*, run: BillRun, actor: Actor, at: datetime) -> BillRun:
    """Decide the requests over this run as somebody else than who asked, and approve it with that.

    Raises NothingToDecide, SelfApproval, and what approve_bill_run raises.
    """
    requests = open_requests(run)
    if not requests:
        raise NothingToDecide("Nobody asks for a second person's approval of these figures.")
    for request in requests:
        approvals.decide_approval(approval_id=request.public_id, approve=True, actor=actor, at=at)
    return approve_bill_run(run=run, actor=actor, at=at)


@transaction.atomic
def withdraw_bill_run(*, run: BillRun, actor: Actor, at: datetime) -> BillRun:
    """Take the approval back, until finalizing starts; what was approved is in review again.

    Emits bill_run.approval_withdrawn. Raises InvalidTransition.
    """
    locked = BillRun.objects.select_for_update().get(pk=run.pk)
    run = move_bill_run(run=locked, to=BillRunStatus.IN_REVIEW, approval=None)
    record_run(EventName.BILL_RUN_APPROVAL_WITHDRAWN, run, actor, at)
    return run


@transaction.atomic
def finalize_bill_run(*, run: BillRun, actor: Actor, at: datetime) -> BillRun:
    """Start finalizing what was approved; that goes on in the background. Emits bill_run.finalize_requested.

    Raises InvalidTransition.
    """
    locked = BillRun.objects.select_for_update().get(pk=run.pk)
    run = move_bill_run(run=locked, to=BillRunStatus.FINALIZING)
    record_run(EventName.BILL_RUN_FINALIZE_REQUESTED, run, actor, at)
    return run


@transaction.atomic
def cancel_bill_run(*, run: BillRun, actor: Actor, at: datetime) -> BillRun:
    """Give a run up before finalizing: its drafts are deleted and everything is due again. Emits bill_run.canceled."""
    locked = BillRun.objects.select_for_update().get(pk=run.pk)
    check_move(BILL_RUN_MOVES, run.status, BillRunStatus.CANCELED)
    run = move_bill_run(run=locked, to=BillRunStatus.CANCELED)
    drafts = run.invoices.filter(status=InvoiceStatus.DRAFT).order_by("customer_id", "pk")
    for invoice_id in list(drafts.values_list("public_id", flat=True)):
        delete_draft(invoice_id=invoice_id, actor=actor, at=at)
    note_run_figures(run=run)
    record_run(EventName.BILL_RUN_CANCELED, run, actor, at)
    return run


def move_bill_run(*, run: BillRun, to: BillRunStatus, **facts: object) -> BillRun:
    """Move a run on by compare-and-set; a run that stands elsewhere by now raises InvalidTransition."""
    check_move(BILL_RUN_MOVES, run.status, to)
    moved = BillRun.objects.filter(pk=run.pk, status=run.status).update(
        status=to, review_version=F("review_version") + 1, **facts
    )
    current = BillRun.objects.get(pk=run.pk)
    if not moved:
        check_move(BILL_RUN_MOVES, current.status, to)
    return current


def record_run(
    name: EventName, run: BillRun, actor: Actor, at: datetime, *, customer_id: str = "", **data: object
) -> None:
    """Record one fact about a run, or about a customer of it, in the caller's transaction."""
    activity.record(
        name=name,
        object_kind="bill_run",
        object_id=run.public_id,
        customer_id=customer_id,
        actor=actor,
        at=at,
        data={"as_of": run.as_of.isoformat(), "status": run.status, **data},
    )
