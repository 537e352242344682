"""A month of the books: its controls, its journal, and closing it."""

import csv
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest, HttpResponseNotAllowed, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path

from billing.activity.selectors import activity_of
from billing.core.lifecycles import PeriodStatus
from billing.core.postings import ROLE_NAMES, Role
from billing.invoices.services import note_journal_export
from billing.ledger.admin import AccountingPeriodAdmin
from billing.ledger.selectors import JOURNAL_COLUMNS, journal_rows
from billing.platform import display
from billing.platform.actors import Actor
from billing.platform.clock import now
from billing.reports.books import CHECKS, controls
from customers.selectors import now_for_seller
from valueverse.backoffice.books import require
from valueverse.backoffice.pages import ObjectPage
from valueverse.backoffice.verbs import Data, Outcome, Verb
from valueverse.closing import close_month


class Close(Verb):
    """Recognize what the month delivered, check the books, close for good."""

    def __init__(self, *, is_soft: bool) -> None:
        self.is_soft = is_soft
        super().__init__(
            "soft-close" if is_soft else "close",
            "Soft-close" if is_soft else "Close",
            "ledger.close_period",
            "Documents and payments are no longer dated in this month; recognition and accrual still may be."
            if is_soft
            else "A closed month stays closed: nothing is dated in it any more. What comes late is posted in the next "
            "open month and marked late.",
            asks_first=True,
        )

    def at(self, row: Any) -> datetime:
        return now_for_seller(row.legal_entity)

    def subject(self, row: Any) -> str:
        return f"{display.month(row.start_on)}, {row.legal_entity}"

    def state(self, row: Any) -> tuple[Any, ...]:
        return (row.status,)

    def is_offered(self, row: Any) -> bool:
        return row.status == PeriodStatus.OPEN or (
            row.status == PeriodStatus.SOFT_CLOSED and not self.is_soft
        )

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        return [
            ("Month", display.month(row.start_on)),
            ("Legal entity", row.legal_entity.name),
            ("Entries so far", f"{row.entries.count():,}"),
        ]

    def button(self, row: Any, data: Data) -> str:
        return f"{self.label} {display.month(row.start_on)}"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        close_month(
            legal_entity=row.legal_entity, month_on=row.start_on, is_soft=self.is_soft, actor=actor, at=at
        )
        return Outcome(
            f"{display.month(row.start_on)} is {'soft-closed' if self.is_soft else 'closed'}.", row
        )


AccountingPeriod: Any = apps.get_model("ledger", "AccountingPeriod")


@admin.register(AccountingPeriod)
class PeriodPage(ObjectPage, AccountingPeriodAdmin):
    """A month of the books with every control, its journal, and closing it."""

    page_template = "backoffice/period.html"
    verbs = (Close(is_soft=False), Close(is_soft=True))

    def get_urls(self) -> list[URLPattern]:
        journal = self.admin_site.admin_view(self.journal_view)
        return [path("<int:pk>/journal.csv", journal, name="ledger_journal"), *super().get_urls()]

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        entity = row.legal_entity
        last_on = display.last_day(row.end_on)
        others = [check for check in CHECKS if "control" not in check.name]
        return {
            "title": f"{display.month(row.start_on)}, {entity}",
            "last_on": last_on,
            "entity": entity,
            "entry_count": row.entries.count(),
            "late_count": row.entries.filter(is_late=True).count(),
            "controls": [(ROLE_NAMES[Role(line.role)], line) for line in controls(legal_entity=entity)],
            "checks": [(check, len(check.broken())) for check in others] if "checks" in request.GET else None,
            "activity": list(activity_of(object_id=row.public_id)[:20]),
        }

    def journal_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """The month's postings as CSV: neutral figures, text that a spreadsheet does not run.

        By POST, as it changes something: the documents in it count as exported and are no longer voided.
        """
        require(request, "ledger.export_journal")
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        row = self.find(request, pk)
        note_journal_export(legal_entity=row.legal_entity, start_on=row.start_on, end_on=row.end_on, at=now())
        found = journal_rows(legal_entity=row.legal_entity, start_on=row.start_on, end_on=row.end_on)
        response = StreamingHttpResponse(csv_lines(found), content_type="text/csv; charset=utf-8")
        name = f"journal-{row.start_on:%Y-%m}.csv"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response


class _Echo:
    def write(self, value: str) -> str:
        return value


def csv_lines(rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    """CSV, header first; a text that begins like a formula gets an apostrophe, a negative amount stays a number."""
    writer = csv.writer(_Echo())
    yield writer.writerow(JOURNAL_COLUMNS)
    for row in rows:
        yield writer.writerow([neutral(cell) for cell in row])


def neutral(cell: str) -> str:
    """The cell such that no spreadsheet takes it for a formula.

    >>> neutral("=cmd()"), neutral("-12.00"), neutral("-1+2")
    ("'=cmd()", '-12.00', "'-1+2")
    """
    if cell[:1] in ("=", "+", "-", "@", "\t", "\r") and not cell[1:].replace(".", "", 1).isdigit():
        return f"'{cell}"
    return cell
