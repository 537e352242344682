"""Periods and calendars: half-open spans of time, and billing periods computed from an anchor in a time zone.

Instants are aware and kept in UTC; days are dates in the zone that is handed in. The nth boundary is computed
from the anchor, never from the (n-1)th, so a 31st clamps to a short month and comes back in the next long
one.
"""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from billing.core.errors import InvalidPeriod

_TICK = timedelta(microseconds=1)
_LEAP_CYCLE = 9
"""So many steps back, a rhythm of months has met each length that its months have; eight years may lack a leap day."""


class IntervalUnit(StrEnum):
    """The unit of a billing interval."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


class Anchor(StrEnum):
    """calendar: periods start on the first of the month (year, week). anniversary: on the day of the
    start.
    """

    CALENDAR = "calendar"
    ANNIVERSARY = "anniversary"


@dataclass(frozen=True, slots=True)
class Interval:
    """A billing interval: `count` units, e.g. 3 months. Raises InvalidPeriod unless 1 <= count <= 1000."""

    unit: IntervalUnit
    count: int = 1

    def __post_init__(self) -> None:
        if type(self.count) is not int or not 1 <= self.count <= 1000:
            raise InvalidPeriod("an interval counts 1 to 1000 units", field="interval_count")


@dataclass(frozen=True, slots=True)
class Period:
    """The instants `start <= at < end`, both aware, kept in UTC.

    Kept in UTC because Python compares two instants of one zone by their wall clocks, which repeat in autumn.
    Raises InvalidPeriod for naive instants or an end that is not after the start.

    >>> november = Period(datetime(2023, 11, 1, tzinfo=UTC), datetime(2023, 12, 1, tzinfo=UTC))
    >>> november.contains(november.start), november.contains(november.end)
    (True, False)
    >>> november.last_on(ZoneInfo("UTC")).isoformat(), november.end_on(ZoneInfo("UTC")).isoformat()
    ('2023-11-30', '2023-12-01')
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise InvalidPeriod("the instants of a period carry a time zone", field="period")
        object.__setattr__(self, "start", self.start.astimezone(UTC))
        object.__setattr__(self, "end", self.end.astimezone(UTC))
        if self.start >= self.end:
            raise InvalidPeriod("a period ends after it starts", field="period")

    def contains(self, at: datetime) -> bool:
        """Whether the instant lies in the period; the end does not."""
        return self.start <= at.astimezone(UTC) < self.end

    def overlaps(self, other: "Period") -> bool:
        """Whether the two share an instant; touching periods do not."""
        return self.start < other.end and other.start < self.end

    def intersection(self, other: "Period") -> "Period | None":
        """The shared part, or None."""
        if not self.overlaps(other):
            return None
        return Period(max(self.start, other.start), min(self.end, other.end))

    def start_on(self, zone: ZoneInfo) -> date:
        """The local day of the first instant."""
        return self.start.astimezone(zone).date()

    def last_on(self, zone: ZoneInfo) -> date:
        """The local day of the last instant: what a document prints as "to"."""
        return (self.end - _TICK).astimezone(zone).date()

    def end_on(self, zone: ZoneInfo) -> date:
        """The day after `last_on`: the exclusive end in days."""
        return self.last_on(zone) + timedelta(days=1)


def local_days(period: Period, zone: ZoneInfo) -> int:
    """Local days of a period for proration: a day belongs to the part that holds its last instant.

    So however a period is cut, the days of the parts add up to the days of the whole: the day of a mid-day
    start counts in full, the day of a mid-day end does not. 23- and 25-hour days count as one.

    >>> unused = Period(datetime(2023, 12, 11, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC))
    >>> local_days(unused, ZoneInfo("UTC"))
    21
    """
    return (period.end.astimezone(zone).date() - period.start.astimezone(zone).date()).days


def _first_instant(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a local day, in UTC: midnight, or the end of the gap when the clocks skip
    midnight.

    Where midnight comes twice it is the first of the two.
    """
    midnight = datetime.combine(day, time(0), tzinfo=zone)
    at = midnight.astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return at
    before = midnight.replace(fold=1).astimezone(UTC)  # in a gap, fold=1 names an instant before the change
    low, high = int(before.timestamp()), int(at.timestamp())
    while low < high:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).date() >= day:
            high = middle
        else:
            low = middle + 1
    return datetime.fromtimestamp(high, UTC)


def _boundary_day(anchor_on: date, interval: Interval, n: int) -> date:
    steps = n * interval.count
    match interval.unit:
        case IntervalUnit.DAY:
            return anchor_on + timedelta(days=steps)
        case IntervalUnit.WEEK:
            return anchor_on + timedelta(weeks=steps)
        case IntervalUnit.MONTH | IntervalUnit.YEAR:
            months = steps if interval.unit is IntervalUnit.MONTH else 12 * steps
            year, month0 = divmod(anchor_on.year * 12 + anchor_on.month - 1 + months, 12)
            return date(year, month0 + 1, min(anchor_on.day, monthrange(year, month0 + 1)[1]))


def boundary(anchor_on: date, interval: Interval, n: int, zone: ZoneInfo) -> datetime:
    """The nth boundary of the periods anchored on a day: the start of period n, the end of period n - 1; in
    UTC.

    n may be negative. Local midnight; if the clocks skip it, the first instant of that day. A day that the
    month lacks clamps to its last. Raises InvalidPeriod outside the years 1 to 9999.

    >>> month = Interval(IntervalUnit.MONTH)
    >>> [boundary(date(2024, 1, 31), month, n, ZoneInfo("UTC")).date().isoformat() for n in range(4)]
    ['2024-01-31', '2024-02-29', '2024-03-31', '2024-04-30']
    """
    try:
        return _first_instant(_boundary_day(anchor_on, interval, n), zone)
    except (OverflowError, ValueError) as error:
        raise InvalidPeriod("the period lies outside the calendar", field="period") from error


def calendar_anchor(start_on: date, interval: Interval) -> date:
    """The anchor of calendar billing: the first day of the month, year or (Monday) week of `start_on`, or
    that day.

    Never after `start_on`. An interval of several units starts with the unit that holds the start: three
    months from 15 November run from 1 November, not from 1 October.

    >>> calendar_anchor(date(2023, 11, 15), Interval(IntervalUnit.MONTH)).isoformat()
    '2023-11-01'
    """
    match interval.unit:
        case IntervalUnit.DAY:
            return start_on
        case IntervalUnit.WEEK:
            return start_on - timedelta(days=start_on.weekday())
        case IntervalUnit.MONTH:
            return start_on.replace(day=1)
        case IntervalUnit.YEAR:
            return start_on.replace(month=1, day=1)


def billing_day_anchor(start_on: date, interval: Interval, day: int) -> date:
    """The anchor of billing on a day of the month, for intervals of months and years: it carries that very day.

    Its periods bill on the day, or on the last of a month that lacks it. The first bound is in the month of the start
    or one interval later. Raises InvalidPeriod for another interval or a day outside 1 to 31.

    >>> month = Interval(IntervalUnit.MONTH)
    >>> anchor_on = billing_day_anchor(date(2012, 2, 16), month, 30)
    >>> n = period_index(anchor_on, month, datetime(2012, 2, 16, tzinfo=UTC), ZoneInfo("UTC")) + 1
    >>> [boundary(anchor_on, month, n + i, ZoneInfo("UTC")).date().isoformat() for i in range(2)]
    ['2012-02-29', '2012-03-30']
    """
    if interval.unit not in (IntervalUnit.MONTH, IntervalUnit.YEAR):
        raise InvalidPeriod("a billing day is a day of intervals of months or years", field="anchor_day")
    if isinstance(day, bool) or not 1 <= day <= 31:
        raise InvalidPeriod("a billing day is 1 to 31", field="anchor_day")
    months = interval.count * (12 if interval.unit is IntervalUnit.YEAR else 1)
    first = start_on.year * 12 + start_on.month - 1
    found = start_on.replace(day=1)
    for steps in range(_LEAP_CYCLE):
        year, month0 = divmod(first - steps * months, 12)
        if year < 1:
            break
        last = monthrange(year, month0 + 1)[1]
        if min(day, last) > found.day or steps == 0:
            found = date(year, month0 + 1, min(day, last))
        if found.day == day:
            break
    return found


def period_index(anchor_on: date, interval: Interval, at: datetime, zone: ZoneInfo) -> int:
    """The n with boundary(n) <= at < boundary(n + 1). Negative before the anchor.

    >>> month, at = Interval(IntervalUnit.MONTH), datetime(2024, 3, 30, tzinfo=UTC)
    >>> period_index(date(2024, 1, 31), month, at, ZoneInfo("UTC"))
    1
    """
    if at.tzinfo is None:
        raise InvalidPeriod("an instant carries a time zone", field="at")
    at = at.astimezone(UTC)
    on = at.astimezone(zone).date()
    months = (on.year - anchor_on.year) * 12 + on.month - anchor_on.month
    match interval.unit:
        case IntervalUnit.DAY:
            n = (on - anchor_on).days // interval.count
        case IntervalUnit.WEEK:
            n = (on - anchor_on).days // (7 * interval.count)
        case IntervalUnit.MONTH:
            n = months // interval.count
        case IntervalUnit.YEAR:
            n = months // (12 * interval.count)
    # The estimate by calendar fields is at most one off; the boundaries decide.
    while boundary(anchor_on, interval, n, zone) > at:
        n -= 1
    while boundary(anchor_on, interval, n + 1, zone) <= at:
        n += 1
    return n


def periods_from(
    anchor_on: date, interval: Interval, zone: ZoneInfo, start: datetime, until: datetime
) -> Iterator[Period]:
    """The consecutive periods from `start` on that begin before `until`, in order, without gap or overlap.

    The first is cut to `start` (a stub, unless `start` is a boundary); the last is whole, also if it ends
    after `until`. Nothing if `until` is not after `start`.

    >>> [(p.start.day, p.end.day) for p in periods_from(date(2023, 11, 1), Interval(IntervalUnit.MONTH),
    ...     ZoneInfo("UTC"), datetime(2023, 11, 15, tzinfo=UTC), datetime(2023, 12, 2, tzinfo=UTC))]
    [(15, 1), (1, 1)]
    """
    if start.tzinfo is None or until.tzinfo is None:
        raise InvalidPeriod("an instant carries a time zone", field="start")
    start, until = start.astimezone(UTC), until.astimezone(UTC)
    n = period_index(anchor_on, interval, start, zone)
    while start < until:
        n += 1
        end = boundary(anchor_on, interval, n, zone)
        if end > start:  # a day that a zone left out altogether (Apia, 30 December 2011) has no period
            yield Period(start, end)
            start = end
