"""A month of the books: its checklist, its controls and what makes them differ, its journal, and closing it."""

from datetime import datetime
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo

from django.apps import apps
from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path

from billing.activity.selectors import activity_of
from billing.core.lifecycles import PeriodStatus
from billing.core.postings import ROLE_NAMES, Role
from billing.invoices.services import note_journal_export
from billing.ledger.admin import AccountingPeriodAdmin
from billing.ledger.selectors import JOURNAL_COLUMNS, journal_rows
from billing.ledger.services import record_export
from billing.platform import display
from billing.platform.actors import Actor
from billing.platform.admin import staff_actor
from billing.platform.clock import now
from billing.reports.books import CHECKS
from billing.revenue.services import recognize_revenue
from customers.selectors import now_for_seller
from valueverse.backoffice.books import require
from valueverse.backoffice.csv_files import csv_response
from valueverse.backoffice.pages import ObjectPage
from valueverse.backoffice.period_checklist import checklist_of, differences_of
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


class Recognize(Verb):
    """Release the fees and accrue the usage of a month that is over; closing does it too."""

    def __init__(self) -> None:
        super().__init__(
            "recognize",
            "Recognize revenue",
            "ledger.close_period",
            "Entries are never edited: what is recognized is taken back by credit notes and late accruals only.",
            asks_first=True,
        )

    def at(self, row: Any) -> datetime:
        return now_for_seller(row.legal_entity)

    def subject(self, row: Any) -> str:
        return f"{display.month(row.start_on)}, {row.legal_entity}"

    def state(self, row: Any) -> tuple[Any, ...]:
        return (row.status, row.entries.count())

    def is_offered(self, row: Any) -> bool:
        zone = ZoneInfo(row.legal_entity.time_zone)
        is_open: bool = row.status != PeriodStatus.CLOSED
        return is_open and self.at(row).astimezone(zone).date() >= row.end_on

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        return [("Month", display.month(row.start_on)), ("Legal entity", row.legal_entity.name)]

    def button(self, row: Any, data: Data) -> str:
        return f"Recognize {display.month(row.start_on)}"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = recognize_revenue(
            legal_entity=row.legal_entity, as_of=display.last_day(row.end_on), actor=actor, at=at
        )
        currency = row.legal_entity.accounting_currency
        return Outcome(
            f"{made.slices:,} fee parts released, {display.amount(made.slices_minor, currency)}; "
            f"{made.accruals:,} accruals, {display.amount(made.accruals_minor, currency)}.",
            row,
        )

    def result(self, row: Any, made: Outcome) -> list[tuple[str, Any]]:
        return [("This run adds", made.message)]


AccountingPeriod: Any = apps.get_model("ledger", "AccountingPeriod")


@admin.register(AccountingPeriod)
class PeriodPage(ObjectPage, AccountingPeriodAdmin):
    """A month of the books with every control, its journal, and closing it."""

    page_template = "backoffice/period.html"
    verbs = (Close(is_soft=False), Close(is_soft=True), Recognize())

    def get_urls(self) -> list[URLPattern]:
        journal = self.admin_site.admin_view(self.journal_view)
        return [path("<int:pk>/journal.csv", journal, name="ledger_journal"), *super().get_urls()]

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        entity = row.legal_entity
        last_on = display.last_day(row.end_on)
        others = [check for check in CHECKS if "control" not in check.name]
        checklist = checklist_of(row)
        role = request.GET.get("control", "")
        differs = role in {line.role for _, line in checklist.controls}
        return {
            "checklist": checklist,
            "control": role if differs else "",
            "control_name": ROLE_NAMES[Role(role)] if differs else "",
            "differences": differences_of(entity, role) if differs else [],
            "may_see_customers": request.user.has_perm("customers.view_customer"),
            "title": f"{display.month(row.start_on)}, {entity}",
            "last_on": last_on,
            "entity": entity,
            "entry_count": row.entries.count(),
            "late_count": row.entries.filter(is_late=True).count(),
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
        entity = row.legal_entity
        with transaction.atomic():
            note_journal_export(legal_entity=entity, start_on=row.start_on, end_on=row.end_on, at=now())
            record_export(
                legal_entity=entity,
                month_on=row.start_on,
                actor=staff_actor(request),
                at=now_for_seller(entity),
            )
        found = journal_rows(legal_entity=entity, start_on=row.start_on, end_on=row.end_on)
        return csv_response(f"journal-{row.start_on:%Y-%m}", chain([JOURNAL_COLUMNS], found))
