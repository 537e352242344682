"""Closing a month while the business goes on: revenue is recognized once, and nothing slips into a closed month."""

from datetime import UTC, date, datetime

import pytest

from billing.core.postings import EntryDraft, PostingDraft, Role
from billing.invoices.models import Invoice
from billing.invoices.services import finalize_invoice, void_invoice
from billing.ledger.models import AccountingPeriod
from billing.ledger.services import close_period, ensure_period, post_entry
from billing.reports.books import check_books
from billing.revenue.models import UsageAccrual
from billing.revenue.services import recognize_revenue
from billing.usage.services import IncomingEvent, ingest
from customers.models import Customer, LegalEntity
from customers.selectors import now_for
from tests import factories
from tests.billing_factories import (
    advance,
    billed_customer,
    credit_note,
    draft_invoice,
    finalized_invoice,
    paid_invoice,
    version_with_fee,
)
from tests.concurrency.racing import overlapping, without_row_locks
from tests.factories import ACTOR, START

pytestmark = pytest.mark.usefixtures("committed_db")
DECEMBER = datetime(2023, 12, 1, 12, tzinfo=UTC)


def recognize(entity: LegalEntity) -> object:
    return recognize_revenue(legal_entity=entity, as_of=date(2023, 11, 30), actor=ACTOR, at=DECEMBER)


@pytest.fixture
def november() -> Invoice:
    """The fee of November, billed and paid; it is December."""
    invoice = paid_invoice()
    advance(invoice.customer, DECEMBER)
    return invoice


def test_credit_note_during_recognition_takes_revenue_back_not_what_was_deferred(november: Invoice) -> None:
    november.customer.refresh_from_db()
    result = overlapping(lambda: recognize(november.legal_entity), lambda: credit_note(november))
    assert result.second_waited
    assert result.second.error is None
    assert check_books() == []


def test_recognition_during_a_credit_note_releases_nothing(november: Invoice) -> None:
    november.customer.refresh_from_db()
    result = overlapping(lambda: credit_note(november), lambda: recognize(november.legal_entity))
    assert result.second_waited
    assert result.second.error is None
    assert check_books() == []


def test_void_during_recognition_reverses_what_was_released() -> None:
    invoice = finalized_invoice()
    result = overlapping(
        lambda: recognize(invoice.legal_entity),
        lambda: void_invoice(invoice_id=invoice.public_id, reason="Wrong customer", actor=ACTOR, at=START),
    )
    assert result.second_waited
    assert result.second.error is None
    assert check_books() == []


def test_two_recognitions_at_once_release_a_month_once(november: Invoice) -> None:
    result = overlapping(lambda: recognize(november.legal_entity), lambda: recognize(november.legal_entity))
    assert result.second_waited
    assert [result.first.value.slices_minor, result.second.value.slices_minor] == [9900, 0]
    assert check_books() == []


@pytest.fixture
def used() -> Invoice:
    """A draft of 1 December with the usage of November on it: its fee is released, its usage not accrued yet."""
    meter = factories.meter("requests", aggregation="count", property="")
    customer = billed_customer(version=version_with_fee(meters=[meter]))
    recognize(finalized_invoice(customer).legal_entity)
    events = [IncomingEvent(f"e{n}", customer.public_id, meter.event_type, START, {}) for n in range(500)]
    ingest(events=events)
    advance(customer, DECEMBER)
    return draft_invoice(Customer.objects.select_related("test_clock").get(pk=customer.pk))


def finalize(draft: Invoice) -> Invoice:
    return finalize_invoice(invoice_id=draft.public_id, actor=ACTOR, at=now_for(draft.customer))


def test_usage_is_accrued_once_when_the_invoice_is_finalized_during_the_accrual(used: Invoice) -> None:
    result = overlapping(lambda: recognize(used.legal_entity), lambda: finalize(used))
    assert result.second_waited
    assert [accrual.amount_minor for accrual in UsageAccrual.objects.all()] == [500]
    assert check_books() == []


def test_usage_is_accrued_once_when_the_accrual_runs_during_finalizing(used: Invoice) -> None:
    result = overlapping(lambda: finalize(used), lambda: recognize(used.legal_entity))
    assert result.second_waited
    assert [accrual.amount_minor for accrual in UsageAccrual.objects.all()] == [500]
    assert check_books() == []


def test_control_without_the_lock_usage_is_accrued_twice(used: Invoice) -> None:
    with without_row_locks():
        overlapping(lambda: recognize(used.legal_entity), lambda: finalize(used))
    assert [accrual.amount_minor for accrual in UsageAccrual.objects.all()] == [500, 500]


# I23: the month closes while somebody posts


def post(customer: Customer, source_id: str = "pay_1") -> object:
    return post_entry(
        draft=EntryDraft("succeed", (PostingDraft(Role.BANK, 100), PostingDraft(Role.UNAPPLIED_CASH, -100))),
        legal_entity=customer.legal_entity,
        customer=customer,
        currency="EUR",
        accounting_on=date(2023, 11, 15),
        source_type="payment",
        source_id=source_id,
        actor=ACTOR,
    )


def close(period: AccountingPeriod) -> object:
    return close_period(period_id=period.public_id, actor=ACTOR, at=DECEMBER)


def test_an_entry_that_meets_the_close_of_its_month_is_refused() -> None:
    customer = factories.customer(test_clock=factories.test_clock())
    period = ensure_period(legal_entity=customer.legal_entity, on=date(2023, 11, 15))
    result = overlapping(lambda: close(period), lambda: post(customer))
    assert result.second_waited
    assert result.second.constraint() == "i23_closed_period_does_not_move"


def test_the_close_of_a_month_waits_for_entries_being_written() -> None:
    customer = factories.customer(test_clock=factories.test_clock())
    period = ensure_period(legal_entity=customer.legal_entity, on=date(2023, 11, 15))
    result = overlapping(lambda: post(customer), lambda: close(period))
    assert result.second_waited
    assert result.second.value.status == "closed"
    assert period.entries.count() == 1
