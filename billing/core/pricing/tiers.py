"""Tiers, shared by the tiered prices. Bounds are inclusive: `up_to` 10 means the tenth unit is in."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from billing.core.errors import InvalidPrice
from billing.core.pricing.rated import (
    Step,
    StepKind,
    adjustment,
    require_amount,
    require_percent,
    started_blocks,
    step,
)
from billing.core.quantity import EXACT, format_quantity

TIERS_MAX = 100
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Tier:
    """up_to: inclusive bound, None for the last tier. unit_amount, flat_amount: major units.

    flat_amount is charged once when the tier is entered. block_size: `unit_amount` is then the price of a
    started block of as many units. max_amount: the most that the tier costs, flat amount included.
    """

    up_to: Decimal | None
    unit_amount: Decimal
    flat_amount: Decimal = _ZERO
    block_size: Decimal | None = None
    max_amount: Decimal | None = None

    def __post_init__(self) -> None:
        require_amount(self.unit_amount, "unit_amount")
        require_amount(self.flat_amount, "flat_amount")
        if self.block_size is not None:
            require_amount(self.block_size, "block_size")
            if not self.block_size:
                raise InvalidPrice("must be above zero", field="block_size")
        if self.max_amount is not None:
            require_amount(self.max_amount, "max_amount")


@dataclass(frozen=True, slots=True)
class FlatTier:
    """up_to: inclusive bound, None for the last tier. amount: major units for any quantity in the tier."""

    up_to: Decimal | None
    amount: Decimal

    def __post_init__(self) -> None:
        require_amount(self.amount, "amount")


@dataclass(frozen=True, slots=True)
class PercentTier:
    """up_to: inclusive bound, None for the last tier. percent: 0 to 100, of the amount that falls into it.

    flat_amount: major units, charged once when the tier is entered.
    """

    up_to: Decimal | None
    percent: Decimal
    flat_amount: Decimal = _ZERO

    def __post_init__(self) -> None:
        require_percent(self.percent, "percent")
        require_amount(self.flat_amount, "flat_amount")


AnyTier = Tier | FlatTier | PercentTier
OneTier = TypeVar("OneTier", Tier, FlatTier, PercentTier)


def require_tiers(tiers: Sequence[AnyTier]) -> None:
    """Raise InvalidPrice, naming the place, unless the tiers ascend from above zero and only the last is
    unbounded.
    """
    if not 1 <= len(tiers) <= TIERS_MAX:
        raise InvalidPrice(f"must have 1 to {TIERS_MAX} entries", field="tiers")
    lower = _ZERO
    for index, tier in enumerate(tiers):
        place = f"tiers[{index}]"
        if (tier.up_to is None) != (index == len(tiers) - 1):
            says = (
                "may be null for the last tier only"
                if tier.up_to is None
                else "must be null for the last tier"
            )
            raise InvalidPrice(says, field=f"{place}.up_to")
        if tier.up_to is not None:
            require_amount(tier.up_to, f"{place}.up_to")
            if tier.up_to <= lower:
                raise InvalidPrice(f"must be above {format_quantity(lower)}", field=f"{place}.up_to")
            lower = tier.up_to


def entered(
    tiers: Sequence[OneTier], quantity: Decimal, *, at_zero: bool
) -> Iterator[tuple[OneTier, Decimal, Decimal]]:
    """The tiers that a quantity enters, each with its lower bound and the units that fall into it.

    at_zero: a quantity of zero enters the first tier, with no units; otherwise it enters none.
    """
    lower = _ZERO
    if at_zero and not quantity:
        yield tiers[0], lower, _ZERO
    for tier in tiers:
        if quantity <= lower:
            return
        upper = quantity if tier.up_to is None else min(quantity, tier.up_to)
        yield tier, lower, EXACT.subtract(upper, lower)
        lower = upper


def tier_of(tiers: Sequence[OneTier], quantity: Decimal, *, at_zero: bool) -> tuple[OneTier, Decimal] | None:
    """The tier that holds the whole quantity, with its lower bound; None for zero unless `at_zero`."""
    if not quantity and not at_zero:
        return None
    lower = _ZERO
    for tier in tiers:
        if tier.up_to is None or quantity <= tier.up_to:
            return tier, lower
        lower = tier.up_to
    raise AssertionError("the last tier has no bound")


def tier_steps(kind: StepKind, tier: Tier, lower: Decimal, units: Decimal) -> list[Step]:
    """What `units` cost in the tier: their price, and a second step for what its largest amount takes off."""
    label, quantity = tier_label(lower, tier.up_to), units
    if tier.block_size is not None:
        label, quantity = (
            f"{label}, blocks of {grouped(tier.block_size)}",
            started_blocks(units, tier.block_size),
        )
    priced = step(
        kind,
        label,
        quantity,
        unit_amount=tier.unit_amount,
        flat_amount=tier.flat_amount or None,
        from_quantity=lower,
        up_to=tier.up_to,
        block_size=tier.block_size,
    )
    if tier.max_amount is None or priced.amount <= tier.max_amount:
        return [priced]
    above = EXACT.subtract(tier.max_amount, priced.amount)
    return [priced, adjustment(StepKind.CAP, f"tier capped at {grouped(tier.max_amount)}", above)]


def tier_label(lower: Decimal, up_to: Decimal | None) -> str:
    """The bounds in words.

    >>> tier_label(Decimal(0), Decimal(10000000)), tier_label(Decimal(10), Decimal(20))
    ('up to 10,000,000', 'above 10 up to 20')
    >>> tier_label(Decimal(20), None)
    'above 20'
    """
    above, to = f"above {grouped(lower)}", f"up to {grouped(up_to)}" if up_to is not None else ""
    if not lower:
        return to or "all units"
    return f"{above} {to}".rstrip()


def grouped(value: Decimal) -> str:
    """A quantity with thousands separated: 10,000,000."""
    whole, point, decimals = format_quantity(value).partition(".")
    return f"{int(whole):,}{point}{decimals}"
