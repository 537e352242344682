"""Revenue by days of service: how a fee is spread over the calendar months in which it is delivered.

Source: IFRS 15.41 and B18 (output method: time elapsed); reference journal entries 3, 5b and 6a.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from billing.core.errors import InvalidPeriod, require_invariant


@dataclass(frozen=True, slots=True)
class Slice:
    """The part of a line that is delivered in one calendar month. end_on is exclusive; month is "2023-11"."""

    month: str
    start_on: date
    end_on: date
    days: int
    amount_minor: int


def slices(amount_minor: int, start_on: date, end_on: date) -> tuple[Slice, ...]:
    """Spread an amount over the months of [start_on, end_on) by days of service; the slices sum to it
    exactly.

    Cumulative rounding, half away from zero: what is delivered by the end of a month is round(amount x days
    so far / all days), and the last slice takes the remainder. Works for negative amounts by mirroring.
    Raises InvalidPeriod unless end_on is after start_on.

    >>> [(s.month, s.days, s.amount_minor) for s in slices(10000, date(2023, 11, 15), date(2024, 1, 15))]
    [('2023-11', 16, 2623), ('2023-12', 31, 5082), ('2024-01', 14, 2295)]
    """
    if end_on <= start_on:
        raise InvalidPeriod("service ends after it starts", field="end_on")
    result: list[Slice] = []
    whole, taken, first = (end_on - start_on).days, 0, start_on
    while first < end_on:
        next_month = (first.replace(day=1) + timedelta(days=32)).replace(day=1)
        after = min(next_month, end_on)
        reached = _share(amount_minor, (after - start_on).days, whole)
        result.append(Slice(first.strftime("%Y-%m"), first, after, (after - first).days, reached - taken))
        taken, first = reached, after
    require_invariant(taken == amount_minor, "the slices do not sum to the amount")
    return tuple(result)


def delivered_minor(schedule: Sequence[Slice], through_on: date) -> int:
    """What has been delivered by the end of a day, in minor units: 0 before the service, all of it after.

    >>> delivered_minor(slices(9900, date(2023, 12, 1), date(2024, 1, 1)), date(2023, 12, 10))
    3194
    """
    days = sum(_days_through(one, through_on) for one in schedule)
    whole = sum(one.days for one in schedule)
    return _share(sum(one.amount_minor for one in schedule), days, whole) if whole else 0


def remaining_minor(schedule: Sequence[Slice], through_on: date) -> int:
    """What is still to be delivered after a day: deferred revenue, and what a cancellation gives back.

    >>> remaining_minor(slices(9900, date(2023, 12, 1), date(2024, 1, 1)), date(2023, 12, 10))
    6706
    """
    return sum(one.amount_minor for one in schedule) - delivered_minor(schedule, through_on)


def cut(schedule: Sequence[Slice], through_on: date) -> tuple[Slice, ...]:
    """The schedule that is left when service ends with a day: it sums to what was delivered by then.

    Whole months before the cut keep their slice; the month of the cut shrinks; later ones are gone.
    """
    kept = [one for one in schedule if one.start_on <= through_on]
    if not kept:
        return ()
    last = kept[-1]
    days = _days_through(last, through_on)
    amount_minor = delivered_minor(schedule, through_on) - sum(one.amount_minor for one in kept[:-1])
    return (
        *kept[:-1],
        Slice(last.month, last.start_on, last.start_on + timedelta(days=days), days, amount_minor),
    )


def _days_through(one: Slice, through_on: date) -> int:
    return max(0, min(one.days, (through_on - one.start_on).days + 1))


def _share(amount_minor: int, days: int, whole: int) -> int:
    """amount x days / whole, rounded half away from zero, in integers."""
    share = (2 * abs(amount_minor) * days + whole) // (2 * whole)
    return -share if amount_minor < 0 else share
