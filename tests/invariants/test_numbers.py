"""Document numbers: I8."""

from datetime import date

import pytest

from customers.models import DocumentType, NumberCounter
from tests import factories
from tests.billing_factories import (
    draft_invoice,
    finalized_invoice,
)
from tests.invariants.hostile import (
    UNIQUE,
    accepted,
    not_permitted,
    refused,
    sql,
)
from tests.invariants.raw_documents import (
    FIRST,
    a_draft,
    issue,
    issue_next,
    series_of,
    take_number,
    two_drafts,
)

pytestmark = pytest.mark.django_db


def test_i08_a_number_is_used_once() -> None:
    first, second = two_drafts()
    issue_next(first)
    with accepted():
        take_number(series_of(second.legal_entity), 2)
        issue(second, nth=2)
    with refused("i8_invoice_number_is_unique", UNIQUE):
        issue(second, nth=1, number="ANOTHER-1")


def test_i08_a_printed_number_is_used_once_per_legal_entity() -> None:
    first, second = two_drafts()
    issue_next(first)
    with refused("i8_invoice_printed_number_is_unique", UNIQUE):
        take_number(series_of(second.legal_entity), 2)
        issue(second, nth=2, number="RAW-invoice-1")


@pytest.mark.parametrize("kind", ["invoice", "credit_note"])
def test_i08_a_counter_that_advances_without_a_document_leaves_a_gap_and_is_refused(kind: str) -> None:
    draft = a_draft(kind)
    series = series_of(draft.legal_entity, DocumentType(kind))
    with refused("i8_numbers_have_no_gaps"):
        take_number(series, 1)
    with refused("i8_numbers_have_no_gaps"):
        take_number(series, 2)
        issue(draft, nth=2)


def test_i08_number_that_was_not_taken_from_the_counter_is_refused() -> None:
    draft = draft_invoice()
    with refused("i8_number_is_taken_from_its_series"):
        issue(draft)
    take = series_of(draft.legal_entity)
    for number in (0, 2):
        with refused("i8_number_is_taken_from_its_series"):
            take_number(take, 1)
            issue(draft, nth=number)


def test_i08_number_of_another_series_is_refused() -> None:
    draft = draft_invoice()
    others = {
        "another document type": series_of(draft.legal_entity, DocumentType.CREDIT_NOTE),
        "another legal entity": series_of(factories.legal_entity()),
    }
    for series in others.values():
        with refused("i8_number_is_taken_from_its_series"):
            take_number(series, 1)
            issue(draft, series_id=series.pk)


def test_i08_number_counts_in_the_year_of_its_issue_date() -> None:
    draft = draft_invoice()
    with refused("i8_number_is_taken_from_its_series"):
        take_number(series_of(draft.legal_entity), 1, year=2024)
        issue(draft, series_year=2024)


def test_i08_document_is_not_dated_before_the_last_of_its_series() -> None:
    first, second = two_drafts()
    later = date(2023, 11, 20)
    series = series_of(first.legal_entity)
    take_number(series, 1, issued_on=later)
    issue(first, issued_on=later)
    with accepted():
        take_number(series, 2, issued_on=later)
        issue(second, nth=2, issued_on=later)
    with refused("i8_number_counter_moves_forward"):
        take_number(series, 2, issued_on=FIRST)
    with refused("i8_number_is_taken_from_its_series"):
        take_number(series, 2, issued_on=later)
        issue(second, nth=2, issued_on=FIRST)


def test_i08_a_counter_never_goes_back_moves_to_another_series_or_disappears() -> None:
    invoice = finalized_invoice()
    counter = NumberCounter.objects.get(series=series_of(invoice.legal_entity))
    assert counter.last_number == 1
    other = series_of(invoice.legal_entity, DocumentType.CREDIT_NOTE)
    for change in ("last_number = 0", f"series_id = {other.pk}", "year = 2022"):
        with refused("i8_number_counter_moves_forward"):
            sql(f"UPDATE customers_numbercounter SET {change} WHERE id = %s", counter.pk)
    with not_permitted():
        sql("DELETE FROM customers_numbercounter WHERE id = %s", counter.pk)
