"""Events pour in while their periods are billed: each is billed exactly once (I13)."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction

from billing.catalog.models import Meter
from billing.invoices.models import InvoiceLine
from billing.invoices.services import draft_due_invoices, finalize_invoice
from billing.reports.books import check_books
from billing.usage.models import UsageEvent
from billing.usage.selectors import rollup_mismatches
from billing.usage.services import IncomingEvent, ingest, ingestion
from customers.models import Customer
from customers.selectors import now_for
from tests import factories
from tests.billing_factories import advance, billed_customer
from tests.concurrency.racing import at_once, errors, overlapping, without_row_locks
from tests.factories import ACTOR, START

pytestmark = pytest.mark.usefixtures("committed_db")
DAY = timedelta(days=1)
DAYS = 6

RECTANGLES_PER_EVENT = """
    SELECT (SELECT count(*) FROM subscriptions_billedperiod billed
            WHERE billed.reason = 'usage' AND billed.released_at IS NULL
              AND event.at >= billed.start_at AND event.at < billed.end_at
              AND (billed.received_after IS NULL OR event.received_at > billed.received_after)
              AND event.received_at <= billed.received_until) AS rectangles, count(*)
    FROM usage_usageevent event GROUP BY 1
"""


@pytest.fixture
def customer(committed_db: str) -> Customer:
    """A customer who is billed day by day for requests, one cent each; six days have gone by."""
    meter = factories.meter("requests", aggregation="count", property="")
    factories.tax_rate()
    version = factories.plan_version(
        prices=[factories.usage_price(meter, model="per_unit", definition={"unit_amount": "0.01"})],
        interval_unit="day",
    )
    made = billed_customer(version=version)
    advance(made, START + DAYS * DAY)
    return made


def event(customer: Customer, name: str, *, day: int = 0, hour: int = 0) -> IncomingEvent:
    at = START + day * DAY + timedelta(hours=hour)
    return IncomingEvent(name, customer.public_id, Meter.objects.get().event_type, at, {})


def bill(customer: Customer, *, days: int) -> Any:
    """Draft and finalize what is due after some days."""
    with transaction.atomic():
        drafts = draft_due_invoices(
            customer=customer, as_of=START + days * DAY, cutoff=START + days * DAY, actor=ACTOR
        )
    at = now_for(Customer.objects.select_related("test_clock").get(pk=customer.pk))
    return [finalize_invoice(invoice_id=draft.public_id, actor=ACTOR, at=at) for draft in drafts]


def rectangles_per_event() -> dict[int, int]:
    """How many events lie in how many billed rectangles of service by receipt."""
    with connection.cursor() as cursor:
        cursor.execute(RECTANGLES_PER_EVENT)
        return dict(cursor.fetchall())


def billed_requests() -> Decimal:
    return sum((line.quantity for line in InvoiceLine.objects.filter(meter_code="requests")), Decimal(0))


def test_every_event_that_pours_in_while_days_are_billed_is_billed_once(customer: Customer) -> None:
    def sender(name: str) -> Any:
        def send() -> None:
            for batch in range(12):
                events = [event(customer, f"{name}-{batch}-{n}", day=(batch + n) % DAYS) for n in range(10)]
                assert {verdict.kind.value for verdict in ingest(events=events)} == {"accepted"}

        return send

    def biller() -> None:
        for days in range(1, DAYS + 1):
            bill(customer, days=days)

    outcomes = at_once(sender("a"), sender("b"), sender("c"), biller)
    assert errors(outcomes) == []
    advance(Customer.objects.select_related("test_clock").get(pk=customer.pk), START + (DAYS + 1) * DAY)
    bill(customer, days=DAYS + 1)  # with what came too late for the bill of its day
    assert UsageEvent.objects.count() == 360
    assert rectangles_per_event() == {1: 360}
    assert billed_requests() == 360
    assert rollup_mismatches() == []
    assert check_books() == []


def send_while_another_batch_is_in_flight(customer: Customer) -> Any:
    """A batch of another hour comes in and is billed while an earlier one is not committed yet."""
    ingest(events=[event(customer, "second", hour=1)])
    return bill(customer, days=1)


def test_a_bill_waits_for_the_batch_in_flight(customer: Customer) -> None:
    result = overlapping(
        lambda: ingest(events=[event(customer, "first")]),
        lambda: send_while_another_batch_is_in_flight(customer),
    )
    assert result.second_waited
    bill(customer, days=DAYS)
    assert rectangles_per_event() == {1: 2}
    assert billed_requests() == 2


def test_control_without_the_lock_the_batch_in_flight_is_never_billed(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingestion, "leave_notices", lambda pks: None)  # their row keeps batches apart, too
    with without_row_locks():
        overlapping(
            lambda: ingest(events=[event(customer, "first")]),
            lambda: send_while_another_batch_is_in_flight(customer),
        )
    bill(customer, days=DAYS)
    assert billed_requests() == 1  # of two: both were received by the cut-off, one of them unseen
