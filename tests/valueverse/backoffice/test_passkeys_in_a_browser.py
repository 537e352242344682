"""A passkey from end to end: Chromium with a software authenticator, against a running server."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from axes.models import AccessAttempt
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.test import Client
from django.test.testcases import LiveServerThread
from playwright.sync_api import Page, sync_playwright

from billing.activity.models import Activity
from customers.models import User
from customers.services import PasskeyRefused, add_passkey, begin_passkey
from customers.services.portal import portal_actor
from tests import factories
from tests.factories import PASSWORD, START
from tests.valueverse.backoffice.office import person, text
from tests.valueverse.signing import CODE, app_of, password

ADD = "/admin/account/passkeys/add/"
CHROMIUM = Path("/usr/bin/chromium")
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture
def server(committed_db: str, settings: Any) -> Iterator[str]:
    """The site at a host name for which browsers make passkeys."""
    settings.STAFF_SECOND_FACTOR = "required"
    thread = LiveServerThread("localhost", StaticFilesHandler)
    thread.daemon = True
    thread.start()
    thread.is_ready.wait(30)
    assert thread.error is None, thread.error
    yield f"http://localhost:{thread.port}"
    thread.terminate()
    thread.join()


def take_first_step(page: Page, server: str, user: User) -> None:
    page.goto(f"{server}/admin/login/")
    page.fill("[name=username]", user.email)
    page.fill("[name=password]", PASSWORD)
    page.click("#login-form [type=submit]")


@pytest.mark.skipif(not CHROMIUM.exists(), reason="NOT TESTED: passkeys need /usr/bin/chromium")
def test_a_passkey_is_made_at_the_first_sign_in_and_opens_the_second(server: str) -> None:
    user, errors = person("Finance manager"), []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        page = browser.new_page()
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        devtools = page.context.new_cdp_session(page)
        devtools.send("WebAuthn.enable")
        devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        take_first_step(page, server, user)
        page.wait_for_url("**/admin/login/set-up/")
        page.click("text=Passkey")
        page.fill("[name=name]", "Laptop")
        page.click("text=Make a passkey")
        page.wait_for_selector("text=they are shown once")
        assert page.locator(".acc-codes code").count() == 10
        page.click("text=I have kept them")
        page.wait_for_url("**/admin/")
        page.context.clear_cookies()
        take_first_step(page, server, user)
        page.wait_for_url("**/admin/login/code/")
        page.click("text=Use your passkey")
        page.wait_for_url("**/admin/")
        page.goto(f"{server}/admin/account/")
        assert "Passkey Laptop" in page.content()
        browser.close()
    assert errors == []
    row = Authenticator.objects.get(user=user, type="webauthn")
    assert row.data["sign_count"] >= 1
    assert row.last_used_at is not None
    assert Activity.objects.filter(name="second_factor.added", object_id=user.public_id).count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    "answer", [None, "", [], {}, {"id": "x"}, {"id": "x", "rawId": "x", "response": {}}, 7]
)
def test_what_is_no_answer_of_a_passkey_is_refused(answer: Any) -> None:
    user = factories.user(is_staff=True)
    question = begin_passkey(user=user, host="localhost")
    with pytest.raises(PasskeyRefused):
        add_passkey(
            user=user,
            host="localhost",
            state=question.state,
            answer=answer,
            name="x",
            actor=portal_actor(user),
            at=START,
        )
    assert not Authenticator.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("sent", ["", "null", "{", "[1]", '{"id": "x"}', '{"rawId": 1, "response": null}'])
def test_a_made_up_answer_makes_no_passkey_and_opens_nothing(sent: str) -> None:
    user = person("Finance clerk")
    client = Client(headers={"host": "localhost"})
    password(user, client=client)
    assert client.get(ADD).status_code == 200
    assert client.post(ADD, {"credential": sent}).status_code == 400
    assert not Authenticator.objects.exists()
    app_of(user)
    client = Client(headers={"host": "localhost"})
    password(user, client=client)
    assert client.post(CODE, {"credential": sent}).status_code == 400
    assert client.get("/admin/").status_code == 302
    assert AccessAttempt.objects.get(username=user.email).failures_since_start == 1, (
        "counted like a wrong code"
    )


@pytest.mark.django_db
def test_at_a_bare_address_the_page_says_where_passkeys_work() -> None:
    client = Client(headers={"host": "127.0.0.1:8000"})
    client.force_login(person("Finance clerk"), backend="django.contrib.auth.backends.ModelBackend")
    page = text(client, ADD)
    assert "http://localhost:8000/admin/" in page
    assert re.search("data-passkey", page) is None
