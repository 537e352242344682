"""Starting and canceling subscriptions over the API, and what they have used so far."""

from datetime import UTC, datetime
from typing import Any

import pytest
from rest_framework.test import APIClient

from billing.activity.models import Activity
from billing.subscriptions.models import Subscription
from customers.models import Customer
from tests import billing_factories, factories
from tests.people import People, integrator
from tests.platform.api_answers import assert_problem

pytestmark = pytest.mark.django_db

ADDRESS = "/api/v1/subscriptions"
START = "2023-11-01T00:00:00Z"


@pytest.fixture
def client() -> APIClient:
    return integrator()


@pytest.fixture
def customer() -> Customer:
    return factories.customer(test_clock=factories.test_clock())


def start(client: APIClient, of: Customer, /, **changes: Any) -> Any:
    version = factories.plan_version()
    body = {"customer": of.public_id, "plan_version": version.public_id} | changes
    return client.post(ADDRESS, body)


def test_subscription_starts_at_the_customers_time_with_an_item_per_price(
    client: APIClient, customer: Customer
) -> None:
    tokens = factories.meter("input_tokens")
    version = factories.plan_version(prices=[factories.fee(), factories.usage_price(tokens)])
    made = client.post(
        ADDRESS, {"customer": customer.public_id, "plan": version.plan.code, "external_id": "contract-7"}
    )
    assert made.status_code == 201, made.json()
    subscription = made.json()
    assert subscription["status"] == "active"
    assert (subscription["started_at"], subscription["next_billing_at"]) == (START, START)
    assert (subscription["plan"], subscription["plan_version"]) == (version.plan.code, version.public_id)
    assert [item["code"] for item in subscription["items"]] == ["platform-fee", "input_tokens"]
    assert client.get(f"{ADDRESS}/{subscription['id']}").json() == subscription
    for query in (
        {"external_id": "contract-7"},
        {"customer": customer.public_id},
        {"plan": version.plan.code},
    ):
        assert client.get(ADDRESS, query).json()["data"] == [subscription]
    assert client.get(ADDRESS, {"status": "canceled"}).json()["data"] == []


@pytest.mark.parametrize(
    ("changes", "status", "code", "field"),
    [
        ({"customer": "cus_00000000000000000000000000"}, 400, "customer_not_found", "customer"),
        ({"plan_version": "plv_00000000000000000000000000"}, 400, "plan_version_not_found", "plan_version"),
        ({"plan": "inference"}, 400, "invalid_input", "plan"),
        ({"started_at": "2020-01-01T00:00:00Z"}, 400, "start_out_of_range", "started_at"),
        ({"started_at": "2023-11-01"}, 400, "invalid_input", "started_at"),
        ({"status": "active"}, 400, "invalid_input", "status"),
        ({"external_id": "x" * 121}, 400, "invalid_input", "external_id"),
        ({"legal_entity": "ent_nobody"}, 400, "legal_entity_not_found", "legal_entity"),
    ],
)
def test_subscription_that_cannot_be_is_not_started(
    client: APIClient, customer: Customer, changes: dict[str, Any], status: int, code: str, field: str
) -> None:
    assert_problem(start(client, customer, **changes), status, code, field=field)
    assert not Subscription.objects.exists()
    assert not Activity.objects.filter(name="subscription.started").exists()


def test_plan_without_a_published_version_is_not_sold(client: APIClient, customer: Customer) -> None:
    open_version = factories.plan_version(publish=False)
    by_version = {"customer": customer.public_id, "plan_version": open_version.public_id}
    assert_problem(client.post(ADDRESS, by_version), 409, "plan_version_not_published", field="plan_version")
    by_plan = {"customer": customer.public_id, "plan": open_version.plan.code}
    assert_problem(client.post(ADDRESS, by_plan), 400, "published_plan_not_found", field="plan")


def test_external_id_belongs_to_one_live_subscription(client: APIClient, customer: Customer) -> None:
    first = start(client, customer, external_id="contract-7").json()
    assert_problem(
        start(client, customer, external_id="contract-7"), 409, "external_id_taken", field="external_id"
    )
    client.post(f"{ADDRESS}/{first['id']}/cancel", {"when": "now"})
    assert start(client, customer, external_id="contract-7").status_code == 201


def test_cancellation_at_the_end_of_the_period_leaves_it_active(
    client: APIClient, customer: Customer
) -> None:
    subscription = start(client, customer).json()
    for _ in range(2):
        canceled = client.post(f"{ADDRESS}/{subscription['id']}/cancel", {"when": "period_end"}).json()
        assert (canceled["status"], canceled["cancel_at"]) == ("active", "2023-12-01T00:00:00Z")
    assert Activity.objects.filter(name="subscription.cancel_scheduled").count() == 1


def test_cancellation_now_ends_it_at_once_and_once(client: APIClient, customer: Customer) -> None:
    subscription = start(client, customer).json()
    billing_factories.advance(customer, datetime(2023, 11, 10, tzinfo=UTC))
    canceled = client.post(f"{ADDRESS}/{subscription['id']}/cancel", {"when": "now"}).json()
    assert (canceled["status"], canceled["cancel_at"]) == ("canceled", "2023-11-10T00:00:00Z")
    again = client.post(f"{ADDRESS}/{subscription['id']}/cancel", {"when": "now"})
    assert_problem(again, 409, "subscription_ended")
    assert_problem(
        client.post(f"{ADDRESS}/{subscription['id']}/cancel", {"when": "later"}),
        400,
        "invalid_input",
        field="when",
    )


def test_usage_so_far_and_the_next_invoice_follow_the_events(client: APIClient, customer: Customer) -> None:
    factories.tax_rate()
    tokens = factories.meter("input_tokens")
    version = factories.plan_version(prices=[factories.usage_price(tokens), factories.fee()])
    subscription = start(client, customer, plan_version=version.public_id).json()
    own = f"{ADDRESS}/{subscription['id']}"
    first = client.get(f"{own}/upcoming-invoice").json()
    assert (first["bills_at"], first["subtotal"], first["tax"], first["total"]) == (
        START,
        "99.00",
        "18.81",
        "117.81",
    )
    billing_factories.draft_invoice(customer)
    billing_factories.advance(customer, datetime(2023, 11, 16, 12, tzinfo=UTC))
    event = {
        "id": "e1",
        "customer": customer.public_id,
        "type": "llm_request",
        "at": "2023-11-16T11:00:00Z",
        "properties": {"input_tokens": "22361870"},
    }
    assert client.post("/api/v1/usage/events", event).status_code == 201
    usage = client.get(f"{own}/usage").json()
    assert usage == {
        "subscription": subscription["id"],
        "as_of": "2023-11-16T12:00:00Z",
        "period_start_at": START,
        "period_end_at": "2023-12-01T00:00:00Z",
        "currency": "EUR",
        "total": "49.72",
        "items": [
            {
                "code": "input_tokens",
                "description": "Input tokens",
                "meter": "input_tokens",
                "unit_code": "C62",
                "quantity": "22361870",
                "amount": "49.72",
            }
        ],
    }
    preview = client.get(f"{own}/upcoming-invoice").json()
    assert preview["bills_at"] == "2023-12-01T00:00:00Z"
    assert [(line["code"], line["quantity"], line["amount"]) for line in preview["lines"]] == [
        ("input_tokens", "22361870", "49.72"),
        ("platform-fee", "1", "99.00"),
    ]
    assert (preview["subtotal"], preview["tax"], preview["total"]) == ("148.72", "28.26", "176.98")
    assert preview["taxes"] == [
        {"category": "S", "percent": "19", "exemption_code": "", "base": "148.72", "tax": "28.26"}
    ]
    assert [step["amount"] for step in preview["lines"][0]["working"]["steps"]] == ["25", "24.72374"]
    assert Subscription.objects.get().invoices.count() == 1, "looking ahead writes nothing"


def test_subscription_outside_of_service_has_neither_usage_nor_a_next_invoice(
    client: APIClient, customer: Customer
) -> None:
    subscription = start(client, customer, started_at="2023-12-01T00:00:00Z").json()
    assert subscription["status"] == "scheduled"
    own = f"{ADDRESS}/{subscription['id']}"
    assert_problem(client.get(f"{own}/usage"), 409, "out_of_service")
    client.post(f"{own}/cancel", {"when": "now"})
    assert_problem(client.get(f"{own}/upcoming-invoice"), 404, "upcoming_invoice_not_found")


def test_key_of_a_customer_starts_and_cancels_its_own_subscriptions_only() -> None:
    people = People()
    acme, globex = people.clients["key of acme"], people.clients["key of globex"]
    own = start(acme, people.acme).json()
    assert_problem(start(acme, people.globex), 400, "customer_not_found", field="customer")
    for address in ("", "/usage", "/upcoming-invoice"):
        assert_problem(globex.get(f"{ADDRESS}/{own['id']}{address}"), 404, "subscription_not_found")
    assert_problem(
        globex.post(f"{ADDRESS}/{own['id']}/cancel", {"when": "now"}), 404, "subscription_not_found"
    )
    assert globex.get(ADDRESS).json()["data"] == []
    assert Subscription.objects.get().status == "active"
