"""Corrections beside billing, ingestion and each other: an event is taken away once, on this bill or on the next."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from billing.platform.clock import now
from billing.usage.models import UsageCorrection, UsageSign
from billing.usage.selectors import receipt_cutoff, rollup_mismatches, usage_totals
from billing.usage.services import EventDoesNotCount, cancel_events, ingest, revert_correction
from customers.models import Customer
from tests.billing.usage.builders import NOVEMBER, clock, customer, event, meter
from tests.billing.usage.test_ingestion_concurrency import PATIENCE, run_together
from tests.factories import ACTOR

pytestmark = pytest.mark.usefixtures("committed_db")


def cancel(buyer: Customer, *event_ids: str) -> UsageCorrection:
    given: dict[str, Any] = {"reason": "sent twice", "actor": ACTOR, "at": now()}
    return cancel_events(customer_id=buyer.public_id, event_ids=list(event_ids), **given)


def test_a_correction_in_flight_while_a_bill_is_made_is_on_the_next() -> None:
    """The bill holds the customer; the correction waits, and counts as received after the bill's cut-off."""
    buyer, tokens, at = customer(), meter(), now()
    period = {"start_at": at - timedelta(hours=1), "end_at": at + timedelta(hours=1)}
    ingest(events=[event(buyer, "e1", at=at), event(buyer, "e2", at=at)])
    correcting = threading.Thread(target=lambda: (cancel(buyer, "e1"), connection.close()))
    with transaction.atomic():
        Customer.objects.select_for_update().get(pk=buyer.pk)
        correcting.start()
        correcting.join(0.5)
        assert correcting.is_alive(), "the correction waits for the bill"
        cutoff = receipt_cutoff(customer=buyer, at=now())
        billed = usage_totals(customer=buyer, meters=[tokens], received_until=cutoff, **period)
    correcting.join(PATIENCE)
    assert UsageSign.objects.get().received_at > cutoff
    assert usage_totals(customer=buyer, meters=[tokens], received_until=cutoff, **period) == billed
    assert usage_totals(customer=buyer, meters=[tokens], received_until=None, **period)[tokens.pk].sum == 10


def test_two_corrections_of_one_event_take_it_away_once() -> None:
    buyer = customer(on=clock())
    meter()
    ingest(events=[event(buyer, "e1", at=NOVEMBER)])
    together, refused = threading.Barrier(2), []

    def correct() -> None:
        together.wait()
        try:
            cancel(buyer, "e1")
        except EventDoesNotCount as error:
            refused.append(error)

    run_together(correct, correct)
    assert (len(refused), UsageSign.objects.count()) == (1, 1)
    assert rollup_mismatches() == []


def test_rollups_stay_right_while_events_pour_in_and_are_corrected() -> None:
    buyer = customer(on=clock())
    meter()
    ingest(events=[event(buyer, f"old{n}", at=NOVEMBER) for n in range(10)])

    def pour() -> None:
        for n in range(20):
            ingest(events=[event(buyer, f"e{n}-{i}", at=NOVEMBER) for i in range(5)])

    def correct() -> None:
        for n in range(10):
            made = cancel(buyer, f"old{n}")
            if n % 2:
                revert_correction(correction_id=made.public_id, reason="it was right", actor=ACTOR, at=now())

    run_together(pour, correct)
    assert rollup_mismatches() == []
