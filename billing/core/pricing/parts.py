"""Bills within a period: what a part of the usage costs beside what earlier bills of the period took."""

from dataclasses import dataclass, replace
from decimal import Decimal
from functools import reduce

from billing.core.errors import InvalidQuantity
from billing.core.pricing import Flat, Modified, PriceModel, Rated, Step, Volume, rate
from billing.core.pricing.modified import Modifiers, modified_quantity
from billing.core.pricing.rated import StepKind, adjustment, rated
from billing.core.pricing.tiers import grouped
from billing.core.quantity import EXACT

_ZERO = Decimal(0)
_ADJUSTS = (StepKind.DISCOUNT, StepKind.MINIMUM, StepKind.MAXIMUM)


@dataclass(frozen=True, slots=True)
class Part:
    """Where a bill stands in its period. before: units that earlier bills of it priced; None: this is the first.

    is_last: nothing of the period comes after it, so that a minimum and a fee in arrears are due.
    """

    before: Decimal | None = None
    is_last: bool = True

    def __post_init__(self) -> None:
        if self.before is not None and self.before < 0:
            raise InvalidQuantity("must not be negative", field="before")


def rate_part(model: PriceModel, quantity: Decimal, part: Part, *, in_advance: bool = False) -> Rated:
    """What `quantity` more units cost after those before: the price of all less the price of what came before.

    So the parts of a period add up to the price of the whole, for every model but volume. A tier's fixed amount falls
    on the bill that enters it. The largest amount of a period is counted over all its bills; the smallest is due with
    the last one. A flat fee is billed once: with the first bill in advance, with the last one in arrears.
    Raises InvalidQuantity, also for a volume price, whose price of what came before may still change.
    Source: OpenMeter, progressive billing of usage (rating of split lines).
    """
    base, modifiers = (model.base, model.modifiers) if isinstance(model, Modified) else (model, Modifiers())
    is_whole = part.before is None and part.is_last
    if isinstance(base, Flat):
        is_due = part.before is None if in_advance else part.is_last
        return rate(base, Decimal(1)) if is_due else rated((), quantity, _ZERO)
    if is_whole:
        return rate(model, quantity)
    if isinstance(base, Volume):
        raise InvalidQuantity("a volume price is not billed in parts", field="model")
    before = part.before or _ZERO
    all_units = EXACT.add(before, quantity)
    earlier = (
        rate(base, modified_quantity(modifiers, before))
        if part.before is not None
        else rated((), _ZERO, _ZERO)
    )
    steps = _more(rate(base, modified_quantity(modifiers, all_units)), earlier)
    return _adjusted(modifiers, steps, earlier, quantity, is_last=part.is_last)


def _more(now: Rated, earlier: Rated) -> list[Step]:
    """The steps of everything, less those of before, tier by tier; a step that adds nothing is left out.

    The first tier's step without units stays: it is the line that says that there was no usage.
    """
    done = {(step.kind, step.up_to, step.from_quantity): step for step in earlier.steps}
    found = []
    for step in now.steps:
        was = done.get((step.kind, step.up_to, step.from_quantity))
        if was is None:
            found.append(step)
            continue
        quantity = EXACT.subtract(step.quantity, was.quantity)
        amount = EXACT.subtract(step.amount, was.amount)
        if quantity or amount or not step.quantity:
            found.append(replace(step, quantity=quantity, flat_amount=None, amount=amount))
    return found


def _adjusted(
    modifiers: Modifiers, steps: list[Step], earlier: Rated, quantity: Decimal, *, is_last: bool
) -> Rated:
    """Discount, largest and smallest amount, each counted over all bills of the period."""
    kept = EXACT.subtract(Decimal(1), EXACT.multiply(modifiers.discount_percent, Decimal("0.01")))
    taken = EXACT.multiply(earlier.amount, kept)
    if modifiers.maximum is not None:
        taken = min(taken, modifiers.maximum)
    gross = rated(tuple(steps), quantity, _ZERO).amount
    net = EXACT.multiply(gross, kept)
    if modifiers.discount_percent and gross:
        label = f"discount of {grouped(modifiers.discount_percent)} %"
        steps.append(adjustment(StepKind.DISCOUNT, label, EXACT.subtract(net, gross)))
    if modifiers.maximum is not None and EXACT.add(taken, net) > modifiers.maximum:
        above = EXACT.subtract(EXACT.subtract(modifiers.maximum, taken), net)
        steps.append(adjustment(StepKind.MAXIMUM, f"at most {grouped(modifiers.maximum)}", above))
        net = EXACT.add(net, above)
    if is_last and modifiers.minimum is not None and EXACT.add(taken, net) < modifiers.minimum:
        missing = EXACT.subtract(modifiers.minimum, EXACT.add(taken, net))
        label = f"up to the minimum of {grouped(modifiers.minimum)}"
        steps.append(adjustment(StepKind.MINIMUM, label, missing))
    priced = (step.quantity for step in steps if step.kind not in _ADJUSTS)
    units = reduce(EXACT.add, priced, _ZERO)
    return rated(tuple(steps), quantity, units)
