"""Mails that carry issued documents: queued with the issue, sent after commit, retried, sent again on request."""

from datetime import datetime, timedelta
from email.utils import parseaddr

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction

from billing.activity import services as activity
from billing.core.errors import BillingError, Kind
from billing.core.events import EventName
from billing.core.lifecycles import InvoiceStatus, MailStatus
from billing.invoices.document_links import document_url
from billing.invoices.documents.mails import invoice_mail
from billing.invoices.documents.serialization import from_dict
from billing.invoices.models import CreditNote, DocumentMail, Invoice
from billing.invoices.services.rendering import render_document
from billing.platform.actors import Actor
from customers.selectors import billing_contacts

RETRY_DELAYS = (
    timedelta(minutes=1),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(days=1),
)
"""How long to wait after each failed try; after the last one the mail is failed and a person may resend it."""

Document = Invoice | CreditNote


class NotIssued(BillingError):
    """A draft is not mailed."""

    code = "document_not_issued"
    kind = Kind.CONFLICT


class NoRecipient(BillingError):
    """The customer has no contact with the mail role billing."""

    code = "no_recipient"
    kind = Kind.CONFLICT


def queue_mails(
    *, document: Document, actor: Actor, at: datetime, is_first: bool = False
) -> list[DocumentMail]:
    """Queue one mail per billing contact in the caller's transaction; without a contact, none. Emits mail_queued.

    is_first: the mail with which the document is sent. The database refuses a second one to the same address.
    """
    addresses = {contact.email.lower(): contact.email for contact in billing_contacts(document.customer)}
    mails = [
        DocumentMail(
            invoice=document if isinstance(document, Invoice) else None,
            credit_note=document if isinstance(document, CreditNote) else None,
            recipient=address,
            is_first=is_first,
            status=MailStatus.QUEUED,
            next_attempt_at=at,
            queued_at=at,
        )
        for address in addresses.values()
    ]
    for mail in DocumentMail.objects.bulk_create(mails):
        _record(EventName.INVOICE_MAIL_QUEUED, mail, document, actor, at)
    return mails


@transaction.atomic
def resend_document(*, document: Document, actor: Actor, at: datetime) -> list[DocumentMail]:
    """Queue the mails of an issued document again. Raises NotIssued, NoRecipient."""
    if document.number is None:
        raise NotIssued("Finalize the document before you send it.")
    mails = queue_mails(document=document, actor=actor, at=at)
    if not mails:
        raise NoRecipient(
            f"{document.customer} has no contact with the mail role billing. Add one, then resend."
        )
    return mails


def send_mail(*, mail_id: str, actor: Actor, at: datetime) -> DocumentMail:
    """Send one queued mail with its PDF. Sent and failed mails are left alone: a second call sends nothing.

    The row is locked while the mail goes out: two workers never send it both. A crash between the mail server's
    answer and the commit sends it again. Emits invoice.mail_sent or invoice.mail_failed.
    """
    with transaction.atomic():
        mail = (
            DocumentMail.objects.select_for_update(of=("self",), skip_locked=True)
            .filter(public_id=mail_id)
            .first()
        )
        if mail is None or mail.status != MailStatus.QUEUED:
            return DocumentMail.objects.get(public_id=mail_id)
        document = _document_of(mail)
        if document.status == InvoiceStatus.VOIDED:
            return mail
        mail.attempts += 1
        try:
            _deliver(mail, document)
        except Exception as error:  # noqa: BLE001 - whatever keeps a mail from leaving is noted and tried again
            _note_failure(mail, document, error, actor, at)
        else:
            mail.status, mail.sent_at, mail.next_attempt_at, mail.error = MailStatus.SENT, at, None, ""
            mail.save()
            type(document).objects.filter(pk=document.pk, sent_at=None).update(sent_at=at)
            _record(EventName.INVOICE_MAIL_SENT, mail, document, actor, at)
    return mail


def send_due_mails(*, actor: Actor, at: datetime, limit: int = 100) -> list[DocumentMail]:
    """Send what is due, oldest first."""
    due = (
        DocumentMail.objects.filter(next_attempt_at__lte=at)
        .order_by("next_attempt_at", "pk")
        .values_list("public_id", flat=True)[:limit]
    )
    return [send_mail(mail_id=mail_id, actor=actor, at=at) for mail_id in list(due)]


def _document_of(mail: DocumentMail) -> Document:
    document = mail.invoice or mail.credit_note
    assert document is not None, "a mail carries one document"
    return document


def _deliver(mail: DocumentMail, document: Document) -> None:
    assert document.snapshot is not None, "only issued documents are mailed"
    content = invoice_mail(from_dict(document.snapshot), document_url=document_url(document))
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
    message.attach(f"{document.number}.pdf", render_document(document=document), "application/pdf")
    message.send()


def _note_failure(
    mail: DocumentMail, document: Document, error: Exception, actor: Actor, at: datetime
) -> None:
    mail.error = f"{type(error).__name__}: {error}"[:500]
    if mail.attempts <= len(RETRY_DELAYS):
        mail.next_attempt_at = at + RETRY_DELAYS[mail.attempts - 1]
    else:
        mail.status, mail.next_attempt_at = MailStatus.FAILED, None
    mail.save()
    _record(EventName.INVOICE_MAIL_FAILED, mail, document, actor, at)


def _record(name: EventName, mail: DocumentMail, document: Document, actor: Actor, at: datetime) -> None:
    activity.record(
        name=name,
        object_kind="mail",
        object_id=mail.public_id,
        customer_id=document.customer.public_id,
        actor=actor,
        at=at,
        data={
            "document": document.public_id,
            "number": document.number,
            "status": mail.status,
            "error": mail.error,
        },
    )
