"""volume: all units are priced at the tier that the total quantity reaches."""

from dataclasses import dataclass
from decimal import Decimal

from billing.core.pricing.rated import Rated, StepKind, rated
from billing.core.pricing.tiers import Tier, require_tiers, tier_of, tier_steps


@dataclass(frozen=True, slots=True)
class Volume:
    """tiers: ascending, bounds inclusive, the last unbounded. flat_at_zero: without usage the flat amount of
    the first tier is due all the same.
    """

    tiers: tuple[Tier, ...]
    flat_at_zero: bool = False

    def __post_init__(self) -> None:
        require_tiers(self.tiers)


def rate_volume(model: Volume, quantity: Decimal) -> Rated:
    """One step at the tier of the total. Zero costs nothing and has no steps, unless `flat_at_zero`.

    The amount may fall when a cheaper tier is reached: that is the model, not an error.
    """
    found = tier_of(model.tiers, quantity, at_zero=model.flat_at_zero)
    steps = tier_steps(StepKind.VOLUME, *found, quantity) if found else []
    return rated(tuple(steps), quantity, quantity)
