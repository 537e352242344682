"""Whatever comes in, the answer is a problem with a code, and nothing changes; never a 500 (S42, S46, S50)."""

import json
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from billing.activity.models import Activity
from billing.catalog.models import Meter
from tests import factories
from tests.people import integrator
from tests.platform.api_answers import assert_problem

pytestmark = pytest.mark.django_db

CREATING = [
    "/api/v1/customers",
    "/api/v1/legal-entities",
    "/api/v1/test-clocks",
    "/api/v1/meters",
    "/api/v1/products",
    "/api/v1/plans",
    "/api/v1/tax-rates",
]


@pytest.fixture
def client() -> APIClient:
    return integrator()


def send(client: APIClient, address: str, body: bytes, content_type: str = "application/json"):  # type: ignore[no-untyped-def]
    return client.generic("POST", address, body, content_type=content_type)


@pytest.mark.parametrize("address", CREATING)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nul",
        b"{'name': 1}",
        b'{"name": NaN}',
        b'{"name": -Infinity}',
        b'{"name": 1e400}',
        b'{"name": "a", "name": "b"}',
        b'{"name": "\xff\xfe"}',
        b'{"name": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'{"name": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    ],
    ids=lambda body: body[:24].decode("latin-1") or "empty",
)
def test_body_that_is_no_json_is_refused(client: APIClient, address: str, body: bytes) -> None:
    before = Activity.objects.count()
    answer = send(client, address, body)
    assert answer.status_code == 400
    assert answer.json()["code"] in ("malformed_body", "invalid_input")
    assert Activity.objects.count() == before


@pytest.mark.parametrize("address", CREATING)
@pytest.mark.parametrize("body", [b"[]", b'"text"', b"7", b"null", b"true", b"{}"])
def test_json_of_the_wrong_shape_is_refused(client: APIClient, address: str, body: bytes) -> None:
    assert_problem(send(client, address, body), 400, "invalid_input")


def test_field_that_nobody_knows_is_named(client: APIClient) -> None:
    body = {"code": "tokens", "name": "Tokens", "event_type": "llm", "aggregation": "count", "colour": "red"}
    problem = assert_problem(client.post("/api/v1/meters", body), 400, "invalid_input", field="colour")
    assert [error["code"] for error in problem["errors"]] == ["unknown_field"]
    assert not Meter.objects.exists()


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/xml", "application/x-www-form-urlencoded", ""]
)
def test_other_media_types_are_refused(client: APIClient, content_type: str) -> None:
    assert_problem(
        send(client, "/api/v1/products", b'{"code": "a"}', content_type), 415, "unsupported_media_type"
    )


def test_body_over_the_limit_is_refused(client: APIClient) -> None:
    answer = send(client, "/api/v1/products", b'{"code": "' + b"a" * 6_000_000 + b'"}')
    assert_problem(answer, 413, "request_too_large")


def test_other_methods_are_refused_with_the_ones_that_work(client: APIClient) -> None:
    answer = client.delete("/api/v1/products")
    assert_problem(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET, HEAD, POST"


def test_answer_in_another_form_than_json_is_not_to_be_had(client: APIClient) -> None:
    answer = client.get("/api/v1/products", headers={"Accept": "application/xml"})
    assert_problem(answer, 406, "not_acceptable")


@pytest.mark.parametrize(
    "wrong", ["x", "cus_x%00y", "%ff", "..%2f..", "cus_" + "0" * 26, "a" * 2000, "'; DROP TABLE"]
)
@pytest.mark.parametrize(
    "kind", ["customers", "meters", "plans", "prices", "tax-rates", "test-clocks", "legal-entities"]
)
def test_id_that_is_none_is_not_found(client: APIClient, kind: str, wrong: str) -> None:
    answer = client.get(f"/api/v1/{kind}/{wrong}")
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=٣", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("limit=1&limit=2", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=%00", "cursor"),
        ("cursor=Y3VzXzE", "cursor"),
        ("order_by=password", "order_by"),
        ("legal_entity__name__startswith=a", "legal_entity__name__startswith"),
        ("external_id=%00", "external_id"),
        ("external_id=" + "a" * 121, "external_id"),
    ],
)
def test_list_parameter_that_makes_no_sense_is_named(client: APIClient, query: str, field: str) -> None:
    problem = client.get(f"/api/v1/customers?{query}")
    assert_problem(problem, 400, problem.json()["code"], field=field)


def test_problem_names_the_request_and_shows_nothing_of_the_machine(client: APIClient) -> None:
    answer = client.get("/api/v1/customers/nobody")
    problem = assert_problem(answer, 404, "customer_not_found")
    assert problem["instance"] == "/api/v1/customers/nobody"
    assert UUID(problem["request_id"])
    assert "Traceback" not in answer.content.decode()
    assert answer.headers["Cache-Control"] == "no-store"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)


METER_FIELDS = ("code", "name", "event_type", "aggregation", "property")
OTHER_FIELDS = ("currency", "prices", "percent", "country", "address", "contacts", "payer")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.fixed_dictionaries({}, optional=dict.fromkeys((*METER_FIELDS, *OTHER_FIELDS), json_values)))
def test_no_json_value_anywhere_makes_a_fault(client: APIClient, values: dict[str, object]) -> None:
    for address in ("/api/v1/meters", "/api/v1/plans", "/api/v1/tax-rates", "/api/v1/customers"):
        answer = send(client, address, json.dumps(values).encode("utf-8", "surrogatepass"))
        assert answer.status_code in (201, 400, 409)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(definition=json_values, model=st.sampled_from(["flat", "per_unit", "graduated", "volume", "package"]))
def test_no_price_definition_makes_a_fault(client: APIClient, definition: object, model: str) -> None:
    price = {"code": "fee", "name": "Fee", "model": model, "definition": definition}
    body = {"currency": "EUR", "interval_unit": "month", "anchor": "calendar", "prices": [price]}
    plan = factories.plan()
    answer = send(
        client, f"/api/v1/plans/{plan.public_id}/versions", json.dumps(body).encode("utf-8", "surrogatepass")
    )
    assert answer.status_code in (201, 400)
