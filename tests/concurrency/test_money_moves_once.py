"""Two workers collect, allocate, refund and credit at once: money moves once, and never beyond what there is."""

import sqlite3
from contextlib import closing
from datetime import date
from typing import Any

import pytest

from billing.invoices.models import CreditNote, Invoice
from billing.reports.books import check_books
from customers.models import Customer
from payments.gateways.test import ledger_path
from payments.models import Payment, Refund
from payments.services import allocate_payment, collect_invoice, record_manual_payment, refund_payment
from tests.billing_factories import (
    TOTAL_MINOR,
    billed_customer,
    credit_note,
    finalized_invoice,
    paid_invoice,
    receipt,
)
from tests.concurrency.racing import at_once, errors, overlapping, values, without_row_locks
from tests.factories import ACTOR, START

pytestmark = pytest.mark.usefixtures("committed_db")


def collect(invoice: Invoice) -> Payment:
    return collect_invoice(invoice_id=invoice.public_id, actor=ACTOR, at=START)


def charges(invoice: Invoice) -> int:
    """How often the gateway took money from the invoice's customer, by the gateway's own records."""
    method = invoice.customer.payment_methods.get()
    with closing(sqlite3.connect(ledger_path())) as gateway:
        query = "SELECT count(*) FROM charge WHERE method = ? AND kind = 'charge' AND outcome = 'succeeded'"
        return int(gateway.execute(query, [method.gateway_ref]).fetchone()[0])


def allocate(payment: Payment, invoice: Invoice, amount_minor: int) -> Any:
    return allocate_payment(
        payment_id=payment.public_id,
        invoice_id=invoice.public_id,
        amount_minor=amount_minor,
        actor=ACTOR,
        at=START,
    )


def refund(payment: Payment, amount_minor: int) -> Refund:
    return refund_payment(
        payment_id=payment.public_id, amount_minor=amount_minor, reason="Overpaid", actor=ACTOR, at=START
    )


def neighbor(customer: Customer) -> Customer:
    """A customer on the same clock, so of the same legal entity, who pays through the first one."""
    return billed_customer(clock=customer.test_clock, payer=customer, method=None)


# Collecting (I16; B1, B20)


def test_two_workers_that_collect_one_invoice_charge_once() -> None:
    invoice = finalized_invoice()
    result = overlapping(lambda: collect(invoice), lambda: collect(invoice))
    assert result.second_waited
    assert type(result.second.error).__name__ == "InvoiceAlreadySettled"
    assert charges(invoice) == 1
    assert check_books() == []


def test_control_without_the_lock_the_customer_is_charged_twice() -> None:
    invoice = finalized_invoice()
    with without_row_locks():
        overlapping(lambda: collect(invoice), lambda: collect(invoice))
    assert charges(invoice) == 2


def test_ten_who_collect_one_invoice_at_once_charge_once() -> None:
    invoice = finalized_invoice()
    outcomes = at_once(*[lambda: collect(invoice)] * 10)
    assert [payment.status for payment in values(outcomes)] == ["succeeded"]
    assert set(errors(outcomes)) <= {"PaymentInProgress", "InvoiceAlreadySettled"}
    assert charges(invoice) == 1
    invoice.refresh_from_db()
    assert invoice.open_minor == 0
    assert check_books() == []


# Allocating (I17, I18; B4)


def test_one_payment_allocated_to_two_invoices_at_once_is_spent_once() -> None:
    payer = billed_customer()
    first, second = finalized_invoice(payer), finalized_invoice(neighbor(payer))
    payment = receipt(payer, TOTAL_MINOR)
    result = overlapping(
        lambda: allocate(payment, first, TOTAL_MINOR), lambda: allocate(payment, second, TOTAL_MINOR)
    )
    assert result.second_waited
    assert type(result.second.error).__name__ == "AllocationTooLarge"
    assert check_books() == []


def test_control_without_the_lock_only_the_counter_keeps_the_payment_from_being_spent_twice() -> None:
    payer = billed_customer()
    first, second = finalized_invoice(payer), finalized_invoice(neighbor(payer))
    payment = receipt(payer, TOTAL_MINOR)
    with without_row_locks():
        result = overlapping(
            lambda: allocate(payment, first, TOTAL_MINOR), lambda: allocate(payment, second, TOTAL_MINOR)
        )
    assert result.second.constraint() == "i18_payment_is_not_allocated_beyond_its_amount"


def test_one_invoice_paid_out_of_two_receipts_at_once_is_paid_once() -> None:
    payer = billed_customer()
    invoice = finalized_invoice(payer)
    receipts = [receipt(payer, amount) for amount in (TOTAL_MINOR, TOTAL_MINOR + 1)]
    outcomes = at_once(*(lambda each=each: allocate(each, invoice, TOTAL_MINOR) for each in receipts))
    assert errors(outcomes) == ["InvoiceAlreadySettled"]
    assert check_books() == []


def test_two_receipts_of_one_amount_are_two_receipts() -> None:
    """The customer pays 10.00 twice; that the first was approved does not stand for the second."""
    customer = billed_customer()
    for _ in range(2):
        record_manual_payment(
            customer=customer,
            amount_minor=1000,
            currency="EUR",
            received_on=date(2023, 11, 1),
            reference="cash",
            actor=ACTOR,
            at=START,
        )
    assert Payment.objects.filter(customer=customer).count() == 2


# Refunds (I19)


def test_twenty_refunds_at_once_never_pay_back_more_than_there_is() -> None:
    payment = receipt(billed_customer(), 1000)
    amounts = list(range(90, 110))
    outcomes = at_once(*(lambda amount=amount: refund(payment, amount) for amount in amounts))
    assert set(errors(outcomes)) == {"RefundTooLarge"}
    payment.refresh_from_db()
    paid_back = sum(made.amount_minor for made in values(outcomes))
    assert payment.refunded_minor == paid_back <= 1000
    assert payment.unapplied_minor == 1000 - paid_back < max(amounts)
    assert check_books() == []


def test_control_without_the_lock_only_the_counter_stops_the_second_refund() -> None:
    payment = receipt(billed_customer(), 1000)
    with without_row_locks():
        result = overlapping(lambda: refund(payment, 600), lambda: refund(payment, 700))
    assert result.second.constraint() == "i18_payment_is_not_allocated_beyond_its_amount"


def test_the_same_refund_asked_for_twice_at_once_uses_its_approval_once() -> None:
    payment = receipt(billed_customer(), 1000)
    outcomes = at_once(*[lambda: refund(payment, 600)] * 5)
    assert len(values(outcomes)) == 1
    assert set(errors(outcomes)) <= {"RefundTooLarge", "ApprovalAlreadyExecuted"}
    assert check_books() == []


# Credit notes (I17)


def test_five_credit_notes_at_once_are_one() -> None:
    invoice = paid_invoice()
    outcomes = at_once(*[lambda: credit_note(invoice)] * 5)
    assert [note.number for note in values(outcomes)] == ["VV-CN-2023-000001"]
    assert set(errors(outcomes)) <= {"InvoiceAlreadyCredited", "ApprovalAlreadyExecuted"}
    assert CreditNote.objects.count() == 1
    assert check_books() == []


def test_a_second_credit_note_waits_and_is_refused() -> None:
    invoice = paid_invoice()
    result = overlapping(lambda: credit_note(invoice), lambda: credit_note(invoice))
    assert result.second_waited
    assert type(result.second.error).__name__ == "InvoiceAlreadyCredited"


def test_control_without_the_lock_only_the_database_stops_the_second_credit_note() -> None:
    invoice = paid_invoice()
    with without_row_locks():
        result = overlapping(lambda: credit_note(invoice), lambda: credit_note(invoice))
    assert result.second.constraint() in {
        "i8_creditnote_number_is_unique",
        "i17_invoice_is_not_credited_beyond_its_total",
    }


def test_an_invoice_is_paid_or_credited_but_not_both() -> None:
    """A payment arrives while the unpaid invoice is credited: it stays unapplied, for a person to pay back."""
    payer = billed_customer()
    invoice = finalized_invoice(payer)
    payment = receipt(payer, TOTAL_MINOR)
    result = overlapping(lambda: credit_note(invoice), lambda: allocate(payment, invoice, TOTAL_MINOR))
    assert result.second_waited
    assert type(result.second.error).__name__ == "InvoiceAlreadySettled"
    assert check_books() == []
