"""Price definitions: the JSON a price is stored and exchanged as, read strictly and written canonically."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar, assert_never

from billing.core.errors import InvalidPrice, InvalidQuantity
from billing.core.pricing.capacity import Capacity
from billing.core.pricing.flat import Flat
from billing.core.pricing.graduated import Graduated
from billing.core.pricing.modified import Conversion, ConversionRounding, Modifiers
from billing.core.pricing.package import Package
from billing.core.pricing.per_unit import PerUnit
from billing.core.pricing.percentage import GraduatedPercentage, Percentage
from billing.core.pricing.stairstep import Stairstep
from billing.core.pricing.tiers import TIERS_MAX, FlatTier, PercentTier, Tier
from billing.core.pricing.volume import Volume
from billing.core.quantity import DECIMALS_MAX, format_quantity, parse_quantity

BaseModel = (
    Flat | PerUnit | Graduated | Volume | Stairstep | Package | Percentage | GraduatedPercentage | Capacity
)


@dataclass(frozen=True, slots=True)
class Modified:
    """A metered price with its modifiers. Raises InvalidPrice for a flat fee, which has nothing to modify."""

    base: BaseModel
    modifiers: Modifiers

    def __post_init__(self) -> None:
        if isinstance(self.base, Flat):
            raise InvalidPrice("a flat fee has no modifiers: state its amount", field="modifiers")


PriceModel = BaseModel | Modified

_PLAIN_DECIMAL = f'must be a plain decimal such as "0.50", with at most {DECIMALS_MAX} decimals'
_MODEL_OF: dict[type[BaseModel], str] = {
    Flat: "flat",
    PerUnit: "per_unit",
    Graduated: "graduated",
    Volume: "volume",
    Stairstep: "stairstep",
    Package: "package",
    Percentage: "percentage",
    GraduatedPercentage: "graduated_percentage",
    Capacity: "capacity",
}
_MODIFIERS = ("conversion", "free_units", "discount_percent", "minimum", "maximum")

MODEL_CODES = tuple(_MODEL_OF.values())

Row = TypeVar("Row")


def model_code(price: PriceModel) -> str:
    """The stored name of the price's model, e.g. `graduated`; modifiers do not change it."""
    return _MODEL_OF[type(price.base if isinstance(price, Modified) else price)]


def parse_price(model: str, definition: Mapping[str, object]) -> PriceModel:
    """Read a definition; numbers are decimal strings, never JSON numbers.

    Raises InvalidPrice naming the field (`tiers[1].up_to`) for an unknown model, an unknown or missing key,
    or a value that is no price. `flat_amount` of a tier, `free_units` and `free_amount` may be left out and
    are then zero; so may `flat_at_zero` (false) and `modifiers` (none).

    >>> parse_price("per_unit", {"unit_amount": "0.0000025"})
    PerUnit(unit_amount=Decimal('0.0000025'))
    """
    if not isinstance(definition, Mapping):
        raise InvalidPrice("must be an object", field="definition")
    own = {key: value for key, value in definition.items() if key != "modifiers"}
    base = _base(model, own)
    if "modifiers" not in definition:
        return base
    return Modified(base, _modifiers(definition["modifiers"]))


def _base(model: str, definition: Mapping[str, object]) -> BaseModel:
    match model:
        case "flat":
            _require_keys(definition, ("amount",))
            return Flat(_decimal(definition, "amount"))
        case "per_unit":
            _require_keys(definition, ("unit_amount",))
            return PerUnit(_decimal(definition, "unit_amount"))
        case "graduated":
            return Graduated(_tiers(definition, _tier), _flag(definition))
        case "volume":
            return Volume(_tiers(definition, _tier), _flag(definition))
        case "stairstep":
            return Stairstep(_tiers(definition, _flat_tier), _flag(definition))
        case "package":
            _require_keys(definition, ("size", "amount"), ("free_units",))
            return Package(
                _decimal(definition, "size"),
                _decimal(definition, "amount"),
                _decimal(definition, "free_units", default="0"),
            )
        case "percentage":
            _require_keys(definition, ("percent",), ("free_amount",))
            return Percentage(
                _decimal(definition, "percent"), _decimal(definition, "free_amount", default="0")
            )
        case "graduated_percentage":
            return GraduatedPercentage(_tiers(definition, _percent_tier), _flag(definition))
        case "capacity":
            _require_keys(definition, ("amount", "included", "unit_amount"))
            return Capacity(
                _decimal(definition, "amount"),
                _decimal(definition, "included"),
                _decimal(definition, "unit_amount"),
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
        case Graduated() | Volume() | Stairstep() | GraduatedPercentage():
            tiers: dict[str, object] = {"tiers": [_tier_definition(tier) for tier in price.tiers]}
            return {**tiers, "flat_at_zero": True} if price.flat_at_zero else tiers
        case Package():
            return {
                "size": format_quantity(price.size),
                "amount": format_quantity(price.amount),
                "free_units": format_quantity(price.free_units),
            }
        case Percentage():
            return {
                "percent": format_quantity(price.percent),
                "free_amount": format_quantity(price.free_amount),
            }
        case Capacity():
            return {
                "amount": format_quantity(price.amount),
                "included": format_quantity(price.included),
                "unit_amount": format_quantity(price.unit_amount),
            }
        case Modified():
            return {**definition_of(price.base), "modifiers": _modifiers_definition(price.modifiers)}
        case _:
            assert_never(price)


def _tier_definition(tier: Tier | FlatTier | PercentTier) -> dict[str, str | None]:
    result: dict[str, str | None] = {"up_to": _text(tier.up_to)}
    match tier:
        case FlatTier():
            return {**result, "amount": format_quantity(tier.amount)}
        case PercentTier():
            result["percent"] = format_quantity(tier.percent)
        case Tier():
            result["unit_amount"] = format_quantity(tier.unit_amount)
    if tier.flat_amount:
        result["flat_amount"] = format_quantity(tier.flat_amount)
    if isinstance(tier, Tier):
        optional = {"block_size": _text(tier.block_size), "max_amount": _text(tier.max_amount)}
        result |= {key: value for key, value in optional.items() if value is not None}
    return result


def _modifiers_definition(modifiers: Modifiers) -> dict[str, object]:
    result: dict[str, object] = {}
    if modifiers.conversion:
        result["conversion"] = {
            "units_per": format_quantity(modifiers.conversion.units_per),
            "decimals": modifiers.conversion.decimals,
            "rounding": modifiers.conversion.rounding.value,
        }
    for name in ("free_units", "discount_percent"):
        if getattr(modifiers, name):
            result[name] = format_quantity(getattr(modifiers, name))
    for name in ("minimum", "maximum"):
        if getattr(modifiers, name) is not None:
            result[name] = format_quantity(getattr(modifiers, name))
    return result


def _tiers(
    definition: Mapping[str, object], read: Callable[[Mapping[str, object], str], Row]
) -> tuple[Row, ...]:
    _require_keys(definition, ("tiers",), ("flat_at_zero",))
    rows = definition["tiers"]
    if not isinstance(rows, Sequence) or isinstance(rows, str) or not 1 <= len(rows) <= TIERS_MAX:
        raise InvalidPrice(f"must be a list of 1 to {TIERS_MAX} objects", field="tiers")
    return tuple(_placed(row, f"tiers[{index}]", read) for index, row in enumerate(rows))


def _placed(row: object, place: str, read: Callable[[Mapping[str, object], str], Row]) -> Row:
    """Read a part of a definition; what it is refused for is named with its place."""
    if not isinstance(row, Mapping):
        raise InvalidPrice("must be an object", field=place)
    try:
        return read(row, f"{place}.")
    except InvalidPrice as error:
        error.rename_fields(lambda name: name if name.startswith(place) else f"{place}.{name}")
        raise


def _tier(row: Mapping[str, object], place: str) -> Tier:
    _require_keys(row, ("up_to", "unit_amount"), ("flat_amount", "block_size", "max_amount"), place)
    return Tier(
        up_to=_bound(row, place),
        unit_amount=_decimal(row, "unit_amount", place),
        flat_amount=_decimal(row, "flat_amount", place, default="0"),
        block_size=_decimal(row, "block_size", place) if "block_size" in row else None,
        max_amount=_decimal(row, "max_amount", place) if "max_amount" in row else None,
    )


def _flat_tier(row: Mapping[str, object], place: str) -> FlatTier:
    _require_keys(row, ("up_to", "amount"), (), place)
    return FlatTier(up_to=_bound(row, place), amount=_decimal(row, "amount", place))


def _percent_tier(row: Mapping[str, object], place: str) -> PercentTier:
    _require_keys(row, ("up_to", "percent"), ("flat_amount",), place)
    return PercentTier(
        up_to=_bound(row, place),
        percent=_decimal(row, "percent", place),
        flat_amount=_decimal(row, "flat_amount", place, default="0"),
    )


def _modifiers(row: object) -> Modifiers:
    def read(row: Mapping[str, object], place: str) -> Modifiers:
        _require_keys(row, (), _MODIFIERS, place)
        if not row:
            raise InvalidPrice("names no modifier", field="modifiers")
        return Modifiers(
            conversion=_placed(row["conversion"], "modifiers.conversion", _conversion)
            if "conversion" in row
            else None,
            free_units=_decimal(row, "free_units", place, default="0"),
            discount_percent=_decimal(row, "discount_percent", place, default="0"),
            minimum=_decimal(row, "minimum", place) if "minimum" in row else None,
            maximum=_decimal(row, "maximum", place) if "maximum" in row else None,
        )

    return _placed(row, "modifiers", read)


def _conversion(row: Mapping[str, object], place: str) -> Conversion:
    _require_keys(row, ("units_per", "decimals", "rounding"), (), place)
    decimals, rounding = row["decimals"], row["rounding"]
    if not isinstance(decimals, int):
        raise InvalidPrice("must be a whole number", field=f"{place}decimals")
    if rounding not in list(ConversionRounding):
        choices = ", ".join(ConversionRounding)
        raise InvalidPrice(f"must be one of {choices}", field=f"{place}rounding")
    return Conversion(_decimal(row, "units_per", place), decimals, ConversionRounding(str(rounding)))


def _flag(definition: Mapping[str, object]) -> bool:
    value = definition.get("flat_at_zero", False)
    if not isinstance(value, bool):
        raise InvalidPrice("must be true or false", field="flat_at_zero")
    return value


def _require_keys(
    row: Mapping[str, object], required: Sequence[str], optional: Sequence[str] = (), place: str = ""
) -> None:
    for key in required:
        if key not in row:
            raise InvalidPrice("is missing", field=f"{place}{key}")
    for key in row:
        if key not in required and key not in optional:
            raise InvalidPrice("is not known here", field=f"{place}{key}"[:100])


def _bound(row: Mapping[str, object], place: str) -> Decimal | None:
    return None if row["up_to"] is None else _decimal(row, "up_to", place)


def _text(value: Decimal | None) -> str | None:
    return None if value is None else format_quantity(value)


def _decimal(row: Mapping[str, object], key: str, place: str = "", default: str | None = None) -> Decimal:
    value = row.get(key, default)
    if not isinstance(value, str):
        raise InvalidPrice('must be a decimal string such as "0.50"', field=f"{place}{key}")
    try:
        return parse_quantity(value)
    except InvalidQuantity as error:
        raise InvalidPrice(_PLAIN_DECIMAL, field=f"{place}{key}") from error
