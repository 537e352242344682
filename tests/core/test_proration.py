"""The share of a period under each policy: published figures, and parts that add up to the whole."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.core.errors import InvalidPeriod
from billing.core.periods import Interval, IntervalUnit, Period, boundary
from billing.core.proration import ProrationPolicy, ProrationUnit, Share, require_policy, share_of

UTC_ZONE = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")
CUTTING = [ProrationPolicy.DAY, ProrationPolicy.SECOND, ProrationPolicy.THIRTY_DAY_MONTH]


def days(start: str, end: str, zone: ZoneInfo = UTC_ZONE) -> Period:
    return Period(*(datetime.fromisoformat(day).replace(tzinfo=zone) for day in (start, end)))


@pytest.mark.parametrize(
    ("policy", "part", "whole", "fraction"),
    [
        # Lago: local days of the part over those of the period
        ("day", days("2022-03-15", "2022-04-01"), days("2022-03-01", "2022-04-01"), Fraction(17, 31)),
        ("day", days("2022-06-22", "2022-06-27"), days("2022-06-20", "2022-06-27"), Fraction(5, 7)),
        # OpenMeter: seconds
        (
            "second",
            Period(datetime(2024, 1, 21, 21, 55, 18, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC)),
            days("2024-01-01", "2024-02-01"),
            Fraction(871482, 31 * 86400),
        ),
        ("second", days("2024-01-01", "2024-02-01"), days("2024-01-01", "2024-04-01"), Fraction(31, 91)),
        # Kill Bill: months of 30 days
        (
            "thirty_day_month",
            days("2023-02-23", "2023-03-15"),
            days("2023-02-15", "2023-03-15"),
            Fraction(22, 30),
        ),
        (
            "thirty_day_month",
            days("2023-06-15", "2023-06-23"),
            days("2023-06-15", "2023-07-15"),
            Fraction(8, 30),
        ),
        (
            "thirty_day_month",
            days("2024-01-31", "2024-02-29"),
            days("2023-12-31", "2024-02-29"),
            Fraction(1, 2),
        ),
        (
            "thirty_day_month",
            days("2024-04-01", "2025-01-01"),
            days("2024-01-01", "2025-01-01"),
            Fraction(3, 4),
        ),
    ],
)
def test_published_shares(policy: str, part: Period, whole: Period, fraction: Fraction) -> None:
    share = share_of(ProrationPolicy(policy), part, whole, UTC_ZONE)
    assert share is not None
    assert share.fraction == fraction


def test_whole_period_has_no_share_and_none_never_cuts() -> None:
    march = days("2022-03-01", "2022-04-01")
    assert all(share_of(policy, march, march, UTC_ZONE) is None for policy in ProrationPolicy)
    assert share_of(ProrationPolicy.NONE, days("2022-03-15", "2022-04-01"), march, UTC_ZONE) is None


def test_day_that_is_an_hour_short_costs_a_day_by_days_and_23_hours_by_seconds() -> None:
    march = days("2024-03-01", "2024-04-01", BERLIN)
    changing = days("2024-03-31", "2024-04-01", BERLIN)
    by_day = share_of(ProrationPolicy.DAY, changing, march, BERLIN)
    by_second = share_of(ProrationPolicy.SECOND, changing, march, BERLIN)
    assert by_day == Share(1, 31, ProrationUnit.DAY)
    assert by_second == Share(23 * 3600, (31 * 24 - 1) * 3600, ProrationUnit.SECOND)


@settings(max_examples=200, deadline=None)
@given(
    policy=st.sampled_from(CUTTING),
    anchor_on=st.dates(date(2019, 12, 25), date(2024, 3, 2)),
    count=st.integers(1, 12),
    cuts=st.lists(st.floats(0.001, 0.999), min_size=1, max_size=4, unique=True),
    zone=st.sampled_from([UTC_ZONE, BERLIN, ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata")]),
)
def test_shares_of_the_parts_add_up_to_the_whole(
    policy: ProrationPolicy, anchor_on: date, count: int, cuts: list[float], zone: ZoneInfo
) -> None:
    interval = Interval(IntervalUnit.MONTH, count)
    whole = Period(boundary(anchor_on, interval, 0, zone), boundary(anchor_on, interval, 1, zone))
    seconds = (whole.end - whole.start) // timedelta(seconds=1)
    bounds = sorted({whole.start + timedelta(seconds=int(seconds * cut)) for cut in cuts} - {whole.start})
    parts = [Period(*pair) for pair in zip([whole.start, *bounds], [*bounds, whole.end], strict=True)]
    shares = [share_of(policy, part, whole, zone) for part in parts]
    assert sum(Fraction(1) if share is None else share.fraction for share in shares) == 1


@pytest.mark.parametrize("policy", CUTTING)
def test_part_outside_the_whole_is_refused(policy: ProrationPolicy) -> None:
    with pytest.raises(InvalidPeriod):
        share_of(policy, days("2022-02-20", "2022-03-15"), days("2022-03-01", "2022-04-01"), UTC_ZONE)


@pytest.mark.parametrize(("count", "of"), [(-1, 30), (31, 30), (0, 0)])
def test_share_that_is_no_part_is_refused(count: int, of: int) -> None:
    with pytest.raises(InvalidPeriod):
        Share(count, of, ProrationUnit.DAY)


@pytest.mark.parametrize("unit", [IntervalUnit.DAY, IntervalUnit.WEEK])
def test_months_of_30_days_need_an_interval_of_months(unit: IntervalUnit) -> None:
    with pytest.raises(InvalidPeriod):
        require_policy(ProrationPolicy.THIRTY_DAY_MONTH, Interval(unit))
    require_policy(ProrationPolicy.THIRTY_DAY_MONTH, Interval(IntervalUnit.YEAR))
    require_policy(ProrationPolicy.DAY, Interval(unit))
