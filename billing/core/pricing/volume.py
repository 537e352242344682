"""volume: all units are priced at the tier that the total quantity reaches."""

from dataclasses import dataclass
from decimal import Decimal

from billing.core.pricing.rated import Rated, rated, step
from billing.core.pricing.tiers import Tier, require_tiers, tier_label


@dataclass(frozen=True, slots=True)
class Volume:
    """tiers: ascending, bounds inclusive, the last unbounded."""

    tiers: tuple[Tier, ...]

    def __post_init__(self) -> None:
        require_tiers(self.tiers)


def rate_volume(model: Volume, quantity: Decimal) -> Rated:
    """One step at the tier of the total. Zero costs nothing and has no steps.

    The amount may fall when a cheaper tier is reached: that is the model, not an error.
    """
    lower = Decimal(0)
    if not quantity:
        return rated((), quantity, quantity)
    for tier in model.tiers[:-1]:
        if tier.up_to is not None and quantity <= tier.up_to:
            return _at(tier, lower, quantity)
        lower = tier.up_to or lower
    return _at(model.tiers[-1], lower, quantity)


def _at(tier: Tier, lower: Decimal, quantity: Decimal) -> Rated:
    one = step(
        tier_label(lower, tier.up_to),
        quantity,
        unit_amount=tier.unit_amount,
        flat_amount=tier.flat_amount or None,
        from_quantity=lower,
        up_to=tier.up_to,
    )
    return rated((one,), quantity, quantity)
