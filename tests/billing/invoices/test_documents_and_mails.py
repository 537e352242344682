"""Issued documents as bytes with a hash, and the mails that carry them: sent once, retried, given up, sent again."""

import hashlib
import json
from datetime import timedelta
from email.message import EmailMessage, Message
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend

from billing.activity.models import Activity
from billing.invoices import services as invoices
from billing.invoices.documents.canonical import canonical_json
from billing.invoices.documents.serialization import from_dict
from billing.invoices.models import CreditReason, DocumentFormat, DocumentMail, Invoice, StoredDocument
from billing.invoices.services.mails import (
    RETRY_DELAYS,
    NoRecipient,
    NotIssued,
    resend_document,
    send_due_mails,
)
from billing.invoices.services.rendering import NotRendered, render_document
from customers.services import ContactInput
from tests import factories
from tests.scenarios.story import FIONA, NOV_1, Story, everything, is_sound

pytestmark = pytest.mark.django_db

TWO = [
    ContactInput(name="Ada", email="ada@acme.example"),
    ContactInput(name="Bob", email="bob@acme.example", mail_roles=("billing", "technical")),
    ContactInput(name="Eve", email="eve@acme.example", mail_roles=("technical",)),
]


class BrokenServer(BaseEmailBackend):
    """A mail server that is down."""

    def send_messages(self, messages: Any) -> int:
        raise ConnectionRefusedError("mail server is down")


def invoiced(**changes: Any) -> tuple[Story, Invoice]:
    story = Story(NOV_1)
    story.subscribe(story.customer(method=None, **changes), story.version(factories.fee()))
    return story, story.bill_one()


def send(at: Any = NOV_1) -> list[str]:
    return [one.status for one in send_due_mails(actor=FIONA, at=at)]


def attachment(message: Any) -> bytes:
    (part,) = message.attachments
    if isinstance(part, EmailMessage | Message):
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        return content
    return bytes(part[1])


def test_an_issued_invoice_is_stored_as_pdf_and_json_with_their_hashes() -> None:
    _, invoice = invoiced()
    pdf = render_document(document=invoice)
    assert pdf.startswith(b"%PDF-")
    stored = {one.format: one for one in StoredDocument.objects.all()}
    assert set(stored) == {DocumentFormat.PDF, DocumentFormat.JSON}
    for one in stored.values():
        assert one.sha256 == hashlib.sha256(bytes(one.content)).hexdigest()
        assert one.retain_until.isoformat() == "2034-01-01"  # ten years from the end of the year
    content = bytes(stored["json"].content)
    assert invoice.snapshot_hash == hashlib.sha256(content).hexdigest()
    assert json.loads(content)["number"] == "VV-2023-000001"
    assert canonical_json(from_dict(invoice.snapshot)) == content
    assert is_sound()


def test_rendering_again_serves_the_stored_bytes_and_writes_nothing() -> None:
    _, invoice = invoiced()
    first = {format: render_document(document=invoice, format=format) for format in DocumentFormat}
    before = everything()
    assert {format: render_document(document=invoice, format=format) for format in DocumentFormat} == first
    assert everything() == before


def test_what_changes_at_the_customer_afterwards_does_not_change_the_document() -> None:
    _, invoice = invoiced()
    invoice.customer.legal_name = "Renamed GmbH"
    invoice.customer.save()
    render_document(document=invoice)
    stored = StoredDocument.objects.get(format="json")
    assert b"Renamed" not in bytes(stored.content)


def test_a_draft_is_neither_rendered_nor_mailed() -> None:
    story = Story(NOV_1)
    story.subscribe(story.customer(), story.version(factories.fee()))
    run = invoices.start_bill_run(as_of=NOV_1, needs_review=True, actor=FIONA, at=NOV_1)
    invoices.perform_bill_run(run=run, actor=FIONA, at=NOV_1)
    draft = Invoice.objects.get()
    before = everything()
    with pytest.raises(NotRendered):
        render_document(document=draft)
    with pytest.raises(NotIssued):
        resend_document(document=draft, actor=FIONA, at=NOV_1)
    assert everything() == before
    assert mail.outbox == []


def test_every_billing_contact_gets_the_invoice_with_the_stored_pdf_once() -> None:
    story, invoice = invoiced(contacts=TWO)
    story.follow_up()
    assert [message.to for message in mail.outbox] == [["ada@acme.example"], ["bob@acme.example"]]
    stored = bytes(StoredDocument.objects.get(format="pdf").content)
    for message in mail.outbox:
        assert invoice.number is not None and invoice.number in message.subject
        assert attachment(message) == stored
    invoice.refresh_from_db()
    assert invoice.sent_at is not None
    before = everything()
    assert story.follow_up() == 0
    for one in DocumentMail.objects.all():
        invoices.send_mail(mail_id=one.public_id, actor=FIONA, at=NOV_1)
    assert everything() == before
    assert len(mail.outbox) == 2
    assert is_sound()


def test_a_mail_server_that_is_down_is_tried_again_and_the_invoice_is_not_called_sent(
    settings: Any,
) -> None:
    _, invoice = invoiced()
    settings.EMAIL_BACKEND = f"{__name__}.BrokenServer"
    assert send() == ["queued"]
    queued = DocumentMail.objects.get()
    assert queued.next_attempt_at == NOV_1 + RETRY_DELAYS[0]
    assert "mail server is down" in queued.error
    invoice.refresh_from_db()
    assert invoice.sent_at is None
    assert send(NOV_1 + timedelta(seconds=59)) == []
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert send(NOV_1 + timedelta(minutes=1)) == ["sent"]
    assert len(mail.outbox) == 1
    assert is_sound()


def test_after_the_last_try_the_mail_is_failed_and_a_person_may_send_it_again(settings: Any) -> None:
    _, invoice = invoiced()
    settings.EMAIL_BACKEND = f"{__name__}.BrokenServer"
    at, tried = NOV_1, 0
    while (status := send(at)) == ["queued"]:
        tried += 1
        at = DocumentMail.objects.get().next_attempt_at or at
    assert (status, tried) == (["failed"], len(RETRY_DELAYS))
    assert Activity.objects.filter(name="invoice.mail_failed").count() == len(RETRY_DELAYS) + 1
    assert send(at + timedelta(days=30)) == []
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    failed = DocumentMail.objects.get()
    before = everything()
    invoices.send_mail(mail_id=failed.public_id, actor=FIONA, at=at)  # a task that comes twice
    assert everything() == before
    assert mail.outbox == []

    resend_document(document=invoice, actor=FIONA, at=at)
    assert send(at) == ["sent"]
    assert len(mail.outbox) == 1
    assert sorted(DocumentMail.objects.values_list("status", flat=True)) == ["failed", "sent"]
    assert is_sound()


def test_without_a_billing_contact_the_invoice_is_issued_and_resending_says_what_is_missing() -> None:
    _, invoice = invoiced(contacts=[])
    assert not DocumentMail.objects.exists()
    before = everything()
    with pytest.raises(NoRecipient):
        resend_document(document=invoice, actor=FIONA, at=NOV_1)
    assert everything() == before
    assert is_sound()


@pytest.mark.parametrize("language", ["en", "de"])
def test_mails_and_documents_are_in_the_customers_language(language: str) -> None:
    story, _ = invoiced(language=language)
    story.follow_up()
    assert ("Rechnung" in mail.outbox[0].subject) == (language == "de")


def test_a_credit_note_is_rendered_and_mailed_as_well() -> None:
    story, invoice = invoiced()
    story.follow_up()
    note = invoices.credit_invoice(
        invoice_id=invoice.public_id, reason=CreditReason.OTHER, actor=FIONA, at=NOV_1
    )
    story.follow_up()
    assert note.number is not None
    assert note.number in mail.outbox[-1].subject
    assert attachment(mail.outbox[-1]) == render_document(document=note)
    note.refresh_from_db()
    assert note.sent_at is not None
    assert is_sound()
