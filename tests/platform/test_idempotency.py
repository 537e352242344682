"""Idempotency-Key: the case table of the design, on both modes (I30, F02)."""

from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from billing.activity.models import Activity
from billing.approvals.models import ApprovalPolicy, ApprovalRequest
from billing.catalog.models import Product
from billing.platform.api.idempotency import forget_expired_answers
from billing.platform.clock import now
from billing.platform.models import IdempotencyRecord
from tests.people import People, integrator
from tests.platform.api_answers import assert_problem

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.platform.money_urls")]

ORDER = {"code": "gold"}


@pytest.fixture
def client() -> APIClient:
    return integrator()


@pytest.fixture(params=["/atomic", "/recoverable"])
def address(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def send(client: APIClient, address: str, body: Any, key: str | None = "key-1") -> Any:
    return client.post(address, body, headers={"Idempotency-Key": key} if key is not None else {})


def test_order_that_moves_money_needs_a_key(client: APIClient, address: str) -> None:
    answer = send(client, address, ORDER, key=None)
    problem = assert_problem(answer, 400, "idempotency_key_missing")
    assert problem["type"].endswith("/api/v1/docs#idempotency")
    assert 'rel="describedby"' in answer.headers["Link"]
    assert not Product.objects.exists()


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\tkey", "ключ".encode().decode("latin-1"), "nul\x00"])
def test_key_is_short_plain_text(client: APIClient, address: str, key: str) -> None:
    assert_problem(send(client, address, ORDER, key=key), 400, "idempotency_key_invalid")
    assert not Product.objects.exists()


def test_repetition_gets_the_first_answer_to_the_byte_and_has_no_effect(
    client: APIClient, address: str
) -> None:
    first, second = send(client, address, ORDER), send(client, address, ORDER)
    assert first.status_code == second.status_code == 201
    assert first.content == second.content
    assert first.headers["Content-Type"] == second.headers["Content-Type"] == "application/json"
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert Product.objects.count() == Activity.objects.filter(name="product.created").count() == 1


def test_repetition_is_known_whatever_the_order_of_names_and_the_slash(
    client: APIClient, address: str
) -> None:
    send(client, address, {"code": "gold", "outcome": "fine"})
    again = send(client, f"{address}/", {"outcome": "fine", "code": "gold"})
    assert again.headers["Idempotent-Replayed"] == "true"


def test_key_of_another_request_is_refused(client: APIClient, address: str) -> None:
    send(client, address, ORDER)
    assert_problem(send(client, address, {"code": "silver"}), 422, "idempotency_key_reused")
    other = "/atomic" if address == "/recoverable" else "/recoverable"
    assert_problem(send(client, other, ORDER), 422, "idempotency_key_reused")
    assert Product.objects.count() == 1


def test_same_key_of_another_caller_is_another_key(address: str) -> None:
    people = People()
    first = send(people.clients["key of acme"], address, {"code": "gold"})
    other = send(people.clients["key of globex"], address, {"code": "silver"})
    assert (first.status_code, other.status_code) == (201, 201)
    assert first.content != other.content
    assert_problem(
        send(people.clients["key of globex"], address, {"code": "gold"}), 422, "idempotency_key_reused"
    )


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "invalid_input"),
        ({"code": "GOLD !"}, 400, "invalid_input"),
        ({"code": "taken"}, 409, "code_taken"),
    ],
)
def test_refusal_before_an_effect_leaves_the_key_usable(
    client: APIClient, address: str, body: dict[str, str], status: int, code: str
) -> None:
    send(client, address, {"code": "taken"}, key="another")
    assert_problem(send(client, address, body), status, code)
    assert not IdempotencyRecord.objects.filter(key="key-1").exists()
    assert send(client, address, ORDER).status_code == 201


def test_caller_without_the_scope_stores_nothing(address: str) -> None:
    people = People()
    assert_problem(send(people.clients["key that reads"], address, ORDER), 403, "permission_denied")
    assert not IdempotencyRecord.objects.exists()


def test_declined_payment_is_an_answer_and_is_kept(client: APIClient, address: str) -> None:
    declined = {"code": "gold", "outcome": "declined"}
    first, second = send(client, address, declined), send(client, address, declined)
    assert first.status_code == second.status_code == 402
    assert first.content == second.content
    assert Product.objects.count() == 1


def test_request_for_approval_survives_the_refusal_and_is_asked_for_once(
    client: APIClient, address: str
) -> None:
    ApprovalPolicy.objects.create(action="refund", currency="EUR", limit_minor=0)
    order = {"code": "gold", "outcome": "approval"}
    first, second = send(client, address, order), send(client, address, order)
    approval = ApprovalRequest.objects.get()
    problem = assert_problem(first, 409, "approval_required")
    assert problem["details"] == {"approval": approval.public_id}
    assert first.content == second.content
    assert second.headers["Idempotent-Replayed"] == "true"
    assert not Product.objects.exists()


def test_answer_past_its_retention_is_forgotten(client: APIClient, address: str) -> None:
    send(client, address, ORDER)
    record = IdempotencyRecord.objects.get()
    assert record.expires_at - record.created_at == timedelta(days=30)
    assert forget_expired_answers() == 0
    IdempotencyRecord.objects.update(expires_at=now())
    assert_problem(send(client, address, ORDER), 409, "code_taken")
    assert Product.objects.count() == 1, "what is unique by nature still protects"


def test_sweep_deletes_answers_past_their_retention(client: APIClient) -> None:
    for code in ("gold", "silver"):
        send(client, "/atomic", {"code": code}, key=code)
    IdempotencyRecord.objects.filter(key="gold").update(expires_at=now())
    assert forget_expired_answers() == 1
    assert [record.key for record in IdempotencyRecord.objects.all()] == ["silver"]


def test_key_is_taken_where_none_is_needed(client: APIClient) -> None:
    body = {"code": "gold", "name": "Gold"}
    first, second = (send(client, "/api/v1/products", body) for _ in range(2))
    assert first.content == second.content
    assert_problem(send(client, "/api/v1/products", body, key=None), 409, "code_taken")


def test_crash_in_a_single_transaction_leaves_nothing(client: APIClient) -> None:
    client.raise_request_exception = False
    assert send(client, "/atomic", {"code": "gold", "outcome": "crash"}).status_code == 500
    assert not Product.objects.exists()
    assert not IdempotencyRecord.objects.exists()


def test_fault_between_transactions_lets_the_repetition_find_out(client: APIClient) -> None:
    """The effect may exist: the record stays as started, and the same request runs again, at once."""
    answer = send(client, "/recoverable", {"code": "gold", "outcome": "away"})
    assert_problem(answer, 503, "gateway_away")
    assert int(answer.headers["Retry-After"]) > 0
    record = IdempotencyRecord.objects.get()
    assert (record.response_status, record.locked_at) == (None, None)
    assert_problem(send(client, "/recoverable", {"code": "silver"}), 422, "idempotency_key_reused")
    assert_problem(send(client, "/recoverable", {"code": "gold", "outcome": "away"}), 409, "code_taken")


def test_killed_process_holds_the_key_for_two_minutes(client: APIClient) -> None:
    send(client, "/recoverable", ORDER)
    Product.objects.all().delete()
    IdempotencyRecord.objects.update(response_status=None, response_body=None, locked_at=now())
    answer = send(client, "/recoverable", ORDER)
    assert_problem(answer, 409, "request_still_running")
    assert answer.headers["Retry-After"] == "5"
    IdempotencyRecord.objects.update(locked_at=now() - timedelta(minutes=2, seconds=1))
    assert send(client, "/recoverable", ORDER).status_code == 201
    assert Product.objects.count() == 1
