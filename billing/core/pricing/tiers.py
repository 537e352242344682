"""Tiers, shared by graduated and volume prices. Bounds are inclusive: `up_to` 10 means the tenth unit is
in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing.core.errors import InvalidPrice
from billing.core.pricing.rated import require_amount
from billing.core.quantity import format_quantity

TIERS_MAX = 100
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Tier:
    """up_to: inclusive bound, None for the last tier. unit_amount, flat_amount: major units.

    flat_amount is charged once when the tier is entered.
    """

    up_to: Decimal | None
    unit_amount: Decimal
    flat_amount: Decimal = _ZERO


def require_tiers(tiers: Sequence[Tier]) -> None:
    """Raise InvalidPrice, naming the place, unless the tiers ascend from above zero and only the last is
    unbounded.
    """
    if not 1 <= len(tiers) <= TIERS_MAX:
        raise InvalidPrice(f"must have 1 to {TIERS_MAX} entries", field="tiers")
    lower = _ZERO
    for index, tier in enumerate(tiers):
        place = f"tiers[{index}]"
        require_amount(tier.unit_amount, f"{place}.unit_amount")
        require_amount(tier.flat_amount, f"{place}.flat_amount")
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
