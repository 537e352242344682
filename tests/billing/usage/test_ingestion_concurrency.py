"""Two connections at once: every event is stored once, and no batch is lost to a deadlock."""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction

from billing.core.aggregation import Partial
from billing.platform.clock import now
from billing.usage.models import UsageEvent
from billing.usage.selectors import receipt_cutoff, rollup_mismatches, usage_totals
from billing.usage.services import IncomingEvent, count_past_events, ingest, ingestion
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


def test_overlapping_batches_in_opposite_order_store_each_event_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a second attempt, so that a deadlock would show: it is the order of locks that prevents it."""
    monkeypatch.setattr(ingestion, "ATTEMPTS", 1)
    on = clock()
    buyers = [customer(on=on) for _ in range(3)]
    meter()
    meter(code="requests", reads=None)
    rounds, size = 8, 120
    verdicts: list[str] = []
    together = threading.Barrier(2)

    def batch(number: int) -> list[IncomingEvent]:
        return [
            event(buyer, f"{number}-{n}", at=NOVEMBER - timedelta(minutes=n), properties={"input_tokens": n})
            for n in range(size)
            for buyer in buyers
        ]

    def sender(order: int) -> Callable[[], None]:
        def send_all() -> None:
            for number in range(rounds):
                events = batch(number)[::order]
                together.wait(PATIENCE)
                verdicts.extend(shown(verdict) for verdict in ingest(events=events))

        return send_all

    run_together(sender(1), sender(-1))
    each = rounds * size * len(buyers)
    assert Counter(verdicts) == {"accepted": each, "duplicate": each}
    assert UsageEvent.objects.count() == each
    assert rollup_mismatches() == []


def test_different_events_of_the_same_quarters_of_an_hour_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The batches share no event, only rollups. Again without a second attempt."""
    monkeypatch.setattr(ingestion, "ATTEMPTS", 1)
    buyer = customer(on=clock())
    tokens = meter()
    rounds, size = 10, 150
    together = threading.Barrier(2)

    def sender(name: str) -> Callable[[], None]:
        def send_all() -> None:
            for number in range(rounds):
                events = [
                    event(buyer, f"{name}-{number}-{n}", at=NOVEMBER - timedelta(minutes=15 * n))
                    for n in range(size)
                ]
                together.wait(PATIENCE)
                ingest(events=events)

        return send_all

    run_together(sender("a"), sender("b"))
    found = usage_totals(
        customer=buyer,
        meters=[tokens],
        start_at=NOVEMBER - timedelta(days=5),
        end_at=NOVEMBER + timedelta(hours=1),
        received_until=None,
    )
    assert found[tokens.pk] == Partial(2 * rounds * size, Decimal(2 * rounds * size * 10))
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
    buyer = customer()
    tokens = meter()
    at = now()
    period = {"start_at": at - timedelta(hours=1), "end_at": at + timedelta(hours=1)}
    ingest(events=[event(buyer, "before", at=at, properties={"input_tokens": 1})])
    sender = threading.Thread(
        target=lambda: (ingest(events=[event(buyer, "in flight", at=at)]), connection.close())
    )
    with transaction.atomic():
        Customer.objects.select_for_update().get(pk=buyer.pk)
        sender.start()
        sender.join(0.5)
        assert sender.is_alive(), "ingestion waits for the bill"
        cutoff = receipt_cutoff(customer=buyer, at=now())
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
