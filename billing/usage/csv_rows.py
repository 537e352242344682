"""Reading usage from a CSV file that may be broken anywhere: no good row is lost, and no bad one either."""

import csv
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import BinaryIO
from zoneinfo import ZoneInfo

from billing.core.errors import BillingError
from billing.usage import exact_json
from billing.usage.services import IncomingEvent

LINE_BYTES_MAX = 256 * 1024
JOINED_LINES_MAX = 50
"""How many lines one quoted value may span. An unclosed quote must not swallow the rest of the file."""

_SHOWN_MAX = 2000  # of an endless row; the file still holds the rest
_PLAIN_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?")


class UnreadableFile(BillingError):
    """The file as a whole cannot be read: empty, no header, a header that does not fit the options."""

    code = "unreadable_file"


@dataclass(frozen=True, slots=True)
class Row:
    """One row below the header.

    number: counted from 1, without blank lines. line: line of the file where it starts. text: as it stands there.
    values: by column; None for a row that is broken, and then `problem` says how.
    """

    number: int
    line: int
    text: str
    values: Mapping[str, str] | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    raw: bytes
    too_long: bool

    def text(self) -> str:
        return self.raw.decode()


class CsvFile:
    """The rows of an open binary file, one after the other. `columns` is known once it is made."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lines: deque[_Line] = deque()
        self._read = 0
        self.columns = self._header()

    def rows(self) -> Iterator[Row]:
        """Every row that is not blank. Never raises for what stands in the file."""
        number = 0
        while (line := self._next()) is not None:
            if line.raw.strip():
                number += 1
                yield self._row(number, line)

    def _header(self) -> tuple[str, ...]:
        line = self._next()
        if line is None or not line.raw.strip():
            raise UnreadableFile("The file does not begin with a header.")
        try:
            columns = tuple(name.strip() for name in _split(line.raw.decode("utf-8-sig")))
        except (UnicodeDecodeError, csv.Error) as error:
            raise UnreadableFile(f"The header cannot be read: {error}.") from error
        if len(set(columns)) != len(columns) or "" in columns:
            raise UnreadableFile(f"The columns of the header need names that differ: {', '.join(columns)}.")
        return columns

    def _row(self, number: int, line: _Line) -> Row:
        shown = line.raw[:_SHOWN_MAX].decode(errors="backslashreplace").rstrip("\r\n")
        if line.too_long:
            return Row(number, line.number, shown, None, f"the line is longer than {LINE_BYTES_MAX} bytes")
        try:
            text = line.text()
            if text.count('"') % 2 and (joined := self._joined(text)) is not None:
                text, values = joined
                return Row(number, line.number, text[:_SHOWN_MAX].rstrip("\r\n"), values)
            return Row(number, line.number, shown, self._values(text))
        except UnicodeDecodeError as error:
            return Row(number, line.number, shown, None, f"not UTF-8 at byte {error.start + 1} of the line")
        except (csv.Error, ValueError) as error:
            return Row(number, line.number, shown, None, str(error))

    def _joined(self, text: str) -> tuple[str, dict[str, str]] | None:
        """The row that starts in `text` and ends some lines on; None, and nothing consumed, if there is none."""
        self._look_ahead(JOINED_LINES_MAX)
        for count, line in enumerate(islice(self._lines, JOINED_LINES_MAX), start=1):
            if line.too_long or len(text) > LINE_BYTES_MAX:
                return None
            try:
                text += line.text()
                if text.count('"') % 2:
                    continue
                values = self._values(text)
            except (UnicodeDecodeError, csv.Error, ValueError):
                return None
            for _ in range(count):
                self._lines.popleft()
            return text, values
        return None

    def _values(self, text: str) -> dict[str, str]:
        if "\0" in text:
            raise ValueError("the row holds a NUL character")
        fields = _split(text)
        if len(fields) != len(self.columns):
            raise ValueError(f"{len(fields)} values for {len(self.columns)} columns")
        return dict(zip(self.columns, fields, strict=True))

    def _next(self) -> _Line | None:
        self._look_ahead(1)
        return self._lines.popleft() if self._lines else None

    def _look_ahead(self, count: int) -> None:
        while len(self._lines) < count and (raw := self._stream.readline(LINE_BYTES_MAX)):
            self._read += 1
            too_long = len(raw) == LINE_BYTES_MAX and not raw.endswith(b"\n")
            rest = raw
            while too_long and rest and not rest.endswith(b"\n"):
                rest = self._stream.readline(LINE_BYTES_MAX)
            self._lines.append(_Line(self._read, raw, too_long))


@dataclass(frozen=True, slots=True)
class Layout:
    """Which column holds what. A fixed customer or type takes the place of its column.

    properties: name -> column; None takes the column `properties` as JSON, or all columns that are left.
    zone: what times without an offset are in; of two equal ones in autumn, the first.
    """

    id_column: str
    at_column: str
    customer: str | None
    type: str | None
    properties: Mapping[str, str] | None
    zone: ZoneInfo

    def require_columns(self, columns: Sequence[str]) -> None:
        """Refuse a file that lacks a column. Raises UnreadableFile, naming all that are missing."""
        wanted = [self.id_column, self.at_column, *(self.properties or {}).values()]
        wanted += ["customer"] if self.customer is None else []
        wanted += ["type"] if self.type is None else []
        missing = sorted(set(wanted) - set(columns))
        if missing:
            raise UnreadableFile(
                f"The file has no column {', '.join(missing)}. It has: {', '.join(columns)}."
                " Say where things are with --event-id, --at, --customer, --type and --property."
            )

    def event(self, values: Mapping[str, str]) -> IncomingEvent:
        """The event in a row. Raises ValueError if its JSON cannot be read; all else is for the service to judge."""
        return IncomingEvent(
            id=values[self.id_column],
            customer=self.customer if self.customer is not None else values["customer"],
            type=self.type if self.type is not None else values["type"],
            at=self._instant(values[self.at_column].strip()),
            properties=self._properties(values),
        )

    def _instant(self, text: str) -> datetime | str:
        """The instant, or the text as it is where no time of day can be read from it."""
        try:
            value = datetime.fromisoformat(text)
        except ValueError:
            return text
        if len(text) <= len("2023-11-16"):
            return text
        return value if value.tzinfo is not None else value.replace(tzinfo=self.zone)

    def _properties(self, values: Mapping[str, str]) -> object:
        if self.properties is not None:
            return {name: _cell(values[column]) for name, column in self.properties.items() if values[column]}
        if "properties" in values:
            return exact_json.decode(values["properties"].encode()) if values["properties"] else {}
        taken = {self.id_column, self.at_column, "customer", "type"}
        return {name: _cell(text) for name, text in values.items() if name not in taken and text}


def _cell(text: str) -> int | Decimal | str:
    """A number where the cell is a plain one, so that a file and the API say the same; else the text."""
    text = text.strip()
    if not _PLAIN_NUMBER.fullmatch(text):
        return text
    return Decimal(text) if "." in text else int(text)


def _split(text: str) -> list[str]:
    """The values of one row, which may span lines inside quotes."""
    rows = list(csv.reader([text], strict=True))
    if len(rows) != 1:
        raise ValueError("the row cannot be split into values")
    return rows[0]
