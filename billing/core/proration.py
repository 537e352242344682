"""Proration: the share of a period as an exact fraction, by a policy that the plan names.

However a period is cut, the shares of its parts add up to one under each policy but `none`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from enum import StrEnum
from fractions import Fraction
from zoneinfo import ZoneInfo

from billing.core.errors import InvalidPeriod
from billing.core.periods import Interval, IntervalUnit, Period, local_days
from billing.core.quantity import EXACT

_DIGITS_28 = Context(prec=28)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS_OF_MONTH = 30


class ProrationPolicy(StrEnum):
    """How a fee is cut when its service is shorter than the interval.

    day: by local days, so that figures can be checked by hand and a change of clocks costs nobody an hour.
    second: by elapsed seconds. thirty_day_month: by days, each month having 30. none: not at all.
    """

    DAY = "day"
    SECOND = "second"
    THIRTY_DAY_MONTH = "thirty_day_month"
    NONE = "none"


class ProrationUnit(StrEnum):
    """What a share counts."""

    DAY = "day"
    SECOND = "second"


@dataclass(frozen=True, slots=True)
class Share:
    """The part of a period that is charged: `count` of `of` units. Raises InvalidPeriod unless it is a part."""

    count: int
    of: int
    unit: ProrationUnit

    def __post_init__(self) -> None:
        if self.of < 1 or not 0 <= self.count <= self.of:
            raise InvalidPeriod("a share is a part of its whole", field="share")

    @property
    def fraction(self) -> Fraction:
        """The share as an exact number from 0 to 1."""
        return Fraction(self.count, self.of)


def require_policy(policy: ProrationPolicy, interval: Interval) -> None:
    """Raise InvalidPeriod if the policy has no meaning for the interval."""
    if policy is ProrationPolicy.THIRTY_DAY_MONTH and interval.unit not in (
        IntervalUnit.MONTH,
        IntervalUnit.YEAR,
    ):
        raise InvalidPeriod("months of 30 days suit intervals of months and years only", field="proration")


def share_of(policy: ProrationPolicy, part: Period, whole: Period, zone: ZoneInfo) -> Share | None:
    """What of the whole is charged for a part of it; None if that is all of it.

    Raises InvalidPeriod if the part is not within the whole, or the whole has nothing to count.
    Sources: Lago (inclusive local days), OpenMeter and Stripe (seconds), Kill Bill (fixed days in a month).

    >>> utc = ZoneInfo("UTC")
    >>> january = Period(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC))
    >>> rest = Period(datetime(2024, 1, 16, 12, tzinfo=UTC), january.end)
    >>> share_of(ProrationPolicy.DAY, rest, january, utc)
    Share(count=16, of=31, unit=<ProrationUnit.DAY: 'day'>)
    >>> share_of(ProrationPolicy.SECOND, rest, january, utc).fraction
    Fraction(1, 2)
    >>> share_of(ProrationPolicy.THIRTY_DAY_MONTH, rest, january, utc).fraction
    Fraction(1, 2)
    >>> share_of(ProrationPolicy.NONE, rest, january, utc)
    """
    if policy is ProrationPolicy.NONE or part == whole:
        return None
    match policy:
        case ProrationPolicy.DAY:
            fraction, of = day_fraction(part, whole, zone), local_days(whole, zone)
            share = Share(int(fraction * of), of, ProrationUnit.DAY)
        case ProrationPolicy.SECOND:
            share = _counted(part, whole, _seconds_since_epoch, ProrationUnit.SECOND)
        case ProrationPolicy.THIRTY_DAY_MONTH:
            start_on, end_on = (at.astimezone(zone).date() for at in (whole.start, whole.end))
            of = _DAYS_OF_MONTH * _months(
                start_on, end_on
            )  # a day that clamps to a short month costs nothing

            def position(at: datetime) -> int:
                if at == whole.end:
                    return of
                on = at.astimezone(zone).date()
                return min(max(days_of_fixed_months(start_on, on, length=_DAYS_OF_MONTH), 0), of)

            share = _counted(part, whole, position, ProrationUnit.DAY)
    return None if share.count == share.of else share


def _counted(part: Period, whole: Period, position: Callable[[datetime], int], unit: ProrationUnit) -> Share:
    if part.start < whole.start or part.end > whole.end:
        raise InvalidPeriod("the part lies within the whole", field="period")
    of = position(whole.end) - position(whole.start)
    if of < 1:
        raise InvalidPeriod(f"a period to prorate has at least one {unit}", field="period")
    return Share(position(part.end) - position(part.start), of, unit)


def _seconds_since_epoch(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(seconds=1)


def days_of_fixed_months(start_on: date, end_on: date, *, length: int) -> int:
    """Days between two days when each month has `length` of them, and later days of a month count as its last.

    With 30 it is 30E/360 (ISDA 2006 section 4.16(g)).

    >>> days_of_fixed_months(date(2023, 2, 23), date(2023, 3, 15), length=30)
    22
    """
    return length * _months(start_on, end_on) + min(end_on.day, length) - min(start_on.day, length)


def _months(start_on: date, end_on: date) -> int:
    return (end_on.year - start_on.year) * 12 + end_on.month - start_on.month


def day_fraction(part: Period, whole: Period, zone: ZoneInfo) -> Fraction:
    """Local days of `part` over local days of `whole`; the fractions of the parts of any split add up to 1.

    Raises InvalidPeriod if the part is not within the whole, or the whole has no local day.
    Source: rules of this product, checked against its reference entries (21 of 31 days of December unused).

    >>> from datetime import UTC, datetime
    >>> december = Period(datetime(2023, 12, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC))
    >>> day_fraction(Period(datetime(2023, 12, 11, tzinfo=UTC), december.end), december, ZoneInfo("UTC"))
    Fraction(21, 31)
    """
    if part.start < whole.start or part.end > whole.end:
        raise InvalidPeriod("the part lies within the whole", field="period")
    days = local_days(whole, zone)
    if days < 1:
        raise InvalidPeriod("a period to prorate has at least one local day", field="period")
    return Fraction(local_days(part, zone), days)


def prorate(amount: Decimal, fraction: Fraction) -> Decimal:
    """The share of an amount, to 28 significant digits (half even); not yet rounded to minor units.

    >>> prorate(Decimal("99.00"), Fraction(1, 3)), prorate(Decimal("99.00"), Fraction(1))
    (Decimal('33.00'), Decimal('99.00'))
    """
    return _DIGITS_28.divide(
        EXACT.multiply(amount, Decimal(fraction.numerator)), Decimal(fraction.denominator)
    )
