"""Periods and calendars: half-open spans, anchors that clamp and come back, zones whose clocks change."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.core.errors import InvalidPeriod
from billing.core.periods import (
    Interval,
    IntervalUnit,
    Period,
    boundary,
    calendar_anchor,
    local_days,
    period_index,
    periods_from,
)
from billing.core.proration import day_fraction

MODEST = settings(max_examples=100, deadline=None)
UTC_ZONE = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")
DAILY, WEEKLY = Interval(IntervalUnit.DAY), Interval(IntervalUnit.WEEK)
MONTHLY, YEARLY = Interval(IntervalUnit.MONTH), Interval(IntervalUnit.YEAR)


def utc(year: int, month: int, day: int, hour: int = 0) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


NOVEMBER = Period(utc(2023, 11, 1), utc(2023, 12, 1))
DECEMBER = Period(utc(2023, 12, 1), utc(2024, 1, 1))


def boundary_days(anchor_on: date, interval: Interval, count: int, zone: ZoneInfo = UTC_ZONE) -> list[str]:
    return [boundary(anchor_on, interval, n, zone).astimezone(zone).date().isoformat() for n in range(count)]


def test_monthly_periods_from_the_31st_clamp_and_come_back() -> None:
    assert boundary_days(date(2023, 1, 31), MONTHLY, 5) == [
        "2023-01-31",
        "2023-02-28",
        "2023-03-31",
        "2023-04-30",
        "2023-05-31",
    ]


def test_yearly_periods_from_29_february_come_back_in_the_next_leap_year() -> None:
    days = boundary_days(date(2024, 2, 29), YEARLY, 5)
    assert days == ["2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"]


def test_quarters_and_fortnights_count_their_units() -> None:
    quarters = boundary_days(date(2023, 11, 30), Interval(IntervalUnit.MONTH, 3), 3)
    assert quarters == ["2023-11-30", "2024-02-29", "2024-05-30"]
    fortnights = boundary_days(date(2023, 12, 25), Interval(IntervalUnit.WEEK, 2), 3)
    assert fortnights == ["2023-12-25", "2024-01-08", "2024-01-22"]


def test_periods_before_the_anchor_have_negative_numbers() -> None:
    assert boundary(date(2024, 3, 31), MONTHLY, -1, UTC_ZONE) == utc(2024, 2, 29)
    assert period_index(date(2024, 3, 31), MONTHLY, utc(2024, 3, 30), UTC_ZONE) == -1


def test_month_begins_at_local_midnight_before_and_after_the_clocks_change() -> None:
    assert boundary(date(2023, 10, 1), MONTHLY, 0, BERLIN) == utc(2023, 9, 30, 22)
    assert boundary(date(2023, 10, 1), MONTHLY, 1, BERLIN) == utc(2023, 10, 31, 23)


@pytest.mark.parametrize(
    ("zone", "day", "start"),
    [
        ("America/Sao_Paulo", date(2018, 11, 4), utc(2018, 11, 4, 3)),
        ("Asia/Beirut", date(2021, 3, 28), utc(2021, 3, 27, 22)),
        ("Africa/Cairo", date(2023, 4, 28), utc(2023, 4, 27, 22)),
    ],
)
def test_day_whose_midnight_is_skipped_begins_when_it_exists(zone: str, day: date, start: datetime) -> None:
    begun = boundary(day, DAILY, 0, ZoneInfo(zone))
    assert begun == start
    assert begun.astimezone(ZoneInfo(zone)).hour == 1
    assert (begun - timedelta(seconds=1)).astimezone(ZoneInfo(zone)).date() == day - timedelta(days=1)


def test_day_whose_midnight_lies_inside_a_gap_begins_at_the_end_of_the_gap() -> None:
    toronto = ZoneInfo("America/Toronto")  # from 23:30 on 30 March 1919 straight to 00:30
    begun = boundary(date(1919, 3, 31), DAILY, 0, toronto)
    assert begun.astimezone(toronto).replace(tzinfo=None).isoformat() == "1919-03-31T00:30:00"


def test_day_whose_midnight_comes_twice_begins_at_the_first() -> None:
    assert boundary(date(2023, 11, 5), DAILY, 0, ZoneInfo("America/Havana")) == utc(2023, 11, 5, 4)


def test_day_that_a_zone_left_out_has_no_period() -> None:
    apia = ZoneInfo("Pacific/Apia")
    start, until = boundary(date(2011, 12, 29), DAILY, 0, apia), boundary(date(2012, 1, 1), DAILY, 0, apia)
    periods = list(periods_from(date(2011, 12, 29), DAILY, apia, start, until))
    assert [period.start_on(apia).day for period in periods] == [29, 31]
    assert periods[-1].end == until


@pytest.mark.parametrize(
    ("start_on", "interval", "anchor_on"),
    [
        (date(2023, 11, 15), MONTHLY, date(2023, 11, 1)),
        (date(2023, 11, 1), MONTHLY, date(2023, 11, 1)),
        (date(2024, 2, 29), YEARLY, date(2024, 1, 1)),
        (date(2023, 11, 15), WEEKLY, date(2023, 11, 13)),
        (date(2023, 11, 13), WEEKLY, date(2023, 11, 13)),
        (date(2023, 11, 15), DAILY, date(2023, 11, 15)),
        (date(2023, 11, 15), Interval(IntervalUnit.MONTH, 3), date(2023, 11, 1)),
    ],
)
def test_calendar_billing_starts_with_the_calendar_unit(
    start_on: date, interval: Interval, anchor_on: date
) -> None:
    assert calendar_anchor(start_on, interval) == anchor_on


def test_subscription_started_mid_month_has_a_stub_and_then_whole_months() -> None:
    periods = list(periods_from(date(2023, 11, 1), MONTHLY, UTC_ZONE, utc(2023, 11, 15), utc(2024, 1, 2)))
    assert [(p.start, p.end) for p in periods] == [
        (utc(2023, 11, 15), utc(2023, 12, 1)),
        (utc(2023, 12, 1), utc(2024, 1, 1)),
        (utc(2024, 1, 1), utc(2024, 2, 1)),
    ]


def test_period_that_would_begin_at_the_horizon_is_not_due() -> None:
    december = utc(2023, 12, 1)
    assert list(periods_from(date(2023, 11, 1), MONTHLY, UTC_ZONE, utc(2023, 11, 1), december)) == [NOVEMBER]
    assert list(periods_from(date(2023, 11, 1), MONTHLY, UTC_ZONE, december, december)) == []


def test_end_of_a_period_belongs_to_the_next() -> None:
    assert NOVEMBER.contains(utc(2023, 11, 1))
    assert NOVEMBER.contains(utc(2023, 12, 1) - timedelta(microseconds=1))
    assert not NOVEMBER.contains(utc(2023, 12, 1))
    assert not NOVEMBER.overlaps(DECEMBER)
    assert NOVEMBER.intersection(DECEMBER) is None
    both = NOVEMBER.intersection(Period(utc(2023, 11, 20), utc(2023, 12, 20)))
    assert both == Period(utc(2023, 11, 20), utc(2023, 12, 1))


def test_period_prints_its_local_days() -> None:
    assert (NOVEMBER.start_on(UTC_ZONE), NOVEMBER.last_on(UTC_ZONE)) == (
        date(2023, 11, 1),
        date(2023, 11, 30),
    )
    assert NOVEMBER.end_on(UTC_ZONE) == date(2023, 12, 1)
    stub = Period(utc(2023, 12, 1), utc(2023, 12, 10, 15))
    assert (stub.last_on(UTC_ZONE), stub.end_on(UTC_ZONE)) == (date(2023, 12, 10), date(2023, 12, 11))
    assert NOVEMBER.start_on(ZoneInfo("America/Los_Angeles")) == date(2023, 10, 31)


def test_repeated_hour_in_autumn_is_a_period_of_one_hour() -> None:
    first = datetime(2023, 10, 29, 2, 30, tzinfo=BERLIN)
    period = Period(first, first.replace(fold=1))
    assert period.end - period.start == timedelta(hours=1)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (utc(2023, 12, 1), utc(2023, 11, 1)),
        (utc(2023, 12, 1), utc(2023, 12, 1)),
        (datetime(2023, 11, 1), utc(2023, 12, 1)),  # noqa: DTZ001 - the naive instant is what is refused
        (utc(2023, 11, 1), datetime(2023, 12, 1)),  # noqa: DTZ001 - the naive instant is what is refused
    ],
)
def test_period_without_length_or_zone_is_refused(start: datetime, end: datetime) -> None:
    with pytest.raises(InvalidPeriod):
        Period(start, end)


@pytest.mark.parametrize("count", [0, -1, 1001, True, 1.5])
def test_interval_counts_at_least_one_unit(count: int) -> None:
    with pytest.raises(InvalidPeriod):
        Interval(IntervalUnit.MONTH, count)


def test_calendar_has_an_end() -> None:
    with pytest.raises(InvalidPeriod):
        boundary(date(2023, 1, 1), YEARLY, 9000, UTC_ZONE)


def test_days_of_a_month_are_counted_in_its_zone() -> None:
    assert local_days(NOVEMBER, UTC_ZONE) == 30
    march = Period(
        boundary(date(2024, 3, 1), MONTHLY, 0, BERLIN), boundary(date(2024, 3, 1), MONTHLY, 1, BERLIN)
    )
    assert local_days(march, BERLIN) == 31
    assert march.end - march.start == timedelta(days=31, hours=-1)


def test_share_of_december_after_a_cancellation_on_the_11th_is_21_of_31() -> None:
    assert day_fraction(Period(utc(2023, 12, 11), utc(2024, 1, 1)), DECEMBER, UTC_ZONE) == Fraction(21, 31)
    assert day_fraction(DECEMBER, DECEMBER, UTC_ZONE) == 1


def test_day_of_a_start_counts_and_day_of_an_end_does_not() -> None:
    noon = utc(2023, 12, 10, 12)
    assert day_fraction(Period(DECEMBER.start, noon), DECEMBER, UTC_ZONE) == Fraction(9, 31)
    assert day_fraction(Period(noon, DECEMBER.end), DECEMBER, UTC_ZONE) == Fraction(22, 31)


def test_part_outside_its_whole_is_refused() -> None:
    with pytest.raises(InvalidPeriod):
        day_fraction(NOVEMBER, DECEMBER, UTC_ZONE)
    hour = Period(utc(2023, 12, 1, 1), utc(2023, 12, 1, 2))
    with pytest.raises(InvalidPeriod):
        day_fraction(hour, hour, UTC_ZONE)


ZONES = st.sampled_from(
    [
        ZoneInfo(name)
        for name in (
            "UTC",
            "Europe/Berlin",
            "America/New_York",
            "America/Havana",
            "America/Sao_Paulo",
            "Africa/Cairo",
            "Asia/Kathmandu",
            "Australia/Lord_Howe",
            "Pacific/Apia",
        )
    ]
)
INTERVALS = st.builds(Interval, st.sampled_from(IntervalUnit), st.integers(1, 6))
ANCHORS = st.dates(date(2000, 1, 1), date(2030, 12, 31))
INSTANTS = st.datetimes(datetime(2001, 1, 1), datetime(2029, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive by contract


@MODEST
@given(anchor_on=ANCHORS, interval=INTERVALS, zone=ZONES, start=INSTANTS, span=st.integers(0, 800))
def test_periods_tile_time_without_hole_or_overlap(
    anchor_on: date, interval: Interval, zone: ZoneInfo, start: datetime, span: int
) -> None:
    until = start + timedelta(days=span)
    periods = list(periods_from(anchor_on, interval, zone, start, until))
    assert bool(periods) == (span > 0)
    if periods:
        assert periods[0].start == start
        assert periods[-1].start < until <= periods[-1].end
    for earlier, later in pairwise(periods):
        assert earlier.end == later.start


@MODEST
@given(anchor_on=ANCHORS, interval=INTERVALS, zone=ZONES, at=INSTANTS)
def test_every_instant_has_exactly_its_period(
    anchor_on: date, interval: Interval, zone: ZoneInfo, at: datetime
) -> None:
    n = period_index(anchor_on, interval, at, zone)
    assert boundary(anchor_on, interval, n, zone) <= at < boundary(anchor_on, interval, n + 1, zone)


@MODEST
@given(zone=ZONES, cuts=st.lists(st.integers(1, 366 * 24 * 60 - 1), max_size=6, unique=True))
def test_days_of_any_split_add_up_to_the_whole(zone: ZoneInfo, cuts: list[int]) -> None:
    start = boundary(date(2024, 1, 1), YEARLY, 0, zone)
    whole = Period(start, boundary(date(2024, 1, 1), YEARLY, 1, zone))
    marks = [whole.start, *(start + timedelta(minutes=cut) for cut in sorted(cuts)), whole.end]
    parts = [Period(a, b) for a, b in pairwise(marks)]
    assert sum(local_days(part, zone) for part in parts) == local_days(whole, zone) == 366
    assert sum(day_fraction(part, whole, zone) for part in parts) == 1
