"""Revenue in the month of the service, whatever order invoice, cut-off and month end come in."""

from datetime import date

import pytest

from billing.invoices import services as invoices
from billing.invoices.models import CreditReason, Invoice
from billing.ledger.models import JournalEntry
from billing.revenue.models import RevenueSchedule, RevenueSlice
from billing.revenue.services import DayNotOver, recognize_revenue
from tests import factories
from tests.scenarios.story import (
    DEC_1,
    DECEMBER,
    FIONA,
    JAN_1,
    NOV_1,
    NOVEMBER,
    Story,
    accruals,
    everything,
    is_sound,
    lines,
    meter,
    usage,
    utc,
)

pytestmark = pytest.mark.django_db

NOV_30, DEC_31 = date(2023, 11, 30), date(2023, 12, 31)
VOLUME = {"tiers": [{"up_to": "1000", "unit_amount": "0.01"}, {"up_to": None, "unit_amount": "0.009"}]}


def slices(invoice: Invoice) -> list[tuple[str, int]]:
    found = RevenueSlice.objects.filter(schedule__invoice_id=invoice.public_id).order_by("month_on")
    return [(f"{part.month_on:%Y-%m}", part.amount_minor) for part in found]


def test_a_fee_over_two_months_is_released_by_its_days_in_each() -> None:
    story = Story(utc(2023, 11, 15))
    story.subscribe(story.customer(), story.version(factories.fee("100.00"), anchor="anniversary"))
    invoice = story.bill_one()
    assert slices(invoice) == [("2023-11", 5333), ("2023-12", 4667)]  # 16 and 14 of 30 days
    story.advance(JAN_1)
    assert story.recognize(date(2023, 11, 29)).slices == 0
    assert story.recognize(NOV_30).slices_minor == 5333
    assert story.books(NOV_30)["4000"] == "-53.33"
    assert story.books(NOV_30)["2100"] == "-46.67"
    story.recognize(DEC_31)
    assert story.books(DEC_31)["4000"] == "-100.00"
    assert is_sound()


def test_a_years_fee_is_released_month_by_month_and_sums_to_the_line() -> None:
    story = Story(NOV_1)
    story.subscribe(
        story.customer(), story.version(factories.fee("1000.00"), interval="year", anchor="anniversary")
    )
    invoice = story.bill_one()
    parts = slices(invoice)
    assert (len(parts), sum(amount for _, amount in parts)) == (12, 100_000)
    assert parts[3] == ("2024-02", 7923)  # 92 days are 251.37, 121 days 330.60
    story.advance(utc(2024, 11, 1))
    assert story.recognize(date(2024, 10, 31)).slices_minor == 100_000
    assert is_sound()


def test_recognizing_twice_finds_nothing_left() -> None:
    story = Story(NOV_1)
    buyer = story.customer()
    story.subscribe(buyer, story.version(usage(), factories.fee()))
    story.bill()
    story.use(buyer, NOV_1, 100)
    story.advance(DEC_1)
    assert (story.recognize(NOV_30).slices, accruals(buyer)) == (1, [("2023-11-30", "1.00", False)])
    before = everything()
    again = story.recognize(NOV_30)
    assert (again.slices, again.accruals) == (0, 0)
    assert everything() == before
    assert is_sound()


def test_only_one_customer_can_be_recognized() -> None:
    story = Story(NOV_1)
    one, other = story.customer(), story.customer()
    version = story.version(usage(), factories.fee())
    for buyer in (one, other):
        story.subscribe(buyer, version)
        story.use(buyer, NOV_1, 100)
    story.bill()
    story.advance(DEC_1)
    result = recognize_revenue(legal_entity=story.seller, as_of=NOV_30, actor=FIONA, at=DEC_1, customer=one)
    assert (result.slices, result.accruals) == (1, 1)
    assert accruals(other) == []
    assert is_sound()


@pytest.mark.parametrize("accrue_first", [True, False], ids=["month end first", "invoice first"])
def test_a_week_across_two_months_is_revenue_of_both_in_whatever_order(accrue_first: bool) -> None:
    """27 November to 3 December: 400 units in November, 600 in December, one invoice on 4 December."""
    story = Story(utc(2023, 11, 27))
    buyer = story.customer()
    story.subscribe(buyer, story.version(usage(), interval="week"))
    story.advance(utc(2023, 12, 3))
    story.use(buyer, utc(2023, 11, 28), 400)
    story.use(buyer, utc(2023, 12, 2), 600)
    if accrue_first:
        story.recognize(NOV_30)
    story.advance(utc(2023, 12, 4))
    assert lines(story.bill_one()) == [("usage", "usage", "1000", "10.00")]
    assert accruals(buyer) == [("2023-11-30", "4.00", False), ("2023-12-03", "6.00", False)]
    story.recognize(NOV_30)
    story.recognize(DEC_31)
    assert len(accruals(buyer)) == 2
    assert story.books(NOV_30) == {"1150": "4.00", "4010": "-4.00"}
    assert "1150" not in story.books(DEC_31)
    assert is_sound()


def test_a_volume_price_that_falls_in_the_second_month_is_taken_back_there() -> None:
    """1,000 units are 10.00, 1,001 are 9.01: November had 10.00, December takes 0.99 of it back."""
    story = Story(utc(2023, 11, 27))
    buyer = story.customer()
    version = story.version(usage(model="volume", definition=VOLUME), interval="week")
    story.subscribe(buyer, version)
    story.advance(utc(2023, 12, 1))
    story.use(buyer, utc(2023, 11, 28), 1000)
    story.close(NOVEMBER)
    story.use(buyer, DEC_1, 1)
    story.advance(utc(2023, 12, 4))
    assert lines(story.bill_one())[0][3] == "9.01"
    assert accruals(buyer) == [("2023-11-30", "10.00", False), ("2023-12-03", "-0.99", False)]
    assert "1150" not in story.books(DEC_31)
    assert is_sound()


def test_usage_that_arrives_for_an_earlier_open_month_counts_there_and_not_in_the_later_one() -> None:
    """A quarter's usage: November and December are accrued, then November usage turns up."""
    story = Story(NOV_1)
    buyer = story.customer()
    story.subscribe(buyer, story.version(usage(), interval_count=3))
    story.use(buyer, NOV_1, 100)
    story.advance(utc(2023, 12, 2))
    story.use(buyer, DEC_1, 200)
    story.recognize(NOV_30)
    story.advance(utc(2024, 1, 2))
    story.recognize(DEC_31)
    story.use(buyer, utc(2023, 11, 30), 50)
    story.recognize(DEC_31)
    assert accruals(buyer) == [
        ("2023-11-30", "1.00", False),
        ("2023-12-31", "2.00", False),
        ("2023-11-30", "0.50", False),
    ]
    story.advance(utc(2024, 2, 1))
    assert lines(story.bill_one())[0][3] == "3.50"
    assert len(accruals(buyer)) == 3
    assert is_sound()


def test_a_subscription_canceled_in_the_month_is_accrued_to_its_end_and_not_beyond() -> None:
    story = Story(NOV_1)
    buyer = story.customer()
    bought = story.subscribe(buyer, story.version(usage()))
    story.advance(utc(2023, 11, 16))
    story.use(buyer, utc(2023, 11, 15), 100)
    story.cancel_now(bought)
    story.advance(utc(2023, 11, 20))
    story.use(buyer, utc(2023, 11, 19), 900)
    story.advance(DEC_1)
    story.recognize(NOV_30)
    assert accruals(buyer) == [("2023-11-30", "1.00", False)]
    assert lines(story.bill_one())[0][3] == "1.00"
    assert "1150" not in story.books(DEC_1.date())
    assert is_sound()


@pytest.mark.parametrize("take_back", ["void", "cancel"])
def test_accrued_usage_survives_the_invoice_that_is_taken_back_and_is_billed_again_once(
    take_back: str,
) -> None:
    story = Story(NOV_1)
    buyer = story.customer()
    story.subscribe(buyer, story.version(usage()))
    story.use(buyer, NOV_1, 100)
    story.advance(DEC_1)
    story.close(NOVEMBER)
    first = story.bill_one()
    if take_back == "void":
        invoices.void_invoice(invoice_id=first.public_id, reason="wrong address", actor=FIONA, at=DEC_1)
    else:
        invoices.cancel_invoice(
            invoice_id=first.public_id, reason=CreditReason.BILLING_ERROR, actor=FIONA, at=DEC_1
        )
    assert story.books(DEC_1.date())["1150"] == "1.00"
    story.use(buyer, utc(2023, 11, 30), 20)  # arrived meanwhile
    second = story.bill_one()
    assert lines(second) == [("usage", "usage", "120", "1.20")]
    assert accruals(buyer) == [("2023-11-30", "1.00", False), ("2023-12-01", "0.20", True)]
    assert "1150" not in story.books(DEC_1.date())
    assert is_sound()


def test_a_month_end_before_the_bill_and_one_after_it_give_the_same_books() -> None:
    balances, units = [], meter()
    for accrue_first in (True, False):
        story = Story(NOV_1, rate="19" if accrue_first else "")
        buyer = story.customer()
        story.subscribe(buyer, story.version(usage(units), factories.fee()))
        story.bill()
        story.use(buyer, NOV_1, 100)
        story.advance(DEC_1)
        if accrue_first:
            story.recognize(NOV_30)
        story.bill()
        story.recognize(NOV_30)
        balances.append((story.books(NOV_30), story.books(DEC_1.date())))
        assert is_sound()
    assert balances[0] == balances[1]


def test_a_fee_of_a_closed_month_is_released_late_in_the_first_open_one() -> None:
    story = Story(NOV_1)
    story.subscribe(story.customer(), story.version(factories.fee()))
    story.bill()
    story.advance(utc(2023, 12, 5))
    story.close(NOVEMBER)
    late = story.customer()
    story.subscribe(late, story.version(factories.fee("30.00")), started_at=NOV_1)
    assert [lines(invoice)[0][3] for invoice in story.bill()] == ["99.00", "30.00", "30.00"]
    story.recognize(NOV_30)
    found = JournalEntry.objects.filter(source_type="revenue_schedule_line", is_late=True).get()
    assert (found.accounting_on, found.purpose) == (date(2023, 12, 1), "recognize 2023-11")
    assert is_sound()


def test_a_slice_that_rounds_to_nothing_is_done_without_an_entry() -> None:
    story = Story(utc(2023, 11, 30))
    story.subscribe(story.customer(), story.version(factories.fee("0.01"), anchor="anniversary"))
    invoice = story.bill_one()
    assert slices(invoice) == [("2023-11", 0), ("2023-12", 1)]
    story.advance(JAN_1)
    story.recognize(DEC_31)
    assert JournalEntry.objects.filter(source_type="revenue_schedule_line").count() == 1
    assert is_sound()


def test_a_free_plan_defers_nothing() -> None:
    story = Story(NOV_1)
    story.subscribe(story.customer(), story.version(factories.fee("0.00")))
    invoice = story.bill_one()
    assert (invoice.settlement, RevenueSchedule.objects.count()) == ("settled", 0)
    assert not JournalEntry.objects.exists()
    assert is_sound()


def test_closing_months_in_order_moves_every_fee_once() -> None:
    story = Story(NOV_1)
    story.subscribe(story.customer(), story.version(factories.fee()))
    for month_on, to in ((NOVEMBER, DEC_1), (DECEMBER, JAN_1)):
        story.bill()
        story.advance(to)
        assert story.close(month_on).slices_minor == 9900
    assert story.books(DEC_31)["4000"] == "-198.00"
    assert is_sound()


def test_a_day_that_is_not_over_is_not_recognized() -> None:
    story = Story(NOV_1)
    story.subscribe(story.customer(), story.version(factories.fee()))
    story.bill()
    before = everything()
    with pytest.raises(DayNotOver):
        recognize_revenue(legal_entity=story.seller, as_of=NOV_1.date(), actor=FIONA, at=NOV_1)
    assert everything() == before
