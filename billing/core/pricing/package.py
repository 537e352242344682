"""package: blocks of `size` units, rounded up, after free units."""

from dataclasses import dataclass
from decimal import Decimal

from billing.core.errors import InvalidPrice
from billing.core.pricing.rated import Rated, StepKind, rated, require_amount, started_blocks, step
from billing.core.pricing.tiers import grouped
from billing.core.quantity import EXACT

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Package:
    """size: units per package, above zero. amount: major units per started package. free_units: not
    charged.
    """

    size: Decimal
    amount: Decimal
    free_units: Decimal = _ZERO

    def __post_init__(self) -> None:
        require_amount(self.size, "size")
        require_amount(self.amount, "amount")
        require_amount(self.free_units, "free_units")
        if not self.size:
            raise InvalidPrice("must be above zero", field="size")


def rate_package(model: Package, quantity: Decimal) -> Rated:
    """Started packages x amount: ceil(max(0, quantity - free_units) / size).

    One step whose quantity is packages, not units; none if all units are free.
    19,366 requests, 5,000 free, 0.50 per started 1,000: 15 packages, 7.50.
    """
    billable = max(_ZERO, EXACT.subtract(quantity, model.free_units))
    packages = started_blocks(billable, model.size)
    if not packages:
        return rated((), quantity, _ZERO)
    after_free = f" after {grouped(model.free_units)} free" if model.free_units else ""
    one = step(
        StepKind.PACKAGE,
        f"packages of {grouped(model.size)}{after_free}",
        packages,
        unit_amount=model.amount,
        from_quantity=model.free_units or None,
    )
    return rated((one,), quantity, EXACT.multiply(packages, model.size))
