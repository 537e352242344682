"""The doors of the portal: password, mailed link, invitation; and who is kept out."""

import re
from datetime import UTC, datetime

import pytest
import time_machine
from django.conf import settings
from django.core import mail
from django.test import Client

from billing.platform.clock import now
from customers import services
from customers.models import PortalLink, PortalMembership, User
from customers.tasks import send_sign_in_link
from tests import factories
from tests.factories import ACTOR, PASSWORD
from tests.valueverse.portal.visitors import text_of, visitor

pytestmark = pytest.mark.django_db
SIGN_IN = "/portal/sign-in/"
PAGES = ["", "usage/", "invoices/", "payments/", "subscriptions/", "company/", "company/edit/", "account/"]


def ada() -> User:
    user = factories.user("ada@acme.example")
    services.grant_portal_access(
        customer=factories.customer(), user=user, role="manager", actor=ACTOR, at=now()
    )
    return user


def attempt(client: Client, password: str, email: str = "ada@acme.example", **more: str) -> int:
    return client.post(SIGN_IN, {"email": email, "password": password, **more}).status_code


@pytest.mark.parametrize("page", PAGES)
def test_signed_out_every_page_asks_to_sign_in_and_comes_back(page: str) -> None:
    answer = Client().get(f"/portal/{page}")
    assert answer.status_code == 302
    assert answer["Location"] == f"{SIGN_IN}?next=%2Fportal%2F{page.replace('/', '%2F')}"


def test_the_right_password_opens_the_page_that_was_asked_for() -> None:
    ada()
    answer = Client().post(
        SIGN_IN, {"email": "ADA@acme.example", "password": PASSWORD, "next": "/portal/invoices/"}
    )
    assert (answer.status_code, answer["Location"]) == (302, "/portal/invoices/")


@pytest.mark.parametrize("target", ["https://evil.example/portal/", "//evil.example/portal/", "/admin/"])
def test_nobody_is_sent_to_another_site(target: str) -> None:
    ada()
    answer = Client().post(SIGN_IN, {"email": "ada@acme.example", "password": PASSWORD, "next": target})
    assert answer["Location"] == "/portal/"


def test_wrong_password_unknown_address_and_staff_get_the_same_answer() -> None:
    ada()
    factories.user("fiona@seller.example", is_staff=True)
    answers = set()
    for number, (email, password) in enumerate(
        [("ada@acme.example", "wrong"), ("nobody@x.example", "wrong"), ("fiona@seller.example", PASSWORD)]
    ):
        client = Client(REMOTE_ADDR=f"203.0.113.{number}")
        answer = client.post(SIGN_IN, {"email": email, "password": password})
        page = re.sub(r'value="[^"]*"', "", answer.content.decode())
        answers.add((answer.status_code, page))
        assert settings.SESSION_COOKIE_NAME not in client.cookies
    assert len(answers) == 1


def test_after_five_wrong_guesses_even_the_right_password_waits() -> None:
    ada()
    client = Client(REMOTE_ADDR="203.0.113.7")
    assert [attempt(client, "wrong") for _ in range(settings.AXES_FAILURE_LIMIT)][-1] == 429
    assert attempt(client, PASSWORD) == 429
    assert attempt(Client(REMOTE_ADDR="203.0.113.8"), PASSWORD) == 429


def test_signing_in_changes_the_session_key() -> None:
    ada()
    client = Client()
    client.post("/portal/language/", {"language": "de"})
    before = client.cookies[settings.SESSION_COOKIE_NAME].value
    attempt(client, PASSWORD)
    assert client.cookies[settings.SESSION_COOKIE_NAME].value != before
    assert "Übersicht" in text_of(client, "/portal/"), "the chosen language stays"


def test_forms_need_their_token() -> None:
    ada()
    client = Client(enforce_csrf_checks=True)
    assert attempt(client, PASSWORD) == 403


def test_a_sign_in_cannot_hold_a_nul() -> None:
    assert attempt(Client(), "x", email="a\0b") == 400


def test_asking_for_a_link_says_the_same_to_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    ada()
    monkeypatch.setattr(send_sign_in_link, "delay", send_sign_in_link)
    pages = {
        re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "", page)
        for page in (
            Client().post(SIGN_IN, {"email": email, "by": "link"}).content.decode()
            for email in ("ada@acme.example", "nobody@x.example")
        )
    }
    assert len(pages) == 1
    assert [one.to for one in mail.outbox] == [["ada@acme.example"]]


def test_a_mailed_link_signs_in_by_its_button_and_only_once() -> None:
    ada()
    send_sign_in_link("ada@acme.example", "en")
    found = re.search(r"/portal/link/[^/\s]+/", mail.outbox[0].body)
    assert found
    client = Client()
    assert client.get(found[0]).status_code == 200
    assert client.get("/portal/").status_code == 302, "looking at the link does not use it"
    assert client.post(found[0]).status_code == 302
    assert client.get("/portal/").status_code == 200
    assert Client().post(found[0]).status_code == 410
    assert Client().get(found[0]).status_code == 410


@time_machine.travel(datetime(2026, 1, 1, 12, 1, tzinfo=UTC), tick=False)  # within one window
def test_one_place_cannot_order_mails_without_end() -> None:
    client = Client(REMOTE_ADDR="203.0.113.9")
    codes = [client.post(SIGN_IN, {"email": f"a{n}@x.example", "by": "link"}).status_code for n in range(21)]
    assert codes[:20] == [200] * 20
    assert codes[20] == 429


def invitation(email: str = "new@acme.example") -> str:
    made = services.invite_contact(
        customer=factories.customer(name="Acme"), email=email, role="viewer", actor=ACTOR, at=now()
    )
    return f"/portal/invitation/{made.token}/"


def test_an_invited_person_chooses_a_password_and_is_in() -> None:
    address, client = invitation(), Client()
    assert "Acme" in text_of(client, address)
    assert client.post(address, {"password": "short"}).status_code == 400
    assert not User.objects.exists()
    assert client.post(address, {"password": PASSWORD}).status_code == 302
    assert "Acme" in text_of(client, "/portal/")
    assert Client().get(address).status_code == 410


def test_an_invited_person_with_an_account_signs_in_to_accept() -> None:
    ada()
    address, client = invitation("ada@acme.example"), Client()
    assert client.post(address, {"password": "a wrong pass phrase"}).status_code == 400
    assert PortalMembership.objects.count() == 1
    assert client.post(address, {"password": PASSWORD}).status_code == 302
    assert "Acme" in text_of(client, "/portal/"), "the new customer is the one looked at"
    assert PortalMembership.objects.count() == 2


@pytest.mark.parametrize("token", ["x", "a" * 500, "%00"])
def test_a_made_up_link_opens_nothing(token: str) -> None:
    for kind in ("link", "invitation"):
        assert Client().get(f"/portal/{kind}/{token}/").status_code == 410
        assert Client().post(f"/portal/{kind}/{token}/", {"password": PASSWORD}).status_code == 410
    assert not User.objects.exists()
    assert not PortalLink.objects.exists()


def test_signing_out_ends_the_session() -> None:
    client = visitor(factories.customer())
    assert client.get("/portal/").status_code == 200
    assert client.get("/portal/sign-out/").status_code == 405
    client.post("/portal/sign-out/")
    assert client.get("/portal/").status_code == 302


def test_the_bare_address_knows_who_comes() -> None:
    assert Client().get("/")["Location"] == "/portal/"
    assert visitor(factories.customer()).get("/")["Location"] == "/portal/"
    staff = Client()
    staff.force_login(factories.user(is_staff=True), backend="django.contrib.auth.backends.ModelBackend")
    assert staff.get("/")["Location"] == "/admin/"
    assert staff.get("/portal/")["Location"] == "/admin/"


def test_an_account_without_a_customer_sees_nothing() -> None:
    client = Client()
    client.force_login(factories.user(), backend="django.contrib.auth.backends.ModelBackend")
    assert "No access" in text_of(client, "/portal/invoices/", status=403)


def test_a_person_let_go_is_out_at_once() -> None:
    client = visitor(factories.customer())
    User.objects.update(is_active=False)
    assert client.get("/portal/").status_code == 302


def test_pages_are_not_kept_by_caches_and_hold_the_strict_policy() -> None:
    answer = visitor(factories.customer()).get("/portal/")
    assert "no-store" in answer["Cache-Control"]
    policy = answer["Content-Security-Policy"]
    assert "unsafe-inline" not in policy
    assert not re.search(r'\sstyle="|<style|\son[a-z]+="', answer.content.decode())
