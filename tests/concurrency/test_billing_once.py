"""Two workers bill, finalize and number at once: one set of invoices, one number, one entry."""

from contextlib import suppress
from threading import Event
from typing import Any

import pytest
from django.db import connection, transaction

from billing.core.lifecycles import BillRunStatus
from billing.invoices.models import Invoice
from billing.invoices.services import (
    approve_bill_run,
    draft_due_invoices,
    finalize_invoice,
    perform_bill_run,
    start_bill_run,
)
from billing.ledger.models import JournalEntry
from billing.reports.books import check_books
from billing.subscriptions.models import BilledPeriod
from customers.models import Customer
from tests import factories
from tests.billing_factories import billed_customer, draft_invoice, version_with_fee
from tests.concurrency.racing import (
    PATIENCE,
    at_once,
    errors,
    overlapping,
    values,
    wait_until_somebody_waits,
    without_row_locks,
)
from tests.factories import ACTOR, START

pytestmark = pytest.mark.usefixtures("committed_db")


def bill(customer: Customer) -> list[Invoice]:
    with transaction.atomic():
        return draft_due_invoices(customer=customer, as_of=START, cutoff=START, actor=ACTOR)


def finalize(invoice: Invoice) -> Invoice:
    return finalize_invoice(invoice_id=invoice.public_id, actor=ACTOR, at=START)


def neighbors(count: int) -> list[Customer]:
    """Customers of one legal entity, who share its number series and its books."""
    clock, version = factories.test_clock(), version_with_fee()
    return [billed_customer(clock=clock, version=version, method=None) for _ in range(count)]


def numbers() -> list[int]:
    return list(
        Invoice.objects.exclude(number=None).order_by("series_number").values_list("series_number", flat=True)
    )


# One customer, two runs (B2, B8, B13)


def test_two_workers_that_bill_one_customer_make_one_invoice() -> None:
    customer = billed_customer()
    result = overlapping(lambda: bill(customer), lambda: bill(customer))
    assert result.second_waited
    assert [len(result.first.value), len(result.second.value)] == [1, 0]
    assert BilledPeriod.objects.count() == 1


def test_control_without_the_lock_only_the_constraint_keeps_the_second_worker_from_billing_again() -> None:
    customer = billed_customer()
    with without_row_locks():
        result = overlapping(lambda: bill(customer), lambda: bill(customer))
    assert result.second.constraint() == "i10_period_is_billed_once"
    assert Invoice.objects.count() == 1


def test_two_runs_over_the_same_customers_bill_each_of_them_once() -> None:
    customers = neighbors(4)
    runs = [start_bill_run(as_of=START, actor=ACTOR, at=START) for _ in range(2)]

    def perform(run: Any) -> Any:
        return lambda: perform_bill_run(run=run, actor=ACTOR, at=START)

    outcomes = at_once(*(perform(run) for run in runs))
    assert [run.status for run in values(outcomes)] == [BillRunStatus.COMPLETED] * 2, outcomes
    assert sorted(Invoice.objects.values_list("customer_id", flat=True)) == [each.pk for each in customers]
    assert set(Invoice.objects.values_list("status", flat=True)) == {"finalized"}
    assert numbers() == [1, 2, 3, 4]
    assert check_books() == []


def test_a_run_that_waits_for_a_customer_holds_nobody_up() -> None:
    """Somebody finalizes an invoice of the second customer while a run bills both.

    A run that took the first customer's number, and then waited for the second customer, would hold the number
    series that the other one needs next: a deadlock.
    """
    _, second = neighbors(2)
    run = start_bill_run(as_of=START, actor=ACTOR, at=START, needs_review=True)
    perform_bill_run(run=run, actor=ACTOR, at=START)
    run.refresh_from_db()
    approve_bill_run(run=run, actor=ACTOR, at=START)
    locked = Event()

    def finalize_by_hand() -> None:
        with transaction.atomic():
            Customer.objects.select_for_update().get(pk=second.pk)
            locked.set()
            wait_until_somebody_waits()
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '500ms'")  # before PostgreSQL looks for deadlocks
            finalize(Invoice.objects.get(customer=second))

    def perform() -> None:
        locked.wait(PATIENCE)
        run.refresh_from_db()
        perform_bill_run(run=run, actor=ACTOR, at=START)

    outcomes = at_once(finalize_by_hand, perform)
    assert errors(outcomes) == []
    assert numbers() == [1, 2]
    assert check_books() == []


# One draft, two finalizers (B2, B19)


def test_two_workers_that_finalize_one_draft_take_one_number_and_post_one_entry() -> None:
    draft = draft_invoice()
    result = overlapping(lambda: finalize(draft), lambda: finalize(draft))
    assert result.second_waited
    assert result.first.value.number == result.second.value.number
    assert numbers() == [1]
    assert JournalEntry.objects.filter(source_id=draft.public_id).count() == 1
    assert draft.mails.count() == 1
    assert check_books() == []


def test_control_without_the_lock_the_second_worker_takes_another_number_until_the_database_refuses() -> None:
    draft = draft_invoice()
    with without_row_locks():
        result = overlapping(lambda: finalize(draft), lambda: finalize(draft))
    assert result.second.constraint() == "i7_issued_invoice_never_changes"
    assert numbers() == [1]


def test_ten_who_finalize_one_draft_at_once_get_the_same_invoice() -> None:
    draft = draft_invoice()
    outcomes = at_once(*[lambda: finalize(draft)] * 10)
    assert {invoice.number for invoice in values(outcomes)} == {"VV-2023-000001"}
    assert errors(outcomes) == []
    assert check_books() == []


# Numbers without gaps (I8)


class Interrupted(Exception):
    """A worker that fails after it has taken its number."""


def test_numbers_have_no_gaps_when_workers_fail_in_between() -> None:
    drafts = [draft_invoice(customer) for customer in neighbors(20)]

    def worker(share: list[Invoice]) -> Any:
        def work() -> None:
            for place, draft in enumerate(share):
                if place % 2 == 0:
                    with suppress(Interrupted), transaction.atomic():
                        finalize(draft)
                        raise Interrupted
                finalize(draft)

        return work

    assert errors(at_once(*(worker(drafts[start::4]) for start in range(4)))) == []
    assert numbers() == list(range(1, 21))
    assert check_books() == []


def test_the_next_number_waits_until_it_is_known_whether_the_last_one_was_used() -> None:
    drafts = [draft_invoice(customer) for customer in neighbors(3)]
    finalize(drafts[0])

    result = overlapping(lambda: finalize(drafts[1]), lambda: finalize(drafts[2]))
    assert result.second_waited
    assert [result.first.value.series_number, result.second.value.series_number] == [2, 3]


def test_control_without_the_lock_two_invoices_want_one_number() -> None:
    drafts = [draft_invoice(customer) for customer in neighbors(3)]
    finalize(drafts[0])
    with without_row_locks():
        result = overlapping(lambda: finalize(drafts[1]), lambda: finalize(drafts[2]))
    assert result.second.constraint() == "i8_invoice_number_is_unique"
    assert numbers() == [1, 2]
