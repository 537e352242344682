"""What a price reads of usage: a quantity, and for some models the events behind it."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from billing.core.errors import InvalidQuantity
from billing.core.quantity import EXACT

EVENTS_MAX = 1_000_000
"""Events behind one quantity; a price that looks at each of more is the wrong model."""


@dataclass(frozen=True, slots=True)
class PricedEvent:
    """One event as a price reads it.

    value: what it adds to the quantity, in the meter's unit. price: the amount it carries, in major units, for the
    model dynamic. weight: `value` weighted by the part of the period that it holds for, for prorated meters; None
    where it holds for all of it.
    """

    value: Decimal
    price: Decimal | None = None
    weight: Decimal | None = None

    def __post_init__(self) -> None:
        for name in ("value", "price", "weight"):
            given = getattr(self, name)
            if given is not None and (not isinstance(given, Decimal) or not given.is_finite()):
                raise InvalidQuantity("is a finite Decimal", field=name)

    @property
    def weighted(self) -> Decimal:
        """What it counts for the price."""
        return self.value if self.weight is None else self.weight


@dataclass(frozen=True, slots=True)
class Usage:
    """What is priced. quantity: in the meter's unit. events: those behind it, in the order they happened, where the
    model looks at each.
    """

    quantity: Decimal
    events: tuple[PricedEvent, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.quantity, Decimal) or not self.quantity.is_finite():
            raise InvalidQuantity("a quantity is a finite Decimal", field="quantity")
        if len(self.events) > EVENTS_MAX:
            raise InvalidQuantity(f"a price looks at {EVENTS_MAX:,} events at most", field="events")


def usage_of_events(events: Iterable[PricedEvent]) -> Usage:
    """Usage that is the sum of its events.

    >>> usage_of_events([PricedEvent(Decimal(2)), PricedEvent(Decimal("0.5"))]).quantity
    Decimal('2.5')
    """
    rows = tuple(events)
    total = Decimal(0)
    for one in rows:
        total = EXACT.add(total, one.weighted)
    return Usage(total, rows)
