"""Signing in with JWT (S24 to S26)."""

import base64
import json
from typing import Any

import pytest
from django.test import override_settings
from rest_framework.test import APIClient
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from customers.models import User
from customers.services import create_user
from tests import factories
from tests.platform.api_answers import assert_problem

pytestmark = pytest.mark.django_db

TOKEN = "/api/v1/auth/token/"
REFRESH = "/api/v1/auth/token/refresh/"
BLACKLIST = "/api/v1/auth/token/blacklist/"


@pytest.fixture
def fiona() -> User:
    user = factories.user("fiona@seller.example", is_staff=True)
    user.is_superuser = True
    user.save()
    return user


def sign_in(email: str = "fiona@seller.example", password: str = factories.PASSWORD) -> Any:
    return APIClient().post(TOKEN, {"email": email, "password": password})


def refresh(token: str) -> Any:
    return APIClient().post(REFRESH, {"refresh": token})


def calls_with(token: str) -> Any:
    return APIClient().get("/api/v1/customers", headers={"Authorization": f"Bearer {token}"})


@pytest.mark.usefixtures("fiona")
def test_mail_address_and_password_open_the_api_in_any_case() -> None:
    pair = sign_in("Fiona@Seller.example").json()
    assert pair.keys() == {"access", "refresh"}
    assert calls_with(pair["access"]).status_code == 200


@pytest.mark.usefixtures("fiona")
def test_wrong_password_and_unknown_person_look_alike() -> None:
    wrong, unknown = sign_in(password="wrong").json(), sign_in("nobody@seller.example").json()
    for answer in (wrong, unknown):
        answer.pop("request_id")
    assert wrong == unknown
    assert wrong["code"] == "wrong_credentials"
    assert wrong["status"] == 401


def test_inactive_person_cannot_sign_in(fiona: User) -> None:
    access = sign_in().json()["access"]
    fiona.is_active = False
    fiona.save()
    assert_problem(sign_in(), 401, "wrong_credentials")
    assert_problem(calls_with(access), 401, "user_inactive")


@pytest.mark.usefixtures("fiona")
def test_refresh_token_is_good_once() -> None:
    first = sign_in().json()
    second = refresh(first["refresh"]).json()
    assert calls_with(second["access"]).status_code == 200
    assert second["refresh"] != first["refresh"]


@pytest.mark.usefixtures("fiona")
def test_refresh_token_used_twice_ends_the_whole_family() -> None:
    stolen = sign_in().json()["refresh"]
    newer = refresh(stolen).json()["refresh"]
    assert_problem(refresh(stolen), 401, "token_reused")
    assert_problem(refresh(newer), 401, "token_reused")
    assert sign_in().status_code == 200, "the person may sign in again"


@pytest.mark.usefixtures("fiona")
def test_signing_out_ends_the_refresh_token() -> None:
    pair = sign_in().json()
    for _ in range(2):
        assert APIClient().post(BLACKLIST, {"refresh": pair["refresh"]}).status_code == 204
    assert_problem(refresh(pair["refresh"]), 401, "token_reused")


def test_person_who_was_deactivated_gets_no_new_pair(fiona: User) -> None:
    token = sign_in().json()["refresh"]
    User.objects.filter(pk=fiona.pk).update(is_active=False)
    assert_problem(refresh(token), 401, "account_inactive")


def test_database_holds_no_refresh_token(fiona: User) -> None:
    sign_in()
    assert list(OutstandingToken.objects.values_list("token", flat=True)) == [""]


def altered(
    token: str, *, header: dict[str, Any] | None = None, payload: dict[str, Any] | None = None
) -> str:
    """The token with parts of it changed and its signature kept."""
    parts = token.split(".")
    for place, changes in ((0, header), (1, payload)):
        content = json.loads(base64.urlsafe_b64decode(parts[place] + "=="))
        changed = json.dumps(content | (changes or {})).encode()
        parts[place] = base64.urlsafe_b64encode(changed).decode().rstrip("=")
    return ".".join(parts)


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "RS256"},
        {"alg": "HS512"},
        {"kid": "../../dev/null"},
        {"jku": "http://127.0.0.1/"},
    ],
)
def test_tampered_header_is_refused(fiona: User, header: dict[str, Any]) -> None:
    token = str(AccessToken.for_user(fiona))
    assert calls_with(altered(token, header=header)).status_code == 401
    assert calls_with(altered(token, header={"alg": "none"}).rpartition(".")[0] + ".").status_code == 401


@pytest.mark.parametrize(
    "payload",
    [{"sub": "usr_1"}, {"exp": 99999999999}, {"aud": "other"}, {"iss": "other"}, {"token_type": "refresh"}],
)
def test_tampered_payload_is_refused(fiona: User, payload: dict[str, Any]) -> None:
    assert_problem(
        calls_with(altered(str(AccessToken.for_user(fiona)), payload=payload)), 401, "token_not_valid"
    )


def test_refresh_token_is_no_access_token_and_the_other_way_round(fiona: User) -> None:
    assert_problem(calls_with(str(RefreshToken.for_user(fiona))), 401, "token_not_valid")
    assert_problem(refresh(str(AccessToken.for_user(fiona))), 401, "token_not_valid")


@pytest.mark.parametrize("claim", ["exp", "aud", "iss", "jti", "token_type"])
def test_token_signed_by_us_without_a_claim_is_refused(fiona: User, claim: str) -> None:
    token = AccessToken.for_user(fiona)
    if claim in ("aud", "iss"):
        with override_settings():
            token._token_backend = type(token.token_backend)("HS256", token.token_backend.signing_key)
            assert calls_with(str(token)).status_code == 401
        return
    del token[claim]
    assert calls_with(str(token)).status_code == 401


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "ey.ey.ey", "\x00", "é" * 10, "." * 3000])
def test_garbage_is_refused(token: str) -> None:
    answer = calls_with(token.encode("utf-8").decode("latin-1"))
    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert refresh(token).status_code in (400, 401)


@pytest.mark.usefixtures("fiona")
def test_five_failures_lock_the_address_out_with_a_problem() -> None:
    answers = [sign_in(password="wrong") for _ in range(6)]
    assert answers[0].status_code == 401
    assert_problem(answers[-1], 429, "throttled")
    assert answers[-1].headers["Retry-After"] == "900"
    assert_problem(sign_in(), 429, "throttled")


def test_weak_password_makes_no_person() -> None:
    with pytest.raises(Exception, match="too weak") as refused:
        create_user(email="a@b.example", password="password", actor=factories.ACTOR, at=factories.START)
    assert "password" in refused.value.fields
    assert not User.objects.exists()


def test_second_person_with_the_same_address_is_refused(fiona: User) -> None:
    with pytest.raises(Exception, match="already"):
        factories.user("FIONA@seller.example")
