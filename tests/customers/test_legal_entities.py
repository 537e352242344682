"""Making sellers over the API."""

from datetime import date
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from rest_framework.test import APIClient

from billing.activity.models import Activity
from customers.models import LegalEntity, TaxRegistration
from customers.selectors import legal_entity_tax_party, registration_in_force
from customers.services import TaxRegistrationInput, TaxRegistrationOverlaps, add_tax_registration
from tests import billing_factories, factories
from tests.people import integrator
from tests.platform.api_answers import assert_problem

pytestmark = pytest.mark.django_db

ADDRESS = "/api/v1/legal-entities"
SVG = '<svg xmlns="http://www.w3.org/2000/svg">{}</svg>'


def body(**changes: Any) -> dict[str, Any]:
    return {
        "name": "ValueVerse GmbH",
        "legal_name": "ValueVerse GmbH",
        "address": {"line1": "Unter den Linden 1", "postal_code": "10117", "city": "Berlin", "country": "DE"},
        "accounting_currency": "EUR",
        "time_zone": "Europe/Berlin",
        "number_series": {"invoice": "VV-{year}-{number:06d}", "credit_note": "VV-CN-{year}-{number:06d}"},
        "tax_registrations": [{"country": "DE", "vat_number": "DE 136 695 976", "valid_from": "2020-01-01"}],
        "bank_account": {
            "holder": "ValueVerse GmbH",
            "iban": "DE89 3704 0044 0532 0130 00",
            "bic": "COBADEFFXXX",
        },
        "is_test": True,
    } | changes


@pytest.fixture
def client() -> APIClient:
    return integrator()


def test_entity_is_made_with_series_registration_and_bank_account(client: APIClient) -> None:
    made = client.post(ADDRESS, body())
    assert made.status_code == 201, made.json()
    entity = made.json()
    assert entity["address"]["city"] == "Berlin"
    assert entity["number_series"] == body()["number_series"]
    assert entity["bank_account"]["iban"] == "DE89370400440532013000"
    assert entity["tax_registrations"] == [
        {
            "country": "DE",
            "vat_number": "DE136695976",
            "tax_number": "",
            "valid_from": "2020-01-01",
            "valid_to": None,
            "one_stop_shop": False,
        }
    ]
    assert client.get(f"{ADDRESS}/{entity['id']}").json() == entity
    assert client.get(ADDRESS).json()["data"] == [entity]
    recorded = Activity.objects.get(name="legal_entity.created")
    assert (recorded.object_id, recorded.actor_kind) == (entity["id"], "api_key")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"accounting_currency": "EURO"}, "accounting_currency"),
        ({"accounting_currency": "XXX"}, "accounting_currency"),
        ({"time_zone": "Berlin"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"address": {"country": "XY"}}, "address.country"),
        ({"address": {"country": "DE", "city": "Ber\x07lin"}}, "address.city"),
        ({"address": {"country": "DE", "planet": "Earth"}}, "address.planet"),
        ({"number_series": {"invoice": "VV-{year}-{number:06d}"}}, "number_series.credit_note"),
        (
            {"number_series": {"invoice": "VV-{number}", "credit_note": "C-{year}-{number}"}},
            "number_series.invoice",
        ),
        (
            {"number_series": {"invoice": "{year.x}{number}", "credit_note": "C-{year}-{number}"}},
            "number_series.invoice",
        ),
        (
            {"number_series": {"invoice": "{year}{number:9999d}", "credit_note": "{year}{number}"}},
            "number_series.invoice",
        ),
        (
            {"number_series": {"invoice": "{year}-{number}", "credit_note": "{year}-{number}"}},
            "number_series",
        ),
        (
            {"number_series": {"invoice": "{year}-{number", "credit_note": "{year}-{number}"}},
            "number_series.invoice",
        ),
        ({"bank_account": {"iban": "DE89370400440532013001"}}, "bank_account.iban"),
        ({"bank_account": {"bic": "NOBANK"}}, "bank_account.bic"),
        (
            {"tax_registrations": [{"country": "DE", "valid_from": "2020-01-01"}]},
            "tax_registrations[0].vat_number",
        ),
        (
            {
                "tax_registrations": [
                    {"country": "DE", "vat_number": "DE123456789", "valid_from": "2020-01-01"}
                ]
            },
            "tax_registrations[0].vat_number",
        ),
        (
            {
                "tax_registrations": [
                    {"country": "DE", "tax_number": "1", "valid_from": "2020-01-01", "valid_to": "2020-01-01"}
                ]
            },
            "tax_registrations[0].valid_to",
        ),
        ({"fiscal_year_start_month": 13}, "fiscal_year_start_month"),
        ({"retention_years": 0}, "retention_years"),
        ({"accent_color": "red"}, "accent_color"),
        ({"email": "nobody"}, "email"),
        ({"logo_svg": "<svg/>"}, "logo_svg"),
        ({"logo_svg": SVG.format("<script>alert(1)</script>")}, "logo_svg"),
        ({"logo_svg": SVG.format('<image href="file:///etc/passwd"/>')}, "logo_svg"),
        ({"logo_svg": SVG.format('<use href="http://127.0.0.1/x.svg"/>')}, "logo_svg"),
        ({"logo_svg": SVG.format('<rect fill="url(http://127.0.0.1/)"/>')}, "logo_svg"),
        ({"logo_svg": '<!DOCTYPE svg [<!ENTITY a "b">]>' + SVG.format("&a;")}, "logo_svg"),
        ({"is_test": "yes"}, "is_test"),
    ],
)
def test_wrong_field_is_named_and_nothing_is_made(
    client: APIClient, changes: dict[str, Any], field: str
) -> None:
    assert_problem(client.post(ADDRESS, body(**changes)), 400, "invalid_input", field=field)
    assert not LegalEntity.objects.exists()
    assert not Activity.objects.filter(name="legal_entity.created").exists()


def test_seller_without_a_vat_id_and_iban_is_completed(client: APIClient) -> None:
    made = client.post(ADDRESS, body(tax_registrations=[], bank_account={}, logo_svg=SVG.format(""))).json()
    address, holder = (
        f"{ADDRESS}/{made['id']}",
        {"holder": "ValueVerse GmbH", "iban": "DE89370400440532013000"},
    )
    moved = body()["address"] | {"line1": "Unter den Linden 2"}
    changes = {"bank_account": holder, "address": moved, "directors": "Erika Muster", "logo_svg": ""}
    changed = client.patch(address, changes)
    assert changed.status_code == 200, changed.json()
    assert changed.json()["bank_account"]["iban"] == "DE89370400440532013000"
    assert changed.json()["address"]["line1"] == "Unter den Linden 2"
    kept = ("name", "time_zone", "accounting_currency", "number_series", "is_test", "accent_color")
    assert all(changed.json()[name] == made[name] for name in kept)
    registration = {"country": "DE", "vat_number": "DE 136 695 976", "valid_from": "2020-01-01"}
    added = client.post(f"{address}/tax-registrations", registration)
    assert (added.status_code, added.json()["vat_number"]) == (201, "DE136695976")
    assert client.get(address).json()["tax_registrations"] == [added.json()]
    assert legal_entity_tax_party(LegalEntity.objects.get(), on=date(2023, 11, 1)).vat_number == "DE136695976"
    told, _ = Activity.objects.filter(name="legal_entity.updated", object_id=made["id"]).order_by("pk")
    assert told.data["changed"].keys() == {"bank_account", "address", "directors", "logo_svg"}
    assert "Erika" not in str(told.data)


def test_change_that_changes_nothing_is_not_recorded(client: APIClient) -> None:
    made = client.post(ADDRESS, body()).json()
    same = {"bank_account": body()["bank_account"], "address": body()["address"], "accent_color": "#1f4e79"}
    for changes in ({}, same):
        assert client.patch(f"{ADDRESS}/{made['id']}", changes).json() == made
    assert not Activity.objects.filter(name="legal_entity.updated").exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"is_test": False}, "is_test"),
        ({"accounting_currency": "USD"}, "accounting_currency"),
        ({"time_zone": "Europe/Vienna"}, "time_zone"),
        ({"country": "AT"}, "country"),
        ({"address": {"country": "AT", "city": "Wien"}}, "address.country"),
        ({"bank_account": {"iban": "DE89370400440532013001"}}, "bank_account.iban"),
        ({"accent_color": "red"}, "accent_color"),
        ({"email": "nobody"}, "email"),
        ({"logo_svg": SVG.format("<script>alert(1)</script>")}, "logo_svg"),
    ],
)
def test_what_never_changes_or_is_wrong_leaves_the_seller_as_it_is(
    client: APIClient, changes: dict[str, Any], field: str
) -> None:
    made = client.post(ADDRESS, body()).json()
    refused = client.patch(f"{ADDRESS}/{made['id']}", {"phone": "030 1"} | changes)
    assert_problem(refused, 400, "invalid_input", field=field)
    assert client.get(f"{ADDRESS}/{made['id']}").json() == made


def test_second_registration_over_the_api_does_not_overlap(client: APIClient) -> None:
    made = client.post(ADDRESS, body()).json()
    address = f"{ADDRESS}/{made['id']}/tax-registrations"
    again = {"country": "DE", "vat_number": "DE136695976", "valid_from": "2019-01-01"}
    assert_problem(client.post(address, again), 409, "tax_registration_overlaps", field="valid_from")
    assert_problem(
        client.post(address, again | {"vat_number": "DE1"}), 400, "invalid_input", field="vat_number"
    )
    assert client.get(f"{ADDRESS}/{made['id']}").json() == made


def test_a_vat_id_that_comes_later_follows_the_registration_in_force(client: APIClient) -> None:
    first = {"country": "DE", "tax_number": "30/123/45678", "valid_from": "2020-01-01"}
    made = client.post(ADDRESS, body(tax_registrations=[first])).json()
    later = {"country": "DE", "vat_number": "DE136695976", "valid_from": "2023-07-01"}
    assert client.post(f"{ADDRESS}/{made['id']}/tax-registrations", later).status_code == 201
    entity = LegalEntity.objects.get(public_id=made["id"])
    days = [
        (held.valid_from.isoformat(), held.valid_to)
        for held in entity.tax_registrations.order_by("valid_from")
    ]
    assert days == [("2020-01-01", date(2023, 7, 1)), ("2023-07-01", None)]
    assert legal_entity_tax_party(entity, on=date(2023, 7, 1)).vat_number == "DE136695976"
    assert legal_entity_tax_party(entity, on=date(2023, 6, 30)).vat_number is None


def test_drawing_with_gradients_of_its_own_is_a_logo(client: APIClient) -> None:
    logo = SVG.format('<defs><linearGradient id="a"/></defs><rect fill="url(#a)" width="1"/>')
    assert client.post(ADDRESS, body(logo_svg=logo)).status_code == 201


def test_second_entity_of_the_same_name_is_refused(client: APIClient) -> None:
    client.post(ADDRESS, body())
    assert_problem(client.post(ADDRESS, body()), 409, "legal_entity_name_taken", field="name")


def test_overlapping_registrations_are_refused(client: APIClient) -> None:
    twice = [{"country": "DE", "tax_number": "1", "valid_from": day} for day in ("2020-01-01", "2022-01-01")]
    problem = client.post(ADDRESS, body(tax_registrations=twice))
    assert_problem(problem, 409, "tax_registration_overlaps", field="tax_registrations[1].valid_from")
    assert not LegalEntity.objects.exists()


def test_registration_holds_between_its_days() -> None:
    entity = factories.legal_entity(tax_registrations=[])
    for number, start, end in (("1", date(2020, 1, 1), date(2022, 1, 1)), ("2", date(2022, 1, 1), None)):
        add_tax_registration(
            legal_entity=entity,
            registration=TaxRegistrationInput(
                country="DE", tax_number=number, valid_from=start, valid_to=end
            ),
            actor=factories.ACTOR,
            at=factories.START,
        )
    held = {
        on: getattr(registration_in_force(entity, country="DE", on=on), "tax_number", None)
        for on in (date(2019, 12, 31), date(2021, 12, 31), date(2022, 1, 1))
    }
    assert list(held.values()) == [None, "1", "2"]
    assert registration_in_force(entity, country="FR", on=date(2022, 1, 1)) is None
    assert legal_entity_tax_party(entity, on=date(2022, 1, 1)).vat_number is None
    assert Activity.objects.filter(name="legal_entity.updated", object_id=entity.public_id).count() == 2


def test_database_refuses_overlapping_registrations_too() -> None:
    entity = factories.legal_entity()
    with pytest.raises(TaxRegistrationOverlaps):
        add_tax_registration(
            legal_entity=entity,
            registration=TaxRegistrationInput(country="DE", tax_number="1", valid_from=date(2019, 1, 1)),
            actor=factories.ACTOR,
            at=factories.START,
        )
    with (
        pytest.raises(IntegrityError, match="one_tax_registration_per_country_and_day"),
        transaction.atomic(),
    ):
        TaxRegistration.objects.create(
            legal_entity=entity, country="DE", tax_number="1", valid_from=date(2023, 1, 1)
        )


def test_seller_with_a_vat_number_shows_it_to_the_tax_rules() -> None:
    party = legal_entity_tax_party(factories.legal_entity(), on=date(2023, 11, 1))
    assert (party.country, party.vat_number) == ("DE", "DE136695976")


def test_invoice_that_waits_for_what_its_seller_lacks_is_issued_once_it_is_added(client: APIClient) -> None:
    entity = factories.legal_entity(tax_registrations=[], bank_account=None)
    clock = factories.test_clock(entity=entity)
    buyer = billing_factories.billed_customer(clock=clock, method=None, collection_method="send_invoice")
    draft = billing_factories.draft_invoice(buyer)
    seller, finalize = f"{ADDRESS}/{entity.public_id}", f"/api/v1/invoices/{draft.public_id}/finalize"
    refused = client.post(finalize)
    assert refused.status_code == 409, refused.json()
    assert "seller.vat_number" in [error["field"] for error in refused.json()["errors"]]
    registration = {"country": "DE", "vat_number": "DE136695976", "valid_from": "2020-01-01"}
    assert client.post(f"{seller}/tax-registrations", registration).status_code == 201
    account = {"holder": "Seller GmbH", "iban": "DE89370400440532013000", "bic": "COBADEFFXXX"}
    assert client.patch(seller, {"bank_account": account}).status_code == 200
    issued = client.post(finalize)
    assert (issued.status_code, issued.json()["status"]) == (200, "finalized"), issued.json()
