"""Two workers bill, finalize and number at once: one set of invoices, one number, one entry."""

from typing import Any

import pytest
from billing.core.lifecycles import BillRunStatus
from billing.invoices.models import Invoice
from billing.invoices.services import (
    draft_due_invoices,
    finalize_invoice,
    perform_bill_run,
    start_bill_run,
)
from billing.ledger.models import JournalEntry
from billing.reports.books import check_books
from billing.subscriptions.models import BilledPeriod
from customers.models import Customer
from customers.selectors import now_for
from django.db import connection, transaction
from tests import factories
from tests.billing_factories import billed_customer, draft_invoice, finalized_invoice, version_with_fee
from tests.concurrency.racing import Outcome, at_once, errors, overlapping, values, without_row_locks
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
    first, second = neighbors(2)
    run = start_bill_run(as_of=START, actor=ACTOR, at=START)
    for customer in (first, second):
        bill(customer)
    Invoice.objects.update(bill_run=run)
    run.customers.update(status="drafted")
    run = approved(run)

    def finalize_by_hand() -> Outcome:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '500ms'")  # before PostgreSQL looks for deadlocks
        return Outcome(finalize(Invoice.objects.get(customer=second)))

    def hold_second_then_finalize() -> Any:
        with transaction.atomic():
            Customer.objects.select_for_update().get(pk=second.pk)
            locked.set()
            wait_until_somebody_waits()
            return finalize_by_hand()

    from threading import Event

    locked = Event()

    def perform() -> Any:
        locked.wait(10)
        return perform_bill_run(run=run, actor=ACTOR, at=START)

    outcomes = at_once(hold_second_then_finalize, perform)
    assert errors(outcomes) == []
    assert numbers() == [1, 2]
    assert check_books() == []
