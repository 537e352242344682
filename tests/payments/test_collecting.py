"""Collecting by a gateway: declines and retries, answers that never come, crashes, and what is never charged.

The gateway's own ledger, outside our database, says how often money was taken (F03 to F05, F07, I16).
"""

import sqlite3
from contextlib import closing
from datetime import date, timedelta

import pytest

from billing.activity.models import Activity
from billing.invoices import services as invoices
from billing.invoices.models import CreditReason, Invoice
from payments import services as payments
from payments.gateways.base import GatewayResult, Outcome
from payments.gateways.test import TestMethod, ledger_path
from payments.models import CollectionSchedule, Payment, PaymentMethod
from payments.selectors import payments_to_check
from payments.services.allocations import InvoiceAlreadySettled
from payments.services.collecting import NoPaymentMethod, NotCollectable, PaymentInProgress, record_result
from payments.tasks import check_open_payments, collect_due, collect_finalized_invoice
from tests import factories
from tests.scenarios.story import DEC_1, FIONA, NOV_1, Story, everything, is_sound, utc

pytestmark = pytest.mark.django_db


def invoiced(method: TestMethod | None = TestMethod.SUCCEEDS, **changes: object) -> tuple[Story, Invoice]:
    """A story with one open invoice over 117.81 that nobody has collected yet."""
    story = Story(NOV_1)
    buyer = story.customer(method=method, **changes)
    story.subscribe(buyer, story.version(factories.fee()))
    return story, story.bill_one()


def taken(payment: Payment) -> list[tuple[int, str]]:
    """The gateway's own record of a payment: amounts and outcomes."""
    with closing(sqlite3.connect(ledger_path())) as ledger:
        return list(
            ledger.execute(
                "SELECT amount_minor, outcome FROM charge WHERE kind = 'charge' AND idempotency_key = ?",
                [payment.idempotency_key],
            )
        )


def collect(story: Story, invoice: Invoice) -> Payment:
    return payments.collect_invoice(invoice_id=invoice.public_id, actor=FIONA, at=story.now_at)


def attempts(invoice: Invoice) -> list[str]:
    return list(Payment.objects.filter(invoice=invoice).order_by("pk").values_list("status", flat=True))


def test_a_finalized_invoice_due_on_receipt_is_charged_at_once() -> None:
    _, invoice = invoiced()
    collect_finalized_invoice(invoice.public_id)
    payment = Payment.objects.get()
    assert (payment.status, payment.amount_minor, payment.received_on) == (
        "succeeded",
        11781,
        date(2023, 11, 1),
    )
    assert taken(payment) == [(11781, "succeeded")]
    invoice.refresh_from_db()
    assert invoice.settlement == "settled"
    names = Activity.objects.filter(name__startswith="payment.").order_by("pk").values_list("name", flat=True)
    assert list(names) == ["payment.initiated", "payment.succeeded", "payment.allocated"]
    assert is_sound()


def test_collecting_a_settled_invoice_again_charges_nothing() -> None:
    story, invoice = invoiced()
    collect(story, invoice)
    before = everything()
    with pytest.raises(InvoiceAlreadySettled):
        collect(story, invoice)
    collect_finalized_invoice(invoice.public_id)
    assert collect_due() == 0
    assert everything() == before


def test_a_decline_is_tried_again_after_four_hours_and_succeeds() -> None:
    story, invoice = invoiced(TestMethod.DECLINES_ONCE)
    collect_finalized_invoice(invoice.public_id)
    declined = Payment.objects.get()
    assert (declined.status, declined.failure_code) == ("failed", "insufficient_funds")
    assert CollectionSchedule.objects.get().next_attempt_at == NOV_1 + timedelta(hours=4)
    story.advance(NOV_1 + timedelta(hours=4) - timedelta(seconds=1))
    assert collect_due() == 0
    story.advance(NOV_1 + timedelta(hours=4))
    assert collect_due() == 1
    assert attempts(invoice) == ["failed", "succeeded"]
    assert "2050" not in story.books(date(2023, 11, 1))
    assert is_sound()


def test_a_card_that_always_declines_is_tried_five_times_and_then_left_to_a_person() -> None:
    story, invoice = invoiced(TestMethod.DECLINES)
    collect_finalized_invoice(invoice.public_id)
    gaps = []
    while (due_at := CollectionSchedule.objects.get().next_attempt_at) is not None:
        gaps.append(due_at - story.now_at)
        story.advance(due_at)
        assert collect_due() == 1
    assert gaps == [timedelta(hours=4), timedelta(days=1), timedelta(days=3), timedelta(days=7)]
    assert attempts(invoice) == ["failed"] * 5
    assert "insufficient_funds" in CollectionSchedule.objects.get().stopped_reason
    story.advance(DEC_1)
    assert collect_due() == 0
    assert story.books(date(2023, 11, 30)).keys() == {"1100", "2100", "2200"}
    assert is_sound()


def test_a_decline_that_no_other_try_can_overcome_stops_at_once() -> None:
    story, invoice = invoiced()
    customer = invoice.customer
    PaymentMethod.objects.update(gateway_ref="reported_stolen")  # the gateway has forgotten the card since
    payment = collect(story, invoice)
    assert (payment.status, payment.failure_code) == ("failed", "method_unknown")
    assert CollectionSchedule.objects.get().next_attempt_at is None
    assert taken(payment) == []
    story.card(customer, TestMethod.SUCCEEDS)
    assert collect(story, invoice).status == "succeeded"
    assert is_sound()


def test_without_a_payment_method_nothing_is_charged_and_the_schedule_says_why() -> None:
    story, invoice = invoiced(None)
    before = everything()
    with pytest.raises(NoPaymentMethod):
        collect(story, invoice)
    assert everything() == before
    collect_finalized_invoice(invoice.public_id)
    schedule = CollectionSchedule.objects.get()
    assert (schedule.next_attempt_at, schedule.stopped_reason) == (None, "No payment method")
    assert not Payment.objects.exists()
    assert is_sound()


def test_an_invoice_is_collected_once_its_payer_has_a_card() -> None:
    story, invoice = invoiced(None)
    collect_finalized_invoice(invoice.public_id)
    assert collect_due() == 0
    story.card(invoice.customer, TestMethod.SUCCEEDS)
    assert collect_due() == 1
    invoice.refresh_from_db()
    assert invoice.settlement == "settled"
    assert is_sound()


def test_f04_a_timeout_after_success_is_unknown_and_never_charged_twice() -> None:
    story, invoice = invoiced(TestMethod.TIMES_OUT_AFTER_SUCCESS)
    payment = collect(story, invoice)
    assert payment.status == "unknown"
    assert story.books(NOV_1.date()).get("1050") is None  # an attempt without an answer books nothing
    before = everything()
    with pytest.raises(PaymentInProgress):
        collect(story, invoice)
    assert check_open_payments() == 0  # five minutes are not over
    assert everything() == before

    story.advance(NOV_1 + timedelta(minutes=5))
    assert check_open_payments() == 1
    payment.refresh_from_db()
    assert payment.status == "succeeded"
    assert taken(payment) == [(11781, "succeeded")]
    invoice.refresh_from_db()
    assert invoice.settlement == "settled"
    assert check_open_payments() == 0
    assert is_sound()


def test_f04_money_that_turns_out_to_be_taken_for_an_invoice_canceled_meanwhile_waits_unapplied() -> None:
    story, invoice = invoiced(TestMethod.TIMES_OUT_AFTER_SUCCESS)
    collect(story, invoice)
    invoices.cancel_invoice(
        invoice_id=invoice.public_id, reason=CreditReason.BILLING_ERROR, actor=FIONA, at=NOV_1
    )
    story.advance(NOV_1 + timedelta(minutes=5))
    check_open_payments()
    assert Payment.objects.get().unapplied_minor == 11781
    assert story.books(NOV_1.date()) == {"1050": "117.81", "2050": "-117.81"}
    assert is_sound()


def test_f07_a_result_over_another_amount_is_not_booked_but_held_for_a_person() -> None:
    story, invoice = invoiced(TestMethod.TIMES_OUT_AFTER_SUCCESS)
    payment = collect(story, invoice)
    for amount_minor, currency in ((11780, "EUR"), (11781, "USD")):
        result = GatewayResult(Outcome.SUCCEEDED, "ch_1", amount_minor, currency)
        held = record_result(payment_id=payment.public_id, result=result, actor=FIONA, at=NOV_1)
        assert (held.status, held.failure_code, held.check_at) == ("unknown", "amount_mismatch", None)
    assert not payments_to_check(at=DEC_1).exists()
    assert Activity.objects.filter(name="payment.unknown", object_id=payment.public_id).count() == 3
    assert "1050" not in story.books(DEC_1.date())
    with pytest.raises(PaymentInProgress):
        collect(story, invoice)
    assert is_sound()


def test_a_final_payment_stays_as_it_is_whatever_the_gateway_says_later() -> None:
    story, invoice = invoiced()
    payment = collect(story, invoice)
    before = everything()
    result = GatewayResult(Outcome.FAILED, "ch_1", 11781, "EUR", "late_decline")
    assert (
        record_result(payment_id=payment.public_id, result=result, actor=FIONA, at=DEC_1).status
        == "succeeded"
    )
    assert payments.check_payment(payment_id=payment.public_id, actor=FIONA, at=DEC_1).status == "succeeded"
    assert everything() == before


def test_net_terms_are_collected_on_the_day_they_fall_due_in_the_sellers_zone() -> None:
    story, invoice = invoiced(payment_terms_days=14)
    assert invoice.due_on == date(2023, 11, 15)
    collect_finalized_invoice(invoice.public_id)
    assert not Payment.objects.exists()
    story.advance(utc(2023, 11, 14, 22, 59))  # 23:59 in Berlin
    assert collect_due() == 0
    story.advance(utc(2023, 11, 14, 23))
    assert collect_due() == 1
    assert attempts(invoice) == ["succeeded"]
    assert is_sound()


def test_a_customer_who_pays_by_transfer_is_not_charged() -> None:
    story, _ = invoiced(collection_method="send_invoice")
    story.follow_up()
    story.advance(DEC_1)
    assert collect_due() == 0
    assert not Payment.objects.exists()
    assert not CollectionSchedule.objects.exists()
    assert is_sound()


def test_an_invoice_paid_or_taken_back_meanwhile_leaves_nothing_to_collect() -> None:
    """A schedule that is due is passed over once its invoice is settled or voided, instead of tried for ever."""
    story, invoice = invoiced(payment_terms_days=14)
    collect_finalized_invoice(invoice.public_id)
    invoices.void_invoice(invoice_id=invoice.public_id, reason="wrong", actor=FIONA, at=NOV_1)
    story.advance(utc(2023, 11, 20))
    assert collect_due() == 0
    before = everything()
    with pytest.raises(NotCollectable):
        collect(story, invoice)
    assert everything() == before
    assert is_sound()


def test_a_draft_is_not_collected() -> None:
    story = Story(NOV_1)
    story.subscribe(story.customer(), story.version(factories.fee()))
    run = invoices.start_bill_run(as_of=NOV_1, needs_review=True, actor=FIONA, at=NOV_1)
    invoices.perform_bill_run(run=run, actor=FIONA, at=NOV_1)
    before = everything()
    with pytest.raises(NotCollectable):
        collect(story, Invoice.objects.get())
    assert everything() == before


def test_the_payer_is_charged_for_the_customer_it_pays_for() -> None:
    story = Story(NOV_1)
    parent = story.customer()
    child = story.customer(method=None, payer=parent)
    story.subscribe(child, story.version(factories.fee()))
    invoice = story.bill_one()
    assert collect(story, invoice).customer == parent
    invoice.refresh_from_db()
    assert (invoice.customer, invoice.settlement) == (child, "settled")
    assert is_sound()
