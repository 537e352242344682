"""Holding the billing of a customer: nothing is drafted or finalized until it is released or its day has come."""

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from django.db import transaction

from billing.activity import services as activity
from billing.core.errors import BillingError, InvalidInput, Kind
from billing.core.events import EventName
from billing.core.lifecycles import BillRunStatus, InvoiceStatus
from billing.invoices.models import BillingHold, BillRun, BillRunCustomer, BillRunCustomerStatus, Invoice
from billing.invoices.selectors import hold_in_force
from billing.invoices.services.run_approval import record_run
from billing.invoices.services.run_figures import note_run_figures
from billing.platform.actors import Actor
from billing.platform.clock import now
from customers.models import Customer

HELD_FROM = (BillRunCustomerStatus.PENDING, BillRunCustomerStatus.DRAFTED, BillRunCustomerStatus.PARKED)
"""Customers of a run that a hold takes out of it; those that are finalized are past it."""

RUNS_UNDER_WAY = (
    BillRunStatus.GENERATING,
    BillRunStatus.IN_REVIEW,
    BillRunStatus.APPROVED,
    BillRunStatus.FINALIZING,
)


class AlreadyOnHold(BillingError):
    """Somebody holds this customer already, for another reason or another time."""

    code = "already_on_hold"
    kind = Kind.CONFLICT


class HoldReleased(BillingError):
    """The hold was released before."""

    code = "hold_released"
    kind = Kind.CONFLICT


@transaction.atomic
def place_hold(
    *, customer: Customer, reason: str, actor: Actor, at: datetime, until_on: date | None = None
) -> BillingHold:
    """Stop the billing of a customer, in the runs under way and in those to come.

    until_on: the first day, in the customer's zone, on which it is billed again; None: when somebody releases it.
    Its drafts stay and are left out of finalizing. Asking for the same again returns the hold there is.
    Locks: runs under way, their rows of the customer, the customer. Emits billing_hold.placed, and
    bill_run.customer_held for each run. Raises InvalidInput, AlreadyOnHold.
    """
    reason = reason.strip()
    if not reason:
        raise InvalidInput("Say why: the next person who sees the hold has to know.", field="reason")
    until_at = _until(customer, until_on, at)
    rows = _rows_under_way(customer, HELD_FROM)
    customer = (
        Customer.objects.select_for_update(of=("self",)).select_related("test_clock").get(pk=customer.pk)
    )
    standing = hold_in_force(customer=customer, at=at)
    if standing is not None:
        if (standing.reason, standing.until_at) == (reason, until_at):
            return standing
        raise AlreadyOnHold(
            f"On hold already: {standing.reason} ({standing.actor_label}). Release that first."
        )
    BillingHold.objects.filter(customer=customer, released_at=None).update(
        released_at=at, released_by_label="its day has come"
    )
    hold = BillingHold.objects.create(
        customer=customer,
        reason=reason,
        until_at=until_at,
        held_at=at,
        actor_kind=actor.kind.value,
        actor_id=actor.public_id,
        actor_label=actor.label,
    )
    _record(EventName.BILLING_HOLD_PLACED, hold, actor, at)
    for row in rows:
        row.status, row.hold = BillRunCustomerStatus.HELD, hold
        row.save(update_fields=["status", "hold"])
        _note_in_run(EventName.BILL_RUN_CUSTOMER_HELD, row, actor)
    return hold


@transaction.atomic
def release_hold(*, hold_id: str, actor: Actor, at: datetime) -> BillingHold:
    """Let a customer be billed again: in runs still in review with the draft it had there, else by the next run.

    Locks as place_hold does. Emits billing_hold.released, bill_run.customer_released, and bill_run.retried for a run
    that has to draft it still. Raises HoldReleased.
    """
    customer = Customer.objects.get(billing_holds__public_id=hold_id)
    rows = _rows_under_way(customer, (BillRunCustomerStatus.HELD,))
    Customer.objects.select_for_update().get(pk=customer.pk)
    hold = BillingHold.objects.select_related("customer").get(public_id=hold_id)
    if hold.released_at is not None:
        raise HoldReleased(f"Released already, by {hold.released_by_label}.")
    hold.released_at, hold.released_by_label = at, actor.label
    hold.save(update_fields=["released_at", "released_by_label"])
    _record(EventName.BILLING_HOLD_RELEASED, hold, actor, at)
    for row in rows:
        if row.run.status not in (BillRunStatus.GENERATING, BillRunStatus.IN_REVIEW):
            continue  # what was approved without it is finalized without it
        has_draft = Invoice.objects.filter(
            bill_run=row.run, customer=customer, status=InvoiceStatus.DRAFT
        ).exists()
        row.status = BillRunCustomerStatus.DRAFTED if has_draft else BillRunCustomerStatus.PENDING
        row.hold = None
        row.save(update_fields=["status", "hold"])
        _note_in_run(EventName.BILL_RUN_CUSTOMER_RELEASED, row, actor)
        if not has_draft and row.run.status == BillRunStatus.IN_REVIEW:
            _record_run(EventName.BILL_RUN_RETRIED, row, actor)
    return hold


def _until(customer: Customer, until_on: date | None, at: datetime) -> datetime | None:
    if until_on is None:
        return None
    zone = ZoneInfo(customer.time_zone)
    today = at.astimezone(zone).date()
    if until_on <= today:
        raise InvalidInput(f"Choose a day after today, {today}.", field="until_on")
    return datetime.combine(until_on, time(), tzinfo=zone)


def _rows_under_way(customer: Customer, statuses: tuple[BillRunCustomerStatus, ...]) -> list[BillRunCustomer]:
    """The customer's rows in runs that are under way, with their runs, both locked."""
    found = BillRunCustomer.objects.filter(
        customer=customer, run__status__in=RUNS_UNDER_WAY, status__in=statuses
    )
    run_ids = list(found.order_by().values_list("run_id", flat=True))
    runs = {run.pk: run for run in BillRun.objects.select_for_update().filter(pk__in=run_ids).order_by("pk")}
    rows = list(
        BillRunCustomer.objects.select_for_update()
        .filter(customer=customer, run_id__in=runs, status__in=statuses)
        .order_by("pk")
    )
    for row in rows:
        row.run = runs[row.run_id]
    return [row for row in rows if row.run.status in RUNS_UNDER_WAY]


def _note_in_run(name: EventName, row: BillRunCustomer, actor: Actor) -> None:
    if row.run.status != BillRunStatus.GENERATING:
        note_run_figures(run=row.run)
    _record_run(name, row, actor)


def _record_run(name: EventName, row: BillRunCustomer, actor: Actor) -> None:
    """Runs go by the machine's clock, whatever that of the customer shows."""
    record_run(name, row.run, actor, now(), customer_id=row.customer.public_id, customer_status=row.status)


def _record(name: EventName, hold: BillingHold, actor: Actor, at: datetime) -> None:
    activity.record(
        name=name,
        object_kind="billing_hold",
        object_id=hold.public_id,
        customer_id=hold.customer.public_id,
        actor=actor,
        at=at,
        data={"reason": hold.reason, "until_at": hold.until_at.isoformat() if hold.until_at else None},
    )
