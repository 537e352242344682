"""percentage and graduated_percentage: a share of an amount of money that a meter has summed up.

The quantity is that amount in major units of the price's currency.
"""

from dataclasses import dataclass
from decimal import Decimal

from billing.core.pricing.rated import Rated, StepKind, rated, require_amount, require_percent, step
from billing.core.pricing.tiers import PercentTier, entered, grouped, require_tiers, tier_label
from billing.core.quantity import EXACT

_HUNDREDTH = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Percentage:
    """percent: 0 to 100. free_amount: major units of which nothing is taken."""

    percent: Decimal
    free_amount: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        require_percent(self.percent, "percent")
        require_amount(self.free_amount, "free_amount")


@dataclass(frozen=True, slots=True)
class GraduatedPercentage:
    """tiers: ascending, bounds inclusive, the last unbounded. flat_at_zero: without usage the flat amount of
    the first tier is due all the same.
    """

    tiers: tuple[PercentTier, ...]
    flat_at_zero: bool = False

    def __post_init__(self) -> None:
        require_tiers(self.tiers)


def share(percent: Decimal) -> Decimal:
    """A percentage as a factor, exactly.

    >>> share(Decimal("2.9"))
    Decimal('0.029')
    """
    return EXACT.multiply(percent, _HUNDREDTH)


def rate_percentage(model: Percentage, quantity: Decimal) -> Rated:
    """The share of what lies above the free amount; no step if nothing does.

    2.9 % of 4.00 is 0.116.
    """
    billable = max(Decimal(0), EXACT.subtract(quantity, model.free_amount))
    if not billable:
        return rated((), quantity, billable)
    after_free = f" after {grouped(model.free_amount)} free" if model.free_amount else ""
    one = step(
        StepKind.PERCENTAGE,
        f"{grouped(model.percent)} %{after_free}",
        billable,
        unit_amount=share(model.percent),
        from_quantity=model.free_amount or None,
    )
    return rated((one,), quantity, billable)


def rate_graduated_percentage(model: GraduatedPercentage, quantity: Decimal) -> Rated:
    """Each part of the amount at the percentage of its own tier; one step per tier entered.

    Source: Lago, graduated percentage (getlago.com/docs/guide/plans/charges/charge-models).
    """
    steps = [
        step(
            StepKind.PERCENTAGE,
            f"{grouped(tier.percent)} % {tier_label(lower, tier.up_to)}",
            units,
            unit_amount=share(tier.percent),
            flat_amount=tier.flat_amount or None,
            from_quantity=lower,
            up_to=tier.up_to,
        )
        for tier, lower, units in entered(model.tiers, quantity, at_zero=model.flat_at_zero)
    ]
    return rated(tuple(steps), quantity, quantity)
