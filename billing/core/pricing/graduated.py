"""graduated: each unit is priced in its own tier."""

from dataclasses import dataclass
from decimal import Decimal

from billing.core.pricing.rated import Rated, Step, rated, step
from billing.core.pricing.tiers import Tier, require_tiers, tier_label
from billing.core.quantity import EXACT


@dataclass(frozen=True, slots=True)
class Graduated:
    """tiers: ascending, bounds inclusive, the last unbounded."""

    tiers: tuple[Tier, ...]

    def __post_init__(self) -> None:
        require_tiers(self.tiers)


def rate_graduated(model: Graduated, quantity: Decimal) -> Rated:
    """The sum over the tiers entered; one step per tier. Zero costs nothing and has no steps.

    10,000,000 x 0.0000025 + 12,361,870 x 0.0000020 = 49.72374 for 22,361,870 tokens.
    """
    steps: list[Step] = []
    lower = Decimal(0)
    for tier in model.tiers:
        if quantity <= lower:
            break
        upper = quantity if tier.up_to is None else min(quantity, tier.up_to)
        steps.append(
            step(
                tier_label(lower, tier.up_to),
                EXACT.subtract(upper, lower),
                unit_amount=tier.unit_amount,
                flat_amount=tier.flat_amount or None,
                from_quantity=lower,
                up_to=tier.up_to,
            )
        )
        lower = upper
    return rated(tuple(steps), quantity, quantity)
