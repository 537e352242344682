"""Mails about payments: queued once per payment and contact, sent after commit, retried, sent again on request."""

from datetime import datetime
from email.utils import parseaddr
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction

from billing.activity import services as activity
from billing.core.errors import BillingError, Kind
from billing.core.events import EventName
from billing.core.lifecycles import InvoiceStatus, MailStatus, PaymentStatus
from billing.invoices.document_links import document_url
from billing.invoices.documents.mails import MailContent
from billing.invoices.documents.serialization import from_dict
from billing.invoices.services.mails import RETRY_DELAYS, NoRecipient
from billing.platform.actors import Actor
from customers.selectors import billing_contacts
from payments.mails import PaymentFacts, failure_mail, receipt_mail
from payments.models import (
    RECEIVED_PAYMENT_STATUSES,
    CollectionSchedule,
    Payment,
    PaymentMail,
    PaymentMailKind,
)


class NothingToMail(BillingError):
    """No mail is sent about this payment: it is under way, or is for no invoice."""

    code = "nothing_to_mail"
    kind = Kind.CONFLICT


class Overtaken(BillingError):
    """What the mail would say is not true any more."""

    code = "mail_overtaken"
    kind = Kind.CONFLICT


@transaction.atomic
def queue_payment_mails(*, payment_id: str, actor: Actor, at: datetime) -> list[PaymentMail]:
    """Queue the receipt of money that came in for an invoice, or the notice that a charge failed; once per contact.

    Nothing for a payment without an invoice, or one under way. Locks the payment. Emits payment.mail_queued.
    """
    payment = _lock(payment_id)
    kind = mail_kind(payment)
    if kind is None or payment.mails.filter(kind=kind).exists():
        return []
    return _queue(payment, kind, actor, at)


@transaction.atomic
def resend_payment_mails(*, payment_id: str, actor: Actor, at: datetime) -> list[PaymentMail]:
    """Queue the mails about a payment again, with what holds now. Locks the payment. Emits payment.mail_queued.

    Raises NothingToMail, NoRecipient.
    """
    payment = _lock(payment_id)
    kind = mail_kind(payment)
    if kind is None:
        raise NothingToMail("There is a mail only about a payment for an invoice that came in or failed.")
    mails = _queue(payment, kind, actor, at, is_resent=True)
    if not mails:
        raise NoRecipient(
            f"{payment.customer} has no contact with the mail role billing. Add one, then resend."
        )
    return mails


def mail_kind(payment: Payment) -> PaymentMailKind | None:
    """Which mail there is about a payment as it stands, if any."""
    if payment.invoice is None or payment.invoice.status != InvoiceStatus.FINALIZED:
        return None
    if payment.status in RECEIVED_PAYMENT_STATUSES:
        return PaymentMailKind.RECEIPT
    return PaymentMailKind.FAILURE if payment.status == PaymentStatus.FAILED else None


def _lock(payment_id: str) -> Payment:
    return (
        Payment.objects.select_for_update(of=("self",))
        .select_related("customer", "invoice")
        .get(public_id=payment_id)
    )


def _queue(
    payment: Payment, kind: PaymentMailKind, actor: Actor, at: datetime, *, is_resent: bool = False
) -> list[PaymentMail]:
    schedule = CollectionSchedule.objects.filter(invoice=payment.invoice).first()
    mails = [
        PaymentMail(
            payment=payment,
            kind=kind,
            is_resent=is_resent,
            recipient=contact.email,
            status=MailStatus.QUEUED,
            next_try_at=schedule.next_attempt_at if schedule and kind is PaymentMailKind.FAILURE else None,
            next_attempt_at=at,
            queued_at=at,
        )
        for contact in billing_contacts(payment.customer)
    ]
    for mail in PaymentMail.objects.bulk_create(mails):
        _record(EventName.PAYMENT_MAIL_QUEUED, mail, payment, actor, at)
    return mails


def send_payment_mail(*, mail_id: str, actor: Actor, at: datetime) -> PaymentMail:
    """Send one queued mail. Sent and failed mails are left alone: a second call sends nothing.

    The row is locked while the mail goes out: two workers never send it both. A crash between the mail server's
    answer and the commit sends it again. A failure of an invoice that was paid meanwhile is not announced any more:
    that mail fails. Emits payment.mail_sent or payment.mail_failed.
    """
    with transaction.atomic():
        mail = (
            PaymentMail.objects.select_for_update(of=("self",), skip_locked=True)
            .select_related("payment__customer", "payment__invoice", "payment__method")
            .filter(public_id=mail_id, status=MailStatus.QUEUED)
            .first()
        )
        if mail is None:
            return PaymentMail.objects.get(public_id=mail_id)
        mail.attempts += 1
        try:
            _deliver(mail)
        except Overtaken as error:
            mail.status, mail.next_attempt_at, mail.error = MailStatus.FAILED, None, error.message
            fact = EventName.PAYMENT_MAIL_FAILED
        except Exception as error:  # noqa: BLE001 - whatever keeps a mail from leaving is noted and tried again
            mail.error = f"{type(error).__name__}: {error}"[:500]
            if mail.attempts <= len(RETRY_DELAYS):
                mail.next_attempt_at = at + RETRY_DELAYS[mail.attempts - 1]
            else:
                mail.status, mail.next_attempt_at = MailStatus.FAILED, None
            fact = EventName.PAYMENT_MAIL_FAILED
        else:
            mail.status, mail.sent_at, mail.next_attempt_at, mail.error = MailStatus.SENT, at, None, ""
            fact = EventName.PAYMENT_MAIL_SENT
        mail.save()
        _record(fact, mail, mail.payment, actor, at)
    return mail


def send_due_payment_mails(*, actor: Actor, at: datetime, limit: int = 100) -> list[PaymentMail]:
    """Send what is due, oldest first."""
    due = (
        PaymentMail.objects.filter(next_attempt_at__lte=at)
        .order_by("next_attempt_at", "pk")
        .values_list("public_id", flat=True)[:limit]
    )
    return [send_payment_mail(mail_id=mail_id, actor=actor, at=at) for mail_id in list(due)]


def mail_content(mail: PaymentMail) -> MailContent:
    """What a mail says."""
    payment, invoice = mail.payment, mail.payment.invoice
    assert invoice is not None and invoice.snapshot is not None, "mails are about payments of issued invoices"
    snapshot = from_dict(invoice.snapshot)
    zone = ZoneInfo(payment.legal_entity.time_zone)
    finished_at = payment.finished_at or payment.initiated_at
    facts = PaymentFacts(
        amount_minor=payment.amount_minor,
        on=payment.received_on or finished_at.astimezone(zone).date(),
        how=payment.method.label if payment.method else payment.reference,
        open_minor=invoice.open_minor,
        failure_code=payment.failure_code,
        next_try_on=mail.next_try_at.astimezone(zone).date() if mail.next_try_at else None,
    )
    make = receipt_mail if mail.kind == PaymentMailKind.RECEIPT else failure_mail
    return make(snapshot, facts, url=document_url(invoice))


def _deliver(mail: PaymentMail) -> None:
    invoice = mail.payment.invoice
    if mail.kind == PaymentMailKind.FAILURE and invoice is not None and invoice.open_minor == 0:
        raise Overtaken("The invoice was settled before this mail could leave.")
    content = mail_content(mail)
    message = EmailMultiAlternatives(
        subject=content.subject,
        body=content.text,
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[mail.recipient],
        headers={
            "Message-ID": f"<{mail.public_id}@{parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition('@')[2]}>"
        },
    )
    message.attach_alternative(content.html, "text/html")
    message.send()


def _record(name: EventName, mail: PaymentMail, payment: Payment, actor: Actor, at: datetime) -> None:
    activity.record(
        name=name,
        object_kind="mail",
        object_id=mail.public_id,
        customer_id=payment.customer.public_id,
        actor=actor,
        at=at,
        data={
            "payment": payment.public_id,
            "kind": mail.kind,
            "status": mail.status,
            "error": mail.error,
        },
    )
