"""Voiding an invoice while its mail leaves: a voided invoice was never sent, a sent one is not voided (B3)."""

from collections.abc import Iterator
from typing import Any

import pytest

from billing.invoices.models import DocumentMail, Invoice
from billing.invoices.services import render_document, send_mail, void_invoice
from billing.reports.books import check_books
from tests.billing_factories import finalized_invoice
from tests.concurrency import slow_mail
from tests.concurrency.racing import at_once, overlapping, without_row_locks
from tests.factories import ACTOR, START


@pytest.fixture
def invoice(committed_db: str, settings: Any) -> Iterator[Invoice]:
    """An invoice whose mail is queued, rendered already so that only the mail takes time."""
    settings.EMAIL_BACKEND = "tests.concurrency.slow_mail.SlowMailServer"
    slow_mail.reset()
    made = finalized_invoice()
    render_document(document=made)
    yield made
    slow_mail.may_answer.set()


def send(invoice: Invoice) -> DocumentMail:
    mail = DocumentMail.objects.get(invoice=invoice)
    return send_mail(mail_id=mail.public_id, actor=ACTOR, at=START)


def void(invoice: Invoice) -> Invoice:
    return void_invoice(invoice_id=invoice.public_id, reason="Wrong customer", actor=ACTOR, at=START)


def void_while_the_mail_leaves(invoice: Invoice) -> Any:
    """Void once the mail server has the mail, before it answers."""
    try:
        slow_mail.came_in.wait(30)
        return void(invoice)
    finally:
        slow_mail.may_answer.set()


def test_an_invoice_whose_mail_is_leaving_is_not_voided(invoice: Invoice) -> None:
    sender, voider = at_once(lambda: send(invoice), lambda: void_while_the_mail_leaves(invoice))
    assert sender.value.status == "sent"
    assert type(voider.error).__name__ == "InvoiceBeingSent"
    invoice.refresh_from_db()
    assert (invoice.status, invoice.sent_at) == ("finalized", START)
    assert len(slow_mail.delivered) == 1


def test_control_without_the_lock_a_voided_invoice_reaches_the_customer(invoice: Invoice) -> None:
    with without_row_locks():
        at_once(lambda: send(invoice), lambda: void_while_the_mail_leaves(invoice))
    invoice.refresh_from_db()
    assert invoice.status == "voided"
    assert len(slow_mail.delivered) == 1


def test_the_mail_of_an_invoice_being_voided_does_not_leave(invoice: Invoice) -> None:
    slow_mail.may_answer.set()
    result = overlapping(lambda: void(invoice), lambda: send(invoice))
    assert result.first.value.status == "voided"
    assert slow_mail.delivered == []
    assert send(invoice).status == "failed"  # nor does it later
    assert slow_mail.delivered == []
    assert check_books() == []


def test_two_workers_send_one_mail_once(invoice: Invoice) -> None:
    slow_mail.may_answer.set()
    result = overlapping(lambda: send(invoice), lambda: send(invoice))
    assert (result.first.error, result.second.error) == (None, None)
    assert len(slow_mail.delivered) == 1


def test_control_without_the_lock_the_mail_leaves_twice(invoice: Invoice) -> None:
    slow_mail.may_answer.set()
    with without_row_locks():
        overlapping(lambda: send(invoice), lambda: send(invoice))
    assert len(slow_mail.delivered) == 2


def test_two_who_void_an_invoice_void_it_once(committed_db: str) -> None:
    invoice = finalized_invoice()
    result = overlapping(lambda: void(invoice), lambda: void(invoice))
    assert result.second_waited
    assert result.second.value.voided_at == result.first.value.voided_at
    assert check_books() == []


def test_control_without_the_lock_only_the_ledger_keeps_the_void_from_being_posted_twice(
    committed_db: str,
) -> None:
    invoice = finalized_invoice()
    with without_row_locks():
        result = overlapping(lambda: void(invoice), lambda: void(invoice))
    assert type(result.second.error).__name__ == "AlreadyPosted"
