"""Reading a case: typed values out of JSON, and a clear refusal of what is not one."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from billing.core.errors import InvalidInput
from billing.core.periods import Interval, IntervalUnit
from billing.core.quantity import parse_quantity

_INTERVALS = {
    "day": (IntervalUnit.DAY, 1),
    "week": (IntervalUnit.WEEK, 1),
    "month": (IntervalUnit.MONTH, 1),
    "quarter": (IntervalUnit.MONTH, 3),
    "half_year": (IntervalUnit.MONTH, 6),
    "year": (IntervalUnit.YEAR, 1),
}


class Unsupported(Exception):
    """The product does not do this; the text says why, in a sentence."""


class Fields:
    """The fields of a case, or of a part of it; `place` names the part in messages."""

    def __init__(self, data: object, place: str = "") -> None:
        if not isinstance(data, Mapping):
            raise InvalidInput("must be an object", field=place or "case")
        self.data: Mapping[str, Any] = data
        self.place = place

    def has(self, name: str) -> bool:
        return self.data.get(name) is not None

    def given(self, *names: str) -> list[str]:
        """Which of these fields the case names with something to do."""
        return [name for name in names if self.data.get(name)]

    def text(self, name: str, default: str | None = None) -> str:
        value = self.data.get(name, default)
        if not isinstance(value, str):
            raise InvalidInput("must be text", field=self._field(name))
        return value

    def number(self, name: str, default: str | None = None) -> Decimal:
        value = self.data.get(name)
        return parse_quantity(default if value is None else value, field=self._field(name))

    def whole(self, name: str, default: int | None = None) -> int:
        value = self.data.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise InvalidInput("must be a whole number", field=self._field(name))
        return value

    def day(self, name: str) -> date:
        try:
            return date.fromisoformat(self.text(name)[:10])
        except ValueError as error:
            raise InvalidInput("must be a day such as 2023-11-01", field=self._field(name)) from error

    def instant(self, name: str) -> datetime:
        """An instant; one without an offset, or a day, is read as UTC."""
        try:
            value = datetime.fromisoformat(self.text(name))
        except ValueError as error:
            raise InvalidInput("must be an instant in ISO 8601", field=self._field(name)) from error
        return value if value.tzinfo else value.replace(tzinfo=UTC)

    def part(self, name: str) -> "Fields":
        return Fields(self.data.get(name), self._field(name))

    def parts(self, name: str) -> list["Fields"]:
        rows = self.data.get(name) or []
        if not isinstance(rows, Sequence) or isinstance(rows, str):
            raise InvalidInput("must be a list", field=self._field(name))
        return [Fields(row, f"{self._field(name)}[{index}]") for index, row in enumerate(rows)]

    def interval(self) -> Interval:
        name = self.text("interval")
        if name not in _INTERVALS:
            raise InvalidInput(f"must be one of {', '.join(_INTERVALS)}", field=self._field("interval"))
        unit, count = _INTERVALS[name]
        return Interval(unit, count * self.whole("interval_count", 1))

    def _field(self, name: str) -> str:
        return f"{self.place}.{name}" if self.place else name


def shown(value: Decimal) -> str:
    """A number as cases write it: plain, without trailing zeros."""
    return format(value.normalize(), "f") if value else "0"
