"""When revenue counts: the conventions by which others spread a fee over months, beside our own by days.

Every convention gives whole minor units per month that sum to the amount exactly. Rounding is half away from zero.
Source: IFRS 15.41 leaves the measure of progress to judgment; each convention names whose practice it is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from fractions import Fraction

from billing.core.errors import InvalidPeriod, require_invariant
from billing.core.revenue import slices


class Convention(StrEnum):
    """How a fee is spread over the calendar months of its service.

    daily: by days of service (ours). millisecond: by the time itself. monthly: the same for every month that is
    touched. monthly_prorated_ends: whole months alike, first and last by their part of the month, parts in tenths
    (ERPNext). monthly_weighted_days: a month weighs its days of service over its days (OCA).
    """

    DAILY = "daily"
    MILLISECOND = "millisecond"
    MONTHLY = "monthly"
    MONTHLY_PRORATED_ENDS = "monthly_prorated_ends"
    MONTHLY_WEIGHTED_DAYS = "monthly_weighted_days"


@dataclass(frozen=True, slots=True)
class MonthAmount:
    """What counts in one month ("2023-11"), in minor units."""

    month: str
    amount_minor: int


def spread(
    amount_minor: int, start_on: date, end_on: date, convention: Convention, booked_on: date | None = None
) -> tuple[MonthAmount, ...]:
    """The amount per month of [start_on, end_on); end_on is exclusive.

    booked_on: the day of the invoice: its month takes what earlier months would have got, and any rest of rounding.
    Raises InvalidPeriod unless end_on is after start_on; for `millisecond` use spread_time.

    >>> months = spread(480000, date(2023, 1, 7), date(2023, 4, 1), Convention.MONTHLY_WEIGHTED_DAYS)
    >>> [(one.month, one.amount_minor) for one in months]
    [('2023-01', 137932), ('2023-02', 171034), ('2023-03', 171034)]
    """
    if end_on <= start_on:
        raise InvalidPeriod("service ends after it starts", field="end_on")
    if convention is Convention.MILLISECOND:
        raise InvalidPeriod("the time itself needs instants, not days", field="convention")
    if convention is Convention.DAILY:
        found = [MonthAmount(one.month, one.amount_minor) for one in slices(amount_minor, start_on, end_on)]
    elif convention is Convention.MONTHLY_PRORATED_ENDS:
        found = _prorated_ends(amount_minor, start_on, end_on)
    else:
        by_days = convention is Convention.MONTHLY_WEIGHTED_DAYS
        weights = [
            (month, Fraction(days, of) if by_days else Fraction(1))
            for month, days, of in _months(start_on, end_on)
        ]
        found = _weighted(amount_minor, weights, booked_on)
    require_invariant(sum(one.amount_minor for one in found) == amount_minor, "the months lost money")
    return tuple(found if booked_on is None else _caught_up(found, booked_on))


def spread_time(amount_minor: int, start: datetime, end: datetime) -> tuple[MonthAmount, ...]:
    """The amount per month by the time itself, to the microsecond, in the zone of the instants.

    Cumulative rounding, so that the months sum to the amount. Raises InvalidPeriod unless end is after start.

    >>> from datetime import UTC
    >>> noon = datetime(2024, 6, 15, 12, tzinfo=UTC)
    >>> [one.amount_minor for one in spread_time(6000, noon, datetime(2024, 8, 14, 12, tzinfo=UTC))]
    [1550, 3100, 1350]
    """
    if end <= start:
        raise InvalidPeriod("service ends after it starts", field="end")
    found: list[MonthAmount] = []
    taken, first, whole = 0, start, (end - start) // timedelta(microseconds=1)
    while first < end:
        month_start = first.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        after = min((month_start + timedelta(days=32)).replace(day=1), end)
        so_far = Fraction(amount_minor * ((after - start) // timedelta(microseconds=1)), whole)
        reached = _rounded(so_far)
        found.append(MonthAmount(first.strftime("%Y-%m"), reached - taken))
        taken, first = reached, after
    require_invariant(taken == amount_minor, "the months lost money")
    return tuple(found)


def _months(start_on: date, end_on: date) -> Iterator[tuple[str, int, int]]:
    """Each month that is touched: its name, its days of service, its days."""
    first = start_on
    while first < end_on:
        next_month = (first.replace(day=1) + timedelta(days=32)).replace(day=1)
        after = min(next_month, end_on)
        yield first.strftime("%Y-%m"), (after - first).days, (next_month - first.replace(day=1)).days
        first = after


def _weighted(
    amount_minor: int, weights: Sequence[tuple[str, Fraction]], booked_on: date | None
) -> list[MonthAmount]:
    """By weight, each month rounded by itself; the month of booking, else the first one, takes the rest."""
    total = sum((weight for _, weight in weights), Fraction(0))
    amounts = {month: _rounded(amount_minor * weight / total) for month, weight in weights}
    booked = booked_on.strftime("%Y-%m") if booked_on else ""
    takes_rest = booked if booked in amounts else weights[0][0]
    amounts[takes_rest] += amount_minor - sum(amounts.values())
    return [MonthAmount(month, amount) for month, amount in amounts.items()]


def _prorated_ends(amount_minor: int, start_on: date, end_on: date) -> list[MonthAmount]:
    """Whole months alike, a month that is not whole by its part in tenths; the last one takes the rest.

    Source: ERPNext, calculate_monthly_amount: months and parts are counted from first to last day and rounded to
    one decimal, so that 16 January to 31 March are 2.5 months.
    """
    last_on = end_on - timedelta(days=1)
    months = list(_months(start_on, end_on))
    span = (start_on.replace(day=1), _month_end(last_on))
    part = Fraction((last_on - start_on).days, max(1, (span[1] - span[0]).days))
    count = max(_tenths(len(months) * part), Fraction(1, 10))
    monthly = _rounded(Fraction(amount_minor) / count)
    found, left = [], amount_minor
    for index, (month, days, of) in enumerate(months):
        if index == len(months) - 1:
            amount = left
        else:
            amount = monthly if days == of else _rounded(_tenths(Fraction(days - 1, of - 1)) * monthly)
            amount = min(amount, left) if amount_minor >= 0 else max(amount, left)
        left -= amount
        found.append(MonthAmount(month, amount))
    return found


def _month_end(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)


def _caught_up(months: Sequence[MonthAmount], booked_on: date) -> list[MonthAmount]:
    """What earlier months would have got counts in the month of booking."""
    booked = booked_on.strftime("%Y-%m")
    missed = [one for one in months if one.month < booked]
    if not missed:
        return list(months)
    late = sum(one.amount_minor for one in months if one.month <= booked)
    return [MonthAmount(booked, late), *(one for one in months if one.month > booked)]


def _rounded(value: Fraction) -> int:
    """To whole minor units, half away from zero."""
    doubled = 2 * abs(value.numerator) + value.denominator
    amount = doubled // (2 * value.denominator)
    return -amount if value < 0 else amount


def _tenths(value: Fraction) -> Fraction:
    """To one decimal, half away from zero."""
    return Fraction(_rounded(value * 10), 10)
