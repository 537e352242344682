"""Advance and arrears, calendar and anniversary, month and year, currencies of 0, 2 and 3 decimals: one full turn each.

A subscription starts on 15 November 2023. Its first invoice is the fee in advance (a stub where the calendar decides),
its second the usage of that time and the next fee. The books are in the currency of the plan.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

import pytest

from billing.core.money import parse_major
from tests import factories
from tests.scenarios.story import Story, amounts, is_sound, lines, service_days, usage, utc

pytestmark = pytest.mark.django_db

STARTED = utc(2023, 11, 15)


@dataclass(frozen=True)
class Place:
    """A seller's currency, country, zone and tax rate, and what is sold there."""

    currency: str
    country: str
    zone: str
    rate: str
    fee: str
    unit_amount: str
    usage: str
    """Price of 1,234 units, rounded half up."""


PLACES = {
    "yen, no decimals": Place("JPY", "JP", "Asia/Tokyo", "10", "9900", "0.25", "309"),
    "euro, 2 decimals": Place("EUR", "DE", "Europe/Berlin", "19", "99.00", "0.0125", "15.43"),
    "dinar, 3 decimals": Place("KWD", "KW", "Asia/Kuwait", "5", "30.000", "0.0015", "1.851"),
}


@dataclass(frozen=True)
class Turn:
    """When the second invoice is due, the days of the first fee, and how many of how many days it covers."""

    second_at: datetime
    last_on: str
    days: int
    of: int
    next_last_on: str


TURNS = {
    ("month", "calendar"): Turn(utc(2023, 12, 1), "2023-11-30", 16, 30, "2023-12-31"),
    ("month", "anniversary"): Turn(utc(2023, 12, 15), "2023-12-14", 30, 30, "2024-01-14"),
    ("year", "calendar"): Turn(utc(2024, 1, 1), "2023-12-31", 47, 365, "2024-12-31"),
    ("year", "anniversary"): Turn(utc(2024, 11, 15), "2024-11-14", 366, 366, "2025-11-14"),
}


def rounded(amount_minor: int, days: int, of: int) -> int:
    """amount x days / of, half up, in integers."""
    return (2 * amount_minor * days + of) // (2 * of)


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize(("interval", "anchor"), TURNS, ids=lambda value: value)
def test_one_turn_of_fee_in_advance_and_usage_in_arrears(place: Place, interval: str, anchor: str) -> None:
    turn = TURNS[interval, anchor]
    story = Story(STARTED, place.currency, place.country, place.zone, place.rate)
    buyer = story.customer()
    fee_minor = parse_major(place.fee, place.currency)
    version = story.version(
        usage(definition={"unit_amount": place.unit_amount}),
        factories.fee(place.fee),
        interval=interval,
        anchor=anchor,
    )
    story.subscribe(buyer, version)

    first = story.bill_one()
    assert service_days(first) == [("2023-11-15", turn.last_on)]
    assert first.subtotal_minor == rounded(fee_minor, turn.days, turn.of)
    assert first.tax_minor == rounded(first.subtotal_minor, int(place.rate), 100)

    story.advance(utc(2023, 11, 20))
    assert story.use(buyer, utc(2023, 11, 20), 1234) == "accepted"
    story.advance(turn.second_at)
    second = story.bill_one()
    assert lines(second) == [
        ("usage", "usage", "1234", place.usage),
        ("platform-fee", "recurring", "1", place.fee),
    ]
    following = (turn.second_at.date().isoformat(), turn.next_last_on)
    assert service_days(second) == [("2023-11-15", turn.last_on), following]
    assert second.billing_reason == "subscription_cycle"

    story.follow_up()
    assert {amounts(one)[2] for one in (first, second)} == {
        amounts(payment.invoice)[2] for payment in buyer.payments.filter(status="succeeded")
    }
    story.recognize(turn.second_at.date() - timedelta(days=1))
    before = date.fromisoformat(turn.last_on)
    books = story.books(before)
    assert parse_major(books["4000"].lstrip("-"), place.currency) == first.subtotal_minor
    assert books["4010"] == f"-{place.usage}"
    assert "2100" not in books
    assert is_sound()


@pytest.mark.parametrize("anchor", ["calendar", "anniversary"])
def test_usage_only_plans_bill_nothing_at_the_start(anchor: str) -> None:
    story = Story(STARTED)
    buyer = story.customer()
    story.subscribe(buyer, story.version(usage(), anchor=anchor))
    assert story.bill() == []
    story.use(buyer, STARTED, 500)
    story.advance(utc(2023, 12, 15))
    assert lines(story.bill_one()) == [("usage", "usage", "500", "5.00")]
    assert is_sound()


@pytest.mark.parametrize(
    ("interval", "count", "starts"),
    [
        ("day", 1, ["2023-11-15", "2023-11-16", "2023-11-17"]),
        ("week", 1, ["2023-11-15", "2023-11-20", "2023-11-27"]),
        ("week", 2, ["2023-11-15", "2023-11-27", "2023-12-11"]),
        ("month", 3, ["2023-11-15", "2024-02-01", "2024-05-01"]),
    ],
)
def test_other_intervals_of_the_calendar_follow_each_other_without_a_hole(
    interval: str, count: int, starts: list[str]
) -> None:
    story = Story(STARTED)
    version = story.version(factories.fee(), interval=interval, interval_count=count)
    story.subscribe(story.customer(), version)
    last = date.fromisoformat(starts[-1])
    story.advance(utc(last.year, last.month, last.day))
    days = [service_days(invoice)[0] for invoice in story.bill()]
    assert [first for first, _ in days] == starts
    for (_, last_on), (next_on, _) in pairwise(days):
        assert date.fromisoformat(last_on) + timedelta(days=1) == date.fromisoformat(next_on)
    assert is_sound()


def test_a_start_in_the_course_of_the_day_counts_that_day_in_full_and_prorates_nothing() -> None:
    story = Story(utc(2023, 11, 15, 15, 30))
    story.subscribe(story.customer(), story.version(factories.fee(), anchor="anniversary"))
    invoice = story.bill_one()
    assert amounts(invoice)[0] == "99.00"
    assert invoice.lines.get().working["fraction"] is None
    assert is_sound()


@pytest.mark.parametrize(
    ("policy", "amount", "fraction"),
    [
        ("day", "52.80", {"days": 16, "of": 30}),
        ("second", "50.67", {"seconds": 16 * 86400 - 55800, "of": 30 * 86400}),
        ("thirty_day_month", "52.80", {"days": 16, "of": 30}),
        ("none", "99.00", None),
    ],
)
def test_first_fee_is_cut_as_the_plan_version_says(
    policy: str, amount: str, fraction: dict[str, int] | None
) -> None:
    story = Story(utc(2023, 11, 15, 15, 30))
    story.subscribe(story.customer(), story.version(factories.fee(), proration=policy))
    invoice = story.bill_one()
    assert amounts(invoice)[0] == amount
    assert invoice.lines.get().working["fraction"] == fraction
    assert is_sound()
