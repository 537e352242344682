"""Payments, allocations, credits and refunds: I15 to I19."""

import pytest

from customers.models import Customer
from payments.models import LIVE_PAYMENT_STATUSES, Payment
from payments.services import refund_payment
from tests.billing_factories import (
    TOTAL_MINOR,
    billed_customer,
    credit_note,
    draft_invoice,
    finalized_invoice,
    paid_invoice,
    payment_of,
    receipt,
)
from tests.factories import ACTOR, START
from tests.invariants.hostile import (
    UNIQUE,
    accepted,
    not_permitted,
    refused,
    sql,
    tampering,
)
from tests.invariants.raw_documents import draft_credit_note, issue, issue_next, series_of, take_number
from tests.invariants.raw_payments import allocate, attempt, refund

pytestmark = pytest.mark.django_db


# I15, I16: attempts


def test_i15_a_gateway_payment_is_recorded_once() -> None:
    payment = payment_of(paid_invoice())
    with accepted():
        attempt(payment, "failed", gateway_ref="another")
    with refused("i15_gateway_payment_is_recorded_once", UNIQUE):
        attempt(payment, "failed", gateway_ref=payment.gateway_ref)


@pytest.mark.parametrize("first", LIVE_PAYMENT_STATUSES)
def test_i16_at_most_one_attempt_on_an_invoice_may_still_succeed(first: str) -> None:
    payment = payment_of(paid_invoice())
    attempt(payment, first)
    with accepted():
        attempt(payment, "failed")
        attempt(payment, "canceled")
    for second in LIVE_PAYMENT_STATUSES:
        with refused("i16_one_live_attempt_per_invoice", UNIQUE):
            attempt(payment, second)


@pytest.mark.parametrize(
    ("old", "new"),
    [("failed", "succeeded"), ("succeeded", "failed"), ("canceled", "processing"), ("succeeded", "unknown")],
)
def test_a_finished_payment_does_not_come_back(old: str, new: str) -> None:
    payment = payment_of(paid_invoice())
    other = attempt(payment, old, received_on="2023-11-01")
    with refused("payment_status_moves"):
        sql("UPDATE payments_payment SET status = %s WHERE id = %s", new, other)


def test_what_a_payment_was_made_for_never_changes() -> None:
    payment = payment_of(paid_invoice())
    movable = {
        *(
            "status",
            "gateway_ref",
            "failure_code",
            "failure_message",
            "finished_at",
            "check_at",
            "check_count",
        ),
        *("allocated_minor", "refunded_minor", "unapplied_refunded_minor"),
    }
    for column, change in tampering("payments_payment").items():
        if column not in movable:
            with refused("payment_keeps_its_terms"):
                sql(f"UPDATE payments_payment SET {change} WHERE id = %s", payment.pk)


# I17, I18: allocations


@pytest.fixture
def payer() -> Customer:
    return billed_customer()


def test_i17_no_more_is_allocated_to_an_invoice_than_its_total(payer: Customer) -> None:
    invoice, payment = finalized_invoice(payer), receipt(payer, 2 * TOTAL_MINOR)
    with accepted():
        allocate(payment, invoice, TOTAL_MINOR)
    with refused("i17_invoice_is_not_settled_beyond_its_total"):
        allocate(payment, invoice, TOTAL_MINOR + 1)
    allocate(payment, invoice, TOTAL_MINOR - 1)
    with refused("i17_invoice_is_not_settled_beyond_its_total"):
        allocate(payment, invoice, 2)


def test_i18_no_more_is_allocated_of_a_payment_than_it_brought(payer: Customer) -> None:
    invoice, payment = finalized_invoice(payer), receipt(payer, 5000)
    with accepted():
        allocate(payment, invoice, 5000)
    with refused("i18_payment_is_not_allocated_beyond_its_amount"):
        allocate(payment, invoice, 5001)


def test_i18_money_is_allocated_only_if_it_came_and_fits(payer: Customer) -> None:
    by = "i18_allocation_fits_payment_and_invoice"
    invoice = finalized_invoice(payer)
    payment = receipt(payer, TOTAL_MINOR)
    paid = payment_of(paid_invoice())
    failed = Payment.objects.get(pk=attempt(paid, "failed", invoice_id=invoice.pk))
    dollars = Payment.objects.get(pk=attempt(paid, "succeeded", currency="USD", received_on="2023-11-01"))
    with accepted():
        allocate(payment, invoice, 1)
    with refused(by):
        allocate(failed, invoice, 1)
    with refused(by):
        allocate(dollars, finalized_invoice(), 1)
    with refused(by):  # the money of another legal entity
        allocate(payment, finalized_invoice(), 1)
    with refused(by):
        allocate(payment, draft_invoice(billed_customer(clock=payer.test_clock)), 1)


def test_i18_an_allocation_is_taken_back_whole_and_once(payer: Customer) -> None:
    invoice, payment = finalized_invoice(payer), receipt(payer, TOTAL_MINOR)
    made = allocate(payment, invoice, 1000)
    with accepted():
        allocate(payment, invoice, -1000, made)
    with refused("only_a_reversal_is_negative"):
        allocate(payment, invoice, -1000)
    with refused("reversal_mirrors_its_allocation"):
        allocate(payment, invoice, -999, made)
    allocate(payment, invoice, -1000, made)
    with refused("payments_paymentallocation_reverses_id_key", UNIQUE):
        allocate(payment, invoice, -1000, made)


def test_i17_i18_allocations_are_append_only(payer: Customer) -> None:
    allocate(receipt(payer, 1000), finalized_invoice(payer), 1000)
    for statement in (
        "UPDATE payments_paymentallocation SET amount_minor = 1",
        "DELETE FROM payments_paymentallocation",
        "TRUNCATE payments_paymentallocation",
    ):
        with not_permitted():
            sql(statement)


@pytest.mark.parametrize(
    ("table", "column", "by"),
    [
        ("invoices_invoice", "allocated_minor", "i17_invoice_counters_follow_their_facts"),
        ("invoices_invoice", "offset_minor", "i17_invoice_counters_follow_their_facts"),
        ("invoices_invoice", "credited_minor", "i17_invoice_counters_follow_their_facts"),
        ("invoices_creditnote", "refunded_minor", "i18_credit_note_counter_follows_its_refunds"),
        ("payments_payment", "allocated_minor", "i18_payment_counters_follow_their_facts"),
        ("payments_payment", "refunded_minor", "i18_payment_counters_follow_their_facts"),
        ("payments_payment", "unapplied_refunded_minor", "i18_payment_counters_follow_their_facts"),
    ],
)
def test_i17_i18_counters_move_with_their_facts_only(
    payer: Customer, table: str, column: str, by: str
) -> None:
    """Whoever sets a counter by hand makes an open invoice paid, or money spent twice, without any record."""
    receipt(payer, TOTAL_MINOR)
    credit_note(paid_invoice(payer))
    with refused(by):
        sql(f"UPDATE {table} SET {column} = {column} + 1")


# I17, I18: credit notes


def test_i17_credit_notes_together_do_not_exceed_their_invoice() -> None:
    invoice = paid_invoice()
    first, second = draft_credit_note(invoice), draft_credit_note(invoice)
    issue_next(first)
    with refused("i17_invoice_is_not_credited_beyond_its_total"):
        take_number(series_of(second.legal_entity, "credit_note"), 2)
        issue(second, nth=2)


def test_i17_credit_on_an_unpaid_invoice_and_payment_together_do_not_exceed_it(payer: Customer) -> None:
    invoice, payment = finalized_invoice(payer), receipt(payer, 1000)
    note = draft_credit_note(invoice)  # all of it against what is open
    with accepted():
        issue_next(note)
    allocate(payment, invoice, 1000)
    with refused("i17_invoice_is_not_settled_beyond_its_total"):
        issue_next(note)


def test_i17_a_draft_or_voided_invoice_is_not_credited() -> None:
    invoice = finalized_invoice()
    note = draft_credit_note(invoice)
    with refused("i17_credit_note_fits_its_invoice"):
        sql(
            "UPDATE invoices_invoice SET status = 'voided', voided_at = now(), void_reason = 'x' WHERE id = %s",
            invoice.pk,
        )
        issue_next(note)
    with refused("i17_credit_note_fits_its_invoice"):
        sql("UPDATE invoices_creditnote SET customer_id = %s WHERE id = %s", billed_customer().pk, note.pk)
        issue_next(note)


def test_credit_note_is_what_it_offsets_and_what_it_owes_back() -> None:
    note = draft_credit_note(finalized_invoice())
    with refused("credit_note_is_offset_plus_refund"):
        sql("UPDATE invoices_creditnote SET offset_minor = offset_minor - 1 WHERE id = %s", note.pk)


# I18, I19: refunds


def test_i19_no_more_is_refunded_than_a_payment_brought(payer: Customer) -> None:
    """Two receipts pay one invoice; its credit note owes both back, each by the way it came."""
    invoice = finalized_invoice(payer)
    small = receipt(payer, 5000, invoice=invoice)
    receipt(payer, TOTAL_MINOR - 5000, invoice=invoice)
    note = credit_note(invoice)
    assert note.refund_minor == TOTAL_MINOR
    with accepted():
        refund(small, 5000, note)
    with refused("i19_payment_is_not_refunded_beyond_its_amount"):
        refund(small, 5001, note)
    refund(small, 3000, note)
    with refused("i19_payment_is_not_refunded_beyond_its_amount"):
        refund(small, 2001, note)


def test_i18_no_more_is_refunded_on_a_credit_note_than_it_owes(payer: Customer) -> None:
    note = credit_note(paid_invoice(payer))
    rich = receipt(payer, 10 * TOTAL_MINOR)
    with accepted():
        refund(rich, TOTAL_MINOR, note)
    with refused("i18_credit_note_is_not_refunded_beyond_its_amount"):
        refund(rich, TOTAL_MINOR + 1, note)


def test_i18_money_that_pays_an_invoice_is_not_paid_back_as_unapplied(payer: Customer) -> None:
    payment = receipt(payer, TOTAL_MINOR + 500, invoice=finalized_invoice(payer))
    with accepted():
        refund(payment, 500)
    with refused("i18_payment_is_not_allocated_beyond_its_amount"):
        refund(payment, 501)
    refund(payment, 500)
    other = finalized_invoice(billed_customer(clock=payer.test_clock))
    with refused("i18_payment_is_not_allocated_beyond_its_amount"):
        allocate(payment, other, 1)


def test_i18_only_an_issued_credit_note_is_refunded(payer: Customer) -> None:
    invoice = paid_invoice(payer)
    note = draft_credit_note(invoice)
    assert note.refund_minor == TOTAL_MINOR
    with refused("i18_refund_fits_its_credit_note"):
        refund(payment_of(invoice), 100, note)


def test_i19_only_money_that_came_is_refunded_and_in_its_currency(payer: Customer) -> None:
    paid = payment_of(paid_invoice(payer))
    failed = Payment.objects.get(pk=attempt(paid, "failed"))
    with refused("i19_refund_fits_its_payment"):
        refund(failed, 100)
    with refused("i34_no_execution_without_approval"):
        refund(receipt(payer, 1000), 100, currency="USD")


def test_i19_a_refund_that_failed_counts_no_more(payer: Customer) -> None:
    payment = receipt(payer, 1000)
    refund(payment, 1000)
    with refused("i18_payment_is_not_allocated_beyond_its_amount"):
        refund(payment, 1)
    sql("UPDATE payments_refund SET status = 'failed', finished_at = now()")
    with accepted():
        refund(payment, 1000)


def test_i19_a_refund_keeps_its_terms_and_is_not_deleted(payer: Customer) -> None:
    made = refund_payment(
        payment_id=receipt(payer, 1000).public_id,
        amount_minor=1000,
        reason="Paid twice",
        actor=ACTOR,
        at=START,
    )
    for column, change in tampering("payments_refund").items():
        if column not in {"status", "gateway_ref", "failure_message"}:
            with refused("refund_keeps_its_terms"):
                sql(f"UPDATE payments_refund SET {change} WHERE id = %s", made.pk)
    with refused("refund_status_moves"):
        sql("UPDATE payments_refund SET status = 'pending' WHERE id = %s", made.pk)
    with refused("refund_keeps_its_terms"):
        sql("DELETE FROM payments_refund WHERE id = %s", made.pk)


def test_i18_i19_money_is_born_with_nothing_counted_on_it() -> None:
    payment = payment_of(paid_invoice())
    columns = "customer_id, legal_entity_id, kind, currency, amount_minor, invoice_id, method_id, gateway, initiated_at"
    rest = "failure_code, failure_message, reference, check_count, gateway_ref, idempotency_key, status, public_id"
    for counter in ("allocated_minor", "refunded_minor", "unapplied_refunded_minor"):
        others = [
            name
            for name in ("allocated_minor", "refunded_minor", "unapplied_refunded_minor")
            if name != counter
        ]
        with refused("i18_payment_is_born_untouched"):
            sql(
                f"INSERT INTO payments_payment ({columns}, {rest}, {counter}, {', '.join(others)}) "
                f"SELECT {columns}, '', '', '', 0, '', 'key', 'failed', 'pay_other', 1, 0, 0 "
                "FROM payments_payment WHERE id = %s",
                payment.pk,
            )
