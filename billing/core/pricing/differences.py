"""The difference between two lists of prices in words: added, removed, changed, each figure before and after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import assert_never

from billing.core.pricing.definitions import Modified, PriceModel, model_code
from billing.core.pricing.flat import Flat
from billing.core.pricing.graduated import Graduated
from billing.core.pricing.modified import Modifiers
from billing.core.pricing.package import Package
from billing.core.pricing.per_unit import PerUnit
from billing.core.pricing.percentage import GraduatedPercentage, Percentage
from billing.core.pricing.stairstep import Stairstep
from billing.core.pricing.tiers import AnyTier, FlatTier, PercentTier, Tier
from billing.core.pricing.volume import Volume
from billing.core.quantity import DECIMAL


class Change(StrEnum):
    """What happened to a price, or to one of its figures."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class NamedPrice:
    """A price under the code and name of its invoice line; meter: the code of its meter, "" for a fee."""

    code: str
    name: str
    meter: str
    model: PriceModel


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure or word of the price `code`; before or after is None where there is none.

    percent: the change of a figure in whole percent, half up; None where it has no base or nothing changed.
    """

    code: str
    what: str
    change: Change
    before: Decimal | str | None
    after: Decimal | str | None
    percent: int | None = None


def differences(before: Sequence[NamedPrice], after: Sequence[NamedPrice]) -> tuple[Difference, ...]:
    """All figures of both lists side by side, in the order of `after`, what was removed last.

    >>> old = NamedPrice("fee", "Fee", "", Flat(Decimal("99")))
    >>> new = NamedPrice("fee", "Fee", "", Flat(Decimal("149")))
    >>> [(row.what, row.before, row.after, row.percent) for row in differences([old], [new]) if row.change != "same"]
    [('amount', Decimal('99'), Decimal('149'), 51)]
    """
    old = {price.code: price for price in before}
    new = {price.code: price for price in after}
    rows: list[Difference] = []
    for code in [*new, *(code for code in old if code not in new)]:
        rows += _of_price(code, old.get(code), new.get(code))
    return tuple(rows)


def _of_price(code: str, old: NamedPrice | None, new: NamedPrice | None) -> list[Difference]:
    was, now = _figures(old), _figures(new)
    rows = []
    for what in [*now, *(what for what in was if what not in now)]:
        before, after = was.get(what), now.get(what)
        if old is None:
            change = Change.ADDED
        elif new is None:
            change = Change.REMOVED
        else:
            change = Change.SAME if before == after else Change.CHANGED
        rows.append(Difference(code, what, change, before, after, _percent(before, after)))
    return rows


def _percent(before: Decimal | str | None, after: Decimal | str | None) -> int | None:
    if not isinstance(before, Decimal) or not isinstance(after, Decimal) or not before or before == after:
        return None
    share = DECIMAL.divide(DECIMAL.multiply(DECIMAL.subtract(after, before), Decimal(100)), before)
    return int(share.quantize(Decimal(1), ROUND_HALF_UP, DECIMAL))


def _figures(price: NamedPrice | None) -> Mapping[str, Decimal | str]:
    """What a price says, by what it is called, in reading order."""
    if price is None:
        return {}
    found: dict[str, Decimal | str] = {"name": price.name}
    if price.meter:
        found["meter"] = price.meter
    found["model"] = model_code(price.model).replace("_", " ")
    return found | _terms(price.model)


def _terms(model: PriceModel) -> dict[str, Decimal | str]:
    match model:
        case Flat():
            return {"amount": model.amount}
        case PerUnit():
            return {"price of one unit": model.unit_amount}
        case Package():
            return {
                "units in a package": model.size,
                "price of a package": model.amount,
                "free units": model.free_units,
            }
        case Percentage():
            return {"percent": model.percent, "free amount": model.free_amount}
        case Graduated() | Volume() | Stairstep() | GraduatedPercentage():
            found: dict[str, Decimal | str] = {}
            tiers: Sequence[AnyTier] = model.tiers
            for number, tier in enumerate(tiers, start=1):
                found |= {f"tier {number}, {what}": value for what, value in _tier(tier).items()}
            return found | ({"first flat amount without usage": "due"} if model.flat_at_zero else {})
        case Modified():
            return _terms(model.base) | _modifiers(model.modifiers)
        case _:
            assert_never(model)


def _tier(tier: AnyTier) -> dict[str, Decimal | str]:
    found: dict[str, Decimal | str] = {"up to": "above" if tier.up_to is None else tier.up_to}
    match tier:
        case FlatTier():
            return found | {"amount": tier.amount}
        case PercentTier():
            found["percent"] = tier.percent
        case Tier():
            found["price of one unit" if tier.block_size is None else "price of a block"] = tier.unit_amount
            if tier.block_size is not None:
                found["block size"] = tier.block_size
            if tier.max_amount is not None:
                found["largest amount"] = tier.max_amount
    if tier.flat_amount:
        found["flat"] = tier.flat_amount
    return found


def _modifiers(modifiers: Modifiers) -> dict[str, Decimal | str]:
    found: dict[str, Decimal | str] = {}
    if modifiers.conversion:
        found["units of the meter in one of the price"] = modifiers.conversion.units_per
        rounding = f"{modifiers.conversion.rounding}, {modifiers.conversion.decimals} decimals"
        found["rounding of the quantity"] = rounding
    if modifiers.free_units:
        found["units never charged"] = modifiers.free_units
    if modifiers.discount_percent:
        found["discount in percent"] = modifiers.discount_percent
    if modifiers.maximum is not None:
        found["maximum of a period"] = modifiers.maximum
    if modifiers.minimum is not None:
        found["minimum of a period"] = modifiers.minimum
    return found
