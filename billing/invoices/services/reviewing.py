"""What a person does to single customers of a run in review: look, exclude, take back in, try again."""

from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from billing.core.errors import BillingError, InvalidInput, Kind
from billing.core.events import EventName
from billing.core.lifecycles import BillRunStatus, InvoiceStatus
from billing.invoices.models import BillRun, BillRunCustomer, BillRunCustomerStatus, Invoice
from billing.invoices.services.drafts import delete_draft
from billing.invoices.services.run_approval import record_run
from billing.invoices.services.run_figures import note_run_figures
from billing.invoices.services.runs import draft_alone, finalize_alone
from billing.platform.actors import Actor
from billing.platform.lookup import get_or_not_found
from customers.selectors import now_for

_RETRIED_IN = (BillRunStatus.IN_REVIEW, BillRunStatus.FINALIZING, BillRunStatus.COMPLETED)


class RunNotInReview(BillingError):
    """The run is not in review, so single customers of it are not changed any more."""

    code = "run_not_in_review"
    kind = Kind.CONFLICT


class NotExcludable(BillingError):
    """The customer is not in the run with a draft, or not left out of it."""

    code = "not_excludable"
    kind = Kind.CONFLICT


class NothingToRetry(BillingError):
    """Nobody of this run has failed in a way that this run can still repair."""

    code = "nothing_to_retry"
    kind = Kind.CONFLICT


@transaction.atomic
def look_at_draft(*, run_id: str, customer_id: str, actor: Actor, at: datetime) -> BillRunCustomer:
    """Note that somebody has looked at a customer's drafts; a second look changes nothing.

    Emits bill_run.draft_looked_at. Raises NotFound, RunNotInReview.
    """
    row = _lock_in_review(run_id, customer_id)
    if row.looked_at is None:
        row.looked_at, row.looked_by_id, row.looked_by_label = at, actor.public_id, actor.label
        row.save(update_fields=["looked_at", "looked_by_id", "looked_by_label"])
        _record(EventName.BILL_RUN_DRAFT_LOOKED_AT, row, actor, at, looked=True)
    return row


@transaction.atomic
def unlook_at_draft(*, run_id: str, customer_id: str, actor: Actor, at: datetime) -> BillRunCustomer:
    """Take that note back. Emits bill_run.draft_looked_at. Raises NotFound, RunNotInReview."""
    row = _lock_in_review(run_id, customer_id)
    if row.looked_at is not None:
        row.looked_at, row.looked_by_id, row.looked_by_label = None, "", ""
        row.save(update_fields=["looked_at", "looked_by_id", "looked_by_label"])
        _record(EventName.BILL_RUN_DRAFT_LOOKED_AT, row, actor, at, looked=False)
    return row


@transaction.atomic
def exclude_customer(
    *, run_id: str, customer_id: str, reason: str, actor: Actor, at: datetime
) -> BillRunCustomer:
    """Leave a customer out of this run: its drafts are deleted, and what they billed is due for the next run.

    Excluding it again changes nothing. Locks run, row and customer. Emits bill_run.customer_excluded.
    Raises NotFound, InvalidInput, RunNotInReview, NotExcludable.
    """
    reason = reason.strip()
    if not reason:
        raise InvalidInput("Say why: the next person who sees the run has to know.", field="reason")
    row = _lock_in_review(run_id, customer_id)
    if row.status == BillRunCustomerStatus.EXCLUDED:
        return row
    if row.status == BillRunCustomerStatus.PENDING:
        raise NotExcludable("This customer is being drafted. Look again in a moment.")
    drafts = row.run.invoices.filter(customer=row.customer, status=InvoiceStatus.DRAFT).order_by("pk")
    for invoice_id in list(drafts.values_list("public_id", flat=True)):
        delete_draft(invoice_id=invoice_id, actor=actor, at=now_for(row.customer))
    row.status, row.exclude_reason, row.hold = BillRunCustomerStatus.EXCLUDED, reason[:500], None
    row.save(update_fields=["status", "exclude_reason", "hold"])
    note_run_figures(run=row.run)
    _record(EventName.BILL_RUN_CUSTOMER_EXCLUDED, row, actor, at, reason=row.exclude_reason)
    return row


@transaction.atomic
def include_customer(*, run_id: str, customer_id: str, actor: Actor, at: datetime) -> BillRunCustomer:
    """Take an excluded customer back in: it is drafted anew, up to the run's own cut-off.

    Emits bill_run.customer_included. Raises NotFound, RunNotInReview, NotExcludable.
    """
    row = _lock_in_review(run_id, customer_id)
    if row.status in (BillRunCustomerStatus.DRAFTED, BillRunCustomerStatus.PENDING):
        return row
    if row.status != BillRunCustomerStatus.EXCLUDED:
        raise NotExcludable(f"This customer is {row.get_status_display().lower()}, not excluded.")
    row.status, row.exclude_reason = BillRunCustomerStatus.PENDING, ""
    row.looked_at, row.looked_by_id, row.looked_by_label = None, "", ""
    row.save()
    draft_alone(row.pk, actor)
    note_run_figures(run=row.run)
    _record(EventName.BILL_RUN_CUSTOMER_INCLUDED, row, actor, at)
    row.refresh_from_db()
    return row


@transaction.atomic
def retry_customer(*, run_id: str, customer_id: str, actor: Actor, at: datetime) -> BillRunCustomer:
    """Try a failed customer again now: draft it in a run in review, finalize its draft in a later one.

    What was approved is finalized as it was approved; a customer that failed before the approval waits for the next
    run. Emits bill_run.retried. Raises NotFound, NothingToRetry.
    """
    row = _lock(run_id, customer_id)
    if not _retriable(row.run).filter(pk=row.pk).exists():
        raise NothingToRetry("This customer cannot be tried again in this run; the next run bills it.")
    in_review = row.run.status == BillRunStatus.IN_REVIEW
    row.status = BillRunCustomerStatus.PENDING if in_review else BillRunCustomerStatus.DRAFTED
    row.save(update_fields=["status"])
    (draft_alone if in_review else finalize_alone)(row.pk, actor)
    note_run_figures(run=row.run)
    row.refresh_from_db()
    _record(EventName.BILL_RUN_PROGRESSED, row, actor, at, result=row.status)
    return row


@transaction.atomic
def retry_failed(*, run_id: str, actor: Actor, at: datetime) -> int:
    """Try everybody who failed again, in the background; returns how many. Emits bill_run.retried.

    Raises NotFound, NothingToRetry.
    """
    run = get_or_not_found(BillRun.objects.select_for_update(), kind="bill_run", public_id=run_id)
    in_review = run.status == BillRunStatus.IN_REVIEW
    to = BillRunCustomerStatus.PENDING if in_review else BillRunCustomerStatus.DRAFTED
    count = _retriable(run).update(status=to)
    if not count:
        raise NothingToRetry("Nobody of this run can be tried again.")
    note_run_figures(run=run)
    record_run(EventName.BILL_RUN_RETRIED, run, actor, at, customers=count)
    return count


def retriable_count(*, run: BillRun) -> int:
    """How many failed customers can be tried again in this run."""
    return _retriable(run).count()


def _retriable(run: BillRun) -> QuerySet[BillRunCustomer]:
    failed = run.customers.filter(status=BillRunCustomerStatus.PARKED)
    if run.status == BillRunStatus.IN_REVIEW:
        return failed
    if run.status not in _RETRIED_IN:
        return failed.none()
    drafts = Invoice.objects.filter(
        bill_run=run, customer_id=OuterRef("customer_id"), status=InvoiceStatus.DRAFT
    )
    return failed.filter(Exists(drafts))


def _lock(run_id: str, customer_id: str) -> BillRunCustomer:
    run = get_or_not_found(BillRun.objects.select_for_update(), kind="bill_run", public_id=run_id)
    rows = BillRunCustomer.objects.select_for_update(of=("self",)).select_related("customer__test_clock")
    row = get_or_not_found(rows.filter(run=run), kind="customer", customer__public_id=customer_id)
    row.run = run
    return row


def _lock_in_review(run_id: str, customer_id: str) -> BillRunCustomer:
    row = _lock(run_id, customer_id)
    if row.run.status != BillRunStatus.IN_REVIEW:
        word = row.run.status.replace("_", " ")
        raise RunNotInReview(f"The run is {word}: single customers are changed while it is in review.")
    return row


def _record(name: EventName, row: BillRunCustomer, actor: Actor, at: datetime, **data: object) -> None:
    record_run(name, row.run, actor, at, customer_id=row.customer.public_id, **data)
