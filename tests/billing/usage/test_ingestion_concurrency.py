"""Two connections at once: every event is stored once, and no batch is lost to a deadlock."""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection, transaction

from billing.usage.models import UsageEvent
from billing.usage.selectors import receipt_cutoff, rollup_mismatches, usage_totals
from billing.usage.services import count_past_events, ingest
from customers.models import Customer
from tests.billing.usage.builders import NOVEMBER, clock, customer, event, meter, rollups, shown

pytestmark = pytest.mark.usefixtures("committed_db")
PATIENCE = 30  # seconds after which a thread that still waits has failed


def run_together(*works: Callable[[], object]) -> None:
    """Run each in a thread with a connection of its own; the first failure is raised here."""
    failures: list[BaseException] = []

    def guarded(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=guarded, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads), "a thread is stuck"
    if failures:
        raise failures[0]


def test_overlapping_batches_in_opposite_order_store_each_event_once() -> None:
    on = clock()
    buyers = [customer(on=on) for _ in range(3)]
    meter()
    meter(code="requests", reads=None)
    events = [
        event(buyer, f"e{n}", at=NOVEMBER - timedelta(minutes=n), properties={"input_tokens": n})
        for buyer in buyers
        for n in range(120)
    ]
    verdicts: list[str] = []
    start = threading.Barrier(4)

    def sender(order: int) -> Callable[[], None]:
        def send_all() -> None:
            start.wait()
            for _ in range(3):
                for first in range(0, len(events), 90):
                    part = events[::order][first : first + 90]
                    verdicts.extend(shown(verdict) for verdict in ingest(events=part))

        return send_all

    run_together(sender(1), sender(-1), sender(1), sender(-1))
    assert Counter(verdicts) == {"accepted": 360, "duplicate": 4 * 3 * 360 - 360}
    assert UsageEvent.objects.count() == 360
    assert rollup_mismatches() == []


def test_one_id_with_two_contents_at_once_is_accepted_once_and_conflicts_once() -> None:
    buyer = customer(on=clock())
    meter()
    verdicts: list[str] = []
    together = threading.Barrier(2)

    def sender(quantity: int) -> Callable[[], None]:
        def send_all() -> None:
            for n in range(10):
                sent = event(buyer, f"e{n}", at=NOVEMBER, properties={"input_tokens": quantity})
                together.wait()
                verdicts.extend(shown(verdict) for verdict in ingest(events=[sent]))

        return send_all

    run_together(sender(1), sender(2))
    assert Counter(verdicts) == {"accepted": 10, "other_content": 10}
    assert rollup_mismatches() == []


def test_an_event_in_flight_while_a_bill_is_made_is_on_this_bill_or_on_the_next() -> None:
    """The bill holds the customer; the event waits, and is then received after the bill's cut-off."""
    buyer = customer(on=clock())
    tokens = meter()
    period = {"start_at": NOVEMBER - timedelta(hours=1), "end_at": NOVEMBER + timedelta(hours=1)}
    ingest(events=[event(buyer, "before", at=NOVEMBER, properties={"input_tokens": 1})])
    sender = threading.Thread(
        target=lambda: (ingest(events=[event(buyer, "in flight", at=NOVEMBER)]), connection.close())
    )
    with transaction.atomic():
        Customer.objects.select_for_update().get(pk=buyer.pk)
        sender.start()
        sender.join(0.5)
        assert sender.is_alive(), "ingestion waits for the bill"
        cutoff = receipt_cutoff(customer=buyer, at=NOVEMBER)
        billed = usage_totals(customer=buyer, meters=[tokens], received_until=cutoff, **period)
    sender.join(PATIENCE)
    assert UsageEvent.objects.get(event_id="in flight").received_at > cutoff
    assert usage_totals(customer=buyer, meters=[tokens], received_until=cutoff, **period) == billed
    assert billed[tokens.pk].sum == 1


def test_a_batch_that_met_a_lock_timeout_is_tried_again() -> None:
    buyer = customer(on=clock())
    meter()
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            Customer.objects.select_for_update().get(pk=buyer.pk)
            held.set()
            done.wait(0.6)

    def send_impatiently() -> None:
        held.wait(PATIENCE)
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '200ms'")
        verdicts = ingest(events=[event(buyer, at=NOVEMBER)])
        assert [shown(verdict) for verdict in verdicts] == ["accepted"]

    run_together(hold, send_impatiently)
    assert UsageEvent.objects.count() == 1


def test_a_meter_made_while_events_pour_in_counts_each_once() -> None:
    buyer = customer(on=clock())
    meter()
    go = threading.Event()

    def pour() -> None:
        for n in range(40):
            sent = {"input_tokens": 1, "output_tokens": 2}
            ingest(events=[event(buyer, f"e{n}-{i}", at=NOVEMBER, properties=sent) for i in range(5)])
            if n == 5:
                go.set()

    def make_meter() -> None:
        go.wait(PATIENCE)
        count_past_events(meter_id=meter(code="output_tokens", reads="output_tokens").public_id)

    run_together(pour, make_meter)
    assert rollup_mismatches() == []
    assert rollups()[("output_tokens", NOVEMBER)] == (200, 400)
