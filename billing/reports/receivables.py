"""What was billed, collected, and is still open: per legal entity and currency, never added across.

Billed: the totals of finalized invoices by day of issue, tax included, credit notes not taken off (they have a list of
their own). Collected: money received, by day of receipt, refunds not taken off. Open: what no allocation, credit note
or write-off has settled yet. All amounts are minor units. Each question reads one index made for it.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import TruncMonth

from billing.core.lifecycles import InvoiceStatus
from billing.invoices.models import Invoice
from customers.models import LegalEntity
from payments.models import RECEIVED_PAYMENT_STATUSES, Payment

SETTLED = F("allocated_minor") + F("offset_minor") + F("written_off_minor")
LEFT = F("total_minor") - F("allocated_minor") - F("offset_minor") - F("written_off_minor")
MONTHS_MAX = 36


@dataclass(frozen=True, slots=True)
class Age:
    """A bucket of lateness, in whole days after the due day, both ends inclusive; last None: without end."""

    label: str
    first: int
    last: int | None

    def due(self, as_of: date) -> tuple[date | None, date]:
        """The due days in it: from (None: since ever), to."""
        earliest = None if self.last is None else as_of - timedelta(days=self.last)
        return earliest, as_of - timedelta(days=self.first)


AGES = (Age("0-30", 1, 30), Age("31-60", 31, 60), Age("61-90", 61, 90), Age("90+", 91, None))
"""Days late. On the due day an invoice is not overdue yet."""


@dataclass(frozen=True, slots=True)
class Open:
    """What is open in one currency, of that overdue, and the overdue by age (in the order of AGES)."""

    currency: str
    open_minor: int
    open_count: int
    overdue_minor: int
    overdue_count: int
    by_age: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MonthFigures:
    """A month in one currency."""

    month_on: date
    currency: str
    billed_minor: int
    collected_minor: int


def open_invoices(*, legal_entity: LegalEntity) -> QuerySet[Invoice]:
    """Finalized invoices of which something is left to settle."""
    return Invoice.objects.filter(
        legal_entity=legal_entity, status=InvoiceStatus.FINALIZED, total_minor__gt=SETTLED
    )


def open_by_age(*, legal_entity: LegalEntity, as_of: date) -> list[Open]:
    """What is open now, aged on a day, by currency; empty if nothing is.

    as_of: the day the lateness is counted to. What was settled since then is not brought back.
    """
    ages = {}
    for number, age in enumerate(AGES):
        earliest, latest = age.due(as_of)
        within = Q(due_on__lte=latest) if earliest is None else Q(due_on__range=(earliest, latest))
        ages[f"age{number}"] = Sum(LEFT, filter=within)
    late = Q(due_on__lt=as_of)
    rows: Any = (
        open_invoices(legal_entity=legal_entity)
        .order_by("currency")
        .values("currency")
        .annotate(
            open=Sum(LEFT),
            count=Count("*"),
            overdue=Sum(LEFT, filter=late),
            late=Count("due_on", filter=late),
            **ages,
        )
    )
    return [
        Open(
            row["currency"],
            int(row["open"]),
            row["count"],
            int(row["overdue"] or 0),
            row["late"],
            tuple(int(row[name] or 0) for name in ages),
        )
        for row in rows
    ]


def month_before(month_on: date, months: int = 1) -> date:
    """The first day of the month that many months earlier.

    >>> month_before(date(2023, 12, 1), 12), month_before(date(2024, 1, 1))
    (datetime.date(2022, 12, 1), datetime.date(2023, 12, 1))
    """
    count = month_on.year * 12 + month_on.month - 1 - months
    return date(count // 12, count % 12 + 1, 1)


def by_month(*, legal_entity: LegalEntity, as_of: date, months: int = 12) -> list[MonthFigures]:
    """Billed and collected of the last months up to a day, its own month included; oldest first, by currency.

    Every month is there for every currency that occurs, with zeros where nothing was. months: 1 to 36.
    """
    if not 1 <= months <= MONTHS_MAX:
        raise ValueError(f"1 to {MONTHS_MAX} months")
    last_on = as_of.replace(day=1)
    first_on = month_before(last_on, months - 1)
    billed = _monthly(
        Invoice.objects.filter(legal_entity=legal_entity, status=InvoiceStatus.FINALIZED),
        "issued_on", "total_minor", first_on, as_of,
    )  # fmt: skip
    collected = _monthly(
        Payment.objects.filter(legal_entity=legal_entity, status__in=RECEIVED_PAYMENT_STATUSES),
        "received_on", "amount_minor", first_on, as_of,
    )  # fmt: skip
    currencies = sorted({currency for _, currency in (*billed, *collected)})
    every = [month_before(last_on, number) for number in reversed(range(months))]
    return [
        MonthFigures(
            month_on, currency, billed.get((month_on, currency), 0), collected.get((month_on, currency), 0)
        )
        for currency in currencies
        for month_on in every
    ]


def _monthly(
    rows: QuerySet[Invoice] | QuerySet[Payment], day: str, amount: str, first_on: date, last_on: date
) -> dict[tuple[date, str], int]:
    sums = (
        rows.filter(**{f"{day}__gte": first_on, f"{day}__lte": last_on})
        .order_by()
        .values_list(TruncMonth(day), "currency")
        .annotate(total=Sum(amount))
    )
    return {(month_on, currency): int(total) for month_on, currency, total in sums}
