"""The reference journal entries, one by one, on the demo's December invoice (Brightchat): accounts, amounts, days.

The numbers in the names are those of the reference: 1a, 2a, ... The usage is one event with the sums of the real trace.
"""

from dataclasses import dataclass
from datetime import date

import pytest

from billing.core.money import format_major
from billing.invoices import services as invoices
from billing.invoices.models import CreditNote, CreditReason, Invoice
from billing.ledger.models import JournalEntry, Posting
from billing.revenue.models import RevenueSlice
from billing.usage.services import IncomingEvent, ingest
from customers.models import Customer
from payments import services as payments
from payments.models import Payment, PaymentAllocation
from tests import factories
from tests.scenarios.story import (
    DEC_1,
    DECEMBER,
    FIONA,
    JAN_1,
    NOV_1,
    NOVEMBER,
    Story,
    amounts,
    entry,
    euros,
    is_sound,
    lines,
    meter,
    usage,
    utc,
)

pytestmark = pytest.mark.django_db

INPUT_TOKENS, OUTPUT_TOKENS, REQUESTS = 22_361_870, 4_088_665, 19_366
VOLUME = {
    "tiers": [
        {"up_to": "1000000", "unit_amount": "0.000010"},
        {"up_to": "5000000", "unit_amount": "0.000009"},
        {"up_to": None, "unit_amount": "0.000008"},
    ]
}
PACKAGE = {"size": "1000", "amount": "0.50", "free_units": "5000"}
ISSUE_5A = {"1100": "229.69", "1150": "-94.02", "2100": "-99.00", "2200": "-36.67"}


@dataclass
class Reference:
    """The story at noon of 5 December: November closed, invoice 1 paid, invoice 5 open."""

    story: Story
    buyer: Customer
    first: Invoice
    fifth: Invoice


def tell(*, to: str = "december") -> Reference:
    story = Story(NOV_1)
    buyer = story.customer()
    names = {"input_tokens": factories.GRADUATED, "output_tokens": VOLUME, "requests": PACKAGE}
    models = {"input_tokens": "graduated", "output_tokens": "volume", "requests": "package"}
    prices = [
        usage(meter(name, property=name), models[name], definition, name)
        for name, definition in names.items()
    ]
    story.subscribe(buyer, story.version(*prices, factories.fee()))
    first = story.bill_one()
    story.follow_up()
    story.advance(utc(2023, 11, 16, 20))
    quantities = {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS, "requests": REQUESTS}
    event = IncomingEvent(
        id="trace",
        customer=buyer.public_id,
        type="api_call",
        at=utc(2023, 11, 16, 19),
        properties=quantities,
    )
    assert ingest(events=[event])[0].kind == "accepted"
    story.advance(DEC_1)
    if to == "december":
        story.close(NOVEMBER)
    return Reference(story, buyer, first, story.bill_one())


def credit(reference: Reference, at: object = utc(2023, 12, 11), **changes: object) -> CreditNote:
    given = {"invoice_id": reference.fifth.public_id, "reason": CreditReason.BILLING_ERROR, "actor": FIONA}
    return invoices.credit_invoice(**{**given, "at": at, **changes})


def test_1a_an_invoice_in_advance_debits_receivable_and_credits_deferred_revenue_and_vat() -> None:
    reference = tell()
    assert entry(reference.first.public_id, "issue") == (
        "2023-11-01",
        {"1100": "117.81", "2100": "-99.00", "2200": "-18.81"},
    )
    assert is_sound()


def test_2a_and_2b_a_card_payment_is_a_receipt_and_an_allocation() -> None:
    reference = tell()
    payment = Payment.objects.get(invoice=reference.first)
    assert entry(payment.public_id) == ("2023-11-01", {"1050": "117.81", "2050": "-117.81"})
    allocation = PaymentAllocation.objects.get(payment=payment)
    assert entry(allocation.public_id) == ("2023-11-01", {"1100": "-117.81", "2050": "117.81"})
    clearing = Posting.objects.get(entry__source_id=payment.public_id, account__role="1050")
    assert (clearing.account.detail, clearing.account.gl_code) == ("test", "1050-test")
    assert is_sound()


def test_3_month_end_releases_the_fee() -> None:
    reference = tell()
    part = RevenueSlice.objects.get(schedule__invoice_id=reference.first.public_id)
    assert entry(part.public_id, "recognize 2023-11") == ("2023-11-30", {"2100": "99.00", "4000": "-99.00"})
    assert is_sound()


def test_4_month_end_accrues_the_usage_that_no_invoice_has_billed_yet() -> None:
    reference = tell()
    postings = Posting.objects.filter(entry__source_type="usage_accrual", account__role="4010")
    revenue = [(one.line_id != "", format_major(-one.amount_minor, "EUR")) for one in postings.order_by("pk")]
    assert revenue == [(True, "49.72"), (True, "36.80"), (True, "7.50")]
    assert reference.story.books(date(2023, 11, 30)) == {
        "1050": "117.81", "1150": "94.02", "2200": "-18.81", "4000": "-99.00", "4010": "-94.02"
    }  # fmt: skip
    dimensions = postings.first()
    assert dimensions is not None
    assert (dimensions.service_start_on, dimensions.service_end_on) == (date(2023, 11, 1), date(2023, 11, 30))
    assert dimensions.customer == reference.buyer
    assert is_sound()


def test_4_finalizing_posts_the_accrual_itself_if_no_run_has_dated_the_last_day_of_service() -> None:
    reference = tell(to="without a close")
    found = JournalEntry.objects.filter(source_type="usage_accrual")
    assert {(one.accounting_on, one.is_late) for one in found} == {(date(2023, 11, 30), False)}
    assert entry(reference.fifth.public_id) == ("2023-12-01", ISSUE_5A)
    assert is_sound()


def test_4_a_service_period_that_is_closed_is_accrued_late_on_the_first_open_day() -> None:
    reference = tell()
    late = IncomingEvent(
        id="late",
        customer=reference.buyer.public_id,
        type="api_call",
        at=utc(2023, 11, 30),
        properties={"input_tokens": 0, "output_tokens": 0, "requests": 20_000},
    )
    assert ingest(events=[late])[0].kind == "accepted"
    reference.story.advance(JAN_1)
    invoice = reference.story.bill_one()
    assert ("requests", "late_usage", "20000", "10.00") in lines(invoice)
    found = JournalEntry.objects.get(source_type="usage_accrual", is_late=True)
    assert (found.accounting_on, found.purpose) == (date(2023, 12, 1), "recognize 2023-11")
    assert entry(found.source_id)[1] == {"1150": "10.00", "4010": "-10.00"}
    assert is_sound()


def test_5a_usage_of_november_and_fee_of_december_touch_no_revenue_account() -> None:
    reference = tell()
    assert lines(reference.fifth) == [
        ("input_tokens", "usage", "22361870", "49.72"),
        ("output_tokens", "usage", "4088665", "36.80"),
        ("requests", "usage", "19366", "7.50"),
        ("platform-fee", "recurring", "1", "99.00"),
    ]
    assert amounts(reference.fifth) == ("193.02", "36.67", "229.69")
    assert entry(reference.fifth.public_id) == ("2023-12-01", ISSUE_5A)
    vat = Posting.objects.get(entry__source_id=reference.fifth.public_id, account__role="2200")
    assert vat.tax_rate == "DE S 19"
    assert is_sound()


def test_5b_december_releases_its_fee_at_its_own_end() -> None:
    reference = tell()
    reference.story.advance(JAN_1)
    reference.story.close(DECEMBER)
    part = RevenueSlice.objects.get(schedule__invoice_id=reference.fifth.public_id)
    assert entry(part.public_id) == ("2023-12-31", {"2100": "99.00", "4000": "-99.00"})
    assert is_sound()


def test_6b_a_credit_of_the_whole_unpaid_invoice_settles_it() -> None:
    """Undelivered service comes out of deferred revenue, delivered usage out of revenue, VAT at its rate."""
    reference = tell()
    note = credit(reference)
    assert amounts(note) == ("193.02", "36.67", "229.69")
    assert entry(note.public_id) == (
        "2023-12-11",
        {"1100": "-229.69", "2100": "99.00", "2200": "36.67", "4010": "94.02"},
    )
    reference.fifth.refresh_from_db()
    assert (reference.fifth.settlement, note.offset_minor, note.refund_minor) == ("settled", 22969, 0)
    assert note.number == "VV-CN-2023-000001"
    reference.story.recognize(date(2023, 12, 31))
    assert "2100" not in reference.story.books(date(2023, 12, 31))
    assert reference.story.bill() == []  # what was billed stays billed
    assert is_sound()


def test_6b_after_the_release_the_fee_is_credited_out_of_revenue() -> None:
    reference = tell()
    reference.story.advance(JAN_1)
    reference.story.recognize(date(2023, 12, 31))
    note = credit(reference, at=JAN_1)
    assert entry(note.public_id)[1] == {"1100": "-229.69", "2200": "36.67", "4000": "99.00", "4010": "94.02"}
    assert is_sound()


def test_6c_and_6d_a_credit_of_a_paid_invoice_is_owed_back_and_the_refund_pays_it() -> None:
    reference = tell()
    reference.story.follow_up()
    note = credit(reference)
    assert entry(note.public_id)[1] == {"2070": "-229.69", "2100": "99.00", "2200": "36.67", "4010": "94.02"}
    reference.fifth.refresh_from_db()
    assert reference.fifth.settlement == "settled"
    payment = Payment.objects.get(invoice=reference.fifth)
    refund = payments.refund_payment(
        payment_id=payment.public_id,
        amount_minor=22969,
        reason="billing error",
        credit_note_id=note.public_id,
        actor=FIONA,
        at=utc(2023, 12, 12),
    )
    assert entry(refund.public_id) == ("2023-12-12", {"1050": "-229.69", "2070": "229.69"})
    payment.refresh_from_db()
    assert payment.status == "refunded"
    assert "2070" not in reference.story.books(date(2023, 12, 12))
    assert is_sound()


def test_6_a_credit_of_a_partly_paid_invoice_is_part_offset_part_owed_back() -> None:
    reference = tell()
    payments.record_manual_payment(
        customer=reference.buyer,
        amount_minor=euros("100.00"),
        currency="EUR",
        received_on=date(2023, 12, 5),
        reference="transfer",
        invoice=reference.fifth,
        actor=FIONA,
        at=utc(2023, 12, 5),
    )
    note = credit(reference)
    assert entry(note.public_id)[1] == {
        "1100": "-129.69", "2070": "-100.00", "2100": "99.00", "2200": "36.67", "4010": "94.02"
    }  # fmt: skip
    assert is_sound()


def test_7_a_cancellation_mirrors_the_issue_and_its_periods_are_billed_again_once() -> None:
    reference = tell()
    note = invoices.cancel_invoice(
        invoice_id=reference.fifth.public_id,
        reason=CreditReason.BILLING_ERROR,
        actor=FIONA,
        at=utc(2023, 12, 5),
    )
    assert entry(note.public_id) == (
        "2023-12-05",
        {"1100": "-229.69", "1150": "94.02", "2100": "99.00", "2200": "36.67"},
    )
    assert reference.story.books(date(2023, 12, 5))["1150"] == "94.02"
    reference.story.advance(utc(2023, 12, 6))
    again = reference.story.bill_one()
    assert (lines(again), amounts(again)) == (lines(reference.fifth), amounts(reference.fifth))
    assert entry(again.public_id)[1] == ISSUE_5A
    assert JournalEntry.objects.filter(source_type="usage_accrual").count() == 3  # the usage was earned once
    assert reference.story.bill() == []
    assert is_sound()


def test_7_slices_released_already_are_reversed_in_an_open_period_and_released_again_with_the_new_invoice() -> (
    None
):
    reference = tell()
    part = RevenueSlice.objects.get(schedule__invoice_id=reference.first.public_id)
    allocation = PaymentAllocation.objects.get(invoice=reference.first)
    at = utc(2023, 12, 5)
    payments.reverse_allocation(allocation_id=allocation.public_id, actor=FIONA, at=at)
    invoices.cancel_invoice(
        invoice_id=reference.first.public_id, reason=CreditReason.BILLING_ERROR, actor=FIONA, at=at
    )
    assert entry(part.public_id, "reverse") == ("2023-12-05", {"2100": "-99.00", "4000": "99.00"})
    november = reference.story.books(date(2023, 11, 30))
    assert november["4000"] == "-99.00"  # the closed month stays as it was
    reference.story.advance(at)
    again = reference.story.bill_one()
    assert lines(again) == lines(reference.first)
    reference.story.recognize(date(2023, 11, 30))
    released = JournalEntry.objects.filter(source_type="revenue_schedule_line", is_late=True)
    assert released.get(purpose="recognize 2023-11").accounting_on == date(2023, 12, 1)
    assert reference.story.books(date(2023, 11, 30)) == november
    assert is_sound()


def test_8a_and_8b_a_transfer_of_250_00_leaves_20_31_unapplied() -> None:
    reference = tell()
    at = utc(2023, 12, 14)
    payment = payments.record_manual_payment(
        customer=reference.buyer,
        amount_minor=euros("250.00"),
        currency="EUR",
        received_on=at.date(),
        reference="VV-2023-000002",
        invoice=reference.fifth,
        actor=FIONA,
        at=at,
    )
    assert entry(payment.public_id) == ("2023-12-14", {"1000": "250.00", "2050": "-250.00"})
    allocation = PaymentAllocation.objects.get(payment=payment)
    assert entry(allocation.public_id) == ("2023-12-14", {"1100": "-229.69", "2050": "229.69"})
    assert payment.unapplied_minor == euros("20.31")
    assert reference.story.books(at.date())["2050"] == "-20.31"
    assert is_sound()


def test_9e_an_allocation_taken_back_opens_the_invoice_again() -> None:
    reference = tell()
    allocation = PaymentAllocation.objects.get(invoice=reference.first)
    reversal = payments.reverse_allocation(
        allocation_id=allocation.public_id, actor=FIONA, at=utc(2023, 12, 20)
    )
    assert entry(reversal.public_id) == ("2023-12-20", {"1100": "117.81", "2050": "-117.81"})
    reference.first.refresh_from_db()
    assert (reference.first.settlement, reference.first.open_minor) == ("open", 11781)
    assert is_sound()


def test_a_void_mirrors_every_entry_on_its_own_day_so_that_the_month_shows_nothing() -> None:
    reference = tell(to="without a close")
    reference.story.recognize(date(2023, 11, 30))
    before = reference.story.books(date(2023, 12, 1))
    voided = invoices.void_invoice(
        invoice_id=reference.fifth.public_id, reason="wrong buyer", actor=FIONA, at=utc(2023, 12, 5)
    )
    assert entry(voided.public_id, "reverse") == (
        "2023-12-01",
        {"1100": "-229.69", "1150": "94.02", "2100": "99.00", "2200": "36.67"},
    )
    after = reference.story.books(date(2023, 12, 1))
    assert set(before) - set(after) == {"1100", "2100"}
    assert after["1150"] == "94.02"
    assert (voided.number, voided.status) == ("VV-2023-000002", "voided")
    again = reference.story.bill_one()
    assert (again.number, lines(again)) == ("VV-2023-000003", lines(reference.fifth))
    assert is_sound()


def test_a_void_after_the_release_takes_the_revenue_back_in_the_month_of_the_release() -> None:
    """A fee of November invoiced on 5 December and released on 30 November is voided: November shows it not at all."""
    story = Story(utc(2023, 12, 5))
    buyer = story.customer()
    bought = story.subscribe(buyer, story.version(factories.fee()), started_at=NOV_1)
    november, _ = story.bill()
    story.recognize(date(2023, 11, 30))
    assert story.books(date(2023, 11, 30))["4000"] == "-99.00"
    invoices.void_invoice(
        invoice_id=november.public_id, reason="sold by mistake", actor=FIONA, at=story.now_at
    )
    assert story.books(date(2023, 11, 30)) == {}
    assert bought.items.get().billed_periods.filter(released_at=None).count() == 1
    assert is_sound()
