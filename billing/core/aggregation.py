"""Aggregations: how the events of a period become one quantity, from partial results that can be merged.

A partial is what a rollup bucket stores. Merging is commutative and associative, so buckets may be added in
any order and the price of a period costs the buckets it reads, never the events behind them.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import assert_never

from billing.core.quantity import EXACT


class Aggregation(StrEnum):
    """count: number of events. sum: total of one property of the events."""

    COUNT = "count"
    SUM = "sum"


@dataclass(frozen=True, slots=True)
class Partial:
    """Events counted and their property summed, in the meter's unit; `+` merges two disjoint sets of events.

    >>> Partial(2, Decimal("10")) + Partial(1, Decimal("0.5"))
    Partial(count=3, sum=Decimal('10.5'))
    """

    count: int = 0
    sum: Decimal = Decimal(0)

    def __add__(self, other: "Partial") -> "Partial":
        if not isinstance(other, Partial):
            return NotImplemented
        return Partial(self.count + other.count, EXACT.add(self.sum, other.sum))


def aggregate(kind: Aggregation, partial: Partial) -> Decimal:
    """The quantity that a merged partial stands for. Exact.

    >>> aggregate(Aggregation.COUNT, Partial(19366, Decimal("22361870")))
    Decimal('19366')
    """
    match kind:
        case Aggregation.COUNT:
            return Decimal(partial.count)
        case Aggregation.SUM:
            return partial.sum
        case _:
            assert_never(kind)
