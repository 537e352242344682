"""Prices that look at single events: a percentage with fixed amounts, dynamic, and tiers over weighted events.

They are not models of the catalog yet: a bill prices quantities, and has the events behind them nowhere at hand.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce

from billing.core.errors import InvalidPrice, InvalidQuantity
from billing.core.pricing import PriceModel, rate
from billing.core.pricing.graduated import Graduated
from billing.core.pricing.percentage import share
from billing.core.pricing.rated import (
    Rated,
    Step,
    StepKind,
    rated,
    require_amount,
    require_percent,
    step,
)
from billing.core.pricing.tiers import Tier, grouped, tier_steps
from billing.core.pricing.usage import PricedEvent, Usage
from billing.core.quantity import DECIMAL, EXACT

_ZERO = Decimal(0)
FREE_EVENTS_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class EventPercentage:
    """A share of the amount of each event, and what each of them costs beside it.

    percent: 0 to 100. fixed_amount: major units for each event. free_amount: major units of which nothing is taken;
    free_events: so many, from the first on, cost nothing; with both, whichever is used up first ends both. minimum,
    maximum: the least and the most that one event costs, its fixed amount included; free events stay free.
    charges_zero: fixed amount and minimum are due for events that add up to nothing, too.
    """

    percent: Decimal
    free_amount: Decimal = _ZERO
    fixed_amount: Decimal = _ZERO
    free_events: int = 0
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    charges_zero: bool = False

    def __post_init__(self) -> None:
        require_percent(self.percent, "percent")
        require_amount(self.free_amount, "free_amount")
        require_amount(self.fixed_amount, "fixed_amount")
        if isinstance(self.free_events, bool) or not 0 <= self.free_events <= FREE_EVENTS_MAX:
            raise InvalidPrice(f"must be a whole number up to {FREE_EVENTS_MAX:,}", field="free_events")
        for name, amount in (("minimum", self.minimum), ("maximum", self.maximum)):
            if amount is not None:
                require_amount(amount, name)
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise InvalidPrice("must not be below the minimum", field="maximum")


def rate_event_percentage(model: EventPercentage, usage: Usage) -> Rated:
    """What each event that is not free costs. A quantity without its events counts as one event.

    2.9 % and 0.30 for each event: one of 4.00 costs 0.416.
    Source: Lago, percentage (getlago.com/docs/guide/plans/charges/charge-models).
    """
    if not usage.quantity and not model.charges_zero:
        return rated((), usage.quantity, _ZERO)
    events = usage.events or (PricedEvent(usage.quantity),)
    paid, fixed, least, most = _ZERO, 0, 0, 0
    for amount in _paid(model, events):
        cost = EXACT.add(EXACT.multiply(amount, share(model.percent)), model.fixed_amount)
        if model.minimum is not None and cost < model.minimum:
            least += 1
        elif model.maximum is not None and cost > model.maximum:
            most += 1
        else:
            paid, fixed = EXACT.add(paid, amount), fixed + 1
    return rated(tuple(_event_steps(model, paid, fixed, least, most)), usage.quantity, paid)


def _paid(model: EventPercentage, events: Sequence[PricedEvent]) -> Iterator[Decimal]:
    """The amount of each event that is not free; one that uses the free amount up to the last cent is not."""
    before = _ZERO
    for place, event in enumerate(events):
        after = EXACT.add(before, event.value)
        if model.free_events and place >= model.free_events:
            yield event.value
        elif model.free_amount:
            if after >= model.free_amount:
                left = max(_ZERO, EXACT.subtract(model.free_amount, max(before, _ZERO)))
                yield EXACT.subtract(event.value, min(event.value, left))
        elif not model.free_events:
            yield event.value
        before = after


def _event_steps(model: EventPercentage, paid: Decimal, fixed: int, least: int, most: int) -> Iterator[Step]:
    if paid:
        after_free = f" after {grouped(model.free_amount)} free" if model.free_amount else ""
        label = f"{grouped(model.percent)} %{after_free}"
        yield step(StepKind.PERCENTAGE, label, paid, unit_amount=share(model.percent))
    if fixed and model.fixed_amount:
        label = "fixed amount of each event" + (
            f" after {model.free_events:,} free" if model.free_events else ""
        )
        yield step(StepKind.UNIT, label, Decimal(fixed), unit_amount=model.fixed_amount)
    if least:
        label = f"events at their minimum of {grouped(model.minimum or _ZERO)}"
        yield step(StepKind.UNIT, label, Decimal(least), unit_amount=model.minimum)
    if most:
        label = f"events at their maximum of {grouped(model.maximum or _ZERO)}"
        yield step(StepKind.UNIT, label, Decimal(most), unit_amount=model.maximum)


@dataclass(frozen=True, slots=True)
class Dynamic:
    """multiplier: what the carried amounts are multiplied by, for a margin on them."""

    multiplier: Decimal = Decimal(1)

    def __post_init__(self) -> None:
        require_amount(self.multiplier, "multiplier")
        if not self.multiplier:
            raise InvalidPrice("must be above zero", field="multiplier")


def rate_dynamic(model: Dynamic, usage: Usage) -> Rated:
    """The sum of the amounts that the events carry, times the multiplier; nothing if they add up to no units.

    Without events the quantity is that sum: a meter that adds the amounts up. Raises InvalidQuantity for an event
    that carries no amount. Sources: Lago (dynamic charge model), OpenMeter (dynamic price).
    """
    carried = usage.quantity
    if usage.events:
        carried = Decimal(0)
        for event in usage.events if usage.quantity else ():
            if event.price is None:
                raise InvalidQuantity("the event carries no amount", field="price")
            carried = EXACT.add(carried, event.price)
    if not carried:
        return rated((), usage.quantity, Decimal(0))
    one = step(StepKind.UNIT, "amounts that the events carry", carried, unit_amount=model.multiplier)
    return rated((one,), usage.quantity, usage.quantity)


def rate_weighted(model: Graduated, events: Sequence[PricedEvent]) -> Rated:
    """Graduated over a prorated meter: the full values decide about tiers, the weighted ones are priced.

    Each event lies where the running total of the full values puts it; one that crosses a bound is weighted in
    proportion. The flat amount of every tier that was ever entered is due in full. Never below zero: then it
    costs nothing and has no steps. Source: Lago, prorated graduated charges
    (getlago.com/docs/guide/plans/charges/prorated-vs-full).
    """
    weights = [_ZERO for _ in model.tiers]
    reached = at = _ZERO
    for event in events:
        after = EXACT.add(at, event.value)
        for index, part in _parts(model.tiers, at, after):
            weighted = DECIMAL.divide(DECIMAL.multiply(part, event.weighted), event.value)
            weights[index] = DECIMAL.add(weights[index], weighted)
        at = after
        reached = max(reached, at)
    steps = []
    lower = _ZERO
    for tier, weight in zip(model.tiers, weights, strict=True):
        if reached > lower:
            steps += tier_steps(StepKind.GRADUATED, tier, lower, weight)
        lower = tier.up_to if tier.up_to is not None else lower
    found = rated(tuple(steps), at, reduce(DECIMAL.add, weights, _ZERO))
    return found if found.amount >= 0 else rated((), at, _ZERO)


def _parts(tiers: Sequence[Tier], start: Decimal, end: Decimal) -> list[tuple[int, Decimal]]:
    """How much of the way from one running total to another lies in each tier; what is below zero, in the first."""
    low, high = min(start, end), max(start, end)
    found, lower = [], None
    for index, tier in enumerate(tiers):
        upper = high if tier.up_to is None else min(high, tier.up_to)
        bottom = low if lower is None else max(low, lower)
        if upper > bottom:
            part = EXACT.subtract(upper, bottom)
            found.append((index, part if end >= start else EXACT.minus(part)))
        lower = tier.up_to
    return found


def fees_of_events(model: PriceModel, values: Sequence[Decimal]) -> list[Decimal]:
    """What each event costs when it is billed as it happens: the price with it less the price without it.

    The first also pays what is due without usage. They add up to the price of all. Exact, in major units.
    Source: Lago, charges paid in advance (getlago.com/docs/guide/plans/charges/charges-paid-in-advance-vs-arrears).
    """
    fees, total, before = [], _ZERO, _ZERO
    for value in values:
        total = EXACT.add(total, value)
        amount = rate(model, total).amount
        fees.append(EXACT.subtract(amount, before))
        before = amount
    return fees
