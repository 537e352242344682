"""Correcting usage and replaying refused events over HTTP."""

from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from billing.platform.clock import now
from billing.platform.scopes import Scope
from billing.usage.models import RejectedEvent, UsageCorrection, UsageRollup
from customers.models import Customer
from tests import factories
from tests.billing.usage.builders import customer, event, meter, send
from tests.people import client_with_key

pytestmark = pytest.mark.django_db
ADDRESS, REJECTED = "/api/v1/usage/corrections", "/api/v1/usage/rejected-events"


@pytest.fixture
def buyer() -> Customer:
    meter()
    buyer = customer()
    send(event(buyer, "e1"), event(buyer, "e2"))
    return buyer


@pytest.fixture
def client(db: None) -> APIClient:
    scopes = [Scope.USAGE_WRITE, Scope.USAGE_READ]
    return client_with_key(factories.api_key(scopes=scopes).secret)


def correct(client: APIClient, buyer: Customer, kind: str, **own: Any) -> Any:
    body = {"kind": kind, "customer": buyer.public_id, "reason": "sent twice", **own}
    return client.post(ADDRESS, body, format="json", headers={"Idempotency-Key": f"{kind}-{own}"[:200]})


def used() -> Any:
    return sum(row.quantity_sum for row in UsageRollup.objects.all())


def test_events_are_canceled_amended_backfilled_and_taken_back(buyer: Customer, client: APIClient) -> None:
    canceled = correct(client, buyer, "cancel", event_ids=["e1"])
    assert canceled.status_code == 201, canceled.json()
    assert canceled.json() | {"id": ""} == canceled.json() | {
        "id": "", "kind": "cancel", "customer": buyer.public_id, "no_longer_count": 1, "brought_in": 0
    }  # fmt: skip
    assert correct(client, buyer, "cancel", event_ids=["e1"]).json() == canceled.json()  # the same key: once
    assert used() == 10
    assert correct(client, buyer, "amend", event_id="e2", properties={"input_tokens": 3}).status_code == 201
    assert used() == 3
    start = now() - timedelta(days=3)
    right = {"id": "b1", "customer": buyer.public_id, "type": "llm_request", "at": start.isoformat()}
    backfilled = correct(
        client,
        buyer,
        "backfill",
        type="llm_request",
        start_at=start.isoformat(),
        end_at=(now() + timedelta(minutes=1)).isoformat(),
        events=[{**right, "properties": {"input_tokens": 50}}],
    )
    assert backfilled.status_code == 201, backfilled.json()
    assert used() == 50
    address = f"{ADDRESS}/{backfilled.json()['id']}"
    headers = {"Idempotency-Key": "back"}
    back = client.post(f"{address}/revert", {"reason": "wrong month"}, format="json", headers=headers)
    assert (back.status_code, back.json()["reverts"]) == (201, backfilled.json()["id"])
    assert used() == 3
    assert [row["kind"] for row in client.get(ADDRESS).json()["data"]] == [
        "revert",
        "backfill",
        "amend",
        "cancel",
    ]
    assert client.get(address).json()["brought_in"] == 1


@pytest.mark.parametrize(
    ("kind", "own", "status", "field"),
    [
        ("cancel", {}, 400, "event_ids"),
        ("cancel", {"event_ids": ["e1"], "type": "x"}, 400, "type"),
        ("cancel", {"event_ids": ["unknown"]}, 404, None),
        ("amend", {"event_id": "e1"}, 400, "properties"),
        ("amend", {"event_id": "e1", "properties": {"input_tokens": "x"}}, 400, "properties.input_tokens"),
        ("backfill", {"type": "llm_request"}, 400, "start_at"),
        ("delete", {}, 400, "kind"),
    ],
)
def test_wrong_correction_is_a_problem_and_changes_nothing(
    buyer: Customer, client: APIClient, kind: str, own: dict[str, Any], status: int, field: str | None
) -> None:
    answer = correct(client, buyer, kind, **own)
    assert answer.status_code == status, answer.json()
    if field is not None:
        assert field in [error["field"] for error in answer.json()["errors"]]
    assert not UsageCorrection.objects.exists()
    assert used() == 20


def test_refused_events_are_listed_and_replayed(buyer: Customer, client: APIClient) -> None:
    send(event(buyer, "bad", properties={"input_tokens": "many"}))
    (row,) = client.get(REJECTED, {"status": "open"}).json()["data"]
    assert (row["event_id"], row["reason"], row["customer"]) == ("bad", "invalid_quantity", buyer.public_id)
    address = f"{REJECTED}/{row['id']}/replay"
    assert client.post(address, {}, format="json").status_code == 400
    mended = {"id": "bad", "customer": buyer.public_id, "type": "llm_request", "at": now().isoformat()}
    answer = client.post(address, {"event": mended | {"properties": {"input_tokens": 4}}}, format="json")
    assert (answer.status_code, answer.json()["resolution"]) == (200, "replayed")
    assert used() == 24
    assert client.get(REJECTED, {"status": "open"}).json()["data"] == []
    assert client.post(address, {}, format="json").status_code == 409


def test_key_of_a_customer_sees_its_own(buyer: Customer) -> None:
    send(event(buyer, "bad", properties={}))
    for who, rows in ((buyer, 1), (customer(), 0)):
        key = factories.api_key(scopes=[Scope.USAGE_READ], customer=who)
        assert len(client_with_key(key.secret).get(REJECTED).json()["data"]) == rows
    assert RejectedEvent.objects.count() == 1
