"""Sending the invoices of a reviewed run: a step of its own, asked for by a person, each invoice once.

An invoice of such a run is finalized without a mail. What is to be sent is read from the invoices: those without any
mail yet. Queuing locks the invoice and looks again, so that neither a crash nor a second request mails it twice.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, QuerySet, Sum

from billing.core.errors import BillingError, Kind
from billing.core.events import EventName
from billing.core.lifecycles import BillRunStatus, InvoiceStatus
from billing.invoices.models import BillRun, DocumentMail, Invoice
from billing.invoices.services.mails import queue_mails
from billing.invoices.services.run_approval import record_run
from billing.platform.actors import Actor
from customers.models import Contact, Customer, MailRole
from customers.selectors import now_for

CHUNK = 50
"""Invoices per transaction."""


class RunNotCompleted(BillingError):
    """The run is not finalized yet, so there is nothing to send."""

    code = "run_not_completed"
    kind = Kind.CONFLICT


class NothingToSend(BillingError):
    """Every invoice of the run was sent, or has nobody to be sent to."""

    code = "nothing_to_send"
    kind = Kind.CONFLICT


@dataclass(frozen=True, slots=True)
class SendingPlan:
    """What sending a run would do: invoices and sums per currency; who is skipped, and why."""

    invoices: int
    totals_minor: dict[str, int]
    sent_already: int
    voided: int
    without_contact: int


def sending_plan(*, run: BillRun) -> SendingPlan:
    """What would be sent now."""
    rows = list(
        _to_send(run).order_by().values("currency").annotate(total=Sum("total_minor"), count=Count("pk"))
    )
    finalized = run.invoices.filter(status=InvoiceStatus.FINALIZED)
    return SendingPlan(
        sum(row["count"] for row in rows),
        {row["currency"]: int(row["total"]) for row in rows},
        finalized.filter(_mailed()).count(),
        run.invoices.filter(status=InvoiceStatus.VOIDED).count(),
        without_contact(run=run).count(),
    )


def something_to_send(*, run: BillRun) -> bool:
    """Whether anything would be sent."""
    return _to_send(run).exists()


def without_contact(*, run: BillRun) -> QuerySet[Invoice]:
    """Finalized invoices that nobody gets: their customers have no contact with the mail role billing."""
    unsent = run.invoices.filter(status=InvoiceStatus.FINALIZED).exclude(_mailed())
    return unsent.exclude(_has_contact()).select_related("customer").order_by("pk")


def _to_send(run: BillRun) -> QuerySet[Invoice]:
    return run.invoices.filter(_has_contact(), status=InvoiceStatus.FINALIZED).exclude(_mailed())


def _mailed() -> Exists:
    return Exists(DocumentMail.objects.filter(invoice=OuterRef("pk")))


def _has_contact() -> Exists:
    return Exists(
        Contact.objects.filter(customer=OuterRef("customer_id"), mail_roles__contains=[MailRole.BILLING])
    )


@transaction.atomic
def request_sending(*, run: BillRun, actor: Actor, at: datetime) -> BillRun:
    """Ask for the run's invoices to be sent; the mails are queued in the background. Emits bill_run.send_requested.

    Raises RunNotCompleted, NothingToSend.
    """
    run = BillRun.objects.select_for_update().get(pk=run.pk)
    if run.status != BillRunStatus.COMPLETED:
        raise RunNotCompleted("Finalize the run before you send its invoices.")
    plan = sending_plan(run=run)
    if not plan.invoices:
        raise NothingToSend("Every invoice of this run was sent, or has nobody to be sent to.")
    run.send_asked_at, run.send_done_at, run.review_version = at, None, run.review_version + 1
    run.save(update_fields=["send_asked_at", "send_done_at", "review_version"])
    record_run(EventName.BILL_RUN_SEND_REQUESTED, run, actor, at, invoices=plan.invoices)
    return run


def send_bill_run(*, run_id: str, actor: Actor, at: datetime) -> int:
    """Queue the mails of a run whose sending was asked for, chunk by chunk; returns how many invoices.

    Safe to run twice, and by two workers at once: an invoice with a mail is left alone. Emits bill_run.sent.
    """
    run = BillRun.objects.get(public_id=run_id)
    if run.send_asked_at is None or run.send_done_at is not None:
        return 0
    sent = 0
    while ids := list(_to_send(run).order_by("pk").values_list("pk", flat=True)[:CHUNK]):
        with transaction.atomic():
            sent += _send_chunk(ids, actor)
            if _to_send(run).exclude(pk__in=ids).exists():
                record_run(EventName.BILL_RUN_PROGRESSED, run, actor, at)
    with transaction.atomic():
        ended = BillRun.objects.filter(pk=run.pk, send_done_at=None).update(
            send_done_at=at, review_version=F("review_version") + 1
        )
        if ended:
            record_run(EventName.BILL_RUN_SENT, run, actor, at)
    return sent


def _send_chunk(ids: list[int], actor: Actor) -> int:
    """Lock customers, then invoices, in the one order of locks; look again at each, and queue."""
    customers = Invoice.objects.filter(pk__in=ids).values("customer_id")
    list(Customer.objects.select_for_update().filter(pk__in=customers).order_by("pk").values_list("pk"))
    list(Invoice.objects.select_for_update().filter(pk__in=ids).order_by("pk").values_list("pk"))
    unsent = (
        Invoice.objects.filter(pk__in=ids, status=InvoiceStatus.FINALIZED)
        .exclude(_mailed())
        .select_related("customer__test_clock")
        .order_by("pk")
    )
    return sum(
        bool(queue_mails(document=invoice, is_first=True, actor=actor, at=now_for(invoice.customer)))
        for invoice in unsent
    )


def sendings_under_way() -> list[str]:
    """Runs whose sending was asked for and has not ended: a crash may have left them behind."""
    waiting = BillRun.objects.filter(send_asked_at__isnull=False, send_done_at=None).order_by("pk")
    return list(waiting.values_list("public_id", flat=True))
