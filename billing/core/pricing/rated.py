"""What rating returns: the exact amount and the steps that explain it."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from billing.core.errors import InvalidPrice, InvalidQuantity
from billing.core.quantity import DECIMAL, DECIMALS_MAX, EXACT, format_quantity

AMOUNT_LIMIT = Decimal(10) ** 18


class StepKind(StrEnum):
    """How a step's amount came about; faces choose their words by it."""

    FLAT = "flat"
    UNIT = "unit"
    GRADUATED = "graduated"
    VOLUME = "volume"
    STAIRSTEP = "stairstep"
    PACKAGE = "package"
    PERCENTAGE = "percentage"
    CAP = "cap"  # what a tier would cost above its largest amount: negative
    DISCOUNT = "discount"  # negative
    MINIMUM = "minimum"  # what is missing to the smallest amount
    MAXIMUM = "maximum"  # what lies above the largest amount: negative
    ALREADY_BILLED = "already_billed"  # what an earlier invoice charged for the same period: negative


@dataclass(frozen=True, slots=True)
class Step:
    """One term of the sum: quantity x unit_amount + flat_amount = amount, exact, in major units.

    label: English words for people; from_quantity (exclusive) and up_to (inclusive) are the bounds of the
    tier the step stands for, None where there is none. block_size: the quantity counts started blocks of as
    many units, None where it counts units. Steps of the kinds cap to already_billed carry an amount only.
    """

    kind: StepKind
    label: str
    quantity: Decimal
    unit_amount: Decimal | None
    flat_amount: Decimal | None
    amount: Decimal
    from_quantity: Decimal | None = None
    up_to: Decimal | None = None
    block_size: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Rated:
    """The exact amount in major units (not rounded: the invoice rounds once per line) and its working.

    quantity: what was handed in. billed_quantity: what the price was applied to (packages: the units of the
    started packages; free units are not billed).
    """

    amount: Decimal
    steps: tuple[Step, ...]
    quantity: Decimal
    billed_quantity: Decimal


def step(
    kind: StepKind,
    label: str,
    quantity: Decimal,
    *,
    unit_amount: Decimal | None = None,
    flat_amount: Decimal | None = None,
    from_quantity: Decimal | None = None,
    up_to: Decimal | None = None,
    block_size: Decimal | None = None,
) -> Step:
    """Build a step and compute its exact amount."""
    amount = EXACT.add(EXACT.multiply(quantity, unit_amount or Decimal(0)), flat_amount or Decimal(0))
    return Step(kind, label, quantity, unit_amount, flat_amount, amount, from_quantity, up_to, block_size)


def adjustment(kind: StepKind, label: str, amount: Decimal) -> Step:
    """A step that only moves the amount: a discount, or what a minimum or maximum makes of it."""
    return Step(kind, label, Decimal(1), None, None, amount)


def started_blocks(quantity: Decimal, size: Decimal) -> Decimal:
    """Blocks of `size` units begun: the whole ones, and one more for any rest.

    >>> started_blocks(Decimal(4325), Decimal(1000))
    Decimal('5')
    """
    whole = DECIMAL.divide_int(quantity, size)
    rest = EXACT.subtract(quantity, EXACT.multiply(whole, size))
    return EXACT.add(whole, Decimal(1)) if rest else whole


def rated(steps: tuple[Step, ...], quantity: Decimal, billed_quantity: Decimal) -> Rated:
    """Sum the steps exactly."""
    amount = Decimal(0)
    for one in steps:
        amount = EXACT.add(amount, one.amount)
    return Rated(amount, steps, quantity, billed_quantity)


def require_amount(value: Decimal, field: str) -> None:
    """Raise InvalidPrice unless `value` is a finite Decimal, not negative, below 10**18, with at most 12
    decimals.
    """
    if not isinstance(value, Decimal) or not value.is_finite():
        raise InvalidPrice("must be a decimal", field=field)
    if value.is_signed() and value:
        raise InvalidPrice("must not be negative", field=field)
    if value >= AMOUNT_LIMIT:
        raise InvalidPrice("is too large", field=field)
    if value and value.adjusted() < -DECIMALS_MAX:
        raise InvalidPrice(f"has more than {DECIMALS_MAX} decimals", field=field)
    if len(format_quantity(value).partition(".")[2]) > DECIMALS_MAX:
        raise InvalidPrice(f"has more than {DECIMALS_MAX} decimals", field=field)


def require_quantity(quantity: Decimal) -> None:
    """Raise InvalidQuantity unless the quantity is a finite Decimal and not negative."""
    if not isinstance(quantity, Decimal) or not quantity.is_finite():
        raise InvalidQuantity("a quantity is a finite Decimal", field="quantity")
    if quantity < 0:
        raise InvalidQuantity("a negative quantity has no price", field="quantity")


def require_percent(value: Decimal, field: str) -> None:
    """Raise InvalidPrice unless `value` is an amount from 0 to 100."""
    require_amount(value, field)
    if value > 100:
        raise InvalidPrice("must be at most 100", field=field)
