"""Billing moments: whatever anchor, interval, zone, start and end, service is billed without a hole or an overlap."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.core.billing_moments import BillingMoment, ServicePeriod, Terms, billing_moment, service_period
from billing.core.periods import Interval, IntervalUnit, calendar_anchor
from billing.core.proration import day_fraction

ZONES = ("UTC", "Pacific/Auckland", "America/New_York", "Asia/Kolkata", "America/Sao_Paulo", "Africa/Cairo")
MONTH = Interval(IntervalUnit.MONTH)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def chain(terms: Terms, *, at_most: int = 40) -> list[BillingMoment]:
    """All moments from the start of service to its end, or the first `at_most`."""
    moments = [billing_moment(terms, terms.started_at)]
    while (next_at := moments[-1].next_at) is not None and len(moments) < at_most:
        moments.append(billing_moment(terms, next_at))
    return moments


@st.composite
def some_terms(draw: st.DrawFn) -> Terms:
    zone = ZoneInfo(draw(st.sampled_from(ZONES)))
    unit = draw(st.sampled_from(IntervalUnit))
    interval = Interval(unit, draw(st.integers(1, 3)))
    started_at = utc(2000, 1, 1) + timedelta(seconds=draw(st.integers(0, 30 * 365 * 86_400)))
    start_on = started_at.astimezone(zone).date()
    anchor_on = draw(st.sampled_from([start_on, calendar_anchor(start_on, interval)]))
    terms = Terms(anchor_on, interval, zone, started_at)
    if draw(st.booleans()):
        within = timedelta(seconds=draw(st.integers(0, 120 * 86_400)))
        terms = replace(terms, cancel_at=started_at + within)
    return terms


@given(some_terms())
def test_service_is_billed_in_advance_and_in_arrears_without_hole_or_overlap(terms: Terms) -> None:
    moments = chain(terms)
    in_advance = [moment.starting.service for moment in moments if moment.starting]
    in_arrears = [moment.ended.service for moment in moments if moment.ended]
    for periods in (in_advance, in_arrears):
        for one, after in pairwise(periods):
            assert one.end == after.start
        if periods:
            assert periods[0].start == terms.started_at
    if moments[-1].next_at is None:
        assert (
            in_advance == in_arrears
        )  # all that was sold in advance was served, and the usage of all of it billed
        assert terms.cancel_at is not None
        if in_advance:
            assert in_advance[-1].end == terms.cancel_at


@given(some_terms())
def test_moments_move_forward_and_each_bills_what_ends_there_and_what_begins(terms: Terms) -> None:
    moments = chain(terms)
    for one, after in pairwise(moments):
        assert one.at < after.at == one.next_at
        assert one.starting is not None and after.ended is not None
        assert after.ended.service == one.starting.service
    assert moments[0].ended is None


@given(some_terms())
def test_a_service_period_lies_in_its_whole_and_is_at_most_all_of_it(terms: Terms) -> None:
    for moment in chain(terms, at_most=5):
        if moment.starting is None:
            continue
        service, whole = moment.starting.service, moment.starting.whole
        assert whole.start <= service.start < service.end <= whole.end
        assert 0 <= day_fraction(service, whole, terms.zone) <= 1


@given(some_terms(), st.integers(0, 100 * 86_400))
def test_every_instant_of_service_lies_in_exactly_one_period(terms: Terms, seconds: int) -> None:
    at = terms.started_at + timedelta(seconds=seconds)
    if terms.cancel_at is not None and at >= terms.cancel_at:
        return
    assert service_period(terms, at).service.contains(at)


@given(some_terms())
def test_a_cancellation_at_the_end_of_a_period_ends_the_chain_there(terms: Terms) -> None:
    first = billing_moment(replace(terms, cancel_at=None), terms.started_at)
    assert first.next_at is not None
    ended = chain(replace(terms, cancel_at=first.next_at))
    assert [moment.at for moment in ended] == [terms.started_at, first.next_at]
    assert ended[-1].starting is None
    assert ended[-1].ended == first.starting


def test_31_january_clamps_and_comes_back() -> None:
    terms = Terms(date(2024, 1, 31), MONTH, ZoneInfo("UTC"), utc(2024, 1, 31))
    assert [moment.at.date().isoformat() for moment in chain(terms, at_most=5)] == [
        "2024-01-31",
        "2024-02-29",
        "2024-03-31",
        "2024-04-30",
        "2024-05-31",
    ]


def test_29_february_is_the_28th_in_other_years() -> None:
    year = Interval(IntervalUnit.YEAR)
    terms = Terms(date(2024, 2, 29), year, ZoneInfo("UTC"), utc(2024, 2, 29))
    assert [moment.at.date().isoformat() for moment in chain(terms, at_most=5)] == [
        "2024-02-29",
        "2025-02-28",
        "2026-02-28",
        "2027-02-28",
        "2028-02-29",
    ]


def test_a_stub_knows_the_whole_it_is_part_of() -> None:
    terms = Terms(date(2023, 11, 1), MONTH, ZoneInfo("UTC"), utc(2023, 11, 20), utc(2023, 11, 25))
    first, last = chain(terms)
    assert first.starting == last.ended
    assert first.starting is not None
    assert (first.starting.service.start, first.starting.service.end) == (
        utc(2023, 11, 20),
        utc(2023, 11, 25),
    )
    assert (first.starting.whole.start, first.starting.whole.end) == (utc(2023, 11, 1), utc(2023, 12, 1))


def test_service_that_ends_as_it_starts_bills_nothing() -> None:
    terms = Terms(date(2023, 11, 1), MONTH, ZoneInfo("UTC"), utc(2023, 11, 1), utc(2023, 11, 1))
    assert chain(terms) == [BillingMoment(utc(2023, 11, 1), None, None, None)]


@pytest.mark.parametrize(
    ("zone", "moments"),
    [
        # summer time ended on 5 November 2023 and began on 10 March 2024
        ("America/New_York", [utc(2023, 11, 1, 4), utc(2023, 12, 1, 5), utc(2024, 1, 1, 5)]),
        # summer time ends on 7 April 2024
        ("Pacific/Auckland", [utc(2023, 10, 31, 11), utc(2023, 11, 30, 11), utc(2023, 12, 31, 11)]),
        ("Asia/Kolkata", [utc(2023, 10, 31, 18, 30), utc(2023, 11, 30, 18, 30), utc(2023, 12, 31, 18, 30)]),
    ],
)
def test_moments_are_the_customers_midnights(zone: str, moments: list[datetime]) -> None:
    terms = Terms(date(2023, 11, 1), MONTH, ZoneInfo(zone), moments[0])
    assert [moment.at for moment in chain(terms, at_most=3)] == moments


def test_a_start_after_midnight_makes_the_first_period_shorter_in_time_but_not_in_days() -> None:
    terms = Terms(date(2023, 11, 15), MONTH, ZoneInfo("UTC"), utc(2023, 11, 15, 15, 30))
    starting = billing_moment(terms, terms.started_at).starting
    assert isinstance(starting, ServicePeriod)
    assert starting.service != starting.whole
    assert day_fraction(starting.service, starting.whole, terms.zone) == 1
