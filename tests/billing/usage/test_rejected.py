"""Refused events: kept once with their reason, repaired and replayed, set aside, and forgotten."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.platform.clock import now
from billing.usage import services
from billing.usage.exact_json import decode
from billing.usage.models import RejectedEvent, UsageEvent
from billing.usage.selectors import rollup_mismatches
from billing.usage.services import IncomingEvent, rejected
from customers.models import Customer
from tests.billing.usage.builders import customer, event, meter, send
from tests.factories import ACTOR

pytestmark = pytest.mark.django_db


@pytest.fixture
def buyer() -> Customer:
    meter()
    return customer()


def refuse(buyer: Customer, **properties: object) -> RejectedEvent:
    """An event that its meter cannot read, as it is kept."""
    send(event(buyer, "bad", properties=properties or {"input_tokens": "many"}))
    return RejectedEvent.objects.get()


def who() -> dict[str, Any]:
    return {"actor": ACTOR, "at": now()}


def test_refused_event_is_kept_once_with_its_reason(buyer: Customer) -> None:
    at = now() - timedelta(minutes=1)
    bad = event(
        buyer, "bad", at=at.isoformat(), properties={"input_tokens": "many", "exact": Decimal("1.50")}
    )
    send(bad, event(buyer, "good"), bad)
    send(bad)
    kept = RejectedEvent.objects.get()
    assert (kept.event_id, kept.event_type, kept.customer, kept.reason, kept.field, kept.times) == (
        "bad",
        "llm_request",
        buyer,
        "invalid_quantity",
        "properties.input_tokens",
        2,
    )
    assert decode(kept.content.encode())["properties"]["exact"] == Decimal("1.50")
    assert UsageEvent.objects.count() == 1


@pytest.mark.parametrize(
    "sent",
    [
        IncomingEvent(strays=("",)),
        IncomingEvent(id=7, properties={"a": Decimal("NaN")}),
        IncomingEvent(id="\ud800", customer="\x00", type="x" * 500, properties={"a": ["nested"]}),
        IncomingEvent(id="x", properties={"a": "y" * 50_000}),
    ],
)
def test_whatever_was_sent_costs_nobody_anything(sent: IncomingEvent) -> None:
    assert services.ingest(events=[sent])[0].kind == "rejected"


def test_repaired_event_is_taken_in_however_old_and_only_once(buyer: Customer) -> None:
    old = now() - timedelta(days=90)
    send(event(buyer, "old", at=old))
    row = RejectedEvent.objects.get()
    assert row.reason == "timestamp_out_of_window"
    services.replay_rejected(rejected_id=row.public_id, **who())
    row.refresh_from_db()
    assert row.resolution == "replayed"
    assert UsageEvent.objects.get().at == old
    with pytest.raises(services.RejectionResolved):
        services.replay_rejected(rejected_id=row.public_id, **who())
    assert rollup_mismatches() == []


def test_event_that_is_still_wrong_stays_open_and_says_where(buyer: Customer) -> None:
    row = refuse(buyer)
    with pytest.raises(services.StillRejected) as refused:
        services.replay_rejected(rejected_id=row.public_id, **who())
    assert "properties.input_tokens" in refused.value.fields
    row.refresh_from_db()
    assert (row.resolved_at, row.times) == (None, 1)
    mended = event(buyer, "bad", properties={"input_tokens": 5})
    services.replay_rejected(rejected_id=row.public_id, repaired=mended, **who())
    assert UsageEvent.objects.get().properties == {"input_tokens": 5}


def test_event_set_aside_is_open_again_when_it_is_sent_again(buyer: Customer) -> None:
    sent = event(buyer, "bad", at=now(), properties={"input_tokens": "many"})
    send(sent)
    row = RejectedEvent.objects.get()
    services.dismiss_rejected(rejected_id=row.public_id, reason="a test of the sender", **who())
    row.refresh_from_db()
    assert row.resolution == "dismissed"
    send(sent)
    row.refresh_from_db()
    assert (row.resolved_at, row.times) == (None, 2)


def test_what_is_refused_is_bounded_and_forgotten(buyer: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rejected, "OPEN_MAX", 1)
    for name in ("a", "b", "c"):
        send(event(buyer, name, properties={}))
    assert RejectedEvent.objects.count() == 2
    assert services.forget_rejected(at=now() + timedelta(days=29)) == 0
    assert services.forget_rejected(at=now() + timedelta(days=31)) == 2
