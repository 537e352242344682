"""Making what is sold, over the API."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import override_settings
from rest_framework.test import APIClient

from billing.activity.models import Activity
from billing.catalog.models import Meter, PlanVersion, Price, TaxRate
from billing.catalog.selectors import (
    latest_published_version,
    price_model,
    standard_rates,
)
from billing.catalog.services import PlanVersionPublished, add_price
from billing.core.pricing import Graduated, rate
from tests import factories
from tests.people import integrator
from tests.platform.api_answers import assert_problem

pytestmark = pytest.mark.django_db

API = "/api/v1"


@pytest.fixture
def client() -> APIClient:
    return integrator()


def meter_body(**changes: Any) -> dict[str, Any]:
    return {
        "code": "input_tokens",
        "name": "Input tokens",
        "event_type": "llm_request",
        "aggregation": "sum",
        "property": "input_tokens",
    } | changes


def version_body(*prices: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "currency": "EUR",
        "interval_unit": "month",
        "anchor": "calendar",
        "prices": list(prices),
    } | changes


FEE = {"code": "platform-fee", "name": "Platform fee", "model": "flat", "definition": {"amount": "99.00"}}


def test_plan_of_the_demo_is_made_and_published(client: APIClient) -> None:
    for body in (
        meter_body(),
        meter_body(code="output_tokens", property="output_tokens"),
        meter_body(code="requests", aggregation="count", property=""),
    ):
        assert client.post(f"{API}/meters", body).status_code == 201
    client.post(f"{API}/products", {"code": "inference", "name": "Inference"})
    plan = client.post(
        f"{API}/plans", {"code": "inference-pro", "name": "Inference Pro", "product": "inference"}
    )
    assert (plan.status_code, plan.json()["versions"]) == (201, [])
    volume = [("1000000", "0.000010"), ("5000000", "0.000009"), (None, "0.000008")]
    usage = [
        ("input_tokens", "graduated", factories.GRADUATED),
        ("output_tokens", "volume", {"tiers": [{"up_to": up, "unit_amount": price} for up, price in volume]}),
        ("requests", "package", {"size": "1000", "amount": "0.50", "free_units": "5000"}),
    ]
    prices = [
        {"code": code, "name": code, "meter": code, "model": model, "definition": definition}
        for code, model, definition in usage
    ]
    made = client.post(f"{API}/plans/{plan.json()['id']}/versions", version_body(FEE, *prices))
    assert made.status_code == 201, made.json()
    version = made.json()
    assert [(p["position"], p["code"], p["timing"], p["meter"]) for p in version["prices"]] == [
        (1, "platform-fee", "in_advance", None),
        (2, "input_tokens", "in_arrears", "input_tokens"),
        (3, "output_tokens", "in_arrears", "output_tokens"),
        (4, "requests", "in_arrears", "requests"),
    ]
    assert version["prices"][3]["definition"] == {"size": "1000", "amount": "0.5", "free_units": "5000"}
    assert latest_published_version(plan_code="inference-pro") is None
    published = client.post(f"{API}/plan-versions/{version['id']}/publish").json()
    assert published["published_at"] is not None
    assert client.post(f"{API}/plan-versions/{version['id']}/publish").json() == published
    assert client.get(f"{API}/plans/{plan.json()['id']}").json()["versions"] == [published]
    assert client.get(f"{API}/plan-versions/{version['id']}").json() == published
    found = latest_published_version(plan_code="inference-pro")
    assert found is not None
    quantities = [Decimal(1), Decimal(22361870), Decimal(4089161), Decimal(19366)]
    amounts = [
        rate(price_model(price), quantity).amount
        for price, quantity in zip(found.prices.order_by("position"), quantities, strict=True)
    ]
    assert amounts == [Decimal("99"), Decimal("49.72374"), Decimal("36.802449"), Decimal("7.5")]


def test_prices_are_listed_over_plans_and_found_by_plan_version_and_meter(client: APIClient) -> None:
    tokens = factories.meter()
    version = factories.plan_version(prices=[factories.fee(), factories.usage_price(tokens)])
    factories.plan_version()
    assert len(client.get(f"{API}/prices").json()["data"]) == 3
    assert len(client.get(f"{API}/prices", {"plan": version.plan.code}).json()["data"]) == 2
    assert len(client.get(f"{API}/prices", {"plan_version": version.public_id}).json()["data"]) == 2
    (price,) = client.get(f"{API}/prices", {"meter": tokens.code}).json()["data"]
    assert (price["plan"], price["plan_version"], price["version"], price["currency"]) == (
        version.plan.code,
        version.public_id,
        1,
        "EUR",
    )
    assert client.get(f"{API}/prices/{price['id']}").json() == price


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"code": "Input Tokens"}, "code"),
        ({"code": "-tokens"}, "code"),
        ({"aggregation": "median"}, "aggregation"),
        ({"property": ""}, "property"),
        ({"aggregation": "count"}, "property"),
        ({"unit_code": "token"}, "unit_code"),
        ({"unit_code": "c6"}, "unit_code"),
        ({"allow_negative": "false"}, "allow_negative"),
        ({"allow_negative": 1}, "allow_negative"),
        ({"event_type": ""}, "event_type"),
        ({"event_type": "llm\x00"}, "event_type"),
    ],
)
def test_meter_with_a_wrong_field_is_not_made(client: APIClient, changes: dict[str, Any], field: str) -> None:
    assert_problem(client.post(f"{API}/meters", meter_body(**changes)), 400, "invalid_input", field=field)
    assert not Meter.objects.exists()
    assert not Activity.objects.filter(name="meter.created").exists()


@pytest.mark.parametrize("kind", ["meters", "products", "plans"])
def test_codes_are_given_once(client: APIClient, kind: str) -> None:
    product = factories.product().code
    body = {
        "meters": meter_body(),
        "products": {"code": "a", "name": "A"},
        "plans": {"code": "a", "name": "A"},
    }[kind]
    if kind == "plans":
        body["product"] = product
    assert client.post(f"{API}/{kind}", body).status_code == 201
    assert_problem(client.post(f"{API}/{kind}", body), 409, "code_taken", field="code")
    assert len(client.get(f"{API}/{kind}", {"code": body["code"]}).json()["data"]) == 1


def test_plan_of_an_unknown_product_is_not_made(client: APIClient) -> None:
    problem = client.post(f"{API}/plans", {"code": "a", "name": "A", "product": "nothing"})
    assert_problem(problem, 400, "product_not_found", field="product")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"model": "free"}, "prices[1].model"),
        ({"definition": {"amount": "1", "tax": "0"}}, "prices[1].definition.tax"),
        ({"definition": {}}, "prices[1].definition.amount"),
        ({"definition": {"amount": 99.0}}, "prices[1].definition.amount"),
        ({"definition": {"amount": "-1"}}, "prices[1].definition.amount"),
        ({"definition": {"amount": "1e3"}}, "prices[1].definition.amount"),
        ({"definition": {"amount": "0.001"}}, "prices[1].definition.amount"),
        ({"definition": []}, "prices[1].definition"),
        ({"meter": "nothing"}, "prices[1].meter"),
        ({"meter": "tokens"}, "prices[1].meter"),
        ({"code": "platform-fee"}, "prices[1].code"),
        ({"code": ""}, "prices[1].code"),
        ({"unit_code": "x"}, "prices[1].unit_code"),
        ({"timing": "in_arrears"}, "prices[1].timing"),
        (
            {"model": "graduated", "definition": {"tiers": [{"up_to": "10", "unit_amount": "1"}]}},
            "prices[1].definition.tiers[0].up_to",
        ),
        (
            {
                "model": "volume",
                "definition": {
                    "tiers": [{"up_to": up, "unit_amount": "1"} for up in ("10", "10")]
                    + [{"up_to": None, "unit_amount": "1"}]
                },
            },
            "prices[1].definition.tiers[1].up_to",
        ),
    ],
)
def test_version_with_a_wrong_price_is_not_made(
    client: APIClient, changes: dict[str, Any], field: str
) -> None:
    factories.meter("tokens")
    wrong = FEE | {"code": "second-fee"} | changes
    problem = client.post(f"{API}/plans/{factories.plan().public_id}/versions", version_body(FEE, wrong))
    assert problem.status_code in (400, 409)
    assert_problem(problem, problem.status_code, problem.json()["code"], field=field)
    assert not PlanVersion.objects.exists()
    assert not Price.objects.exists()
    assert not Activity.objects.filter(name__in=["plan_version.created", "price.created"]).exists()


@pytest.mark.parametrize(
    ("model", "definition", "detail"),
    [
        ("flat", {}, "amount is missing."),
        ("flat", {"amount": "1", "tax": "0"}, "tax is not known here."),
        ("flat", {"amount": "-1"}, "amount must not be negative."),
        ("flat", {"amount": 1}, 'amount must be a decimal string such as "0.50".'),
        (
            "flat",
            {"amount": "1e3"},
            'amount must be a plain decimal such as "0.50", with at most 12 decimals.',
        ),
        ("flat", {"amount": "0.001"}, "amount has more than the 2 decimals of EUR."),
        ("graduated", {"tiers": []}, "tiers must be a list of 1 to 100 objects."),
        (
            "graduated",
            {"tiers": [{"up_to": "10", "unit_amount": "1"}, {"unit_amount": "1"}]},
            "tiers[1].up_to is missing.",
        ),
        (
            "graduated",
            {"tiers": [{"up_to": "10", "unit_amount": "1"}]},
            "tiers[0].up_to must be null for the last tier.",
        ),
        (
            "volume",
            {"tiers": [{"up_to": up, "unit_amount": "1"} for up in ("10", "10", None)]},
            "tiers[1].up_to must be above 10.",
        ),
    ],
)
def test_what_is_wrong_with_a_price_is_a_sentence_that_names_the_place(
    client: APIClient, model: str, definition: dict[str, Any], detail: str
) -> None:
    wrong = FEE | {"code": "second-fee", "model": model, "definition": definition}
    problem = client.post(f"{API}/plans/{factories.plan().public_id}/versions", version_body(FEE, wrong))
    assert assert_problem(problem, 400, "invalid_price")["detail"] == f"prices[1].definition.{detail}"
    (error,) = problem.json()["errors"]
    assert f"{error['field']} {error['message']}." == problem.json()["detail"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"currency": "EURO"}, "currency"),
        ({"interval_unit": "fortnight"}, "interval_unit"),
        ({"interval_count": 0}, "interval_count"),
        ({"interval_count": 121}, "interval_count"),
        ({"anchor": "birthday"}, "anchor"),
        ({"proration": "hour"}, "proration"),
        ({"prices": [FEE] * 101}, "prices"),
        ({"published_at": "2023-11-01T00:00:00Z"}, "published_at"),
    ],
)
def test_version_with_wrong_terms_is_not_made(client: APIClient, changes: dict[str, Any], field: str) -> None:
    body = version_body(FEE) | changes
    problem = client.post(f"{API}/plans/{factories.plan().public_id}/versions", body)
    assert_problem(problem, 400, "invalid_input", field=field)
    assert not PlanVersion.objects.exists()


def test_months_of_30_days_are_refused_for_weeks_and_the_installation_has_a_policy(client: APIClient) -> None:
    plan = factories.plan()
    path = f"{API}/plans/{plan.public_id}/versions"
    weekly = version_body(FEE) | {"interval_unit": "week", "proration": "thirty_day_month"}
    assert_problem(client.post(path, weekly), 400, "invalid_period", field="proration")
    assert not PlanVersion.objects.exists()
    assert client.post(path, version_body(FEE)).json()["proration"] == "day"
    assert client.post(path, version_body(FEE) | {"proration": "second"}).json()["proration"] == "second"
    with override_settings(DEFAULT_PRORATION="none"):
        assert client.post(path, version_body(FEE)).json()["proration"] == "none"


def test_versions_count_up_and_a_version_without_prices_stays_closed(client: APIClient) -> None:
    plan = factories.plan()
    numbers = [
        client.post(f"{API}/plans/{plan.public_id}/versions", version_body()).json()["version"]
        for _ in range(2)
    ]
    assert numbers == [1, 2]
    empty = PlanVersion.objects.get(version=1)
    problem = client.post(f"{API}/plan-versions/{empty.public_id}/publish")
    assert_problem(problem, 409, "plan_version_empty", field="prices")


def test_published_version_takes_no_price_from_services_nor_from_sql() -> None:
    version = factories.plan_version()
    with pytest.raises(PlanVersionPublished):
        add_price(
            plan_version=version, price=factories.fee(code="more"), actor=factories.ACTOR, at=factories.START
        )
    with pytest.raises(IntegrityError, match="never change"), transaction.atomic():
        Price.objects.update(definition={"amount": "1"})
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        PlanVersion.objects.update(currency="USD")


def test_price_is_stored_in_its_canonical_form() -> None:
    definition = {
        "tiers": [
            {"up_to": "10.0", "unit_amount": "0.50", "flat_amount": "0"},
            {"up_to": None, "unit_amount": "0"},
        ]
    }
    version = factories.plan_version(
        prices=[factories.usage_price(factories.meter(), definition=definition)], publish=False
    )
    price = version.prices.get()
    assert price.definition == {
        "tiers": [{"up_to": "10", "unit_amount": "0.5"}, {"up_to": None, "unit_amount": "0"}]
    }
    assert isinstance(price_model(price), Graduated)


def test_fee_in_a_currency_without_cents_has_none(client: APIClient) -> None:
    plan = factories.plan().public_id
    yen = version_body(FEE | {"definition": {"amount": "99.50"}}, currency="JPY")
    problem = client.post(f"{API}/plans/{plan}/versions", yen)
    assert_problem(problem, 400, "invalid_price", field="prices[0].definition.amount")
    whole = version_body(FEE | {"definition": {"amount": "99.00"}}, currency="JPY")
    assert client.post(f"{API}/plans/{plan}/versions", whole).status_code == 201


def test_tax_rate_holds_between_its_days(client: APIClient) -> None:
    for percent, start, end in (("16", "2020-07-01", "2021-01-01"), ("19", "2021-01-01", None)):
        body = {"country": "DE", "name": "USt.", "percent": percent, "valid_from": start, "valid_to": end}
        assert client.post(f"{API}/tax-rates", body).status_code == 201
    days = (date(2020, 6, 30), date(2020, 12, 31), date(2021, 1, 1))
    assert [standard_rates(on=on) for on in days] == [{}, {"DE": Decimal("16")}, {"DE": Decimal("19")}]
    assert [row["percent"] for row in client.get(f"{API}/tax-rates", {"country": "DE"}).json()["data"]] == [
        "19",
        "16",
    ]


@pytest.mark.parametrize(
    ("changes", "status", "code", "field"),
    [
        ({"percent": 19.0}, 400, "invalid_input", "percent"),
        ({"percent": "101"}, 400, "invalid_input", "percent"),
        ({"percent": "0"}, 400, "invalid_input", "percent"),
        ({"percent": "19.00001"}, 400, "invalid_input", "percent"),
        ({"percent": "9" * 30}, 400, "invalid_input", "percent"),
        ({"category": "AE"}, 400, "invalid_input", "percent"),
        ({"country": "EU"}, 400, "invalid_input", "country"),
        ({"valid_to": "2020-12-31"}, 400, "invalid_input", "valid_to"),
        ({"valid_from": "31.12.2020"}, 400, "invalid_input", "valid_from"),
        ({"valid_from": "2022-01-01"}, 409, "tax_rate_overlaps", "valid_from"),
    ],
)
def test_wrong_or_overlapping_tax_rate_is_not_made(
    client: APIClient, changes: dict[str, Any], status: int, code: str, field: str
) -> None:
    factories.tax_rate(valid_from=date(2021, 6, 1))
    body = {
        "country": "DE",
        "name": "USt.",
        "percent": "19",
        "valid_from": "2021-01-01",
        "valid_to": "2021-06-01",
    }
    problem = client.post(f"{API}/tax-rates", body | {"valid_to": None} | changes)
    assert_problem(problem, status, code, field=field)
    assert TaxRate.objects.count() == 1
