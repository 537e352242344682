"""The difference between two lists of prices in words: added, removed, changed, each figure before and after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import assert_never

from billing.core.pricing.definitions import PriceModel, model_code
from billing.core.pricing.flat import Flat
from billing.core.pricing.graduated import Graduated
from billing.core.pricing.package import Package
from billing.core.pricing.per_unit import PerUnit
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
    model = price.model
    match model:
        case Flat():
            found["amount"] = model.amount
        case PerUnit():
            found["price of one unit"] = model.unit_amount
        case Package():
            found |= {"units in a package": model.size, "price of a package": model.amount}
            found["free units"] = model.free_units
        case Graduated() | Volume():
            for number, tier in enumerate(model.tiers, start=1):
                found[f"tier {number}, up to"] = "above" if tier.up_to is None else tier.up_to
                found[f"tier {number}, price of one unit"] = tier.unit_amount
                if tier.flat_amount:
                    found[f"tier {number}, flat"] = tier.flat_amount
        case _:
            assert_never(model)
    return found
