"""Snapshot to JSON-able dictionary and back, without loss.

Keys are the field names, except that `net_minor` becomes `net`: a decimal string in major units of the nearest
enclosing `currency`, as in the API. Quantities, prices and rates are decimal strings, dates ISO 8601, absent
values null.
"""

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import get_args, get_origin, get_type_hints

from billing.core.errors import InvalidInput
from billing.core.money import format_major
from billing.core.quantity import format_quantity
from billing.invoices.documents.snapshot import Snapshot

SCHEMA_VERSION = 1
ADDED_LATER = frozenset({"prorated_unit", "allowances"})
"""Fields that documents issued before lack; their default says what was meant then."""

MINOR_SUFFIX = "_minor"
AMOUNT = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?")


def to_dict(snapshot: Snapshot) -> dict[str, object]:
    """The snapshot as plain JSON types; `from_dict` gives an equal snapshot back.

    >>> to_dict(snapshot)["total"]  # doctest: +SKIP
    '229.69'
    """
    return {"schema_version": SCHEMA_VERSION, **_plain_object(snapshot, snapshot.currency)}


def from_dict(data: Mapping[str, object]) -> Snapshot:
    """The snapshot written by `to_dict`. Raises InvalidInput naming the key that is missing, unknown or malformed."""
    version = data.get("schema_version")
    if version != SCHEMA_VERSION:
        raise InvalidInput(
            f"This document has schema version {version}, not {SCHEMA_VERSION}.", field="schema_version"
        )
    content = {key: value for key, value in data.items() if key != "schema_version"}
    snapshot = _typed(Snapshot, content, "")
    assert isinstance(snapshot, Snapshot)
    return snapshot


def _plain_object(value: object, currency: str) -> dict[str, object]:
    assert is_dataclass(value)
    result: dict[str, object] = {}
    currency = getattr(value, "currency", currency)
    for item in fields(value):
        content = getattr(value, item.name)
        if item.name.endswith(MINOR_SUFFIX):
            result[item.name.removesuffix(MINOR_SUFFIX)] = format_major(content, currency)
        else:
            result[item.name] = _plain(content, currency)
    return result


def _plain(value: object, currency: str) -> object:
    match value:
        case None | bool() | int():
            return value
        case StrEnum():
            return value.value
        case str():
            return value
        case Decimal():
            return format_quantity(value)
        case date():
            return value.isoformat()
        case tuple():
            return [_plain(item, currency) for item in value]
        case _ if is_dataclass(value):
            return _plain_object(value, currency)
    raise TypeError(f"A snapshot cannot hold {type(value).__name__}.")


@cache
def _hints(kind: type) -> dict[str, object]:
    return get_type_hints(kind)


def _typed(kind: object, value: object, path: str) -> object:
    """`value` as read from JSON, as `kind`: a dataclass, a tuple of one, or a plain type, each perhaps optional."""
    if isinstance(kind, UnionType):
        if value is None:
            return None
        (kind,) = (option for option in get_args(kind) if option is not NoneType)
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise InvalidInput("A list is expected.", field=path)
        return tuple(_typed(get_args(kind)[0], item, f"{path}[{n}]") for n, item in enumerate(value))
    assert isinstance(kind, type)
    if is_dataclass(kind):
        return _typed_object(kind, value, path)
    if kind in (bool, int, str):
        if type(value) is not kind:
            raise InvalidInput(f"{kind.__name__} is expected.", field=path)
        return value
    if not isinstance(value, str):
        raise InvalidInput("Text is expected.", field=path)
    try:
        return date.fromisoformat(value) if kind is date else kind(value)
    except (ValueError, ArithmeticError) as error:
        raise InvalidInput(f"'{value}' is not a valid {kind.__name__}.", field=path) from error


def _typed_object(kind: type, value: object, path: str) -> object:
    if not isinstance(value, Mapping):
        raise InvalidInput("An object is expected.", field=path)
    prefix = f"{path}." if path else ""
    arguments: dict[str, object] = {}
    names = {item.name.removesuffix(MINOR_SUFFIX): item.name for item in fields(kind)}
    for key, content in value.items():
        if key not in names:
            raise InvalidInput("This key is unknown.", field=f"{prefix}{key}")
        name = names[key]
        if name.endswith(MINOR_SUFFIX):
            arguments[name] = _minor(content, f"{prefix}{key}")
        else:
            arguments[name] = _typed(_hints(kind)[name], content, f"{prefix}{key}")
    missing = [key for key, name in names.items() if name not in arguments and name not in ADDED_LATER]
    if missing:
        raise InvalidInput("This key is missing.", field=f"{prefix}{missing[0]}")
    return kind(**arguments)


def _minor(value: object, path: str) -> int:
    """Minor units of an amount printed with all its decimals: "193.02" is 19302, "100" yen are 100.

    Reads the digits alone, so that an old document keeps its amounts even if the currency changes its exponent.
    """
    match = AMOUNT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise InvalidInput(f"'{value}' is not an amount.", field=path)
    sign, whole, decimals = match.groups()
    return int(f"{sign}{whole}{decimals or ''}")
