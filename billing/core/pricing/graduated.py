"""graduated: each unit is priced in its own tier."""

from dataclasses import dataclass
from decimal import Decimal

from billing.core.pricing.rated import Rated, StepKind, rated
from billing.core.pricing.tiers import Tier, entered, require_tiers, tier_steps


@dataclass(frozen=True, slots=True)
class Graduated:
    """tiers: ascending, bounds inclusive, the last unbounded. flat_at_zero: without usage the flat amount of
    the first tier is due all the same.
    """

    tiers: tuple[Tier, ...]
    flat_at_zero: bool = False

    def __post_init__(self) -> None:
        require_tiers(self.tiers)


def rate_graduated(model: Graduated, quantity: Decimal) -> Rated:
    """The sum over the tiers entered; one step per tier. Zero costs nothing and has no steps, unless
    `flat_at_zero`.

    10,000,000 x 0.0000025 + 12,361,870 x 0.0000020 = 49.72374 for 22,361,870 tokens.
    """
    steps = [
        one
        for tier, lower, units in entered(model.tiers, quantity, at_zero=model.flat_at_zero)
        for one in tier_steps(StepKind.GRADUATED, tier, lower, units)
    ]
    return rated(tuple(steps), quantity, quantity)
