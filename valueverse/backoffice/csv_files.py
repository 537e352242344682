"""Files for spreadsheets: figures as figures, and text that no spreadsheet takes for a formula (CWE-1236)."""

import csv
import io
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

import xlsxwriter
from django.http import HttpResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header

from billing.platform.spreadsheets import safe_text


class _Echo:
    def write(self, value: str) -> str:
        return value


def csv_lines(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """CSV, line by line; the first row is the header."""
    writer = csv.writer(_Echo())
    for row in rows:
        yield writer.writerow([safe_text(cell) for cell in row])


def csv_response(name: str, rows: Iterable[tuple[str, ...]]) -> StreamingHttpResponse:
    """The rows as a file of that name, streamed."""
    response = StreamingHttpResponse(csv_lines(rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = str(
        content_disposition_header(as_attachment=True, filename=f"{name}.csv")
    )
    return response


def xlsx_response(name: str, rows: Iterable[tuple[Any, ...]]) -> HttpResponse:
    """The rows as a workbook with one sheet: Decimal and int cells are numbers, everything else is text as it stands.

    Text is written as text, so that nothing in it is a formula or a link.
    """
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as workbook:
        sheet, bold = workbook.add_worksheet(), workbook.add_format({"bold": True})
        for number, row in enumerate(rows):
            for column, cell in enumerate(row):
                if isinstance(cell, Decimal | int):
                    sheet.write_number(number, column, cell)
                else:
                    sheet.write_string(number, column, str(cell), bold if number == 0 else None)
        sheet.freeze_panes(1, 0)
        sheet.autofit()
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    response = HttpResponse(file.getvalue(), content_type=kind)
    response["Content-Disposition"] = str(
        content_disposition_header(as_attachment=True, filename=f"{name}.xlsx")
    )
    return response
