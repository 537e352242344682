"""Background collection. Each task is safe to run twice: an invoice has one live attempt, a key takes money once."""

import structlog
from celery import shared_task

from billing.core.errors import BillingError
from billing.invoices.models import Invoice
from billing.platform.actors import task_actor
from billing.platform.clock import now
from customers.selectors import now_for
from payments import services
from payments.models import Payment
from payments.selectors import due_collections, payments_to_check, refunds_to_check, unscheduled_invoices

BATCH = 200

log = structlog.get_logger(__name__)


@shared_task(name="payments.collect_finalized_invoice", ignore_result=True)
def collect_finalized_invoice(invoice_id: str) -> None:
    """Plan the collection of a finalized invoice, and make the first attempt if it is due now."""
    invoice = Invoice.objects.select_related("customer__test_clock").get(public_id=invoice_id)
    at = now_for(invoice.customer)
    schedule = services.schedule_collection(invoice_id=invoice_id, at=at)
    if schedule is not None and schedule.next_attempt_at is not None and schedule.next_attempt_at <= at:
        _collect(invoice_id)


@shared_task(name="payments.collect_due", ignore_result=True)
def collect_due() -> int:
    """Make the attempts that are due; returns how many invoices were looked at.

    Plans those of finalized invoices first whose own task was lost with the broker: the rows know what is owed.
    """
    for invoice in unscheduled_invoices().select_related("customer__test_clock")[:BATCH]:
        services.schedule_collection(invoice_id=invoice.public_id, at=now_for(invoice.customer))
    due = due_collections(at=now()).values_list("invoice__public_id", flat=True)[:BATCH]
    for invoice_id in (invoice_ids := list(due)):
        _collect(invoice_id)
    return len(invoice_ids)


@shared_task(name="payments.check_open_payments", ignore_result=True)
def check_open_payments() -> int:
    """Ask gateways about payments and refunds without a final answer; returns how many."""
    payments = list(payments_to_check(at=now()).select_related("customer__test_clock")[:BATCH])
    for payment in payments:
        services.check_payment(
            payment_id=payment.public_id,
            actor=task_actor("payments.check_open_payments"),
            at=now_for(payment.customer),
        )
    refunds = list(refunds_to_check(at=now()).select_related("payment__customer__test_clock")[:BATCH])
    for refund in refunds:
        services.complete_refund(
            refund_id=refund.public_id,
            actor=task_actor("payments.check_open_payments"),
            at=now_for(refund.payment.customer),
        )
    return len(payments) + len(refunds)


@shared_task(name="payments.queue_receipt", ignore_result=True)
def queue_receipt(payment_id: str) -> None:
    """Queue the receipt of a payment; it is queued once."""
    _queue_mails(payment_id, "payments.queue_receipt")


@shared_task(name="payments.queue_failure_notice", ignore_result=True)
def queue_failure_notice(payment_id: str) -> None:
    """Queue the notice that a payment failed; it is queued once."""
    _queue_mails(payment_id, "payments.queue_failure_notice")


@shared_task(name="payments.send_mail", ignore_result=True)
def send_mail(mail_id: str) -> None:
    """Send one queued mail; a sent one is left alone."""
    services.send_payment_mail(mail_id=mail_id, actor=task_actor("payments.send_mail"), at=now())


@shared_task(name="payments.send_due_mails", ignore_result=True)
def send_due_mails() -> int:
    """Send mails whose next try is due; rows are locked, sent ones left alone."""
    return len(services.send_due_payment_mails(actor=task_actor("payments.send_due_mails"), at=now()))


def _queue_mails(payment_id: str, task: str) -> None:
    payment = Payment.objects.select_related("customer__test_clock").get(public_id=payment_id)
    services.queue_payment_mails(payment_id=payment_id, actor=task_actor(task), at=now_for(payment.customer))


def _collect(invoice_id: str) -> None:
    """One attempt. A typed refusal (paid meanwhile, under way, no method) is not an error of the task."""
    invoice = Invoice.objects.select_related("customer__test_clock").get(public_id=invoice_id)
    try:
        services.collect_invoice(
            invoice_id=invoice_id, actor=task_actor("payments.collect_due"), at=now_for(invoice.customer)
        )
    except BillingError as error:
        log.info("collection refused", invoice=invoice_id, code=error.code, reason=error.message)
