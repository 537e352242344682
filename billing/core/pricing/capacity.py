"""capacity: a fixed amount that includes a quantity, and a price for what is used above it; or a step by peaks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing.core.errors import InvalidPrice, InvalidQuantity
from billing.core.pricing.rated import Rated, StepKind, rated, require_amount, step
from billing.core.pricing.tiers import TIERS_MAX, grouped
from billing.core.quantity import EXACT


@dataclass(frozen=True, slots=True)
class Capacity:
    """amount: major units, due with and without usage. included: units it covers. unit_amount: of each above them."""

    amount: Decimal
    included: Decimal
    unit_amount: Decimal

    def __post_init__(self) -> None:
        require_amount(self.amount, "amount")
        require_amount(self.included, "included")
        require_amount(self.unit_amount, "unit_amount")


def rate_capacity(model: Capacity, quantity: Decimal) -> Rated:
    """The fixed amount, and what lies above the included units. On a meter of the kind max it prices the peak.

    100.00 with 1,000 included and 0.05 above: 1,200 cost 110.00. Source: Zuora, overage pricing.
    """
    steps = [
        step(
            StepKind.FLAT,
            f"includes {grouped(model.included)}",
            Decimal(1),
            flat_amount=model.amount,
            up_to=model.included,
        )
    ]
    above = max(Decimal(0), EXACT.subtract(quantity, model.included))
    if above:
        label = f"above {grouped(model.included)}"
        steps.append(
            step(StepKind.UNIT, label, above, unit_amount=model.unit_amount, from_quantity=model.included)
        )
    return rated(tuple(steps), quantity, quantity)


@dataclass(frozen=True, slots=True)
class PeakTier:
    """amount: major units for the period. limits: the highest peak of each unit, inclusive; None: any."""

    amount: Decimal
    limits: Mapping[str, Decimal | None]

    def __post_init__(self) -> None:
        require_amount(self.amount, "amount")
        for unit, limit in self.limits.items():
            if limit is not None:
                require_amount(limit, f"limits.{unit}")


def rate_peaks(tiers: Sequence[PeakTier], peaks: Mapping[str, Decimal]) -> Rated:
    """The amount of the first tier that holds the peak of every unit.

    Raises InvalidPrice without tiers, InvalidQuantity for peaks that no tier holds.
    Source: Kill Bill, capacity usage in arrear (docs.killbill.io).
    """
    if not 1 <= len(tiers) <= TIERS_MAX:
        raise InvalidPrice(f"must have 1 to {TIERS_MAX} entries", field="tiers")
    for tier in tiers:
        if all(_holds(tier.limits.get(unit), peak) for unit, peak in peaks.items()):
            one = step(StepKind.STAIRSTEP, "by the peaks", Decimal(1), flat_amount=tier.amount)
            return rated((one,), Decimal(1), Decimal(1))
    raise InvalidQuantity("no tier holds these peaks", field="peaks")


def _holds(limit: Decimal | None, peak: Decimal) -> bool:
    return limit is None or peak <= limit
