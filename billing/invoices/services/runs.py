"""Bill runs: many customers billed in resumable steps, each customer once."""

from collections.abc import Callable, Sequence
from datetime import datetime

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from billing.approvals import services as approvals
from billing.core.errors import BillingError, Kind
from billing.core.events import EventName
from billing.core.lifecycles import BillRunStatus, InvoiceStatus
from billing.invoices.models import BillRun, BillRunCustomer, BillRunCustomerStatus, Invoice
from billing.invoices.selectors import hold_in_force, holds_in_force
from billing.invoices.services.drafts import delete_draft, draft_due_invoices
from billing.invoices.services.issuing import finalize_invoice
from billing.invoices.services.run_approval import approve_bill_run, move_bill_run, record_run
from billing.invoices.services.run_figures import note_comparison, note_customer_figures, note_run_figures
from billing.platform.actors import Actor
from billing.platform.clock import now
from billing.subscriptions.selectors import due_customers
from customers.models import Customer
from customers.selectors import now_for

log = structlog.get_logger(__name__)

CHUNK = 50
"""Customers per transaction. A chunk that fails is done again customer by customer."""

BILLING_LOCK = "run_billing"
"""The advisory lock of billing, taken by the command and by the task: one of them at a time."""

Stop = Callable[[], bool]


class RunInFuture(BillingError):
    """Nothing can be due after now; a dry run may look ahead."""

    code = "run_in_future"


class RunStopped(BillingError):
    """The run was asked to stop between two chunks; running it again goes on."""

    code = "run_stopped"
    kind = Kind.UNAVAILABLE


class DraftGone(BillingError):
    """What this run drafted for the customer is not there any more."""

    code = "draft_gone"
    kind = Kind.CONFLICT


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
    by_itself: bool = False,
) -> BillRun:
    """Open a run over every customer with something due at `as_of`, with its usage cut-off frozen now.

    Customers whose drafts an earlier run left behind are in it too; those on hold are, but are not drafted.
    by_itself: nobody asked for it; customers of a seller that reviews its bill runs are left to people.
    Raises RunInFuture. Emits bill_run.created.
    """
    if as_of > at and not may_look_ahead:
        raise RunInFuture("The date lies in the future; only a dry run may look ahead.", field="as_of")
    found = due_customers(as_of=as_of, customer=customer, by_itself=by_itself)
    due = set(found.values_list("pk", flat=True))
    due.update(_left_behind(customer, by_itself=by_itself).values_list("customer_id", flat=True))
    held = dict(holds_in_force(at=at).values_list("customer_id", "pk"))
    run = BillRun.objects.create(
        status=BillRunStatus.GENERATING,
        as_of=as_of,
        customer=customer,
        needs_review=needs_review,
        usage_cutoff_at=now(),
        customer_count=len(due),
        created_at=at,
        actor_kind=actor.kind.value,
        actor_id=actor.public_id,
        actor_label=actor.label,
    )
    BillRunCustomer.objects.bulk_create(
        (
            BillRunCustomer(
                run=run,
                customer_id=customer_id,
                hold_id=held.get(customer_id),
                status=BillRunCustomerStatus.HELD if customer_id in held else BillRunCustomerStatus.PENDING,
            )
            for customer_id in sorted(due)
        ),
        batch_size=5000,
    )
    record_run(EventName.BILL_RUN_CREATED, run, actor, at)
    return run


def something_is_due(*, as_of: datetime, customer: Customer | None = None, by_itself: bool = False) -> bool:
    """Whether a run would find anybody to bill; who is on hold is nobody. by_itself: see start_bill_run."""
    held = holds_in_force(at=as_of)
    found = due_customers(as_of=as_of, customer=customer, by_itself=by_itself)
    due = found.exclude(Exists(held.filter(customer=OuterRef("pk"))))
    left = _left_behind(customer, by_itself=by_itself).exclude(
        Exists(held.filter(customer=OuterRef("customer")))
    )
    return due.exists() or left.exists()


def _left_behind(customer: Customer | None, *, by_itself: bool = False) -> QuerySet[Invoice]:
    """Drafts that no run will finalize any more: their customer was parked or on hold when the run completed."""
    drafts = Invoice.objects.filter(status=InvoiceStatus.DRAFT, bill_run__status=BillRunStatus.COMPLETED)
    if by_itself:
        drafts = drafts.exclude(customer__legal_entity__reviews_bill_runs=True)
    return drafts if customer is None else drafts.filter(customer=customer)


def perform_bill_run(*, run: BillRun, actor: Actor, at: datetime, stop: Stop = never_stop) -> BillRun:
    """Take a run from where it stands to its end: draft, approve, finalize. May be repeated after any crash.

    Stops before approval if the run needs review; approve it with approve_bill_run, then perform it again. Customers
    that somebody retries are drafted or finalized in a run that waits or has ended, too.
    Raises ApprovalRequired if the total is above the limit of the bill run policy, RunStopped when asked to stop.
    """
    if run.status == BillRunStatus.GENERATING:
        _work(run, BillRunCustomerStatus.PENDING, _draft_customer, actor, stop)
        run = _enter_review(run, actor, at)
    elif run.status == BillRunStatus.IN_REVIEW and _waiting(run, BillRunCustomerStatus.PENDING):
        _work(run, BillRunCustomerStatus.PENDING, _draft_customer, actor, stop)
        _note_worked(run, actor, at)
    if run.status == BillRunStatus.IN_REVIEW and not run.needs_review:
        run = approve_bill_run(run=run, actor=actor, at=at)
    if run.status == BillRunStatus.APPROVED:
        run = move_bill_run(run=run, to=BillRunStatus.FINALIZING)
    if run.status == BillRunStatus.FINALIZING:
        _work(run, BillRunCustomerStatus.DRAFTED, _finalize_customer, actor, stop)
        with transaction.atomic():
            run = move_bill_run(run=run, to=BillRunStatus.COMPLETED, completed_at=at)
            note_run_figures(run=run)
            record_run(EventName.BILL_RUN_COMPLETED, run, actor, at)
    elif run.status == BillRunStatus.COMPLETED and _waiting(run, BillRunCustomerStatus.DRAFTED):
        _work(run, BillRunCustomerStatus.DRAFTED, _finalize_customer, actor, stop)
        _note_worked(run, actor, at)
    return run


def _enter_review(run: BillRun, actor: Actor, at: datetime) -> BillRun:
    """Everybody is drafted: note what the lists show, and let people look."""
    with transaction.atomic():
        run = move_bill_run(run=run, to=BillRunStatus.IN_REVIEW)
        note_comparison(run=run)
        note_run_figures(run=run)
        record_run(EventName.BILL_RUN_DRAFTED, run, actor, at)
    run.refresh_from_db()
    return run


@transaction.atomic
def _note_worked(run: BillRun, actor: Actor, at: datetime) -> None:
    """Those who were tried again are done."""
    note_run_figures(run=run)
    record_run(EventName.BILL_RUN_PROGRESSED, run, actor, at)


def _waiting(run: BillRun, status: BillRunCustomerStatus) -> bool:
    return run.customers.filter(status=status).exists()


def bill_due(
    *,
    as_of: datetime,
    actor: Actor,
    at: datetime,
    customer: Customer | None = None,
    needs_review: bool = False,
    by_itself: bool = False,
    stop: Stop = never_stop,
) -> list[BillRun]:
    """Finish interrupted runs, then bill what is due in a new one, if anything is. Call it under BILLING_LOCK.

    by_itself: see start_bill_run. Returns the runs it worked on. One that waits for approval stays in review and holds
    nobody else up.
    Raises RunInFuture, RunStopped.
    """
    runs = [_perform_or_wait(run, actor, at, stop) for run in unfinished_runs()]
    if something_is_due(as_of=as_of, customer=customer, by_itself=by_itself):
        run = start_bill_run(
            as_of=as_of,
            customer=customer,
            needs_review=needs_review,
            by_itself=by_itself,
            actor=actor,
            at=at,
        )
        runs.append(_perform_or_wait(run, actor, at, stop))
    return runs


def continue_bill_run(*, run_id: str, actor: Actor, at: datetime) -> BillRun:
    """Go on with a run as far as it goes without a person; one that waits or has ended is returned as it stands.

    Safe to run twice. Call it under BILLING_LOCK. Raises RunStopped.
    """
    run = BillRun.objects.get(public_id=run_id)
    return _perform_or_wait(run, actor, at, never_stop) if _goes_on(run) else run


def _goes_on(run: BillRun) -> bool:
    return BillRun.objects.filter(_GOES_ON, pk=run.pk).exists()


_RETRIED = Q(
    status=BillRunStatus.IN_REVIEW,
    pk__in=BillRunCustomer.objects.filter(status=BillRunCustomerStatus.PENDING).values("run"),
) | Q(
    status=BillRunStatus.COMPLETED,
    pk__in=BillRunCustomer.objects.filter(status=BillRunCustomerStatus.DRAFTED).values("run"),
)
_GOES_ON = (
    Q(status__in=[BillRunStatus.GENERATING, BillRunStatus.FINALIZING])
    | Q(status__in=[BillRunStatus.IN_REVIEW, BillRunStatus.APPROVED], needs_review=False)
    | _RETRIED
)
"""A run in review, or approved after one, waits for a person, but for customers that somebody retries."""


def _perform_or_wait(run: BillRun, actor: Actor, at: datetime, stop: Stop) -> BillRun:
    try:
        return perform_bill_run(run=run, actor=actor, at=at, stop=stop)
    except approvals.ApprovalRequired:
        return BillRun.objects.get(pk=run.pk)


def unfinished_runs() -> list[BillRun]:
    """Runs that a crash or a stop left in the middle, oldest first; those that wait for a person are not among them."""
    return list(BillRun.objects.filter(_GOES_ON).order_by("pk"))


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
                _do(_claim(ids, status), step, actor)
                if run.customers.filter(status=status).exclude(pk__in=ids).exists():
                    record_run(EventName.BILL_RUN_PROGRESSED, run, actor, now())
        except Exception:  # noqa: BLE001 - whatever it is, each customer is tried alone and parked with its reason
            for row_id in ids:
                _work_alone(row_id, status, step, actor)


def _do(rows: Sequence[BillRunCustomer], step: CustomerStep, actor: Actor) -> None:
    for row in rows:
        step(row, actor)
    note_customer_figures(rows=rows)


def draft_alone(row_id: int, actor: Actor) -> None:
    """Draft one pending customer of a run now, for a person who waits for it; parked if it cannot be done."""
    _work_alone(row_id, BillRunCustomerStatus.PENDING, _draft_customer, actor)


def finalize_alone(row_id: int, actor: Actor) -> None:
    """Finalize the drafts of one customer of a run now; parked again if it cannot be done."""
    _work_alone(row_id, BillRunCustomerStatus.DRAFTED, _finalize_customer, actor)


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
            _do(_claim([row_id], status), step, actor)
    except Exception as error:
        code = error.code if isinstance(error, BillingError) else type(error).__name__
        if not isinstance(error, BillingError):
            log.exception("customer parked by an unexpected error", run_customer=row_id)
        BillRunCustomer.objects.filter(pk=row_id, status=status).update(
            status=BillRunCustomerStatus.PARKED, error_code=code, error_message=str(error)[:500]
        )


def _draft_customer(row: BillRunCustomer, actor: Actor) -> None:
    at = now_for(row.customer)
    row.error_code = row.error_message = ""
    row.hold = hold_in_force(customer=row.customer, at=at)
    if row.hold is not None:  # placed after the run was opened; the customer is locked by now
        row.status = BillRunCustomerStatus.HELD
        row.save(update_fields=["status", "hold", "error_code", "error_message"])
        return
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
    row.save(update_fields=["status", "hold", "error_code", "error_message"])


def _finalize_customer(row: BillRunCustomer, actor: Actor) -> None:
    invoices = row.run.invoices.filter(customer=row.customer).order_by("pk")
    found = list(invoices.values_list("public_id", "status"))
    if row.invoice_count and not found:
        raise DraftGone("The draft is gone: it was deleted, or another run has billed this customer since.")
    for invoice_id, status in found:
        if status == InvoiceStatus.DRAFT:
            finalize_invoice(invoice_id=invoice_id, actor=actor, at=now_for(row.customer))
    row.status, row.error_code, row.error_message = BillRunCustomerStatus.FINALIZED, "", ""
    row.save(update_fields=["status", "error_code", "error_message"])
