"""Background work on documents. Each task is safe to run twice; its service says by what means."""

from celery import shared_task

from billing.invoices import services
from billing.invoices.models import CreditNote, Invoice
from billing.platform import metrics
from billing.platform.actors import task_actor
from billing.platform.clock import now
from billing.platform.locks import RunInProgress, run_lock
from billing.subscriptions.selectors import due_customers


@shared_task(name="invoices.render_invoice", ignore_result=True)
def render_invoice(invoice_id: str) -> None:
    """Render and store an invoice's documents; the first rendering is kept."""
    services.render_document(
        document=Invoice.objects.select_related("legal_entity", "customer").get(public_id=invoice_id)
    )


@shared_task(name="invoices.render_credit_note", ignore_result=True)
def render_credit_note(credit_note_id: str) -> None:
    """Render and store a credit note's documents; the first rendering is kept."""
    credit_notes = CreditNote.objects.select_related("legal_entity", "customer")
    services.render_document(document=credit_notes.get(public_id=credit_note_id))


@shared_task(name="invoices.send_mail", ignore_result=True)
def send_mail(mail_id: str) -> None:
    """Send one queued mail; a sent one is left alone."""
    services.send_mail(mail_id=mail_id, actor=task_actor("invoices.send_mail"), at=now())


@shared_task(name="invoices.send_due_mails", ignore_result=True)
def send_due_mails() -> int:
    """Send mails whose next try is due; rows are locked, sent ones left alone."""
    return len(services.send_due_mails(actor=task_actor("invoices.send_due_mails"), at=now()))


@shared_task(name="invoices.run_billing", ignore_result=True)
def run_billing() -> None:
    """Finish what was interrupted, then bill what is due. One at a time by advisory lock; periods are billed once."""
    actor = task_actor("invoices.run_billing")
    try:
        with run_lock(services.BILLING_LOCK), metrics.RUN_DURATION.labels(run="billing").time():
            services.bill_due(as_of=now(), by_itself=True, actor=actor, at=now())
        for run_id in services.sendings_under_way():
            services.send_bill_run(run_id=run_id, actor=actor, at=now())
    except RunInProgress:
        return


@shared_task(
    name="invoices.bill_test_clock",
    ignore_result=True,
    autoretry_for=(RunInProgress,),
    retry_backoff=5,
    max_retries=10,
)
def bill_test_clock(clock_id: str) -> None:
    """Bill what fell due for the customers on a clock that was advanced. Waits for a run that is under way."""
    actor = task_actor("invoices.bill_test_clock")
    with run_lock(services.BILLING_LOCK):
        for customer in due_customers(as_of=now(), by_itself=True).filter(test_clock__public_id=clock_id):
            services.bill_due(as_of=now(), customer=customer, by_itself=True, actor=actor, at=now())


@shared_task(
    name="invoices.perform_bill_run",
    ignore_result=True,
    autoretry_for=(RunInProgress,),
    retry_backoff=5,
    max_retries=10,
)
def perform_bill_run(run_id: str) -> None:
    """Take a started or approved run as far as it goes without a person; one that stands elsewhere is left alone."""
    actor = task_actor("invoices.perform_bill_run")
    with run_lock(services.BILLING_LOCK):
        services.continue_bill_run(run_id=run_id, actor=actor, at=now())


@shared_task(name="invoices.send_bill_run", ignore_result=True)
def send_bill_run(run_id: str) -> int:
    """Queue the mails of a run whose sending was asked for; an invoice that was mailed is left alone."""
    return services.send_bill_run(run_id=run_id, actor=task_actor("invoices.send_bill_run"), at=now())
