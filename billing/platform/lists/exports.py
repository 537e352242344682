"""A list as a file: CSV and XLSX of the filtered set, with neutral figures and nothing that a spreadsheet would run.

CSV: amounts like 1234.56 and -79.80, days and instants ISO, a text that begins like a formula gets an apostrophe.
XLSX: numbers as numbers, days as days, every text as a text.
"""

import csv
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import xlsxwriter
from django.db.models import QuerySet
from django.http import HttpRequest

from billing.core.money import exponent, format_major, to_major
from billing.core.quantity import format_quantity
from billing.platform.display import Amount
from billing.platform.lists.columns import Column
from billing.platform.spreadsheets import safe_text

ROWS_MAX = {"csv": 250_000, "xlsx": 100_000}
"""Most rows of one file; a file of more is neither read nor opened by anybody."""

TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
CHUNK = 500
CELL_MAX = 32_000
"""Most characters of one cell; Excel holds 32,767."""


class _Echo:
    def write(self, value: str) -> str:
        return value


def titles(columns: list[Column]) -> list[str]:
    """The first line of a file. The currency stands right of the first amount."""
    found: list[str] = []
    has_currency = False
    for column in columns:
        found.append(column.title)
        if column.is_amount and not has_currency:
            found.append("Currency")
            has_currency = True
        if column.is_multi:
            found.append(f"{column.title}, other currencies")
    return found


def values(
    admin: Any, request: HttpRequest, rows: QuerySet[Any], columns: list[Column]
) -> Iterator[list[Any]]:
    """The plain values of every row, read from the database in chunks."""
    found = rows.iterator(chunk_size=CHUNK)
    while chunk := list(islice(found, CHUNK)):
        admin.prepare_rows(request, chunk)
        for row in chunk:
            yield _values_of(row, admin, columns)


def _values_of(row: Any, admin: Any, columns: list[Column]) -> list[Any]:
    plain = [column.cell(row, admin).plain for column in columns]
    amounts = [value[0] if isinstance(value, tuple) else value for value in plain]
    currencies = [value.currency for value in amounts if isinstance(value, Amount)]
    currency = currencies[0] if currencies else str(getattr(row, "currency", ""))
    found: list[Any] = []
    has_currency = False
    for column, value in zip(columns, plain, strict=True):
        several = value if isinstance(value, tuple) else (value,)
        found.append(several[0])
        if column.is_amount and not has_currency:
            found.append(currency)
            has_currency = True
        if column.is_multi:
            others = (f"{format_major(one.minor, one.currency)} {one.currency}" for one in several[1:])
            found.append("; ".join(others))
    return found


def csv_text(value: Any) -> str:
    """A value in a CSV file.

    >>> csv_text(Amount(-7980, "EUR")), csv_text("=cmd()"), csv_text("-1+2"), csv_text(None)
    ('-79.80', "'=cmd()", "'-1+2", '')
    """
    if value is None:
        return ""
    if isinstance(value, Amount):
        return format_major(value.minor, value.currency)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return format_quantity(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, date):
        return value.isoformat()
    return safe_text(str(value))


def csv_lines(columns: list[Column], rows: Iterable[list[Any]]) -> Iterator[str]:
    """CSV, titles first."""
    writer = csv.writer(_Echo())
    yield writer.writerow([csv_text(title) for title in titles(columns)])
    for row in rows:
        yield writer.writerow([csv_text(value) for value in row])


def xlsx_file(columns: list[Column], rows: Iterable[list[Any]], *, sheet: str) -> tuple[Any, int]:
    """A workbook as an open temporary file, and how many rows it has. One row is in memory at a time."""
    handle, name = tempfile.mkstemp(suffix=".xlsx")
    os.close(handle)
    path = Path(name)
    try:
        book = xlsxwriter.Workbook(
            name,
            {
                "constant_memory": True,
                "strings_to_formulas": False,
                "strings_to_numbers": False,
                "strings_to_urls": False,
            },
        )
        page = book.add_worksheet(re.sub(r"[\[\]:*?/\\']", " ", sheet)[:31])
        writer = _Sheet(book, page)
        names = titles(columns)
        for index, title in enumerate(names):
            page.set_column(index, index, max(12, min(len(title) + 4, 40)))
            page.write_string(0, index, title, writer.heading)
        page.freeze_panes(1, 0)
        count = 0
        for count, row in enumerate(rows, start=1):
            for index, value in enumerate(row):
                writer.write(count, index, value)
        page.autofilter(0, 0, count, len(names) - 1)
        book.close()
        return path.open("rb"), count  # the response closes it
    finally:
        path.unlink()


class _Sheet:
    """Writes values into a worksheet, each as what it is."""

    def __init__(self, book: Any, page: Any) -> None:
        self.page = page
        self.heading = book.add_format({"bold": True, "bottom": 1})
        self.places = [
            book.add_format({"num_format": "#,##0" + ("." + "0" * places if places else "")})
            for places in range(5)
        ]
        self.day = book.add_format({"num_format": "yyyy-mm-dd"})
        self.instant = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})

    def write(self, row: int, index: int, value: Any) -> None:
        if value is None:
            return
        if isinstance(value, Amount):
            places = self.places[exponent(value.currency)]
            self._number(row, index, to_major(value.minor, value.currency), places)
        elif isinstance(value, bool):
            self.page.write_string(row, index, "yes" if value else "no")
        elif isinstance(value, int | Decimal):
            self._number(row, index, Decimal(value), None)
        elif isinstance(value, datetime):
            self.page.write_datetime(row, index, value.astimezone(UTC).replace(tzinfo=None), self.instant)
        elif isinstance(value, date):
            self.page.write_datetime(row, index, datetime(value.year, value.month, value.day), self.day)  # noqa: DTZ001
        else:
            self.page.write_string(row, index, str(value)[:CELL_MAX])

    def _number(self, row: int, index: int, value: Decimal, shown: Any) -> None:
        """Excel keeps 15 digits; a longer number is written as text rather than changed."""
        if len(value.normalize().as_tuple().digits) > 15:
            self.page.write_string(row, index, format_quantity(value))
        else:
            self.page.write_number(row, index, value, shown)
