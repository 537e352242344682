"""Aggregations that merge: partial results of disjoint sets of events, as rollup buckets store them.

Merging is commutative and associative, so buckets may be added in any order and the units of a period cost the
buckets it reads, never the events behind them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from billing.core.aggregation.rules import Aggregation, MeterRule
from billing.core.quantity import DECIMAL, EXACT

MERGEABLE: Mapping[Aggregation, bool] = {
    Aggregation.COUNT: True,
    Aggregation.SUM: True,
    Aggregation.SUM_WITH_MULTIPLIER: True,
    Aggregation.AVERAGE: True,
    Aggregation.MIN: True,
    Aggregation.MAX: True,
    Aggregation.LATEST: False,  # needs the order of the events
    Aggregation.UNIQUE_COUNT: False,  # needs the values themselves
    Aggregation.WEIGHTED_SUM: False,  # needs when each change came
    Aggregation.PERCENTILE: False,  # needs all values
    Aggregation.EXPRESSION: False,  # is computed from the properties of each event
}
"""Which aggregations are merged from rollups (True) and which replay the events (False). Every one is declared."""


def merges(rule: MeterRule) -> bool:
    """Whether the units of this meter can be merged from partials: those by group or by days need the events."""
    return MERGEABLE[rule.aggregation] and not rule.group_by and not rule.prorated


def adds_up(rule: MeterRule) -> bool:
    """Whether the units of the parts of a period add up to those of the whole, before the meter rounds."""
    kinds = (Aggregation.COUNT, Aggregation.SUM, Aggregation.SUM_WITH_MULTIPLIER, Aggregation.EXPRESSION)
    return rule.aggregation in kinds and not rule.recurring and not rule.prorated


@dataclass(frozen=True, slots=True)
class Partial:
    """Events counted, their property summed and its bounds; `+` merges two disjoint sets of events.

    min and max: None where no number was read.

    >>> Partial(2, Decimal("10")) + Partial(1, Decimal("0.5"))
    Partial(count=3, sum=Decimal('10.5'), min=None, max=None)
    """

    count: int = 0
    sum: Decimal = Decimal(0)
    min: Decimal | None = None
    max: Decimal | None = None

    def __add__(self, other: "Partial") -> "Partial":
        if not isinstance(other, Partial):
            return NotImplemented
        lows = [bound for bound in (self.min, other.min) if bound is not None]
        highs = [bound for bound in (self.max, other.max) if bound is not None]
        return Partial(
            self.count + other.count,
            EXACT.add(self.sum, other.sum),
            min(lows, default=None),
            max(highs, default=None),
        )


def aggregate(rule: MeterRule, partial: Partial) -> Decimal:
    """What a merged partial stands for, before the meter rounds. Exact, an average to 60 digits; nothing: zero.

    Raises ValueError for an aggregation that replays its events.

    >>> aggregate(MeterRule(Aggregation.COUNT), Partial(19366, Decimal("22361870")))
    Decimal('19366')
    """
    match rule.aggregation:
        case Aggregation.COUNT:
            return Decimal(partial.count)
        case Aggregation.SUM:
            return partial.sum
        case Aggregation.SUM_WITH_MULTIPLIER:
            return EXACT.multiply(partial.sum, rule.multiplier)
        case Aggregation.AVERAGE:
            return DECIMAL.divide(partial.sum, Decimal(partial.count)) if partial.count else Decimal(0)
        case Aggregation.MIN:
            return partial.min if partial.min is not None else Decimal(0)
        case Aggregation.MAX:
            return partial.max if partial.max is not None else Decimal(0)
        case _:
            raise ValueError(f"{rule.aggregation} replays its events")
