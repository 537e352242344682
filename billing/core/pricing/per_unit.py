"""per_unit: quantity x unit price."""

from dataclasses import dataclass
from decimal import Decimal

from billing.core.pricing.rated import Rated, StepKind, rated, require_amount, step


@dataclass(frozen=True, slots=True)
class PerUnit:
    """unit_amount: major units per unit, up to 12 decimals."""

    unit_amount: Decimal

    def __post_init__(self) -> None:
        require_amount(self.unit_amount, "unit_amount")


def rate_per_unit(model: PerUnit, quantity: Decimal) -> Rated:
    """Every unit at the same price."""
    one = step(StepKind.UNIT, "all units", quantity, unit_amount=model.unit_amount)
    return rated((one,), quantity, quantity)
