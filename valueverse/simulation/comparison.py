"""Holds an answer against what a case expects: every field that is named must be there with an equal value."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

NOT_COMPARED = frozenset(
    (
        *("formula", "detail", "terms", "total_terms", "within", "new_invoices", "same_invoice_over_time"),
        *("order", "evaluated", "lines_complete", "after", "quirk", "note"),
    )
)
LONG_QUOTIENT = 8
"""Numbers with more decimals are compared with as many as the source gives, twelve at most."""


def faults(case: Mapping[str, Any], result: object) -> list[str]:
    """Where the result does not hold what the case expects; empty if it holds."""
    decimals = case.get("compare_decimals")
    if case.get("kind") == "revrec":
        return _by_month(case["expect"], result)
    return _differences(case["expect"], result, "result", None if decimals is None else int(decimals))


def _by_month(rows: Sequence[Mapping[str, Any]], result: object) -> list[str]:
    got = result.get("rows", []) if isinstance(result, Mapping) else []
    found: list[str] = []
    for month in dict.fromkeys(row["month"] for row in rows):
        want, have = ([row for row in side if row["month"] == month] for side in (rows, got))
        found += _differences(want, have, f"month {month}", None)
    return found


def _differences(want: Any, got: Any, path: str, decimals: int | None) -> list[str]:
    if isinstance(want, Mapping):
        return _objects(want, got, path, decimals)
    if isinstance(want, list):
        return _lists(want, got, path, decimals)
    if _equal_numbers(want, got, decimals) or _equal_instants(want, got) or want == got:
        return []
    return [f"{path}: {got!r} where {want!r} was expected"]


def _objects(want: Mapping[str, Any], got: Any, path: str, decimals: int | None) -> list[str]:
    if not isinstance(got, Mapping):
        return [f"{path}: {got!r} where fields were expected"]
    found: list[str] = []
    for key, value in want.items():
        if key in NOT_COMPARED:
            continue
        if key not in got:
            found.append(f"{path}.{key}: missing, expected {value!r}")
        else:
            found += _differences(value, got[key], f"{path}.{key}", decimals)
    return found


def _lists(want: list[Any], got: Any, path: str, decimals: int | None) -> list[str]:
    """Each expected entry is matched with one of its own, in any order."""
    if not isinstance(got, list):
        return [f"{path}: {got!r} where a list was expected"]
    left, found = list(got), []
    for index, value in enumerate(want):
        for candidate in left:
            if not _differences(value, candidate, path, decimals):
                left.remove(candidate)
                break
        else:
            found.append(f"{path}[{index}]: nothing matches {value!r} among {left!r}"[:600])
    return found


def _equal_numbers(want: Any, got: Any, decimals: int | None) -> bool:
    a, b = _number(want), _number(got)
    if a is None or b is None:
        return False
    if decimals is None:
        exponent = a.as_tuple().exponent
        other = b.as_tuple().exponent
        if not isinstance(exponent, int) or not isinstance(other, int):
            return False
        if min(exponent, other) >= -LONG_QUOTIENT:
            return a == b
        decimals = min(12, -exponent)
    return round(a, decimals) == round(b, decimals)


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        return Decimal(value)
    except InvalidOperation:
        return None


def _equal_instants(want: Any, got: Any) -> bool:
    a, b = _instant(want), _instant(got)
    if a is None or b is None:
        return False
    return a.date() == b.date() if min(len(want), len(got)) == len("2023-11-01") else a == b


def _instant(value: Any) -> datetime | None:
    if not isinstance(value, str) or value[4:5] != "-":
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
