"""flat: a fixed amount, whatever the quantity."""

from dataclasses import dataclass
from decimal import Decimal

from billing.core.pricing.rated import Rated, StepKind, rated, require_amount, step


@dataclass(frozen=True, slots=True)
class Flat:
    """amount: major units per period."""

    amount: Decimal

    def __post_init__(self) -> None:
        require_amount(self.amount, "amount")


def rate_flat(model: Flat, quantity: Decimal) -> Rated:
    """The amount, once, for any quantity."""
    return rated((step(StepKind.FLAT, "flat fee", quantity, flat_amount=model.amount),), quantity, quantity)
