"""Making and changing customers over the API."""

from datetime import UTC, datetime
from typing import Any

import pytest
from rest_framework.test import APIClient

from billing.activity.models import Activity
from billing.platform.clock import now
from customers.models import Customer
from customers.selectors import billing_contacts, customer_tax_party, now_for
from tests import factories
from tests.people import People, integrator
from tests.platform.api_answers import assert_problem

pytestmark = pytest.mark.django_db

ADDRESS = "/api/v1/customers"


@pytest.fixture
def client() -> APIClient:
    return integrator()


@pytest.fixture
def seller() -> str:
    return factories.legal_entity().public_id


def body(seller: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": "Brightchat",
        "legal_name": "Brightchat GmbH",
        "external_id": "crm-17",
        "address": {"line1": "Torstr. 1", "postal_code": "10119", "city": "Berlin", "country": "DE"},
        "legal_entity": seller,
        "currency": "EUR",
        "language": "de",
        "tax_ids": [{"country": "FR", "vat_number": "fr 83404833048"}],
        "contacts": [{"name": "Ada", "email": "ada@acme.example", "mail_roles": ["billing"]}],
    } | changes


def test_customer_is_made_read_and_found(client: APIClient, seller: str) -> None:
    made = client.post(ADDRESS, body(seller))
    assert made.status_code == 201, made.json()
    customer = made.json()
    assert customer["tax_ids"] == [{"country": "FR", "vat_number": "FR83404833048"}]
    assert customer["payment_terms_days"] == 0
    assert customer["collection_method"] == "charge_automatically"
    assert customer["legal_entity"] == seller
    assert (customer["time_zone"], customer["test_clock"], customer["payer"]) == ("UTC", None, None)
    assert client.get(f"{ADDRESS}/{customer['id']}").json() == customer
    assert client.get(ADDRESS, {"external_id": "crm-17"}).json() == {"data": [customer], "next_cursor": None}
    assert client.get(ADDRESS, {"external_id": "crm-18"}).json()["data"] == []
    assert client.get(f"{ADDRESS}/").json()["data"] == [customer], "a slash at the end does no harm"
    assert Activity.objects.filter(name="customer.created", customer_id=customer["id"]).count() == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "  "}, "name"),
        ({"name": 7}, "name"),
        ({"name": "Bright\x00chat"}, "name"),
        ({"name": None}, "name"),
        ({"legal_entity": "ent_00000000000000000000000000"}, "legal_entity"),
        ({"currency": "EUX"}, "currency"),
        ({"language": "fr"}, "language"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"payment_terms_days": -1}, "payment_terms_days"),
        ({"payment_terms_days": 10**30}, "payment_terms_days"),
        ({"payment_terms_days": 1.5}, "payment_terms_days"),
        ({"collection_method": "steal"}, "collection_method"),
        ({"address": "Berlin"}, "address"),
        ({"address": {"city": "Berlin"}}, "address.country"),
        ({"tax_ids": [{"country": "DE", "vat_number": "DE123456789"}]}, "tax_ids[0].vat_number"),
        ({"tax_ids": [{"country": "DE", "vat_number": "FR83404833048"}]}, "tax_ids[0].vat_number"),
        ({"tax_ids": [{"country": "FR", "vat_number": "FR83404833048"}] * 2}, "tax_ids[1].country"),
        ({"contacts": [{"name": "Ada", "email": "ada"}]}, "contacts[0].email"),
        (
            {"contacts": [{"name": "Ada", "email": "a@b.example", "mail_roles": ["all"]}]},
            "contacts[0].mail_roles[0]",
        ),
        (
            {"contacts": [{"name": n, "email": e} for n, e in (("A", "a@b.example"), ("B", "A@b.example"))]},
            "contacts[1].email",
        ),
        ({"contacts": [{"name": "Ada", "email": "a@b.example"}] * 51}, "contacts"),
        ({"contacts": {"name": "Ada"}}, "contacts"),
        ({"external_id": ""}, "external_id"),
        ({"payer": "cus_00000000000000000000000000"}, "payer"),
        ({"test_clock": "clk_00000000000000000000000000"}, "test_clock"),
        ({"is_staff": True}, "is_staff"),
        ({"public_id": "cus_mine"}, "public_id"),
    ],
)
def test_wrong_field_is_named_and_nothing_is_made(
    client: APIClient, seller: str, changes: dict[str, Any], field: str
) -> None:
    problem = client.post(ADDRESS, body(seller, **changes))
    assert problem.status_code == 400
    assert_problem(problem, 400, problem.json()["code"], field=field)
    assert not Customer.objects.exists()
    assert not Activity.objects.filter(name="customer.created").exists()


def test_tax_number_from_outside_the_eu_is_kept_as_written(client: APIClient, seller: str) -> None:
    made = client.post(ADDRESS, body(seller, tax_ids=[{"country": "US", "vat_number": "93-1234567"}])).json()
    assert made["tax_ids"] == [{"country": "US", "vat_number": "93-1234567"}]


def test_external_id_is_given_once(client: APIClient, seller: str) -> None:
    first = client.post(ADDRESS, body(seller)).json()
    assert_problem(client.post(ADDRESS, body(seller)), 409, "external_id_taken", field="external_id")
    other = client.post(ADDRESS, body(seller, external_id=None)).json()
    problem = client.patch(f"{ADDRESS}/{other['id']}", {"external_id": "crm-17"})
    assert_problem(problem, 409, "external_id_taken", field="external_id")
    assert client.patch(f"{ADDRESS}/{first['id']}", {"external_id": "crm-17"}).status_code == 200


def test_change_touches_what_is_given_and_says_so_in_the_record(client: APIClient, seller: str) -> None:
    customer = client.post(ADDRESS, body(seller)).json()
    changed = client.patch(
        f"{ADDRESS}/{customer['id']}",
        {"payment_terms_days": 30, "contacts": [], "legal_name": "Brightchat SE"},
    )
    assert changed.json() == customer | {
        "payment_terms_days": 30,
        "contacts": [],
        "legal_name": "Brightchat SE",
    }
    recorded = Activity.objects.get(name="customer.updated").data
    assert recorded == {
        "changed": {"payment_terms_days": [0, 30], "contacts": "changed", "legal_name": "changed"}
    }, "personal data is named without its values"


def test_change_to_the_same_values_records_nothing(client: APIClient, seller: str) -> None:
    customer = client.post(ADDRESS, body(seller)).json()
    same = {name: customer[name] for name in ("name", "address", "tax_ids", "currency", "payer")}
    assert client.patch(f"{ADDRESS}/{customer['id']}", same).json() == customer
    assert not Activity.objects.filter(name="customer.updated").exists()


def test_contact_that_stays_keeps_its_id(client: APIClient, seller: str) -> None:
    customer = client.post(ADDRESS, body(seller)).json()
    contacts = [{"name": "Bob", "email": "bob@acme.example"}, {"name": "Ada L.", "email": "Ada@acme.example"}]
    changed = client.patch(f"{ADDRESS}/{customer['id']}", {"contacts": contacts}).json()
    assert customer["contacts"][0]["id"] in [contact["id"] for contact in changed["contacts"]]


def test_test_clock_is_chosen_at_creation_and_gives_the_time(client: APIClient) -> None:
    clock = factories.test_clock(now_at=datetime(2023, 11, 1, tzinfo=UTC))
    made = client.post(ADDRESS, body(clock.legal_entity.public_id, test_clock=clock.public_id)).json()
    assert (made["test_clock"], made["created_at"]) == (clock.public_id, "2023-11-01T00:00:00Z")
    assert client.get(ADDRESS, {"test_clock": clock.public_id}).json()["data"] == [made]
    problem = client.patch(f"{ADDRESS}/{made['id']}", {"test_clock": None})
    assert_problem(problem, 400, "invalid_input", field="test_clock")


def test_customer_of_another_entity_cannot_join_a_clock(client: APIClient, seller: str) -> None:
    clock = factories.test_clock()
    problem = client.post(ADDRESS, body(seller, test_clock=clock.public_id))
    assert_problem(problem, 409, "seller_not_allowed", field="legal_entity")


def test_customer_does_not_move_between_test_and_live(client: APIClient, seller: str) -> None:
    live = factories.legal_entity(is_test=False)
    customer = client.post(ADDRESS, body(seller)).json()
    problem = client.patch(f"{ADDRESS}/{customer['id']}", {"legal_entity": live.public_id})
    assert_problem(problem, 409, "seller_not_allowed", field="legal_entity")
    other_test_entity = factories.legal_entity()
    changed = client.patch(f"{ADDRESS}/{customer['id']}", {"legal_entity": other_test_entity.public_id})
    assert changed.json()["legal_entity"] == other_test_entity.public_id


def test_nobody_pays_for_a_payer_and_no_circle_closes(client: APIClient) -> None:
    entity = factories.legal_entity()
    parent, child, grandchild = (factories.customer(legal_entity=entity) for _ in range(3))

    def pays_for(payer: Customer, paid: Customer) -> Any:
        return client.patch(f"{ADDRESS}/{paid.public_id}", {"payer": payer.public_id})

    assert pays_for(parent, child).json()["payer"] == parent.public_id
    for payer, paid in ((child, parent), (child, grandchild), (grandchild, parent), (parent, parent)):
        assert_problem(pays_for(payer, paid), 409, "payer_not_allowed", field="payer")
    child.refresh_from_db()
    assert child.payer == parent


def test_payer_shares_the_test_clock(client: APIClient) -> None:
    clock = factories.test_clock()
    on_clock = factories.customer(test_clock=clock)
    off_clock = factories.customer(legal_entity=clock.legal_entity)
    problem = client.patch(f"{ADDRESS}/{on_clock.public_id}", {"payer": off_clock.public_id})
    assert_problem(problem, 409, "payer_not_allowed", field="payer")


def test_key_of_a_customer_sees_that_customer_alone() -> None:
    people = People()
    acme, globex = people.clients["key of acme"], people.globex
    assert [row["id"] for row in acme.get(ADDRESS).json()["data"]] == [people.acme.public_id]
    hidden = acme.get(f"{ADDRESS}/{globex.public_id}").json()
    missing = acme.get(f"{ADDRESS}/cus_00000000000000000000000000").json()
    for answer in (hidden, missing):
        del answer["instance"], answer["request_id"]
    assert hidden == missing, "somebody else's customer looks as if there were none"
    assert_problem(acme.patch(f"{ADDRESS}/{globex.public_id}", {"name": "Mine"}), 404, "customer_not_found")
    globex.refresh_from_db()
    assert globex.name != "Mine"


def test_key_of_a_customer_changes_its_own_data_and_no_terms() -> None:
    people = People()
    acme = people.clients["key of acme"]
    own = f"{ADDRESS}/{people.acme.public_id}"
    assert acme.patch(own, {"purchase_order": "PO 7"}).json()["purchase_order"] == "PO 7"
    problem = acme.patch(
        own, {"purchase_order": "PO 8", "payment_terms_days": 365, "payer": people.globex.public_id}
    )
    body = assert_problem(problem, 403, "field_forbidden", field="payment_terms_days")
    assert [error["field"] for error in body["errors"]] == ["payer", "payment_terms_days"]
    assert acme.get(own).json()["purchase_order"] == "PO 7"


def test_mails_go_to_contacts_with_the_billing_role(client: APIClient, seller: str) -> None:
    contacts = [
        {"name": "Ada", "email": "ada@acme.example"},
        {"name": "Bob", "email": "bob@acme.example", "mail_roles": ["technical"]},
        {"name": "Eve", "email": "eve@acme.example", "mail_roles": []},
    ]
    made = client.post(ADDRESS, body(seller, contacts=contacts)).json()
    customer = Customer.objects.get(public_id=made["id"])
    assert [contact.email for contact in billing_contacts(customer)] == ["ada@acme.example"]


def test_buyer_shows_the_tax_rules_its_number_at_home_only(client: APIClient, seller: str) -> None:
    made = client.post(ADDRESS, body(seller)).json()
    customer = Customer.objects.get(public_id=made["id"])
    assert customer_tax_party(customer).vat_number is None, "a French number of a Berlin firm"
    customer.country = "FR"
    assert customer_tax_party(customer).vat_number == "FR83404833048"


def test_time_of_a_customer_is_its_clocks_or_the_machines() -> None:
    clock = factories.test_clock(now_at=datetime(2023, 11, 16, 18, tzinfo=UTC))
    assert now_for(factories.customer(test_clock=clock)) == datetime(2023, 11, 16, 18, tzinfo=UTC)
    assert abs((now_for(factories.customer()) - now()).total_seconds()) < 5
