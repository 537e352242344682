"""Signing in to the back office as people do: password, then a code of an authenticator app."""

import re
from datetime import datetime, timedelta
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.test import Client

from billing.platform.clock import now
from customers import services
from customers.models import User
from customers.services.portal import portal_actor
from tests.factories import PASSWORD

LOGIN, CODE, SET_UP = "/admin/login/", "/admin/login/code/", "/admin/login/set-up/"
APP = "/admin/account/authenticator/"


def code_of(secret: str, at: datetime) -> str:
    """What an authenticator app shows at an instant."""
    return str(format_hotp_value(hotp_value(secret, int(at.timestamp()) // 30)))


def app_of(user: User, at: datetime | None = None) -> str:
    """Give a person an authenticator app; its key. Its first code was used a minute ago."""
    secret, then = services.new_totp_secret(), (at or now()) - timedelta(minutes=2)
    services.enroll_totp(
        user=user, secret=secret, code=code_of(secret, then), actor=portal_actor(user), at=then
    )
    return secret


def recovery_codes(user: User) -> list[str]:
    """New ones."""
    return services.make_recovery_codes(user=user, actor=portal_actor(user), at=now())


def password(user: User, *, client: Client | None = None, target: str = "") -> tuple[Client, Any]:
    """Take the first step; the browser and where it is sent."""
    browser = client or Client()
    query = f"?next={target}" if target else ""
    answer = browser.post(f"{LOGIN}{query}", {"username": user.email, "password": PASSWORD, "next": target})
    return browser, answer


def signed_in(user: User, secret: str) -> Client:
    """Take both steps."""
    client, _ = password(user)
    answer = client.post(CODE, {"code": code_of(secret, now())})
    assert answer.status_code == 302, answer.content.decode()
    return client


def typed_key(page: str) -> str:
    """The key that stands on the page of an authenticator app, as a person would type it."""
    found = re.search(r"<code>([A-Z2-7 ]+)</code>", page)
    assert found, "the page shows no key"
    return found[1].replace(" ", "")


def forget_steps(user: User) -> None:
    """As if no code had been used yet, so that a test need not wait for the next one."""
    for row in Authenticator.objects.filter(user=user, type="totp"):
        row.data["last_step"] = 0
        row.save()
