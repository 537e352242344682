"""stairstep: one fixed amount for the whole quantity, by the tier that it reaches."""

from dataclasses import dataclass
from decimal import Decimal

from billing.core.pricing.rated import Rated, StepKind, rated, step
from billing.core.pricing.tiers import FlatTier, require_tiers, tier_label, tier_of


@dataclass(frozen=True, slots=True)
class Stairstep:
    """tiers: ascending, bounds inclusive, the last unbounded. flat_at_zero: without usage the amount of the
    first tier is due all the same.
    """

    tiers: tuple[FlatTier, ...]
    flat_at_zero: bool = False

    def __post_init__(self) -> None:
        require_tiers(self.tiers)


def rate_stairstep(model: Stairstep, quantity: Decimal) -> Rated:
    """The amount of the tier, once. Source: Recurly, stairstep pricing (docs.recurly.com).

    Tiers to 10 at 50, to 20 at 100: a quantity of 11 costs 100.
    """
    found = tier_of(model.tiers, quantity, at_zero=model.flat_at_zero)
    if found is None:
        return rated((), quantity, quantity)
    tier, lower = found
    one = step(
        StepKind.STAIRSTEP,
        tier_label(lower, tier.up_to),
        quantity,
        flat_amount=tier.amount,
        from_quantity=lower,
        up_to=tier.up_to,
    )
    return rated((one,), quantity, quantity)
