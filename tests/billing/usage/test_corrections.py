"""Wrong usage: canceled, amended, backfilled and taken back, as facts beside events that never change."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.activity.models import Activity
from billing.catalog.models import Meter
from billing.core.errors import BillingError
from billing.usage import services
from billing.usage.models import UsageCorrection, UsageEvent, UsageSign
from billing.usage.selectors import receipt_cutoff, rollup_mismatches, usage_totals
from billing.usage.services import IncomingEvent
from customers.models import Customer
from tests.billing.usage.builders import NOVEMBER, clock, customer, event, meter, send
from tests.factories import ACTOR

pytestmark = pytest.mark.django_db

WHY: dict[str, Any] = {"reason": "the sender counted twice", "actor": ACTOR, "at": NOVEMBER}
START, END = NOVEMBER - timedelta(days=10), NOVEMBER + timedelta(days=1)


@pytest.fixture
def buyer() -> Customer:
    """A customer with 10, 20 and 30 tokens on three days."""
    meter()
    buyer = customer(on=clock())
    for place, value in enumerate([10, 20, 30], start=1):
        at = NOVEMBER - timedelta(days=place)
        send(event(buyer, f"e{place}", at=at, properties={"input_tokens": value}))
    return buyer


def total(buyer: Customer, received_until: Any = None) -> Decimal:
    (of,) = Meter.objects.all()
    found = usage_totals(
        customer=buyer, meters=[of], start_at=START, end_at=END, received_until=received_until
    )
    return found[of.pk].sum


def backfill(buyer: Customer, *events: tuple[str, int, int], **changes: Any) -> UsageCorrection:
    """A backfill of the days before yesterday by (id, days ago, tokens)."""
    given: dict[str, Any] = {
        "customer_id": buyer.public_id,
        "event_type": "llm_request",
        "start_at": START,
        "end_at": NOVEMBER - timedelta(days=1, hours=1),
        "events": [
            IncomingEvent(
                id=name,
                customer=buyer.public_id,
                type="llm_request",
                at=NOVEMBER - timedelta(days=days),
                properties={"input_tokens": value},
            )
            for name, days, value in events
        ],
        **WHY,
    }
    return services.backfill_usage(**{**given, **changes})


def test_canceled_event_stays_and_no_longer_counts(buyer: Customer) -> None:
    cutoff = receipt_cutoff(customer=buyer, at=NOVEMBER)
    correction = services.cancel_events(customer_id=buyer.public_id, event_ids=["e2"], **WHY)
    assert total(buyer) == 40
    assert total(buyer, received_until=cutoff) == 60  # what was billed by then is still what it was
    assert UsageEvent.objects.count() == 3
    assert correction.recorded_at > cutoff
    assert rollup_mismatches() == []
    (activity,) = Activity.objects.filter(name="usage.corrected")
    assert activity.customer_id == buyer.public_id
    assert activity.data["no_longer_count"] == 1
    assert activity.data["reason"] == WHY["reason"]
    again = event(buyer, "e2", at=NOVEMBER - timedelta(days=2), properties={"input_tokens": 20})
    assert send(again) == ["duplicate"]
    assert total(buyer) == 40


def test_amended_event_counts_with_its_new_content_and_time(buyer: Customer) -> None:
    new_at = NOVEMBER - timedelta(days=5)
    correction = services.amend_event(
        customer_id=buyer.public_id, event_id="e1", properties={"input_tokens": 7}, event_at=new_at, **WHY
    )
    assert total(buyer) == 57
    (addition,) = correction.additions.all()
    assert (addition.event.event_id, addition.event.at) == ("e1~2", new_at)
    assert addition.replaces is not None
    assert addition.replaces.event_id == "e1"
    services.amend_event(customer_id=buyer.public_id, event_id="e1~2", properties={"input_tokens": 8}, **WHY)
    assert total(buyer) == 58
    assert UsageEvent.objects.filter(event_id="e1~3").exists()
    assert rollup_mismatches() == []


def test_backfill_replaces_a_time_and_can_be_taken_back(buyer: Customer) -> None:
    correction = backfill(buyer, ("b1", 2, 5), ("b2", 9, 6))
    assert total(buyer) == 10 + 5 + 6
    back = services.revert_correction(correction_id=correction.public_id, **WHY)
    assert total(buyer) == 60
    assert back.reverts == correction
    assert list(back.signs.order_by("pk").values_list("sign", flat=True)) == [-1, -1, 1, 1]
    assert rollup_mismatches() == []
    with pytest.raises(services.CorrectionReverted):
        services.revert_correction(correction_id=correction.public_id, **WHY)
    with pytest.raises(services.CorrectionReverted):
        services.revert_correction(correction_id=back.public_id, **WHY)


def test_what_was_changed_since_is_left_when_a_correction_is_taken_back(buyer: Customer) -> None:
    """The backfill's own event was canceled meanwhile: it is not taken away a second time."""
    correction = backfill(buyer, ("b1", 2, 5))
    services.cancel_events(customer_id=buyer.public_id, event_ids=["b1"], **WHY)
    services.revert_correction(correction_id=correction.public_id, **WHY)
    assert total(buyer) == 60
    assert rollup_mismatches() == []


def test_same_correction_in_another_order_gives_the_same_total(buyer: Customer) -> None:
    services.cancel_events(customer_id=buyer.public_id, event_ids=["e3", "e1"], **WHY)
    back = UsageCorrection.objects.get()
    services.revert_correction(correction_id=back.public_id, **WHY)
    services.cancel_events(customer_id=buyer.public_id, event_ids=["e1"], **WHY)
    services.cancel_events(customer_id=buyer.public_id, event_ids=["e3"], **WHY)
    assert total(buyer) == 20
    assert rollup_mismatches() == []


@pytest.mark.parametrize(
    ("verb", "changes", "code", "field"),
    [
        ("cancel", {"event_ids": ["unknown"]}, "usage_event_not_found", None),
        ("cancel", {"event_ids": []}, "too_many_events", "event_ids"),
        ("cancel", {"event_ids": ["e1"], "reason": "  "}, "invalid_input", "reason"),
        ("cancel", {"event_ids": ["e1"], "reason": "x" * 501}, "invalid_input", "reason"),
        ("cancel", {"event_ids": ["e1"], "customer_id": "cus_unknown"}, "customer_not_found", None),
        ("amend", {"properties": {}}, "correction_refused", "properties.input_tokens"),
        ("amend", {"properties": {"input_tokens": -1}}, "correction_refused", "properties.input_tokens"),
        ("amend", {"event_at": NOVEMBER + timedelta(days=2)}, "correction_refused", "at"),
        ("amend", {"event_id": "unknown"}, "usage_event_not_found", None),
        ("backfill", {"end_at": START}, "invalid_period", "end_at"),
        ("backfill", {"event_type": "unknown"}, "invalid_input", "event_type"),
        ("backfill", {"brings": [("b", 1, 5)]}, "correction_refused", "events[0].at"),
        ("backfill", {"brings": [("b", 2, 5), ("e1", 3, 5)]}, "correction_refused", "events[1].id"),
        ("backfill", {"brings": [("b", 2, -5)]}, "correction_refused", "events[0].properties.input_tokens"),
        ("revert", {"correction_id": "uco_unknown"}, "usage_correction_not_found", None),
    ],
)
def test_correction_that_cannot_be_is_refused_and_changes_nothing(
    buyer: Customer, verb: str, changes: dict[str, Any], code: str, field: str | None
) -> None:
    who = {"customer_id": buyer.public_id, **WHY}
    amended = {"event_id": "e1", "properties": {"input_tokens": 5}, **who}
    verbs: dict[str, Callable[[], object]] = {
        "cancel": lambda: services.cancel_events(**{**who, **changes}),
        "amend": lambda: services.amend_event(**{**amended, **changes}),
        "backfill": lambda: backfill(buyer, *changes.get("brings", ()), **_without(changes, "brings")),
        "revert": lambda: services.revert_correction(**{**WHY, **changes}),
    }
    with pytest.raises(BillingError) as refused:
        verbs[verb]()
    assert refused.value.code == code
    if field is not None:
        assert field in refused.value.fields
    assert total(buyer) == 60
    assert not UsageCorrection.objects.exists()
    assert not UsageSign.objects.exists()


def _without(changes: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in changes.items() if key != name}


def test_event_is_canceled_once(buyer: Customer) -> None:
    services.cancel_events(customer_id=buyer.public_id, event_ids=["e1"], **WHY)
    for refused in (
        lambda: services.cancel_events(customer_id=buyer.public_id, event_ids=["e1"], **WHY),
        lambda: services.amend_event(
            customer_id=buyer.public_id, event_id="e1", properties={"input_tokens": 1}, **WHY
        ),
    ):
        with pytest.raises(services.EventDoesNotCount):
            refused()
    assert total(buyer) == 50
