"""The pages on which usage is put right: canceled, taken back, repaired, replayed, set aside."""

from typing import Any

import pytest

from billing.catalog.models import Meter
from billing.platform.clock import now
from billing.usage.models import RejectedEvent, UsageCorrection, UsageEvent, UsageRollup
from customers.models import Customer
from tests.billing.usage.builders import customer, event, meter, send
from tests.valueverse.backoffice.office import act, make, office, page, said, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def buyer() -> Customer:
    meter()
    buyer = customer()
    send(event(buyer, "e1"), event(buyer, "e2"))
    return buyer


def used() -> Any:
    return sum(row.quantity_sum for row in UsageRollup.objects.all())


def test_events_are_canceled_and_the_correction_is_taken_back(buyer: Customer) -> None:
    client = office("Finance clerk")
    given = {"customer": str(buyer.pk), "event_ids": "e1\ne2", "reason": "a load test of theirs"}
    shown = said(client, make(client, "usage/usagecorrection", **given))
    assert "a load test of theirs" in shown
    assert "No longer counts" in shown
    assert used() == 0
    assert "a load test of theirs" in text(client, "/admin/usage/usagecorrection/")
    correction = UsageCorrection.objects.get()
    shown = said(client, act(client, correction, "revert", reason="it was real"))
    assert "Counts again" in shown
    assert used() == 20
    assert "Taken back by" in text(client, page(correction))


def test_event_that_is_unknown_is_named_beside_the_field(buyer: Customer) -> None:
    client = office("Finance clerk")
    given = {"customer": str(buyer.pk), "event_ids": "unknown", "reason": "wrong"}
    answer = make(client, "usage/usagecorrection", **given)
    assert answer.status_code == 400
    assert not UsageCorrection.objects.exists()


def test_refused_event_is_repaired_and_replayed_or_set_aside(buyer: Customer) -> None:
    send(event(buyer, "bad", at=now().isoformat(), properties={"input_tokens": "many"}))
    send(event(buyer, "worse", at=now().isoformat(), properties={}))
    client = office("Support")
    assert "bad" in text(client, "/admin/usage/rejectedevent/")
    bad, worse = RejectedEvent.objects.order_by("pk")
    assert "a plain decimal" in text(client, page(bad))
    assert act(client, bad, "replay", content="{").status_code == 400
    assert "a plain decimal" in act(client, bad, "replay", content=bad.content).content.decode()
    mended = bad.content.replace('"many"', "7")
    assert "It counts now" in said(client, act(client, bad, "replay", content=mended))
    assert used() == 27
    assert "Set aside" in said(client, act(client, worse, "dismiss", reason="a test of the sender"))
    assert RejectedEvent.objects.filter(resolved_at=None).count() == 0


@pytest.mark.parametrize(
    ("group", "cancels", "replays"),
    [
        ("Finance manager", 200, 200),
        ("Finance clerk", 200, 200),
        ("Support", 403, 200),
        ("Auditor", 403, 403),
    ],
)
def test_correcting_usage_is_a_right_of_its_own(
    buyer: Customer, group: str, cancels: int, replays: int
) -> None:
    send(event(buyer, "bad", properties={}))
    client = office(group)
    assert client.get("/admin/usage/usagecorrection/").status_code == 200
    assert client.get("/admin/usage/usagecorrection/add/").status_code == cancels
    assert client.get(page(RejectedEvent.objects.get(), "replay")).status_code == replays


def test_meter_is_tried_on_stored_events_before_it_is_made(buyer: Customer) -> None:
    client = office("Finance manager")
    given = {
        "code": "peak-tokens",
        "name": "Peak tokens",
        "event_type": "llm_request",
        "aggregation": "max",
        "property": "input_tokens",
        "filters": "model: large",
        "group_by": "region, model",
        "rounding": "ceil",
        "unit_code": "C62",
    }
    looked = client.post(
        "/admin/catalog/meter/add/", {**given, "filters": "", "step": "look"}
    ).content.decode()
    assert buyer.name in looked
    assert "10 of 2 events" in looked
    assert Meter.objects.count() == 1
    shown = said(client, make(client, "catalog/meter", **given))
    assert "model: large" in shown
    assert "region, model" in shown
    made = Meter.objects.get(code="peak-tokens")
    assert (made.filters, made.group_by, made.rounding) == ({"model": ["large"]}, ["region", "model"], "ceil")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"filters": "model"}, "a colon and its values"),
        ({"filters": "model: a\nmodel: b"}, "has two lines"),
        ({"aggregation": "percentile"}, "names which one"),
        ({"aggregation": "expression", "property": "", "expression": "a +"}, "Ends too early"),
        ({"recurring": "on", "aggregation": "max"}, "cannot be carried over"),
    ],
)
def test_meter_that_cannot_measure_is_refused_beside_its_field(changes: dict[str, str], says: str) -> None:
    given = {
        "code": "m",
        "name": "M",
        "event_type": "x",
        "aggregation": "sum",
        "property": "v",
        "unit_code": "C62",
    }
    answer = make(office("Finance manager"), "catalog/meter", **{**given, **changes})
    assert answer.status_code == 400
    assert says in answer.content.decode()
    assert not Meter.objects.exists()


def test_an_event_shows_what_is_read_of_it_and_is_amended_on_its_page(buyer: Customer) -> None:
    client = office("Finance clerk")
    stored = UsageEvent.objects.get(event_id="e1")
    assert "input_tokens" in text(client, page(stored))
    wrong = act(client, stored, "amend", properties='{"input_tokens": "x"}', reason="a slip")
    assert wrong.status_code == 400
    assert "a plain decimal" in wrong.content.decode()
    shown = said(client, act(client, stored, "amend", properties='{"input_tokens": 3}', reason="a slip"))
    assert "e1~2" in shown
    assert used() == 13
    shown = text(client, page(stored))
    assert "no longer counts" in shown
    assert "../amend/" not in shown
    assert "Brought in by" in text(client, page(UsageEvent.objects.get(event_id="e1~2")))
    other = UsageEvent.objects.get(event_id="e2")
    said(client, act(client, other, "cancel", reason="a load test"))
    assert used() == 3
