"""Document numbers: gapless, unique, in order of issue (I8)."""

import threading
from collections.abc import Iterator
from datetime import date

import pytest
from django.db import connection, transaction

from customers.models import DocumentType, LegalEntity, NumberCounter, NumberSeries
from customers.services import IssueDateBeforeLast, NumberSeriesMissing, take_number
from tests import factories


@pytest.fixture
def rolled_back(db: None) -> Iterator[None]:
    """A transaction that never commits: a number without its document would be refused at commit."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def taken(entity: LegalEntity, on: date, kind: DocumentType = DocumentType.INVOICE) -> str:
    return take_number(legal_entity=entity, document_type=kind, issued_on=on).text


@pytest.mark.usefixtures("rolled_back")
def test_numbers_count_up_within_the_year_and_start_again_with_the_next() -> None:
    entity = factories.legal_entity()
    assert [
        taken(entity, date(2023, 11, 1)),
        taken(entity, date(2023, 12, 31)),
        taken(entity, date(2024, 1, 1)),
    ] == [
        "VV-2023-000001",
        "VV-2023-000002",
        "VV-2024-000001",
    ]


@pytest.mark.usefixtures("rolled_back")
def test_credit_notes_and_other_entities_have_series_of_their_own() -> None:
    one, other = factories.legal_entity(), factories.legal_entity()
    assert taken(one, date(2023, 11, 1)) == "VV-2023-000001"
    assert taken(one, date(2023, 11, 1), DocumentType.CREDIT_NOTE) == "VV-CN-2023-000001"
    assert taken(other, date(2023, 1, 1)) == "VV-2023-000001"


@pytest.mark.usefixtures("rolled_back")
def test_no_document_is_dated_before_the_last_of_its_series() -> None:
    entity = factories.legal_entity()
    taken(entity, date(2023, 12, 1))
    with pytest.raises(IssueDateBeforeLast) as refused:
        taken(entity, date(2023, 11, 30))
    assert refused.value.details == {"last_issued_on": "2023-12-01"}
    assert taken(entity, date(2023, 12, 1)) == "VV-2023-000002", (
        "the same day is fine, and no number was lost"
    )


@pytest.mark.usefixtures("rolled_back")
def test_no_document_is_dated_into_a_year_that_another_one_has_left() -> None:
    entity = factories.legal_entity()
    taken(entity, date(2024, 1, 2))
    with pytest.raises(IssueDateBeforeLast):
        taken(entity, date(2023, 12, 31))
    assert NumberCounter.objects.filter(series__legal_entity=entity).count() == 1


@pytest.mark.usefixtures("rolled_back")
def test_rollback_gives_the_number_back() -> None:
    entity = factories.legal_entity()
    taken(entity, date(2023, 11, 1))
    with transaction.atomic():
        assert taken(entity, date(2023, 11, 2)) == "VV-2023-000002"
        transaction.set_rollback(True)
    assert taken(entity, date(2023, 11, 1)) == "VV-2023-000002"


@pytest.mark.usefixtures("rolled_back")
def test_entity_without_a_series_issues_nothing() -> None:
    entity = factories.legal_entity()
    NumberSeries.objects.filter(legal_entity=entity, document_type=DocumentType.CREDIT_NOTE).delete()
    with pytest.raises(NumberSeriesMissing):
        taken(entity, date(2023, 11, 1), DocumentType.CREDIT_NOTE)


def test_two_first_numbers_of_a_year_wait_for_each_other(committed_db: str) -> None:
    """The second taker waits for the first, though the year has no counter row that both could lock."""
    entity = factories.legal_entity()
    first_holds, first_may_end = threading.Event(), threading.Event()
    texts: list[str] = []

    def take(*, hold: bool) -> None:
        try:
            with transaction.atomic():
                texts.append(taken(entity, date(2023, 11, 1)))
                if hold:
                    first_holds.set()
                    first_may_end.wait(10)
                transaction.set_rollback(True)
        finally:
            connection.close()

    first = threading.Thread(target=take, kwargs={"hold": True})
    second = threading.Thread(target=take, kwargs={"hold": False})
    first.start()
    assert first_holds.wait(10)
    second.start()
    second.join(0.5)
    assert second.is_alive(), "the second must wait while the first holds the series"
    first_may_end.set()
    first.join(10)
    second.join(10)
    assert texts == ["VV-2023-000001", "VV-2023-000001"], "rolled back, the number is free again"
