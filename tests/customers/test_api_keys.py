"""API keys (S28): made once, stored as a hash, ended by time or by hand."""

import json
from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from rest_framework.test import APIClient

from billing.activity.models import Activity
from billing.core.errors import InvalidInput
from billing.platform.clock import now
from billing.platform.commands import Refused
from billing.platform.scopes import ALL_SCOPES, Scope
from customers.models import ApiKey
from customers.services import create_api_key, revoke_api_key
from tests import factories
from tests.people import client_with_key
from tests.platform.api_answers import assert_problem

pytestmark = pytest.mark.django_db

ADDRESS = "/api/v1/customers"


def test_key_opens_the_api_in_either_header() -> None:
    secret = factories.api_key().secret
    assert client_with_key(secret).get(ADDRESS).status_code == 200
    assert APIClient().get(ADDRESS, headers={"X-Api-Key": secret}).status_code == 200
    assert APIClient().get(ADDRESS, {"api_key": secret}).status_code == 401, "never from the address"


def test_secret_is_in_no_column_of_any_table() -> None:
    made = factories.api_key()
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(k)::text FROM customers_apikey k")
        stored = cursor.fetchone()[0]
        cursor.execute("SELECT string_agg(row_to_json(a)::text, '') FROM activity_activity a")
        recorded = cursor.fetchone()[0]
    assert made.secret not in stored + recorded
    assert made.secret[len(made.key.prefix) :] not in stored + recorded
    assert made.key.prefix == made.secret[:16]


def test_key_says_whether_it_can_reach_live_customers() -> None:
    on_test = factories.customer()
    on_live = factories.customer(legal_entity=factories.legal_entity(is_test=False))
    reads = [Scope.USAGE_READ]
    assert factories.api_key(scopes=reads, customer=on_test).secret.startswith("vv_test_")
    assert factories.api_key(scopes=reads, customer=on_live).secret.startswith("vv_live_")
    assert factories.api_key().secret.startswith("vv_live_")


@pytest.mark.parametrize(
    "wrong",
    [
        "vv_live_",
        "vv_live_" + "a" * 40,
        "vv_",
        "vv_live_\x7f",
        "vv_live_ünicode",
        "vv_" + "a" * 5000,
        "vv_live_\x00",
    ],
)
def test_unknown_key_is_refused(wrong: str) -> None:
    factories.api_key()
    answer = APIClient().get(ADDRESS, headers={"X-Api-Key": wrong.encode("utf-8").decode("latin-1")})
    assert_problem(answer, 401, "api_key_unknown")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_right_prefix_with_a_wrong_rest_is_refused() -> None:
    secret = factories.api_key().secret
    assert_problem(client_with_key(secret[:-1] + "_").get(ADDRESS), 401, "api_key_unknown")


def test_key_works_until_it_expires() -> None:
    made = factories.api_key(expires_at=now() + timedelta(hours=1))
    client = client_with_key(made.secret)
    assert client.get(ADDRESS).status_code == 200
    ApiKey.objects.filter(pk=made.key.pk).update(expires_at=now())
    assert_problem(client.get(ADDRESS), 401, "api_key_expired")


def test_revoked_key_ends_at_once_and_for_good() -> None:
    made = factories.api_key()
    client = client_with_key(made.secret)
    assert client.get(ADDRESS).status_code == 200
    first = revoke_api_key(key_id=made.key.public_id, actor=factories.ACTOR, at=now())
    assert_problem(client.get(ADDRESS), 401, "api_key_revoked")
    again = revoke_api_key(key_id=made.key.public_id, actor=factories.ACTOR, at=now() + timedelta(days=1))
    assert again.revoked_at == first.revoked_at
    assert Activity.objects.filter(name="api_key.revoked").count() == 1


def test_last_use_is_kept_to_the_minute() -> None:
    made = factories.api_key()
    client = client_with_key(made.secret)

    def last_used() -> datetime | None:
        return ApiKey.objects.get(pk=made.key.pk).last_used_at

    client.get(ADDRESS)
    first = last_used()
    assert first is not None
    client.get(ADDRESS)
    assert last_used() == first
    ApiKey.objects.filter(pk=made.key.pk).update(last_used_at=first - timedelta(minutes=2))
    client.get(ADDRESS)
    assert last_used() >= first


@pytest.mark.parametrize("scopes", [[], ["customers:delete"], ["customers:read", "*"]])
def test_scopes_are_known_ones(scopes: list[str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        create_api_key(name="x", scopes=scopes, actor=factories.ACTOR, at=now())
    assert "scopes" in refused.value.fields
    assert not ApiKey.objects.exists()


def test_key_of_a_customer_cannot_have_scopes_that_touch_others() -> None:
    with pytest.raises(InvalidInput):
        factories.api_key(scopes=[Scope.CATALOG_WRITE], customer=factories.customer())


def test_key_that_would_have_expired_is_not_made() -> None:
    with pytest.raises(InvalidInput):
        create_api_key(name="x", scopes=["usage:read"], expires_at=now(), actor=factories.ACTOR, at=now())


def test_command_prints_the_secret_once() -> None:
    out = StringIO()
    call_command(
        "create_api_key",
        name="Ingest",
        scopes="usage:write,usage:read",
        json=True,
        stdout=out,
        stderr=StringIO(),
    )
    printed = json.loads(out.getvalue())
    assert printed["scopes"] == ["usage:read", "usage:write"]
    key = ApiKey.objects.get(public_id=printed["id"])
    assert (key.name, key.prefix) == ("Ingest", printed["secret"][:16])


def test_command_binds_a_key_to_a_customer_and_gives_all_scopes_unless_told() -> None:
    customer, out = factories.customer(), StringIO()
    call_command("create_api_key", name="All", stdout=out, stderr=StringIO())
    assert client_with_key(out.getvalue().strip()).get(ADDRESS).status_code == 200
    assert sorted(ALL_SCOPES) == ApiKey.objects.get().scopes
    call_command(
        "create_api_key",
        name="One",
        scopes="usage:read",
        customer=customer.public_id,
        stdout=out,
        stderr=StringIO(),
    )
    assert ApiKey.objects.get(name="One").customer == customer


def test_command_refuses_an_unknown_customer() -> None:
    with pytest.raises(Refused, match="no such customer") as refused:
        call_command("create_api_key", name="One", scopes="usage:read", customer="cus_nobody")
    assert refused.value.returncode == 1
    assert not ApiKey.objects.exists()
