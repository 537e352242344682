"""Pages of lists, and how often a caller may call."""

import pytest
from django.test import override_settings
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from tests import billing_factories, factories
from tests.people import client_with_key, integrator
from tests.platform.api_answers import assert_problem

pytestmark = pytest.mark.django_db

ADDRESS = "/api/v1/products"


@pytest.fixture
def client() -> APIClient:
    return integrator()


def test_pages_cover_the_list_once_newest_first(client: APIClient) -> None:
    made = [factories.product().public_id for _ in range(7)]
    read: list[str] = []
    sizes: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get(ADDRESS, {"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        sizes.append(len(page["data"]))
        read += [row["id"] for row in page["data"]]
        cursor = page["next_cursor"]
    assert read == sorted(made, reverse=True)
    assert sizes == [3, 3, 1]


def test_page_that_ends_with_the_list_has_no_next(client: APIClient) -> None:
    for _ in range(3):
        factories.product()
    assert client.get(ADDRESS, {"limit": 3}).json()["next_cursor"] is None
    assert client.get(ADDRESS, {"limit": 2}).json()["next_cursor"] is not None


def test_row_added_while_reading_shifts_nothing(client: APIClient) -> None:
    made = [factories.product().public_id for _ in range(4)]
    first = client.get(ADDRESS, {"limit": 2}).json()
    factories.product()
    second = client.get(ADDRESS, {"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [row["id"] for row in first["data"] + second["data"]] == sorted(made, reverse=True)


LISTS = [
    "customers",
    "legal-entities",
    "plans",
    "prices",
    "test-clocks",
    "subscriptions",
    "invoices",
    "credit-notes",
]


@pytest.mark.parametrize("kind", [*LISTS, "payments", "payment-methods"])
def test_list_costs_the_same_queries_for_one_row_and_for_three(
    client: APIClient, kind: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    def make() -> None:
        version = billing_factories.version_with_fee(meters=[factories.meter()])
        invoice = billing_factories.paid_invoice(billing_factories.billed_customer(version=version))
        billing_factories.credit_note(invoice)

    make()
    client.get(f"/api/v1/{kind}")  # the key's last use is written now
    with django_assert_max_num_queries(8) as one:
        client.get(f"/api/v1/{kind}")
    for _ in range(2):
        make()
    with django_assert_max_num_queries(len(one)):
        assert len(client.get(f"/api/v1/{kind}").json()["data"]) >= 3


def test_answers_say_how_much_of_the_rate_is_left(client: APIClient) -> None:
    left = [client.get(ADDRESS).headers["RateLimit"] for _ in range(2)]
    assert left[0].startswith('"api_key";r=2999;t=')
    assert left[1].startswith('"api_key";r=2998;t=')
    assert client.get(ADDRESS).headers["RateLimit-Policy"] == '"api_key";q=3000;w=60'


RATES = {"DEFAULT_THROTTLE_RATES": {"api_key": "3/hour", "user": "3/hour", "address": "3/hour"}}


def test_key_beyond_its_rate_waits_and_others_do_not(settings) -> None:  # type: ignore[no-untyped-def]
    with override_settings(REST_FRAMEWORK=settings.REST_FRAMEWORK | RATES):
        greedy, other = integrator(), integrator()
        answers = [greedy.get(ADDRESS) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert_problem(answers[-1], 429, "throttled")
        assert 0 < int(answers[-1].headers["Retry-After"]) <= 3600
        assert other.get(ADDRESS).status_code == 200


def test_signing_in_is_limited_by_address(settings) -> None:  # type: ignore[no-untyped-def]
    with override_settings(REST_FRAMEWORK=settings.REST_FRAMEWORK | RATES):
        answers = [
            APIClient().post("/api/v1/auth/token", {"email": "a@b.example", "password": "x"})
            for _ in range(4)
        ]
        assert [answer.status_code for answer in answers] == [401, 401, 401, 429]


def test_api_stays_open_while_the_cache_is_away(settings) -> None:  # type: ignore[no-untyped-def]
    secret = factories.api_key().secret
    away = {"default": settings.CACHES["default"] | {"LOCATION": "redis://127.0.0.1:1/0"}}
    with override_settings(CACHES=away):
        assert client_with_key(secret).get(ADDRESS).status_code == 200
