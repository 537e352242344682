"""Price definitions: the JSON a price is stored and exchanged as, read strictly and written canonically."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import assert_never

from billing.core.errors import InvalidPrice, InvalidQuantity
from billing.core.pricing.flat import Flat
from billing.core.pricing.graduated import Graduated
from billing.core.pricing.package import Package
from billing.core.pricing.per_unit import PerUnit
from billing.core.pricing.tiers import TIERS_MAX, Tier
from billing.core.pricing.volume import Volume
from billing.core.quantity import DECIMALS_MAX, format_quantity, parse_quantity

PriceModel = Flat | PerUnit | Graduated | Volume | Package

_PLAIN_DECIMAL = f'must be a plain decimal such as "0.50", with at most {DECIMALS_MAX} decimals'

MODEL_CODES = ("flat", "per_unit", "graduated", "volume", "package")


def model_code(price: PriceModel) -> str:
    """The stored name of the price's model, e.g. `graduated`."""
    match price:
        case Flat():
            return "flat"
        case PerUnit():
            return "per_unit"
        case Graduated():
            return "graduated"
        case Volume():
            return "volume"
        case Package():
            return "package"
        case _:
            assert_never(price)


def parse_price(model: str, definition: Mapping[str, object]) -> PriceModel:
    """Read a definition; numbers are decimal strings, never JSON numbers.

    Raises InvalidPrice naming the field (`tiers[1].up_to`) for an unknown model, an unknown or missing key,
    or a value that is no price. `flat_amount` of a tier and `free_units` may be left out and are then zero.

    >>> parse_price("per_unit", {"unit_amount": "0.0000025"})
    PerUnit(unit_amount=Decimal('0.0000025'))
    """
    if not isinstance(definition, Mapping):
        raise InvalidPrice("must be an object", field="definition")
    match model:
        case "flat":
            _require_keys(definition, ("amount",))
            return Flat(_decimal(definition, "amount"))
        case "per_unit":
            _require_keys(definition, ("unit_amount",))
            return PerUnit(_decimal(definition, "unit_amount"))
        case "graduated":
            return Graduated(_tiers(definition))
        case "volume":
            return Volume(_tiers(definition))
        case "package":
            _require_keys(definition, ("size", "amount"), ("free_units",))
            return Package(
                _decimal(definition, "size"),
                _decimal(definition, "amount"),
                _decimal(definition, "free_units", default="0"),
            )
        case _:
            raise InvalidPrice(f"must be one of {', '.join(MODEL_CODES)}", field="model")


def definition_of(price: PriceModel) -> dict[str, object]:
    """The canonical definition: plain decimal strings without trailing zeros, so equal prices are equal JSON.

    >>> definition_of(parse_price("package", {"size": "1000.0", "amount": "0.50"}))
    {'size': '1000', 'amount': '0.5', 'free_units': '0'}
    """
    match price:
        case Flat():
            return {"amount": format_quantity(price.amount)}
        case PerUnit():
            return {"unit_amount": format_quantity(price.unit_amount)}
        case Graduated() | Volume():
            return {"tiers": [_tier_definition(tier) for tier in price.tiers]}
        case Package():
            return {
                "size": format_quantity(price.size),
                "amount": format_quantity(price.amount),
                "free_units": format_quantity(price.free_units),
            }
        case _:
            assert_never(price)


def _tier_definition(tier: Tier) -> dict[str, str | None]:
    result: dict[str, str | None] = {
        "up_to": None if tier.up_to is None else format_quantity(tier.up_to),
        "unit_amount": format_quantity(tier.unit_amount),
    }
    if tier.flat_amount:
        result["flat_amount"] = format_quantity(tier.flat_amount)
    return result


def _tiers(definition: Mapping[str, object]) -> tuple[Tier, ...]:
    _require_keys(definition, ("tiers",))
    rows = definition["tiers"]
    if not isinstance(rows, Sequence) or isinstance(rows, str) or not 1 <= len(rows) <= TIERS_MAX:
        raise InvalidPrice(f"must be a list of 1 to {TIERS_MAX} objects", field="tiers")
    return tuple(_tier(row, f"tiers[{index}]") for index, row in enumerate(rows))


def _tier(row: object, place: str) -> Tier:
    if not isinstance(row, Mapping):
        raise InvalidPrice("must be an object", field=place)
    _require_keys(row, ("up_to", "unit_amount"), ("flat_amount",), f"{place}.")
    return Tier(
        up_to=None if row["up_to"] is None else _decimal(row, "up_to", f"{place}."),
        unit_amount=_decimal(row, "unit_amount", f"{place}."),
        flat_amount=_decimal(row, "flat_amount", f"{place}.", default="0"),
    )


def _require_keys(
    row: Mapping[str, object], required: Sequence[str], optional: Sequence[str] = (), place: str = ""
) -> None:
    for key in required:
        if key not in row:
            raise InvalidPrice("is missing", field=f"{place}{key}")
    for key in row:
        if key not in required and key not in optional:
            raise InvalidPrice("is not known here", field=f"{place}{key}"[:100])


def _decimal(row: Mapping[str, object], key: str, place: str = "", default: str | None = None) -> Decimal:
    value = row.get(key, default)
    if not isinstance(value, str):
        raise InvalidPrice('must be a decimal string such as "0.50"', field=f"{place}{key}")
    try:
        return parse_quantity(value)
    except InvalidQuantity as error:
        raise InvalidPrice(_PLAIN_DECIMAL, field=f"{place}{key}") from error
