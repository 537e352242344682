"""Every event gets a verdict, and a bad one never keeps a good one out."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from billing.platform.clock import now
from billing.usage.models import UsageEvent, UsageRollup
from billing.usage.services import IncomingEvent, Verdict, VerdictKind, event_from_json, ingest
from tests.billing.usage.builders import (
    NOVEMBER,
    clock,
    customer,
    event,
    meter,
    rollups,
    send,
    shown,
)

pytestmark = pytest.mark.django_db


def test_an_event_feeds_every_meter_of_its_type_and_no_other() -> None:
    buyer = customer(on=clock())
    meter()
    meter(code="output_tokens", reads="output_tokens")
    meter(code="requests", reads=None)
    meter(code="images", reads="pixels", event_type="image")
    at = NOVEMBER + timedelta(minutes=1)
    assert send(event(buyer, at=at, properties={"input_tokens": 374, "output_tokens": "44.5"})) == [
        "accepted"
    ]
    assert rollups() == {
        ("input_tokens", NOVEMBER): (1, Decimal(374)),
        ("output_tokens", NOVEMBER): (1, Decimal("44.5")),
        ("requests", NOVEMBER): (1, Decimal(0)),
    }


def test_resending_an_event_changes_nothing() -> None:
    buyer = customer()
    meter()
    sent = event(buyer)
    assert send(sent) == ["accepted"]
    before = rollups()
    assert send(sent, sent) == ["duplicate", "duplicate"]
    assert rollups() == before


def test_a_resend_with_another_timestamp_is_a_duplicate_even_outside_the_window() -> None:
    buyer = customer()
    meter()
    assert send(event(buyer)) == ["accepted"]
    later = now() - timedelta(minutes=2)
    long_ago = now() - timedelta(days=90)
    assert send(event(buyer, at=later), event(buyer, at=long_ago)) == ["duplicate", "duplicate"]
    assert UsageEvent.objects.count() == 1


def test_the_same_id_with_other_content_is_a_conflict_and_the_first_stays() -> None:
    buyer = customer()
    meter()
    assert send(event(buyer)) == ["accepted"]
    assert send(event(buyer, properties={"input_tokens": 11})) == ["other_content"]
    assert UsageEvent.objects.get().properties == {"input_tokens": 10}
    assert UsageRollup.objects.get().quantity_sum == 10


def test_the_same_number_spelled_differently_is_the_same_content() -> None:
    buyer = customer()
    meter()
    assert send(event(buyer, properties={"input_tokens": Decimal("1.50")})) == ["accepted"]
    assert send(event(buyer, properties={"input_tokens": Decimal("15e-1")})) == ["duplicate"]
    assert send(event(buyer, properties={"input_tokens": "1.50"})) == ["other_content"]


def test_twins_within_one_batch_are_told_apart() -> None:
    buyer = customer()
    meter()
    first = event(buyer, "a")
    assert send(first, first, event(buyer, "a", properties={"input_tokens": 3})) == [
        "accepted",
        "duplicate",
        "other_content",
    ]
    assert UsageRollup.objects.get().quantity_sum == 10


def test_the_same_id_of_two_customers_are_two_events() -> None:
    ada, bob = customer(), customer()
    meter()
    assert send(event(ada), event(bob)) == ["accepted", "accepted"]


def test_one_bad_event_does_not_keep_the_good_ones_out() -> None:
    buyer = customer()
    meter()
    bad = event(buyer, "bad", properties={"input_tokens": "many"})
    assert send(event(buyer, "a"), bad, event(buyer, "b")) == ["accepted", "invalid_quantity", "accepted"]
    assert UsageRollup.objects.get().quantity_sum == 20


def test_a_refused_event_leaves_no_trace() -> None:
    buyer = customer()
    meter()
    assert send(event(buyer, properties={})) == ["invalid_quantity"]
    assert not UsageEvent.objects.exists()
    assert not UsageRollup.objects.exists()


@pytest.mark.parametrize(
    "quantity",
    [
        "NaN", "Infinity", "1e3", "", "many", None, True, [], {}, "1,5", "0x10", "-1", -1, Decimal("-0.1"),
        Decimal("NaN"), Decimal("Infinity"), Decimal("-Infinity"), Decimal("sNaN"), Decimal("1e400"), 10**18,
        10**400, "9" * 200, Decimal("1e-13"), "0.0000000000001", "\u0661\u0662", " 5",
    ],
)  # fmt: skip
def test_an_absurd_quantity_is_rejected(quantity: object) -> None:
    buyer = customer()
    meter()
    (verdict,) = ingest(events=[event(buyer, properties={"input_tokens": quantity})])
    assert verdict.kind == VerdictKind.REJECTED
    assert shown(verdict) in {"invalid_quantity", "invalid_properties"}
    assert verdict.field == "properties.input_tokens"


def test_a_quantity_is_kept_exactly_to_the_last_decimal() -> None:
    buyer = customer()
    meter()
    parts = [Decimal("0.1"), Decimal("0.2"), "999999999999999999.999999999999", Decimal("1E-12")]
    at = now()
    assert set(
        send(
            *[event(buyer, f"e{n}", at=at, properties={"input_tokens": part}) for n, part in enumerate(parts)]
        )
    ) == {"accepted"}
    assert UsageRollup.objects.get().quantity_sum == Decimal("1000000000000000000.300000000000")


def test_a_meter_may_allow_quantity_to_be_taken_back() -> None:
    buyer = customer()
    meter(allow_negative=True)
    assert send(event(buyer, properties={"input_tokens": -4})) == ["accepted"]
    assert UsageRollup.objects.get().quantity_sum == -4


@pytest.mark.parametrize("event_id", ["", " \n", "a\0b", "x" * 129, 7, None, True, ["a"], "a\x7f", "\ud800"])
def test_an_event_without_a_usable_id_is_rejected(event_id: object) -> None:
    buyer = customer()
    meter()
    (verdict,) = ingest(events=[event(buyer, event_id)])
    assert shown(verdict) == "invalid_id"


@pytest.mark.parametrize(
    "at",
    [
        "", "yesterday", "2023-11-16", "2023-11-16T18:00:00", "2023-11-16T25:00:00Z", "2023-02-30T00:00:00Z",
        1700000000, None, True, {}, "2023-11-16T18:00:00+99:00", "0001-01-01T00:00:00+14:00", "2023-W46-4",
        datetime(2023, 11, 16),  # noqa: DTZ001
    ],
)  # fmt: skip
def test_an_instant_that_is_none_is_rejected(at: object) -> None:
    buyer = customer()
    meter()
    (verdict,) = ingest(events=[IncomingEvent("e1", buyer.public_id, "llm_request", at, {"input_tokens": 1})])
    assert shown(verdict) == "invalid_timestamp"


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("2023-11-16T18:15:46.6805900Z", "2023-11-16T18:15:46.680590+00:00"),
        ("2023-11-16 18:15:46.6805999+00:00", "2023-11-16T18:15:46.680599+00:00"),
        ("2023-11-16t19:15:46+0100", "2023-11-16T18:15:46+00:00"),
        ("2023-11-16T18:15:46z", "2023-11-16T18:15:46+00:00"),
    ],
)
def test_an_instant_is_cut_to_microseconds_and_kept_in_utc(text: str, stored: str) -> None:
    buyer = customer(on=clock(now_at=NOVEMBER + timedelta(hours=1)))
    meter()
    assert send(event(buyer, at=text)) == ["accepted"]
    assert UsageEvent.objects.get().at == datetime.fromisoformat(stored)


def test_the_window_is_measured_from_the_time_of_the_customers_clock() -> None:
    buyer = customer(on=clock(now_at=NOVEMBER))
    meter()
    received = NOVEMBER + timedelta(microseconds=1)
    ends = {
        "oldest": received - timedelta(days=35),
        "too old": received - timedelta(days=35, microseconds=1),
        "newest": received + timedelta(minutes=5),
        "too new": received + timedelta(minutes=5, microseconds=1),
        "today": now(),
    }
    verdicts = send(*[event(buyer, name, at=at) for name, at in ends.items()])
    outside = "timestamp_out_of_window"
    assert verdicts == ["accepted", outside, "accepted", outside, outside]


def test_without_a_test_clock_the_window_is_measured_from_now() -> None:
    buyer = customer()
    meter()
    at = [now() - timedelta(days=34, hours=23), now() - timedelta(days=36), now() + timedelta(minutes=6)]
    assert send(*[event(buyer, str(when), at=when) for when in at]) == [
        "accepted",
        "timestamp_out_of_window",
        "timestamp_out_of_window",
    ]


def test_an_import_may_take_old_events_but_none_of_the_future() -> None:
    buyer = customer()
    meter()
    events = [
        event(buyer, "old", at=datetime(1999, 1, 1, tzinfo=UTC)),
        event(buyer, "new", at=now() + timedelta(days=1)),
    ]
    assert [shown(verdict) for verdict in ingest(events=events, accept_old=True)] == [
        "accepted",
        "timestamp_out_of_window",
    ]


def test_unknown_customers_and_types_are_named() -> None:
    buyer = customer()
    meter()
    nobody = IncomingEvent("e1", "cus_nobody", "llm_request", now(), {"input_tokens": 1})
    assert send(nobody, event(buyer, event_type="lunch")) == ["unknown_customer", "unknown_type"]


def test_a_customer_is_known_by_its_external_id_too() -> None:
    buyer = customer(external_id="crm-42")
    meter()
    assert send(IncomingEvent("e1", "crm-42", "llm_request", now(), {"input_tokens": 1})) == ["accepted"]
    assert send(event(buyer, properties={"input_tokens": 1})) == ["duplicate"]


def test_a_public_id_wins_over_an_external_id_that_imitates_it() -> None:
    ada = customer()
    customer(external_id=ada.public_id)
    meter()
    assert send(event(ada)) == ["accepted"]
    assert UsageEvent.objects.get().customer == ada


def test_who_may_see_one_customer_cannot_send_for_another_or_learn_that_it_exists() -> None:
    ada, bob = customer(), customer()
    meter()
    nobody = IncomingEvent("e1", "cus_nobody", "llm_request", now(), {"input_tokens": 1})
    verdicts = ingest(events=[event(ada), event(bob), nobody], visible_to=ada.pk)
    assert [shown(verdict) for verdict in verdicts] == ["accepted", "unknown_customer", "unknown_customer"]
    assert verdicts[1] == Verdict(
        *[getattr(verdicts[2], name) for name in ("kind", "id", "reason", "message", "field")]
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"properties": []}, "invalid_properties"),
        ({"properties": "a"}, "invalid_properties"),
        ({"properties": {"input_tokens": 1, "nested": {"a": 1}}}, "invalid_properties"),
        ({"properties": {"input_tokens": 1, "list": [1]}}, "invalid_properties"),
        ({"properties": {"input_tokens": 1, "text": "a\0b"}}, "invalid_properties"),
        ({"properties": {"input_tokens": 1, "a\0b": 1}}, "invalid_properties"),
        ({"properties": {"input_tokens": 1, "": 1}}, "invalid_properties"),
        ({"properties": {"input_tokens": 1, "text": "x" * 17_000}}, "invalid_properties"),
        ({"properties": {f"p{n}": n for n in range(51)}}, "invalid_properties"),
        ({"properties": {"input_tokens": 1, "other": Decimal("1e400")}}, "invalid_quantity"),
        ({"customer": 7}, "invalid_event"),
        ({"customer": None}, "invalid_event"),
        ({"type": ""}, "invalid_event"),
        ({"type": "a\0"}, "invalid_event"),
        ({"quantity": 7}, "invalid_event"),
    ],
)
def test_a_malformed_event_is_rejected_with_what_is_wrong(changes: dict[str, object], reason: str) -> None:
    buyer = customer()
    meter()
    sent = {"id": "e1", "customer": buyer.public_id, "type": "llm_request", "at": now()} | changes
    (verdict,) = ingest(events=[event_from_json(sent)])
    assert shown(verdict) == reason
    assert verdict.message


@pytest.mark.parametrize("value", [None, 7, "event", [], [[]], True])
def test_what_is_no_object_is_no_event(value: object) -> None:
    (verdict,) = ingest(events=[event_from_json(value)])
    assert shown(verdict) == "invalid_event"


def test_texts_of_other_scripts_are_kept() -> None:
    buyer = customer()
    meter()
    sent = {"input_tokens": 1, "modèle": "大模型 🚀", "none": None, "yes": True}
    assert send(event(buyer, "événement-7 ✓", properties=sent)) == ["accepted"]
    assert UsageEvent.objects.get().properties == sent
