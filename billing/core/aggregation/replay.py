"""Measuring by replay: the events themselves, in order of time, whatever order they came in.

It can do every aggregation, so the ones that merge are held to it by tests.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import ROUND_CEILING, Decimal

from billing.core.aggregation.events import (
    MeterEvent,
    Operation,
    group_of,
    passes,
    quantity_in,
    unique_value,
)
from billing.core.aggregation.rules import Aggregation, MeterRule, rounded_units
from billing.core.errors import InvalidPeriod
from billing.core.expression import rounded_to
from billing.core.quantity import DECIMAL, EXACT

PRORATED_DECIMALS = 5
"""Prorated units are rounded up at the fifth decimal before they are priced, as Lago's figures are."""
_TICK = timedelta(microseconds=1)
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Window:
    """The time that is measured, [start, end), and the whole period it is a part of.

    zone: of the local days that proration counts. whole: length of the whole period where it is longer than the
    window (a subscription that starts or ends in it).
    """

    start: datetime
    end: datetime
    zone: tzinfo
    whole: timedelta | None = None

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None or self.start >= self.end:
            raise InvalidPeriod(
                "a period has two instants with offsets and ends after it starts", field="period"
            )
        # Two instants of one zone would be compared and subtracted by the wall clock, which jumps twice a year.
        object.__setattr__(self, "start", self.start.astimezone(UTC))
        object.__setattr__(self, "end", self.end.astimezone(UTC))

    @property
    def first_day(self) -> date:
        return self.start.astimezone(self.zone).date()

    @property
    def last_day(self) -> date:
        """The local day of the last instant."""
        return (self.end - _TICK).astimezone(self.zone).date()

    @property
    def whole_days(self) -> int:
        own = (self.last_day - self.first_day).days + 1
        return own if self.whole is None else round(self.whole / timedelta(days=1))

    @property
    def whole_seconds(self) -> Decimal:
        return _seconds(self.whole if self.whole is not None else self.end - self.start)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a meter says of a window.

    units: what is priced: rounded by the meter, and prorated where it prorates. full_units: as if it did not prorate.
    closing: what stands at the end and is carried over. last_event_units: what the last event alone added, for prices
    that bill it at once. event_units, event_units_prorated: what each event of the window changed, what was carried
    in first.
    """

    units: Decimal
    full_units: Decimal
    closing: Decimal
    event_count: int
    last_event_units: Decimal
    event_units: tuple[Decimal, ...] = ()
    event_units_prorated: tuple[Decimal, ...] = ()


@dataclass(frozen=True, slots=True)
class _Found:
    """Result of one aggregation before the meter's rounding; changes: of the carried part first, then per event."""

    full: Decimal
    closing: Decimal
    changes: tuple[Decimal, ...] = ()
    shares: tuple[Decimal, ...] = ()
    units: Decimal | None = None
    last: Decimal | None = None


def measure(rule: MeterRule, events: Iterable[MeterEvent], window: Window) -> Measured:
    """What a meter counts of events, whatever groups it has.

    Events before the window matter for a recurring meter only, those after it never. Events without a number where
    the meter reads one are passed over, an id counts once, and the order given decides only between equal instants
    without ids.
    """
    before, inside = _sorted_out(rule, events, window)
    found = _MEASURES[rule.aggregation](rule, before, inside, window)
    prorated = found.units if rule.prorated and found.units is not None else found.full
    without = None
    if found.last is None and inside:
        without = _MEASURES[rule.aggregation](rule, before, inside[:-1], window).full
    last = found.last
    if last is None:
        last = DECIMAL.subtract(found.full, without) if without is not None else ZERO
    return Measured(
        units=rounded_units(rule, prorated),
        full_units=rounded_units(rule, found.full),
        closing=found.closing,
        event_count=len(inside),
        last_event_units=last,
        event_units=found.changes,
        event_units_prorated=found.shares,
    )


def measure_groups(
    rule: MeterRule, events: Iterable[MeterEvent], window: Window
) -> dict[tuple[str | None, ...], Measured]:
    """What a meter counts per group, in order of the groups' values; a meter without groups has the one group ()."""
    parted: dict[tuple[str | None, ...], list[MeterEvent]] = {}
    for event in events:
        if passes(rule, event.properties):
            parted.setdefault(group_of(rule, event.properties), []).append(event)
    alone = replace(rule, group_by=())
    groups = {key: measure(alone, parted[key], window) for key in sorted(parted, key=_group_order)}
    return {key: found for key, found in groups.items() if found.event_count or found.closing or found.units}


def _group_order(key: tuple[str | None, ...]) -> tuple[tuple[bool, str], ...]:
    return tuple((value is None, value or "") for value in key)


def _sorted_out(
    rule: MeterRule, events: Iterable[MeterEvent], window: Window
) -> tuple[list[MeterEvent], list[MeterEvent]]:
    """The events that the meter reads, once each, in order: those carried in, and those of the window."""
    seen: set[str] = set()
    kept = []
    for event in events:
        if event.at >= window.end or (event.at < window.start and not rule.recurring):
            continue
        if event.id and event.id in seen:
            continue
        seen.add(event.id)
        if passes(rule, event.properties) and _is_readable(rule, event):
            kept.append(event)
    kept.sort(key=lambda event: (event.at.astimezone(UTC), event.id))
    before = [event for event in kept if event.at < window.start]
    return before, kept[len(before) :]


def _is_readable(rule: MeterRule, event: MeterEvent) -> bool:
    if rule.aggregation is Aggregation.UNIQUE_COUNT:
        return unique_value(rule, event.properties) is not None
    return quantity_in(rule, event.properties) is not None


def _numbers(rule: MeterRule, events: Sequence[MeterEvent]) -> list[Decimal]:
    found = [quantity_in(rule, event.properties) for event in events]
    return [EXACT.multiply(number, rule.multiplier) for number in found if number is not None]


def _total(numbers: Iterable[Decimal]) -> Decimal:
    total = ZERO
    for number in numbers:
        total = EXACT.add(total, number)
    return total


def _additive(
    rule: MeterRule, before: Sequence[MeterEvent], inside: Sequence[MeterEvent], window: Window
) -> _Found:
    """count, sum, sum_with_multiplier, expression: what each event changes, for the days it lasts where prorated."""
    carried, numbers = _total(_numbers(rule, before)), _numbers(rule, inside)
    full = EXACT.add(carried, _total(numbers))
    days = [(window.last_day - _day(event, window)).days + 1 for event in inside]
    changes, lasted = numbers, days
    if before:
        changes = [carried, *numbers]
        lasted = [(window.last_day - window.first_day).days + 1, *days]
    weighed = [EXACT.multiply(change, Decimal(count)) for change, count in zip(changes, lasted, strict=True)]
    shares = tuple(DECIMAL.divide(one, Decimal(window.whole_days)) for one in weighed)
    increase = _increase_of_peak(carried, numbers)
    last = increase
    if rule.prorated and inside:
        last = _share(EXACT.multiply(increase, Decimal(days[-1])), window)
    return _Found(full, full, tuple(changes), shares, _share(_total(weighed), window), last)


def _increase_of_peak(carried: Decimal, numbers: Sequence[Decimal]) -> Decimal:
    """How far the last change lifts the total above all that it has been: what is newly to be paid for."""
    total = peak = max(carried, ZERO)
    total = carried
    increase = ZERO
    for number in numbers:
        total = EXACT.add(total, number)
        increase = max(total - peak, ZERO)
        peak = max(peak, total)
    return increase


def _day(event: MeterEvent, window: Window) -> date:
    return event.at.astimezone(window.zone).date()


def _share(weighed: Decimal, window: Window) -> Decimal:
    """Unit days as a share of the whole period, rounded up at five decimals."""
    exact = DECIMAL.divide(weighed, Decimal(window.whole_days))
    return rounded_to(exact, PRORATED_DECIMALS, ROUND_CEILING)


def _extreme(choose: Callable[[list[Decimal]], Decimal]) -> "_Measure":
    def found(
        rule: MeterRule, before: Sequence[MeterEvent], inside: Sequence[MeterEvent], window: Window
    ) -> _Found:
        numbers = _numbers(rule, inside)
        return _Found(choose(numbers) if numbers else ZERO, ZERO, tuple(numbers))

    return found


def _average(numbers: list[Decimal]) -> Decimal:
    return DECIMAL.divide(_total(numbers), Decimal(len(numbers)))


def _latest(
    rule: MeterRule, before: Sequence[MeterEvent], inside: Sequence[MeterEvent], window: Window
) -> _Found:
    numbers = _numbers(rule, [*before, *inside])
    last = numbers[-1] if numbers else ZERO
    return _Found(last, last, tuple(_numbers(rule, inside)))


def _percentile(
    rule: MeterRule, before: Sequence[MeterEvent], inside: Sequence[MeterEvent], window: Window
) -> _Found:
    """Nearest rank: the value at place ceil(p / 100 x n) of the sorted ones."""
    assert rule.percentile is not None, "a rule of this kind has its percentile"
    numbers = _numbers(rule, inside)
    if not numbers:
        return _Found(ZERO, ZERO)
    place = math.ceil(EXACT.multiply(rule.percentile, Decimal(len(numbers))) / 100)
    return _Found(sorted(numbers)[place - 1], ZERO, tuple(numbers))


def _weighted_sum(
    rule: MeterRule, before: Sequence[MeterEvent], inside: Sequence[MeterEvent], window: Window
) -> _Found:
    """Each change weighs by the seconds it lasted until the end, of the seconds of the whole period."""
    carried, numbers = _total(_numbers(rule, before)), _numbers(rule, inside)
    lasted = [_seconds(window.end - event.at.astimezone(UTC)) for event in inside]
    weighed = [EXACT.multiply(number, seconds) for number, seconds in zip(numbers, lasted, strict=True)]
    all_weighed = EXACT.add(EXACT.multiply(carried, _seconds(window.end - window.start)), _total(weighed))
    full = DECIMAL.divide(all_weighed, window.whole_seconds)
    return _Found(full, EXACT.add(carried, _total(numbers)), tuple(numbers))


def _unique_count(
    rule: MeterRule, before: Sequence[MeterEvent], inside: Sequence[MeterEvent], window: Window
) -> _Found:
    """Values that are there at the end; prorated, the local days on which each was there."""
    since: dict[str, date] = {}  # values that are there, and the day from which they count
    days: dict[str, _Days] = {}
    for event in before:
        _apply(rule, event, since, days, window.first_day)
    days.clear()
    carried = len(since)
    changes: list[Decimal] = []
    last = last_days = ZERO
    for event in inside:
        here = _day(event, window)
        value = unique_value(rule, event.properties) or ""
        counted = days.get(value)
        was_there = value in since or (counted is not None and counted.until >= here)
        grown = len(since)
        _apply(rule, event, since, days, here)
        changes.append(Decimal(len(since) - grown))
        is_new = event.operation is Operation.ADD and not was_there
        last = Decimal(is_new)
        last_days = Decimal((window.last_day - here).days + 1) if is_new else ZERO
    for value, first in since.items():
        days.setdefault(value, _Days()).count(first, window.last_day)
    total_days = Decimal(sum(one.total for one in days.values()))
    shares = [DECIMAL.divide(Decimal(one.total), Decimal(window.whole_days)) for one in days.values()]
    full = Decimal(len(since))
    first_change = [Decimal(carried)] if before else []
    return _Found(
        full,
        full,
        tuple(first_change + changes),
        tuple(shares),
        _share(total_days, window),
        _share(last_days, window) if rule.prorated else last,
    )


@dataclass(slots=True)
class _Days:
    """Days counted for one value; a day on which it comes and goes several times counts once."""

    total: int = 0
    until: date = date.min

    def count(self, first: date, last: date) -> None:
        start = max(first, self.until + timedelta(days=1)) if self.until > date.min else first
        if last >= start:
            self.total += (last - start).days + 1
        self.until = max(self.until, last)


def _apply(
    rule: MeterRule, event: MeterEvent, since: dict[str, date], days: dict[str, _Days], day: date
) -> None:
    value = unique_value(rule, event.properties) or ""
    if event.operation is Operation.ADD:
        since.setdefault(value, day)
    elif value in since:
        days.setdefault(value, _Days()).count(since.pop(value), day)


def _seconds(span: timedelta) -> Decimal:
    """A span in seconds, exact to the microsecond."""
    return Decimal(span // _TICK).scaleb(-6)


_Measure = Callable[[MeterRule, Sequence[MeterEvent], Sequence[MeterEvent], Window], _Found]
_MEASURES: Mapping[Aggregation, _Measure] = {
    Aggregation.COUNT: _additive,
    Aggregation.SUM: _additive,
    Aggregation.SUM_WITH_MULTIPLIER: _additive,
    Aggregation.EXPRESSION: _additive,
    Aggregation.MIN: _extreme(min),
    Aggregation.MAX: _extreme(max),
    Aggregation.AVERAGE: _extreme(_average),
    Aggregation.LATEST: _latest,
    Aggregation.UNIQUE_COUNT: _unique_count,
    Aggregation.WEIGHTED_SUM: _weighted_sum,
    Aggregation.PERCENTILE: _percentile,
}
