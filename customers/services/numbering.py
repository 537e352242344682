"""Document numbers: unique and gapless per legal entity, document type and year, in order of issue (I8)."""

from dataclasses import dataclass
from datetime import date

from django.db import connection

from billing.core.errors import BillingError, Kind
from customers.models import DocumentType, LegalEntity, NumberCounter, NumberSeries


class NumberSeriesMissing(BillingError):
    """The legal entity has no number series for documents of this type."""

    code = "number_series_missing"
    kind = Kind.CONFLICT


class IssueDateBeforeLast(BillingError):
    """A later number of the series was issued on a later day; numbers and issue dates ascend together."""

    code = "issue_date_before_last"
    kind = Kind.CONFLICT


@dataclass(frozen=True, slots=True)
class NumberTaken:
    """A number of a series: series and year it counts in, its place, and its printed text."""

    series: NumberSeries
    year: int
    number: int
    text: str


def take_number(*, legal_entity: LegalEntity, document_type: DocumentType, issued_on: date) -> NumberTaken:
    """Take the next number in the caller's transaction; a rollback gives it back, so that no gap appears.

    The year of the number is the year of `issued_on`, a day in the legal entity's time zone.
    Locks the series until the transaction ends: numbers are taken last, see `billing/platform/locks.py`. The series
    rather than the counter, since the first document of a year has no counter to lock yet.
    Raises NumberSeriesMissing; IssueDateBeforeLast if a number of this or a later year bears a later date.
    """
    assert connection.in_atomic_block, "a number is taken in the transaction that issues the document"
    series = (
        NumberSeries.objects.select_for_update(no_key=True)
        .filter(legal_entity=legal_entity, document_type=document_type)
        .first()
    )
    if series is None:
        raise NumberSeriesMissing(
            f"{legal_entity.name} has no number series for documents of type {document_type}.",
            field="number_series",
        )
    counters = list(series.counters.filter(year__gte=issued_on.year, last_number__gt=0).order_by("year"))
    last = max((counter.last_issued_on for counter in counters if counter.last_issued_on), default=None)
    if last is not None and issued_on < last:
        raise IssueDateBeforeLast(
            f"The last document of this series was issued on {last}; this one would be dated {issued_on}."
            + (
                " Test clocks of one entity share its numbers: use another test entity."
                if legal_entity.is_test
                else ""
            ),
            field="issued_on",
            last_issued_on=last.isoformat(),
        )
    counter, _ = NumberCounter.objects.get_or_create(series=series, year=issued_on.year)
    counter.last_number += 1
    counter.last_issued_on = issued_on
    counter.save(update_fields=["last_number", "last_issued_on"])
    return NumberTaken(
        series=series,
        year=issued_on.year,
        number=counter.last_number,
        text=series.format(year=issued_on.year, number=counter.last_number),
    )
