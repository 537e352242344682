"""Bill runs: many customers billed in resumable steps, each customer once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import transaction
from django.db.models import Count, QuerySet, Sum

from billing.activity import services as activity
from billing.approvals import services as approvals
from billing.approvals.models import ApprovalAction
from billing.core.errors import BillingError, Kind
from billing.core.events import EventName
from billing.core.lifecycles import BILL_RUN_MOVES, BillRunStatus, InvoiceStatus, check_move
from billing.invoices.models import BillRun, BillRunCustomer, BillRunCustomerStatus, Invoice
from billing.invoices.services.drafts import delete_draft, draft_due_invoices
from billing.invoices.services.issuing import finalize_invoice
from billing.platform.actors import Actor
from billing.platform.clock import now
from billing.subscriptions.selectors import due_customers
from customers.models import Customer
from customers.selectors import now_for

log = structlog.get_logger(__name__)

CHUNK = 50
"""Customers per transaction. A chunk that fails is done again customer by customer."""

NO_CURRENCY = "XXX"
"""ISO 4217: 'no currency', for the approval of a run that found nothing to bill."""

BILLING_LOCK = "run_billing"
"""The advisory lock of billing, taken by the command and by the task: one of them at a time."""

RESUMABLE = (BillRunStatus.GENERATING, BillRunStatus.APPROVED, BillRunStatus.FINALIZING)

Stop = Callable[[], bool]


class RunInFuture(BillingError):
    """Nothing can be due after now; a dry run may look ahead."""

    code = "run_in_future"


class RunStopped(BillingError):
    """The run was asked to stop between two chunks; running it again goes on."""

    code = "run_stopped"
    kind = Kind.UNAVAILABLE


@dataclass(frozen=True, slots=True)
class RunTotals:
    """What a run has made so far: customers by status, invoices, and totals per currency in minor units."""

    customers: dict[str, int]
    invoices: int
    totals_minor: dict[str, int]


def never_stop() -> bool:
    """The stop signal of a run that nobody interrupts."""
    return False


@transaction.atomic
def start_bill_run(
    *,
    as_of: datetime,
    actor: Actor,
    at: datetime,
    customer: Customer | None = None,
    needs_review: bool = False,
    may_look_ahead: bool = False,
) -> BillRun:
    """Open a run over every customer with something due at `as_of`, with its usage cut-off frozen now.

    Customers whose drafts an earlier run left behind are in it too. Raises RunInFuture. Emits bill_run.created.
    """
    if as_of > at and not may_look_ahead:
        raise RunInFuture("The date lies in the future; only a dry run may look ahead.", field="as_of")
    run = BillRun.objects.create(
        status=BillRunStatus.GENERATING,
        as_of=as_of,
        customer=customer,
        needs_review=needs_review,
        usage_cutoff_at=now(),
        created_at=at,
        actor_kind=actor.kind.value,
        actor_id=actor.public_id,
        actor_label=actor.label,
    )
    due = set(due_customers(as_of=as_of, customer=customer).values_list("pk", flat=True))
    due.update(_left_behind(customer).values_list("customer_id", flat=True))
    BillRunCustomer.objects.bulk_create(
        (BillRunCustomer(run=run, customer_id=customer_id) for customer_id in sorted(due)), batch_size=5000
    )
    _record(EventName.BILL_RUN_CREATED, run, actor, at)
    return run


def something_is_due(*, as_of: datetime, customer: Customer | None = None) -> bool:
    """Whether a run would find anybody to bill."""
    return due_customers(as_of=as_of, customer=customer).exists() or _left_behind(customer).exists()


def _left_behind(customer: Customer | None) -> QuerySet[Invoice]:
    """Drafts that no run will finalize any more: their customer was parked when the run completed."""
    drafts = Invoice.objects.filter(status=InvoiceStatus.DRAFT, bill_run__status=BillRunStatus.COMPLETED)
    return drafts if customer is None else drafts.filter(customer=customer)


def perform_bill_run(*, run: BillRun, actor: Actor, at: datetime, stop: Stop = never_stop) -> BillRun:
    """Take a run from where it stands to its end: draft, approve, finalize. May be repeated after any crash.

    Stops before approval if the run needs review; approve it with approve_bill_run, then perform it again.
    Raises ApprovalRequired if the total is above the limit of the bill run policy, RunStopped when asked to stop.
    """
    if run.status == BillRunStatus.GENERATING:
        _work(run, BillRunCustomerStatus.PENDING, _draft_customer, actor, stop)
        run = move_bill_run(run=run, to=BillRunStatus.IN_REVIEW)
    if run.status == BillRunStatus.IN_REVIEW and not run.needs_review:
        run = approve_bill_run(run=run, actor=actor, at=at)
    if run.status == BillRunStatus.APPROVED:
        run = move_bill_run(run=run, to=BillRunStatus.FINALIZING)
    if run.status == BillRunStatus.FINALIZING:
        _work(run, BillRunCustomerStatus.DRAFTED, _finalize_customer, actor, stop)
        with transaction.atomic():
            run = move_bill_run(run=run, to=BillRunStatus.COMPLETED, completed_at=at)
            _record(EventName.BILL_RUN_COMPLETED, run, actor, at)
    return run


def bill_due(
    *,
    as_of: datetime,
    actor: Actor,
    at: datetime,
    customer: Customer | None = None,
    needs_review: bool = False,
    stop: Stop = never_stop,
) -> list[BillRun]:
    """Finish interrupted runs, then bill what is due in a new one, if anything is. Call it under BILLING_LOCK.

    Returns the runs it worked on. One that waits for approval stays in review and holds nobody else up.
    Raises RunInFuture, RunStopped.
    """
    runs = [_perform_or_wait(run, actor, at, stop) for run in unfinished_runs()]
    if something_is_due(as_of=as_of, customer=customer):
        run = start_bill_run(as_of=as_of, customer=customer, needs_review=needs_review, actor=actor, at=at)
        runs.append(_perform_or_wait(run, actor, at, stop))
    return runs


def continue_bill_run(*, run_id: str, actor: Actor, at: datetime) -> BillRun:
    """Go on with a run that was started or approved; one that waits or has ended is returned as it stands.

    Safe to run twice. Call it under BILLING_LOCK. Raises RunStopped.
    """
    run = BillRun.objects.get(public_id=run_id)
    return _perform_or_wait(run, actor, at, never_stop) if run.status in RESUMABLE else run


def _perform_or_wait(run: BillRun, actor: Actor, at: datetime, stop: Stop) -> BillRun:
    try:
        return perform_bill_run(run=run, actor=actor, at=at, stop=stop)
    except approvals.ApprovalRequired:
        return BillRun.objects.get(pk=run.pk)


def approve_bill_run(*, run: BillRun, actor: Actor, at: datetime) -> BillRun:
    """Approve the drafts of a run for finalizing. Raises ApprovalRequired, InvalidTransition."""
    check_move(BILL_RUN_MOVES, run.status, BillRunStatus.APPROVED)
    totals = run_totals(run=run).totals_minor or {NO_CURRENCY: 0}
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
        run = move_bill_run(run=run, to=BillRunStatus.APPROVED, approval=granted[-1])
        for approval in granted:
            approvals.mark_executed(approval=approval, at=at)
        _record(EventName.BILL_RUN_APPROVED, run, actor, at)
    return run


def cancel_bill_run(*, run: BillRun, actor: Actor, at: datetime) -> BillRun:
    """Give a run up before finalizing: its drafts are deleted and everything is due again. Emits bill_run.canceled."""
    with transaction.atomic():
        run = move_bill_run(run=run, to=BillRunStatus.CANCELED)
        for invoice_id in run.invoices.filter(status=InvoiceStatus.DRAFT).values_list("public_id", flat=True):
            delete_draft(invoice_id=invoice_id, actor=actor, at=at)
        _record(EventName.BILL_RUN_CANCELED, run, actor, at)
    return run


def unfinished_runs() -> list[BillRun]:
    """Runs that a crash or a stop left in the middle, oldest first; those that wait for a person are not among them."""
    waiting = BillRun.objects.filter(status=BillRunStatus.IN_REVIEW, needs_review=False)
    return list((BillRun.objects.filter(status__in=RESUMABLE) | waiting).order_by("pk"))


def run_totals(*, run: BillRun) -> RunTotals:
    """What a run has made so far."""
    customers = dict(run.customers.order_by().values_list("status").annotate(Count("pk")))
    sums = run.invoices.order_by().values("currency").annotate(total=Sum("total_minor"), count=Count("pk"))
    rows = list(sums)
    return RunTotals(
        customers, sum(row["count"] for row in rows), {row["currency"]: int(row["total"]) for row in rows}
    )


def move_bill_run(*, run: BillRun, to: BillRunStatus, **facts: object) -> BillRun:
    """Move a run on by compare-and-set; a run that stands elsewhere by now raises InvalidTransition."""
    check_move(BILL_RUN_MOVES, run.status, to)
    moved = BillRun.objects.filter(pk=run.pk, status=run.status).update(status=to, **facts)
    current = BillRun.objects.get(pk=run.pk)
    if not moved:
        check_move(BILL_RUN_MOVES, current.status, to)
    return current


CustomerStep = Callable[[BillRunCustomer, Actor], None]


def _work(run: BillRun, status: BillRunCustomerStatus, step: CustomerStep, actor: Actor, stop: Stop) -> None:
    """Do a step for every customer in a status, chunk by chunk, until none is left."""
    while True:
        if stop():
            raise RunStopped(f"Run {run.public_id} stopped; run it again to go on.")
        ids = list(run.customers.filter(status=status).order_by("pk").values_list("pk", flat=True)[:CHUNK])
        if not ids:
            return
        try:
            with transaction.atomic():
                for row in _claim(ids, status):
                    step(row, actor)
        except Exception:  # noqa: BLE001 - whatever it is, each customer is tried alone and parked with its reason
            for row_id in ids:
                _work_alone(row_id, status, step, actor)


def _claim(ids: list[int], status: BillRunCustomerStatus) -> list[BillRunCustomer]:
    """Lock those of the rows that still wait, and then their customers; another worker's rows are skipped.

    All customers of a chunk are locked before the first of them takes a number: whoever waits for a customer holds
    no number series.
    """
    rows = list(
        BillRunCustomer.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("run", "customer__test_clock")
        .filter(pk__in=ids, status=status)
        .order_by("pk")
    )
    customer_ids = [row.customer_id for row in rows]
    list(Customer.objects.select_for_update().filter(pk__in=customer_ids).order_by("pk").values_list("pk"))
    return rows


def _work_alone(row_id: int, status: BillRunCustomerStatus, step: CustomerStep, actor: Actor) -> None:
    """One customer in a transaction of its own; what keeps it from being billed is noted, and the run goes on."""
    try:
        with transaction.atomic():
            for row in _claim([row_id], status):
                step(row, actor)
    except Exception as error:
        code = error.code if isinstance(error, BillingError) else type(error).__name__
        if not isinstance(error, BillingError):
            log.exception("customer parked by an unexpected error", run_customer=row_id)
        BillRunCustomer.objects.filter(pk=row_id).update(
            status=BillRunCustomerStatus.PARKED, error_code=code, error_message=str(error)[:500]
        )


def _draft_customer(row: BillRunCustomer, actor: Actor) -> None:
    at = now_for(row.customer)
    for invoice_id in _left_behind(row.customer).values_list("public_id", flat=True):
        delete_draft(invoice_id=invoice_id, actor=actor, at=at)
    draft_due_invoices(
        customer=row.customer,
        as_of=row.run.as_of if row.customer.test_clock is None else min(row.run.as_of, at),
        cutoff=row.run.usage_cutoff_at,
        actor=actor,
        run=row.run,
    )
    row.status = BillRunCustomerStatus.DRAFTED
    row.save(update_fields=["status"])


def _finalize_customer(row: BillRunCustomer, actor: Actor) -> None:
    drafts = row.run.invoices.filter(customer=row.customer, status=InvoiceStatus.DRAFT).order_by("pk")
    for invoice_id in list(drafts.values_list("public_id", flat=True)):
        finalize_invoice(invoice_id=invoice_id, actor=actor, at=now_for(row.customer))
    row.status = BillRunCustomerStatus.FINALIZED
    row.save(update_fields=["status"])


def _record(name: EventName, run: BillRun, actor: Actor, at: datetime) -> None:
    activity.record(
        name=name,
        object_kind="bill_run",
        object_id=run.public_id,
        actor=actor,
        at=at,
        data={"as_of": run.as_of.isoformat(), "status": run.status},
    )
