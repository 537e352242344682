"""A socket ends with the right to it (S04, S16): the check of the started process runs twice a second here.

In an installation it runs every LIVE_CHECK_INTERVAL, which may be 30 seconds at most, so that a minute is never passed.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.test import Client

from billing.platform.clock import now
from billing.platform.scopes import Scope
from customers import services
from customers.models import ApiKey, PortalMembership, User
from tests import factories
from tests.factories import ACTOR
from tests.people import client_of, client_with_key
from tests.valueverse.backoffice.office import person
from tests.valueverse.commands import manage
from tests.valueverse.live.site import LiveSite, closed_with, said, session_of, started, subscribe
from valueverse.sessions import FACTOR_KEY

ENDED = (4401, "signed out or no longer allowed")


@pytest.fixture
def member(live: LiveSite) -> User:
    """Somebody at a customer, and nowhere else."""
    user = factories.user()
    services.grant_portal_access(
        customer=factories.customer(), user=user, role="viewer", actor=ACTOR, at=now()
    )
    return user


def group_of(user: User) -> str:
    return f"customer:{PortalMembership.objects.get(user=user).customer.public_id}"


def sign_out(user: User, session: str) -> None:
    client = Client()
    client.cookies["session"] = session
    assert client.post("/portal/sign-out/").status_code == 302


def change_password(user: User, session: str) -> None:
    user.set_password("another-long-password")
    user.save()


def deactivate(user: User, session: str) -> None:
    user.is_active = False
    user.save()


def take_membership(user: User, session: str) -> None:
    PortalMembership.objects.filter(user=user).delete()


def let_the_session_run_out(user: User, session: str) -> None:
    Session.objects.filter(session_key=session).update(expire_date=now() - timedelta(seconds=1))


@pytest.mark.parametrize(
    "end", [sign_out, change_password, deactivate, take_membership, let_the_session_run_out]
)
def test_a_member_s_socket_ends_with_the_session_or_the_membership(
    live: LiveSite, member: User, end: Callable[[User, str], None]
) -> None:
    stays = factories.user()
    customer = PortalMembership.objects.get(user=member).customer
    services.grant_portal_access(customer=customer, user=stays, role="viewer", actor=ACTOR, at=now())
    session = session_of(member)
    with live.connect(cookie=session) as ends, live.connect(cookie=session_of(stays)) as goes_on:
        subscribe(ends, group_of(member))
        subscribe(goes_on, group_of(member))
        end(member, session)
        assert closed_with(ends) == ENDED
        goes_on.send('{"type": "ping"}')
        assert said(goes_on) == {"type": "pong"}


def test_a_socket_that_joined_nothing_ends_too(live: LiveSite, member: User) -> None:
    session = session_of(member)
    with live.connect(cookie=session) as connection:
        assert said(connection)["type"] == "hello"
        sign_out(member, session)
        assert closed_with(connection) == ENDED


def test_staff_lose_the_socket_with_the_permission_of_a_joined_group(live: LiveSite) -> None:
    user = person(None)
    user.user_permissions.set(
        Permission.objects.filter(codename__in=["view_approvalrequest", "view_invoice"])
    )
    with live.connect(cookie=session_of(user)) as connection:
        subscribe(connection, "approvals", "dashboard")
        user.user_permissions.remove(Permission.objects.get(codename="view_approvalrequest"))
        assert closed_with(connection) == ENDED


def revoke(key: ApiKey) -> None:
    services.revoke_api_key(key_id=key.public_id, actor=ACTOR, at=now())


def expire(key: ApiKey) -> None:
    ApiKey.objects.filter(pk=key.pk).update(expires_at=now() - timedelta(seconds=1))


@pytest.mark.parametrize("end", [revoke, expire])
def test_a_token_s_socket_ends_with_the_key(live: LiveSite, end: Callable[[ApiKey], None]) -> None:
    customer = factories.customer()
    made = factories.api_key(scopes=[Scope.LIVE_READ])
    answer = client_with_key(made.secret).post("/api/v1/live-tokens", {"customer": customer.public_id})
    with live.connect(token=answer.json()["token"], origin=None) as connection:
        subscribe(connection, f"customer:{customer.public_id}")
        end(made.key)
        assert closed_with(connection) == ENDED


def test_a_person_s_token_ends_with_their_password(live: LiveSite) -> None:
    customer, user = factories.customer(), person("Support")
    answer = client_of(user).post("/api/v1/live-tokens", {"customer": customer.public_id})
    with live.connect(token=answer.json()["token"], origin=None) as connection:
        subscribe(connection, f"customer:{customer.public_id}")
        change_password(user, "")
        assert closed_with(connection) == ENDED


def test_staff_without_their_second_factor_get_no_socket(committed_module_db: str) -> None:
    user = person("Auditor")
    without = session_of(user)
    with started(committed_module_db, STAFF_SECOND_FACTOR="required") as strict:
        assert strict.status(cookie=without) == 401
        session = SessionStore(without)
        session[FACTOR_KEY] = "totp"
        session.save()
        assert strict.status(cookie=without) == 101


def test_a_page_that_keeps_itself_current_does_not_keep_the_session(live: LiveSite, member: User) -> None:
    client = Client()
    client.force_login(member, backend="django.contrib.auth.backends.ModelBackend")
    key = client.cookies["session"].value

    def expiry_after(**headers: str) -> datetime:
        assert client.get("/portal/", headers=headers).status_code == 200
        return Session.objects.get(session_key=key).expire_date

    before = Session.objects.get(session_key=key).expire_date
    with time_machine.travel(now() + timedelta(minutes=5), tick=True):
        assert expiry_after(**{"X-Live": "1"}) == before
        assert expiry_after() > before


def test_an_interval_that_could_miss_the_minute_is_refused(tmp_path: Path) -> None:
    refused = manage("doctor", VV_VAR_DIR=str(tmp_path), LIVE_CHECK_INTERVAL="31s")
    assert refused.returncode != 0
    assert "LIVE_CHECK_INTERVAL" in refused.stdout + refused.stderr
