"""Usage over HTTP: verdicts for what can be read, problems for what cannot, and never a fault of ours."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from billing.platform.clock import now
from billing.platform.scopes import Scope
from billing.usage.models import UsageEvent, UsageRollup
from billing.usage.selectors import rollup_mismatches
from customers.models import Customer
from tests import factories
from tests.billing.usage.builders import as_json, customer, meter
from tests.people import client_with_key

pytestmark = pytest.mark.django_db
ONE, BATCH = "/api/v1/usage/events", "/api/v1/usage/events/batch"


@pytest.fixture
def buyer(db: None) -> Customer:
    meter()
    return customer(external_id="brightchat")


@pytest.fixture
def sender(db: None) -> APIClient:
    return client_with_key(factories.api_key(scopes=[Scope.USAGE_WRITE]).secret)


def post(client: APIClient, path: str, body: bytes | str | dict[str, Any]) -> Any:
    sent = json.dumps(body) if isinstance(body, dict) else body
    return client.post(path, sent, content_type="application/json")


def test_one_event_is_created_then_known_then_defended(buyer: Customer, sender: APIClient) -> None:
    sent = dict(as_json(buyer, "e1"))
    first, again = post(sender, ONE, sent), post(sender, ONE, sent)
    other = post(sender, ONE, sent | {"properties": {"input_tokens": 11}})
    assert (first.status_code, first.json()) == (201, {"id": "e1", "verdict": "accepted"})
    assert (again.status_code, again.json()) == (200, {"id": "e1", "verdict": "duplicate"})
    assert (other.status_code, other.json()["code"]) == (409, "other_content")
    assert UsageRollup.objects.get().quantity_sum == 10


def test_one_bad_event_is_a_problem_that_names_the_field(buyer: Customer, sender: APIClient) -> None:
    answer = post(sender, ONE, dict(as_json(buyer, "e1", properties={"input_tokens": "many"})))
    assert (answer.status_code, answer["Content-Type"]) == (422, "application/problem+json")
    assert answer.json()["code"] == "invalid_quantity"
    assert answer.json()["errors"][0]["field"] == "properties.input_tokens"


def test_a_batch_answers_with_a_verdict_for_each_event_in_order(buyer: Customer, sender: APIClient) -> None:
    events: list[Any] = [
        as_json(buyer, "a"),
        7,
        as_json(buyer, "a"),
        as_json(buyer, "b", type="lunch"),
        as_json(buyer, "c", customer="brightchat"),
        as_json(buyer, "a", properties={"input_tokens": 99}),
    ]
    answer = post(sender, BATCH, {"events": events})
    assert answer.status_code == 200
    body = answer.json()
    assert body["counts"] == {"accepted": 2, "duplicate": 1, "conflict": 1, "rejected": 2}
    assert [(each["id"], each.get("reason", each["verdict"])) for each in body["verdicts"]] == [
        ("a", "accepted"),
        (None, "invalid_event"),
        ("a", "duplicate"),
        ("b", "unknown_type"),
        ("c", "accepted"),
        ("a", "other_content"),
    ]
    assert UsageRollup.objects.get().event_count == 2


def test_numbers_are_taken_exactly_as_they_were_sent(buyer: Customer, sender: APIClient) -> None:
    events = ",".join(
        json.dumps(as_json(buyer, f"e{n}", at=now().replace(minute=0).isoformat())).replace(
            "10}", f"{text}}}"
        )
        for n, text in enumerate(["0.1", "0.2", "123456789012345678", "1.000000000001", "1e3"])
    )
    answer = post(sender, BATCH, f'{{"events": [{events}]}}')
    assert answer.json()["counts"]["accepted"] == 5
    assert UsageRollup.objects.get().quantity_sum == Decimal("123456789012346679.300000000001")


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e400", "1e999999999999999999999", "9" * 5000]
)
def test_a_number_that_is_none_costs_its_event_and_not_the_batch(
    buyer: Customer, sender: APIClient, number: str
) -> None:
    bad = json.dumps(as_json(buyer, "bad")).replace("10}", f"{number}}}")
    good = json.dumps(as_json(buyer, "good"))
    answer = post(sender, BATCH, f'{{"events": [{bad}, {good}]}}')
    assert answer.status_code == 200
    verdicts = answer.json()["verdicts"]
    assert verdicts[0]["reason"] == "invalid_quantity"
    assert verdicts[1]["verdict"] == "accepted"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"7", b'"x"', b'{"events": {}}', b'{"events": null}', b'{"event": []}',
        b'{"events": [], "more": 1}', b'{"events": [1,]}', b"\xff\xfe", b"\x00", b"\xef\xbb\xbf{}", b"[" * 100_000,
        b'{"events": [' + b"[" * 5000, b'{"a":' * 5000, b"events=1",
    ],
)  # fmt: skip
def test_a_body_that_cannot_be_read_is_refused_as_a_whole(
    buyer: Customer, sender: APIClient, body: bytes
) -> None:
    answer = post(sender, BATCH, body)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert not UsageEvent.objects.exists()


def test_a_batch_of_more_than_a_thousand_is_refused_as_a_whole(buyer: Customer, sender: APIClient) -> None:
    events = [as_json(buyer, f"e{n}") for n in range(1001)]
    answer = post(sender, BATCH, {"events": events})
    assert (answer.status_code, answer.json()["code"]) == (400, "batch_too_large")
    assert answer.json()["details"] == {"limit": 1000}
    assert not UsageEvent.objects.exists()
    assert post(sender, BATCH, {"events": events[:1000]}).json()["counts"]["accepted"] == 1000


@pytest.mark.parametrize("path", [ONE, BATCH])
def test_a_body_over_two_mebibytes_is_refused(buyer: Customer, sender: APIClient, path: str) -> None:
    answer = post(sender, path, b'{"events": [' + b" " * (2 * 1024 * 1024) + b"]}")
    assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")


def test_other_media_types_and_methods_are_refused(buyer: Customer, sender: APIClient) -> None:
    assert sender.post(ONE, "id=1", content_type="application/x-www-form-urlencoded").status_code == 415
    assert sender.post(ONE, "<id/>", content_type="text/xml").status_code == 415
    assert sender.get(BATCH).status_code == 405


def test_an_empty_batch_is_no_mistake(buyer: Customer, sender: APIClient) -> None:
    answer = post(sender, BATCH, {"events": []})
    assert (answer.status_code, answer.json()["verdicts"]) == (200, [])


def test_the_key_of_a_customer_sends_for_that_customer_alone(buyer: Customer) -> None:
    other = customer(external_id="other")
    client = client_with_key(factories.api_key(scopes=[Scope.USAGE_WRITE], customer=buyer).secret)
    sent = [as_json(buyer, "mine"), as_json(other, "theirs"), as_json(other, "theirs too", customer="other")]
    sent.append(as_json(buyer, "nobodys", customer="cus_nobody"))
    body = post(client, BATCH, {"events": sent}).json()
    assert [each["verdict"] for each in body["verdicts"]] == ["accepted", *["rejected"] * 3]
    foreign, by_external_id, unknown = ({**each, "id": ""} for each in body["verdicts"][1:])
    assert foreign == by_external_id == unknown, "nothing tells whether another customer exists"


def test_a_key_needs_the_scope(buyer: Customer) -> None:
    client = client_with_key(factories.api_key(scopes=[Scope.USAGE_READ]).secret)
    assert post(client, ONE, dict(as_json(buyer, "e1"))).status_code == 403
    assert post(APIClient(), ONE, dict(as_json(buyer, "e1"))).status_code == 401
    assert not UsageEvent.objects.exists()


def test_half_a_surrogate_pair_costs_its_event_and_not_the_batch(buyer: Customer, sender: APIClient) -> None:
    bad = json.dumps(as_json(buyer, "x")).replace('"x"', '"\\ud800"')
    strange = json.dumps(as_json(buyer, "y", properties={"input_tokens": 1, "z": 1})).replace(
        '"z"', '"\\udfff"'
    )
    answer = post(sender, BATCH, f'{{"events": [{bad}, {strange}, {json.dumps(as_json(buyer, "good"))}]}}')
    reasons = [each.get("reason", each["verdict"]) for each in answer.json()["verdicts"]]
    assert reasons == ["invalid_id", "invalid_properties", "accepted"]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["llm_request", "brightchat"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
HOSTILE = st.fixed_dictionaries(
    {},
    optional={
        "id": JSON,
        "customer": JSON | st.just("brightchat"),
        "type": JSON | st.just("llm_request"),
        "at": JSON
        | st.datetimes().map(lambda at: f"{at.isoformat()}Z")
        | st.just((now() - timedelta(hours=1)).isoformat()),
        "properties": JSON | st.dictionaries(st.sampled_from(["input_tokens", "x"]), JSON, max_size=2),
        "\0": JSON,
    },
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=st.lists(HOSTILE | JSON, max_size=4))
@example(events=[{"id": "\0", "customer": "\0", "type": "\0", "at": "\0", "properties": {"\0": "\0"}}])
def test_no_body_brings_it_down(buyer: Customer, sender: APIClient, events: list[Any]) -> None:
    answer = post(sender, BATCH, {"events": events})
    assert answer.status_code == 200, answer.content
    assert len(answer.json()["verdicts"]) == len(events)
    single = post(sender, ONE, json.dumps(events[0]) if events else "{}")
    assert single.status_code in {200, 201, 409, 422}, single.content
    assert rollup_mismatches() == []
