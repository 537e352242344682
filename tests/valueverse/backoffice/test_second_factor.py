"""Signing in to the back office with a second factor: set up, used, lost, and no way around it (S22)."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.conf import settings as live_settings
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from billing.activity.models import Activity
from billing.platform.clock import now
from customers.models import User
from tests.factories import PASSWORD
from tests.people import client_with_key
from tests.valueverse.backoffice.office import person, text
from tests.valueverse.signing import (
    APP,
    CODE,
    LOGIN,
    SET_UP,
    app_of,
    code_of,
    password,
    recovery_codes,
    signed_in,
    typed_key,
)

pytestmark = pytest.mark.django_db
OPEN_TO_ALL = {"login/", "jsi18n/", "welcome/<str:user_id>/<str:token>/"}
"""The only addresses below /admin/ that show anything to whoever is not signed in."""


@pytest.fixture
def required(settings: Any) -> None:
    settings.STAFF_SECOND_FACTOR = "required"


def admin_addresses() -> list[tuple[str, str]]:
    """Every route below /admin/ with an address that fits it."""
    found: list[tuple[str, str]] = []

    def walk(patterns: list[Any], route: str) -> None:
        for one in patterns:
            here = route + str(one.pattern)
            if isinstance(one, URLResolver):
                walk(one.url_patterns, here)
            elif isinstance(one, URLPattern):
                found.append((here, filled(here)))

    (admin,) = [one for one in get_resolver().url_patterns if str(one.pattern) == "admin/"]
    walk(admin.url_patterns, "")
    return found


def filled(route: str) -> str:
    known = {"url": "x", "app_label": "customers", "final_catch_all": ""}
    plain = re.sub(r"<(?:int|path|str):(\w+)>", lambda name: known.get(name[1], "1"), route)
    plain = re.sub(r"\(\?P<(\w+)>[^)]*\)", lambda name: known.get(name[1], "customers"), plain)
    return f"/admin/{plain.replace('^', '').replace('$', '')}".replace("\\.", ".").replace("\\Z", "")


def test_setting_up_an_app_belongs_to_the_first_sign_in(required: None) -> None:
    user = person("Finance manager")
    client, answer = password(user, target="/admin/invoices/invoice/")
    assert answer["Location"] == SET_UP
    assert client.get("/admin/")["Location"].startswith(LOGIN), "the password alone opens nothing"
    page = text(client, SET_UP)
    assert APP in page
    page = text(client, APP)
    assert 'src="data:image/svg+xml;base64,' in page, "the code to scan comes from no other place"
    key = typed_key(page)
    assert client.post(APP, {"code": "000000"}).status_code == 400
    assert typed_key(text(client, APP)) == key, "a mistyped code does not change the key that was scanned"
    assert not Authenticator.objects.exists()
    done = client.post(APP, {"code": code_of(key, now())})
    codes = re.findall(r"<code>(\d{4}) (\d{4})</code>", done.content.decode())
    assert len(codes) == 10
    assert "/admin/invoices/invoice/" in done.content.decode(), "and on to where the person wanted to go"
    assert client.get("/admin/invoices/invoice/").status_code == 200
    assert set(Activity.objects.values_list("name", flat=True)) >= {"second_factor.added"}


def test_signing_in_takes_both_steps_and_changes_the_session_key_at_each(required: None) -> None:
    user = person("Finance clerk")
    secret = app_of(user)
    client, keys = Client(), []
    client.get(LOGIN)
    _, answer = password(user, client=client)
    keys.append(client.cookies[live_settings.SESSION_COOKIE_NAME].value)
    assert answer["Location"] == CODE
    assert user.email in text(client, CODE)
    assert client.post(CODE, {"code": "000000"}).status_code == 400
    assert client.get("/admin/").status_code == 302
    assert client.post(CODE, {"code": f" {code_of(secret, now())[:3]} {code_of(secret, now())[3:]} "})[
        "Location"
    ].startswith("/admin/")
    keys.append(client.cookies[live_settings.SESSION_COOKIE_NAME].value)
    assert client.get("/admin/").status_code == 200
    assert len(set(keys)) == 2


def test_a_code_works_once_for_whoever_saw_it(required: None) -> None:
    user = person("Finance clerk")
    secret = app_of(user)
    with time_machine.travel(now(), tick=False):
        code = code_of(secret, now())
        signed_in(user, secret)
        other, _ = password(user)
        assert other.post(CODE, {"code": code}).status_code == 400
        assert other.get("/admin/").status_code == 302
    with time_machine.travel(now() + timedelta(seconds=30), tick=False):
        other, _ = password(user)
        assert other.post(CODE, {"code": code_of(secret, now())}).status_code == 302


def test_an_old_code_has_run_out(required: None) -> None:
    user = person("Finance clerk")
    secret = app_of(user, now() - timedelta(hours=1))
    client, _ = password(user)
    assert client.post(CODE, {"code": code_of(secret, now() - timedelta(seconds=90))}).status_code == 400


def test_a_recovery_code_stands_in_once(required: None) -> None:
    user = person("Finance clerk")
    app_of(user)
    first, second = recovery_codes(user)[:2]
    client, _ = password(user)
    assert client.post(CODE, {"code": f"{first[:4]} {first[4:]}"}).status_code == 302
    assert "You used a recovery code" in text(client, "/admin/account/")
    assert "9 recovery codes left" in text(client, "/admin/account/")
    again, _ = password(user)
    assert again.post(CODE, {"code": first}).status_code == 400
    assert again.post(CODE, {"code": second}).status_code == 302
    assert Activity.objects.filter(name="recovery_code.used", object_id=user.public_id).count() == 2


def test_guessing_codes_locks_both_steps(required: None) -> None:
    user = person("Finance clerk")
    secret = app_of(user)
    client, _ = password(user)
    tries = [
        client.post(CODE, {"code": f"{n:06}"}).status_code for n in range(live_settings.AXES_FAILURE_LIMIT)
    ]
    assert tries[0] == 400
    assert tries[-1] == 429
    refused = client.post(CODE, {"code": code_of(secret, now())})
    assert refused.status_code == 429
    assert "Too many tries" in refused.content.decode()
    elsewhere = Client(REMOTE_ADDR="203.0.113.8")
    assert password(user, client=elsewhere)[1].status_code == 429, "the account waits, wherever one asks from"
    assert Client().get("/admin/").status_code == 302


def test_the_right_password_does_not_forgive_wrong_codes(required: None) -> None:
    user = person("Finance clerk")
    secret = app_of(user)
    for number in range(live_settings.AXES_FAILURE_LIMIT):
        client, _ = password(user, client=Client(REMOTE_ADDR=f"203.0.113.{number}"))
        client.post(CODE, {"code": "000000"})
    client, answer = password(user, client=Client(REMOTE_ADDR="198.51.100.1"))
    assert answer.status_code == 429
    assert client.post(CODE, {"code": code_of(secret, now())}).status_code == 302
    assert client.get("/admin/").status_code == 302


def test_the_second_step_waits_ten_minutes_and_not_for_a_changed_password(required: None) -> None:
    user = person("Finance clerk")
    secret = app_of(user)
    client, _ = password(user)
    with time_machine.travel(now() + timedelta(minutes=11)):
        assert client.post(CODE, {"code": code_of(secret, now())})["Location"] == LOGIN
    client, _ = password(user)
    user.set_password("another long pass phrase")
    user.save()
    assert client.post(CODE, {"code": code_of(secret, now())})["Location"] == LOGIN
    assert client.get("/admin/").status_code == 302


@pytest.mark.parametrize("who", ["nobody", "after the password", "a session without its factor"])
def test_no_address_of_the_back_office_opens_without_the_second_factor(required: None, who: str) -> None:
    user = User.objects.create_superuser(email="root@seller.example", password=PASSWORD)
    app_of(user)
    addresses = admin_addresses()
    assert len(addresses) > 100
    for route, address in addresses:
        client = Client()
        if who == "after the password":
            password(user, client=client)
        elif who == "a session without its factor":
            client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        is_code = route == "login/code/" and who == "after the password"
        for method in ("get", "post"):
            answer = getattr(client, method)(address)
            if route in OPEN_TO_ALL or is_code:
                assert "Dashboard" not in answer.content.decode()
                continue
            assert answer.status_code in (301, 302, 405), (who, route, method, answer.status_code)
            if answer.status_code != 405:
                assert answer["Location"].startswith((LOGIN, "/admin/")), (route, answer["Location"])
        assert client.get("/admin/").status_code == 302, route


def test_a_session_without_its_factor_is_ended_wherever_it_is_shown(required: None) -> None:
    client = Client()
    client.force_login(person("Finance manager"), backend="django.contrib.auth.backends.ModelBackend")
    assert client.get("/")["Location"] == "/portal/", "nobody, as far as any page can tell"
    assert live_settings.SESSION_COOKIE_NAME not in client.cookies or not client.session.keys()


def test_where_it_is_optional_the_password_is_enough_until_there_is_a_factor() -> None:
    user = person("Finance clerk")
    client, answer = password(user)
    assert answer["Location"] == "/admin/"
    assert "Your password alone opens this account" in text(client, "/admin/account/")
    app_of(user)
    client, answer = password(user)
    assert answer["Location"] == CODE
    assert client.get("/admin/").status_code == 302


@pytest.mark.parametrize("target", ["https://evil.example/admin/", "//evil.example/admin/", "/portal/"])
def test_nobody_is_sent_to_another_site(required: None, target: str) -> None:
    user = person("Finance clerk")
    secret = app_of(user)
    client, _ = password(user, target=target)
    assert client.post(CODE, {"code": code_of(secret, now())})["Location"] == "/admin/"


def test_factors_change_only_for_whoever_has_just_shown_one(required: None) -> None:
    user = person("Finance clerk")
    secret = app_of(user)
    client = signed_in(user, secret)
    factor = Authenticator.objects.get(user=user, type="totp")
    with time_machine.travel(now() + timedelta(minutes=11)):
        for address in (f"/admin/account/factors/{factor.pk}/remove/", "/admin/account/recovery-codes/", APP):
            assert client.post(address)["Location"].startswith("/admin/account/confirm/"), address
        assert Authenticator.objects.filter(pk=factor.pk).exists()
        asked = f"/admin/account/confirm/?next={APP}"
        assert client.post(asked, {"code": "000000", "next": APP}).status_code == 400
        assert client.post(asked, {"code": code_of(secret, now()), "next": APP})["Location"] == APP
        key = typed_key(text(client, APP))
        assert key != secret
        assert client.post(APP, {"code": code_of(key, now())})["Location"] == "/admin/account/"
        assert client.get("/admin/").status_code == 200
        page = client.post("/admin/account/recovery-codes/").content.decode()
        assert len(re.findall(r"<code>\d{4} \d{4}</code>", page)) == 10


def test_the_last_factor_stays_where_one_is_required(settings: Any) -> None:
    user = person("Finance clerk")
    secret = app_of(user)
    client = signed_in(user, secret)
    remove = f"/admin/account/factors/{Authenticator.objects.get(user=user, type='totp').pk}/remove/"
    settings.STAFF_SECOND_FACTOR = "required"
    client.post(remove)
    assert "A second factor is required" in text(client, "/admin/account/")
    assert Authenticator.objects.filter(user=user, type="totp").exists()
    settings.STAFF_SECOND_FACTOR = "optional"
    client.post(remove)
    assert not Authenticator.objects.filter(user=user).exists(), "recovery codes go with the last factor"


def test_somebody_else_s_factor_is_not_there(required: None) -> None:
    other, user = person("Finance manager"), person("Finance clerk")
    app_of(other)
    client = signed_in(user, app_of(user))
    theirs = Authenticator.objects.get(user=other, type="totp")
    assert client.post(f"/admin/account/factors/{theirs.pk}/remove/").status_code == 404
    assert Authenticator.objects.filter(pk=theirs.pk).exists()


def test_tokens_of_the_api_are_no_way_around(required: None) -> None:
    user = person("Finance clerk")
    address, given = "/api/v1/auth/token", {"email": user.email, "password": PASSWORD}
    client = client_with_key("none")
    client.credentials()
    missing = client.post(address, given)
    assert (missing.status_code, missing.json()["code"]) == (401, "second_factor_missing")
    secret = app_of(user)
    assert client.post(address, given).json()["code"] == "second_factor_needed"
    assert client.post(address, {**given, "code": "000000"}).json()["code"] == "wrong_code"
    code = code_of(secret, now())
    assert client.post(address, {**given, "code": code}).status_code == 200
    assert client.post(address, {**given, "code": code}).json()["code"] == "wrong_code"


def test_an_account_at_a_customer_gets_a_token_as_before(required: None) -> None:
    user = User.objects.create_user("bob@acme.example", PASSWORD)
    client = client_with_key("none")
    client.credentials()
    given = {"email": user.email, "password": PASSWORD}
    assert client.post("/api/v1/auth/token", given).status_code == 200


def test_django_allauth_shows_no_page_and_no_table() -> None:
    routes = [str(one.pattern) for one in get_resolver().url_patterns]
    assert not [route for route in routes if "accounts" in route]
    assert not [route for route, _ in admin_addresses() if "authenticator/" in route and "mfa" in route]
    assert not [route for route, _ in admin_addresses() if route.startswith(("mfa/", "account/email"))]
