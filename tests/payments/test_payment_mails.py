"""Mails about payments: one receipt or notice per payment and contact, with what the customer needs and no more."""

from datetime import date
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.test import Client

from billing.activity.models import Activity
from billing.invoices.services.mails import RETRY_DELAYS, NoRecipient
from billing.platform.actors import task_actor
from customers.services import ContactInput
from payments import services as payments
from payments.gateways.test import TestMethod
from payments.models import Payment, PaymentMail
from payments.services.collecting import RETRY_DELAYS as CHARGE_DELAYS
from payments.services.mails import NothingToMail
from payments.tasks import collect_due, queue_failure_notice, queue_receipt, send_due_mails, send_mail
from tests.billing.invoices.documents.test_mails import read
from tests.payments.test_collecting import invoiced
from tests.scenarios.story import FIONA, NOV_1, Story, everything, is_sound
from tests.valueverse.backoffice.office import act, office, page, said

pytestmark = pytest.mark.django_db

TWO = [
    ContactInput(name="Ada", email="ada@acme.example"),
    ContactInput(name="Bob", email="bob@acme.example"),
    ContactInput(name="Tim", email="tim@acme.example", mail_roles=("technical",)),
]


class BrokenServer(BaseEmailBackend):
    """A mail server that is down."""

    def send_messages(self, email_messages: Any) -> int:
        raise OSError("the mail server is down")


def about_payments() -> list[EmailMultiAlternatives]:
    """The mails about payments that left; those of documents carry a PDF."""
    return [message for message in mail.outbox if not message.attachments]  # type: ignore[attr-defined]


def link(message: EmailMultiAlternatives) -> str:
    (found,) = read(str(message.alternatives[0][0])).links
    assert f"\n{found}\n" in str(message.body), "text and HTML lead to the same place"
    return found


def test_money_that_came_in_is_acknowledged_once_to_every_billing_contact() -> None:
    story, invoice = invoiced(contacts=TWO)
    story.follow_up()
    messages = about_payments()
    assert [message.to for message in messages] == [["ada@acme.example"], ["bob@acme.example"]]
    for message in messages:
        assert message.subject == "Payment received: 117.81 EUR"
        assert str(message.body).startswith(f"Thank you. Invoice {invoice.number} is paid.\n")
        for shown in (
            "Amount: 117.81 EUR",
            f"Invoice: {invoice.number}",
            "Received: Nov 1, 2023",
            "Paid by: card",
        ):
            assert shown in message.body
            assert shown.split()[-1] in read(str(message.alternatives[0][0])).shown
        assert "View receipt" in message.body
        assert "Amtsgericht" in message.body
    before = everything()
    (payment,) = Payment.objects.all()
    queue_receipt(payment.public_id)
    for one in PaymentMail.objects.all():
        send_mail(one.public_id)
    assert story.follow_up() == 0
    assert everything() == before
    assert len(about_payments()) == 2
    assert is_sound()


def test_a_decline_says_why_and_when_it_is_tried_again_and_the_last_one_how_to_pay() -> None:
    story, invoice = invoiced(method=TestMethod.DECLINES)
    story.follow_up()
    (first,) = about_payments()
    assert first.subject == "Payment of 117.81 EUR did not go through"
    assert str(first.body).startswith("Your bank declined: insufficient funds. We try again on Nov 1.\n")
    assert "Pay now" in first.body and "IBAN" not in first.body
    for delay in CHARGE_DELAYS:
        story.advance(story.now_at + delay)
        collect_due()
        story.follow_up()
    messages = about_payments()
    assert len(messages) == len(CHARGE_DELAYS) + 1
    assert "We try again on Nov 5." in messages[2].body
    last = str(messages[-1].body)
    assert last.startswith("Your bank declined: insufficient funds. We do not try again by ourselves.\n")
    for shown in ("IBAN: DE89 3704 0044 0532 0130 00", f"Reference: {invoice.number}"):
        assert shown in last
    before = everything()
    queue_failure_notice(Payment.objects.first().public_id)  # type: ignore[union-attr]
    assert everything() == before


def test_the_button_leads_to_the_invoice_without_signing_in_and_from_there_to_paying() -> None:
    story, invoice = invoiced(method=TestMethod.DECLINES)
    story.follow_up()
    (message,) = about_payments()
    address = "/portal/documents/" + link(message).split("/portal/documents/")[1]
    shown = Client().get(address)
    assert shown.status_code == 200
    assert f"/portal/invoices/{invoice.public_id}/pay/" in shown.content.decode()


def test_part_of_an_invoice_paid_by_hand_says_what_is_left() -> None:
    story, invoice = invoiced(method=None)
    payments.record_manual_payment(
        customer=invoice.customer,
        amount_minor=1781,
        currency="EUR",
        received_on=date(2023, 11, 1),
        reference="Transfer 4711",
        invoice=invoice,
        actor=FIONA,
        at=NOV_1,
    )
    story.follow_up()
    (message,) = about_payments()
    assert str(message.body).startswith(
        f"Thank you. 100.00 EUR of invoice {invoice.number} are still open.\n"
    )
    assert "Paid by: Transfer 4711" in message.body


def test_money_for_no_invoice_sends_no_mail_and_says_so_when_asked_to() -> None:
    story = Story(NOV_1)
    buyer = story.customer()
    payment = payments.record_manual_payment(
        customer=buyer,
        amount_minor=1000,
        currency="EUR",
        received_on=date(2023, 11, 1),
        reference="cheque",
        actor=FIONA,
        at=NOV_1,
    )
    story.follow_up()
    assert mail.outbox == []
    before = everything()
    with pytest.raises(NothingToMail):
        payments.resend_payment_mails(payment_id=payment.public_id, actor=FIONA, at=NOV_1)
    assert everything() == before


@pytest.mark.parametrize(
    ("method", "subject", "first_line"),
    [
        (TestMethod.SUCCEEDS, "Zahlung eingegangen: 117,81 EUR", "Vielen Dank. Die Rechnung"),
        (
            TestMethod.DECLINES,
            "Zahlung über 117,81 EUR nicht ausgeführt",
            "Ihre Bank hat abgelehnt: Das Konto ist nicht gedeckt. Am 1. Nov. versuchen wir es noch einmal.",
        ),
    ],
)
def test_the_german_mails_are_german(method: TestMethod, subject: str, first_line: str) -> None:
    story, _ = invoiced(method=method, language="de")
    story.follow_up()
    (message,) = about_payments()
    assert message.subject == subject
    assert str(message.body).startswith(first_line)
    html = str(message.alternatives[0][0])
    assert '<html lang="de">' in html
    for english in ("Amount", "Invoice", "Thank", "Pay", "receipt"):
        assert english not in str(message.body) and english not in " ".join(read(html).shown)


def test_names_in_a_mail_are_text_and_nothing_is_loaded_from_elsewhere() -> None:
    story, invoice = invoiced(method=None)
    payments.record_manual_payment(
        customer=invoice.customer,
        amount_minor=11781,
        currency="EUR",
        received_on=date(2023, 11, 1),
        reference="<script>alert(1)</script>\nBcc: x@evil.example",
        invoice=invoice,
        actor=FIONA,
        at=NOV_1,
    )
    story.follow_up()
    (message,) = about_payments()
    html = str(message.alternatives[0][0])
    assert not read(html).tags & {"script", "img", "link", "iframe", "style"}
    assert "&lt;script&gt;" in html
    assert "max-width:600px" in html


def test_a_mail_server_that_is_down_is_tried_again_and_at_last_given_up(settings: Any) -> None:
    story, _ = invoiced()
    settings.EMAIL_BACKEND = f"{__name__}.BrokenServer"
    story.follow_up()
    one = PaymentMail.objects.get()
    assert (one.status, one.attempts) == ("queued", 1)
    assert "mail server is down" in one.error
    at = NOV_1
    for _ in RETRY_DELAYS:
        at = PaymentMail.objects.get().next_attempt_at or at
        payments.send_due_payment_mails(actor=task_actor("tests"), at=at)
    one.refresh_from_db()
    assert (one.status, one.attempts, one.next_attempt_at) == ("failed", len(RETRY_DELAYS) + 1, None)
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert send_due_mails() == 0
    payments.resend_payment_mails(payment_id=one.payment.public_id, actor=FIONA, at=at)
    story.follow_up()
    assert [message.subject for message in about_payments()] == ["Payment received: 117.81 EUR"]
    assert is_sound()


def test_a_failure_is_not_announced_once_the_invoice_is_paid(settings: Any) -> None:
    story, invoice = invoiced(method=TestMethod.DECLINES)
    settings.EMAIL_BACKEND = f"{__name__}.BrokenServer"
    story.follow_up()
    payments.record_manual_payment(
        customer=invoice.customer,
        amount_minor=11781,
        currency="EUR",
        received_on=date(2023, 11, 1),
        reference="bank",
        invoice=invoice,
        actor=FIONA,
        at=NOV_1,
    )
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    again_at = PaymentMail.objects.get(kind="failure").next_attempt_at
    assert again_at is not None
    payments.send_due_payment_mails(actor=task_actor("tests"), at=again_at)
    assert about_payments() == []
    assert "settled before" in PaymentMail.objects.get(kind="failure").error


def test_a_person_sends_the_mail_again_from_the_payments_page() -> None:
    story, _ = invoiced()
    story.follow_up()
    payment, client = Payment.objects.get(), office("Support")
    assert "Queued 1 mail about this payment." in said(client, act(client, payment, "resend-mail"))
    story.follow_up()
    assert len(about_payments()) == 2
    shown = office("Auditor").get(page(payment)).content.decode()
    assert "Receipt, sent again" in shown
    assert "../resend-mail/" not in shown
    assert Activity.objects.filter(name="payment.mail_sent").count() == 2
    assert office("Auditor").get(page(payment, "resend-mail")).status_code == 403
    assert office("Finance clerk").get("/admin/payments/paymentmail/").status_code == 200


def test_without_a_billing_contact_resending_says_what_is_missing() -> None:
    story, _ = invoiced(contacts=[])
    story.follow_up()
    payment = Payment.objects.get()
    before = everything()
    with pytest.raises(NoRecipient):
        payments.resend_payment_mails(payment_id=payment.public_id, actor=FIONA, at=NOV_1)
    assert everything() == before


def test_the_customers_page_shows_them_and_a_failed_one_waits_on_the_dashboard(settings: Any) -> None:
    story, invoice = invoiced()
    client = office()
    settings.EMAIL_BACKEND = f"{__name__}.BrokenServer"
    story.follow_up()
    assert "failed payment mail" not in client.get("/admin/dashboard/needs/").content.decode()
    at = NOV_1
    for _ in RETRY_DELAYS:
        at = PaymentMail.objects.get().next_attempt_at or at
        payments.send_due_payment_mails(actor=task_actor("tests"), at=at)
    assert "1 failed payment mail" in client.get("/admin/dashboard/needs/").content.decode()
    shown = client.get(f"{page(invoice.customer)}?tab=mail").content.decode()
    assert "Receipts and notices of failed payments" in shown
    assert page(Payment.objects.get()) in shown
    assert "mail server is down" in shown
