"""The difference between two lists of prices in words: added, removed, changed, each figure before and after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from billing.core.errors import InvalidQuantity
from billing.core.pricing.definitions import PriceModel, definition_of, model_code
from billing.core.quantity import DECIMAL, parse_quantity

_WORDS = {"unit_amount": "price of one unit", "size": "units in a package", "flat_amount": "flat"}


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

    >>> from billing.core.pricing.flat import Flat
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
    """What a price says, by what it is called, in reading order: its canonical definition in words."""
    if price is None:
        return {}
    found: dict[str, Decimal | str] = {"name": price.name}
    if price.meter:
        found["meter"] = price.meter
    found["model"] = model_code(price.model).replace("_", " ")
    for key, value in definition_of(price.model).items():
        if key == "tiers" and isinstance(value, list):
            for number, tier in enumerate(value, start=1):
                found |= {f"tier {number}, {_word(name)}": _value(one) for name, one in tier.items()}
        elif isinstance(value, dict):
            found |= _modifiers(value)
        else:
            found[_word(key)] = _value(value)
    return found


def _modifiers(definition: Mapping[str, object]) -> dict[str, Decimal | str]:
    found: dict[str, Decimal | str] = {}
    for key, value in definition.items():
        if isinstance(value, dict):
            found |= {f"{key}, {_word(name)}": _value(one) for name, one in value.items()}
        else:
            found[f"{_word(key)} of a period"] = _value(value)
    return found


def _word(key: str) -> str:
    return _WORDS.get(key, key.replace("_", " "))


def _value(value: object) -> Decimal | str:
    """A figure as a Decimal, so that it compares; anything else as a word."""
    if value is None:
        return "above"
    if isinstance(value, bool):
        return "yes" if value else "no"
    try:
        return parse_quantity(value)
    except InvalidQuantity:
        return str(value)
