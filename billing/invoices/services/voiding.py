"""Voiding: an invoice that nobody has seen is taken back; its number stays in the series."""

from datetime import datetime

from django.db import transaction

from billing.activity import services as activity
from billing.core.errors import BillingError, Kind
from billing.core.events import EventName
from billing.core.lifecycles import InvoiceStatus, MailStatus
from billing.invoices.models import Invoice
from billing.invoices.services.drafts import InvoiceNotFinalized, lock_invoice
from billing.ledger import services as ledger
from billing.platform.actors import Actor
from billing.revenue import services as revenue
from billing.subscriptions import services as subscriptions


class InvoiceSeen(BillingError):
    """The invoice was sent, shown, exported, paid or credited; a cancellation credit note takes it back instead."""

    code = "invoice_seen"
    kind = Kind.CONFLICT


class InvoiceBeingSent(BillingError):
    """A mail with the invoice is leaving at this moment."""

    code = "invoice_being_sent"
    kind = Kind.CONFLICT


@transaction.atomic
def void_invoice(*, invoice_id: str, reason: str, actor: Actor, at: datetime) -> Invoice:
    """Take back a finalized invoice that was never sent, shown or exported, in the period it was booked in.

    Reverses its entries, frees its periods and usage for the next run, and stops its queued mails. Idempotent.
    Locks: customer, invoice, its queued mails. Emits invoice.voided.
    Raises InvoiceNotFinalized, InvoiceSeen, InvoiceBeingSent, PeriodClosed.
    """
    invoice = lock_invoice(invoice_id)
    if invoice.status == InvoiceStatus.VOIDED:
        return invoice
    if invoice.status != InvoiceStatus.FINALIZED:
        raise InvoiceNotFinalized("A draft has no number to void; delete it instead.")
    _refuse_seen(invoice)
    _stop_mails(invoice)
    _reverse_entries(invoice, actor, at)
    subscriptions.release_billed_periods(invoice_id=invoice.public_id, at=at)
    invoice.status, invoice.voided_at, invoice.void_reason = InvoiceStatus.VOIDED, at, reason
    invoice.save(update_fields=["status", "voided_at", "void_reason"])
    activity.record(
        name=EventName.INVOICE_VOIDED,
        object_kind="invoice",
        object_id=invoice.public_id,
        customer_id=invoice.customer.public_id,
        actor=actor,
        at=at,
        data={"number": invoice.number, "reason": reason},
    )
    return invoice


def _refuse_seen(invoice: Invoice) -> None:
    facts = {
        "sent": invoice.sent_at,
        "shown": invoice.shown_at,
        "exported": invoice.exported_at,
        "paid": invoice.allocated_minor,
        "credited": invoice.credited_minor,
        "written off": invoice.written_off_minor,
    }
    for word, fact in facts.items():
        if fact:
            raise InvoiceSeen(
                f"Invoice {invoice.number} was {word}, so it can no longer be voided. Issue a credit note instead."
            )


def _stop_mails(invoice: Invoice) -> None:
    queued = invoice.mails.filter(status=MailStatus.QUEUED)
    locked = list(queued.select_for_update(skip_locked=True))
    if len(locked) != queued.count():
        raise InvoiceBeingSent(f"Invoice {invoice.number} is being sent at this moment.")
    for mail in locked:
        mail.status, mail.next_attempt_at, mail.error = MailStatus.FAILED, None, "The invoice was voided."
        mail.save()


def _reverse_entries(invoice: Invoice, actor: Actor, at: datetime) -> None:
    """The reversal bears the date of the entry: the month of a voided invoice shows it not at all."""
    entry = ledger.entry_of_fact(source_type="invoice", source_id=invoice.public_id, purpose="issue")
    if entry is None:
        return
    ledger.reverse_entry(
        entry=entry,
        accounting_on=entry.accounting_on,
        source_type="invoice",
        source_id=invoice.public_id,
        actor=actor,
        is_late=entry.is_late,
    )
    revenue.take_back_schedules(invoice_id=invoice.public_id, actor=actor, at=at)
