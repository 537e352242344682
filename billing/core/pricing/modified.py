"""Modifiers, which go around any metered price: conversion, free units, a discount, a minimum and a maximum."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from enum import StrEnum

from billing.core.errors import InvalidPrice
from billing.core.pricing.percentage import share
from billing.core.pricing.rated import Rated, Step, StepKind, adjustment, require_amount, require_percent
from billing.core.pricing.tiers import grouped
from billing.core.quantity import DECIMAL, DECIMALS_MAX, EXACT

_ZERO = Decimal(0)


class ConversionRounding(StrEnum):
    """up: a started unit counts. down: only whole ones do. nearest: the half counts."""

    UP = "up"
    DOWN = "down"
    NEAREST = "nearest"


_ROUNDING = {
    ConversionRounding.UP: ROUND_CEILING,
    ConversionRounding.DOWN: ROUND_FLOOR,
    ConversionRounding.NEAREST: ROUND_HALF_UP,
}


@dataclass(frozen=True, slots=True)
class Conversion:
    """From the meter's units to those of the price: quantity / units_per, rounded to so many decimals.

    1,400 tokens at `units_per` 1,000 and no decimals, rounded up, are 2 units of the price.
    """

    units_per: Decimal
    decimals: int
    rounding: ConversionRounding

    def __post_init__(self) -> None:
        require_amount(self.units_per, "units_per")
        if not self.units_per:
            raise InvalidPrice("must be above zero", field="units_per")
        if isinstance(self.decimals, bool) or not 0 <= self.decimals <= DECIMALS_MAX:
            raise InvalidPrice(f"must be from 0 to {DECIMALS_MAX}", field="decimals")

    def __call__(self, quantity: Decimal) -> Decimal:
        """Convert, dividing with 60 significant digits before rounding."""
        unit = Decimal(1).scaleb(-self.decimals)
        exact = DECIMAL.divide(quantity, self.units_per)
        return exact.quantize(unit, rounding=_ROUNDING[self.rounding], context=DECIMAL)


@dataclass(frozen=True, slots=True)
class Modifiers:
    """What is done to a price, in this order.

    conversion: of the quantity. free_units: of the converted quantity, never charged. Then the price itself.
    discount_percent: off its amount. maximum: the most it costs, after the discount. minimum: the least,
    in a period without usage too. Both in major units, for the whole period, never prorated.
    """

    conversion: Conversion | None = None
    free_units: Decimal = _ZERO
    discount_percent: Decimal = _ZERO
    minimum: Decimal | None = None
    maximum: Decimal | None = None

    def __post_init__(self) -> None:
        require_amount(self.free_units, "free_units")
        require_percent(self.discount_percent, "discount_percent")
        for name, amount in (("minimum", self.minimum), ("maximum", self.maximum)):
            if amount is not None:
                require_amount(amount, name)
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise InvalidPrice("must not be below the minimum", field="maximum")


def modified_quantity(modifiers: Modifiers, quantity: Decimal) -> Decimal:
    """The quantity that is priced: converted, less the free units."""
    converted = modifiers.conversion(quantity) if modifiers.conversion else quantity
    return max(_ZERO, EXACT.subtract(converted, modifiers.free_units))


def modified(modifiers: Modifiers, priced: Rated, quantity: Decimal) -> Rated:
    """The price's own steps, and one more for each modifier that moves the amount.

    Sources: OpenMeter (discount before maximum spend), Stripe (transform_quantity).
    """
    steps, amount = list(priced.steps), priced.amount
    for found in (_discount, _maximum, _minimum):
        one = found(modifiers, amount)
        if one is not None and one.amount:
            steps.append(one)
            amount = EXACT.add(amount, one.amount)
    return Rated(amount, tuple(steps), quantity, priced.billed_quantity)


def _discount(modifiers: Modifiers, amount: Decimal) -> Step | None:
    if not modifiers.discount_percent:
        return None
    off = -EXACT.multiply(amount, share(modifiers.discount_percent))
    return adjustment(StepKind.DISCOUNT, f"discount of {grouped(modifiers.discount_percent)} %", off)


def _maximum(modifiers: Modifiers, amount: Decimal) -> Step | None:
    if modifiers.maximum is None or amount <= modifiers.maximum:
        return None
    above = EXACT.subtract(modifiers.maximum, amount)
    return adjustment(StepKind.MAXIMUM, f"at most {grouped(modifiers.maximum)}", above)


def _minimum(modifiers: Modifiers, amount: Decimal) -> Step | None:
    if modifiers.minimum is None or amount >= modifiers.minimum:
        return None
    missing = EXACT.subtract(modifiers.minimum, amount)
    return adjustment(StepKind.MINIMUM, f"up to the minimum of {grouped(modifiers.minimum)}", missing)
