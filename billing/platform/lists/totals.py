"""The totals under a list: how many rows the filter leaves, and their sums per currency, never added across."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import OperationalError, connection, transaction
from django.db.models import Count, QuerySet, Sum

QUICK = timedelta(seconds=1.5)
"""How long totals may take beside a list; what takes longer is counted when somebody asks."""

PATIENT = timedelta(seconds=20)
"""How long they may take when somebody asked."""


@dataclass(frozen=True, slots=True)
class Totals:
    """One row of totals. sums: minor units by column; currency: "" where a list has no amounts."""

    rows: int
    currency: str = ""
    sums: dict[str, int] = field(default_factory=dict)


def totals_by_currency(admin: Any, rows: QuerySet[Any]) -> list[Totals]:
    """Count and sums of rows, per currency."""
    summed = {name: expression for name, expression in admin.list_amounts.items() if expression is not None}
    if not summed:
        return [Totals(rows.order_by().values("pk").count())]
    sums = {f"sum_of_{name}": Sum(expression) for name, expression in summed.items()}
    found = rows.order_by().values_list(admin.list_currency).annotate(rows=Count("pk"), **sums)
    names = ["rows", *sums]
    return [
        Totals(
            int(values[1]),
            str(values[0]),
            {name: int(value or 0) for name, value in zip(summed, values[2 : 2 + len(names)], strict=True)},
        )
        for values in sorted(found, key=lambda values: str(values[0]))
    ] or [Totals(0)]


def within_time(asked: Callable[[], list[Totals]], *, limit: timedelta) -> list[Totals] | None:
    """The answer, or None if the database needs longer than `limit`."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = %s", [int(limit.total_seconds() * 1000)])
            found = asked()
            cursor.execute("SET LOCAL statement_timeout = DEFAULT")
            return found
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") == "57014":  # canceled by the timeout
            return None
        raise
