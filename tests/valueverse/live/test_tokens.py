"""Tokens: from the API, for one customer, for a minute, once."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core import signing

from billing.platform.clock import now
from billing.platform.scopes import Scope
from tests import factories
from tests.people import client_of, client_with_key
from tests.valueverse.backoffice.office import person
from tests.valueverse.live.site import LiveSite, subscribe
from valueverse.live.tokens import LIFETIME, LiveToken, issue_token, read_token


def test_the_api_gives_a_token_that_opens_one_socket_once(live: LiveSite) -> None:
    customer = factories.customer()
    key = factories.api_key(scopes=[Scope.LIVE_READ])
    answer = client_with_key(key.secret).post("/api/v1/live-tokens", {"customer": customer.public_id})
    body = answer.json()
    assert answer.status_code == 201
    assert (body["path"], body["group"]) == ("/ws/live", f"customer:{customer.public_id}")
    left = datetime.fromisoformat(body["expires_at"]) - now()
    assert timedelta(seconds=50) < left <= LIFETIME
    with live.connect(token=body["token"], origin="https://anywhere.example") as connection:
        assert connection.subprotocol == "valueverse.live.v1"
        assert subscribe(connection, body["group"]) == [body["group"]]
        assert live.status(token=body["token"], origin=None) == 401, "used before"


def test_a_token_also_comes_as_a_bearer(live: LiveSite) -> None:
    key = factories.api_key(scopes=[Scope.LIVE_READ])
    text, _ = issue_token(LiveToken(factories.customer().public_id, key_id=key.key.public_id))
    assert live.status(origin=None, Authorization=f"Bearer {text}") == 101
    assert live.status(origin=None, Authorization=f"Bearer {text}") == 401


def test_a_token_is_refused_after_a_minute_or_with_another_purpose(live: LiveSite) -> None:
    key = factories.api_key(scopes=[Scope.LIVE_READ])
    said = LiveToken(factories.customer().public_id, key_id=key.key.public_id)
    with time_machine.travel(now() - LIFETIME - timedelta(seconds=1), tick=True):
        old, _ = issue_token(said)
    fresh, _ = issue_token(said)
    foreign = signing.dumps([said.customer_id, said.key_id, "", 0, "", "n"], salt="another.purpose").replace(
        ":", "."
    )
    for text in (
        old,
        foreign,
        fresh[:-1] + ("A" if fresh[-1] != "A" else "B"),
        fresh + "." + fresh,
        "x" * 600,
    ):
        assert live.status(token=text, origin=None) == 401, text
    assert live.status(token=fresh, origin=None) == 101


def test_a_token_does_not_outlive_the_access_token_it_was_asked_with(live: LiveSite) -> None:
    user, customer = person("Support"), factories.customer()
    answer = client_of(user).post("/api/v1/live-tokens", {"customer": customer.public_id})
    token = read_token(answer.json()["token"])
    assert token is not None and token.user_id == user.public_id
    assert timedelta(minutes=14) < datetime.fromtimestamp(token.until, UTC) - now() <= timedelta(minutes=15)
    ended, _ = issue_token(
        LiveToken(
            customer.public_id, user_id=user.public_id, until=int(now().timestamp()) - 1, mark=token.mark
        )
    )
    assert live.status(token=ended, origin=None) == 401


def test_a_key_without_the_scope_any_more_opens_nothing(live: LiveSite) -> None:
    key = factories.api_key(scopes=[Scope.USAGE_READ])
    text, _ = issue_token(LiveToken(factories.customer().public_id, key_id=key.key.public_id))
    assert live.status(token=text, origin=None) == 401


@pytest.mark.django_db
def test_a_token_for_another_customer_is_as_unknown_as_one_for_nobody() -> None:
    acme, globex = factories.customer(), factories.customer()
    bound = client_with_key(factories.api_key(scopes=[Scope.LIVE_READ], customer=acme).secret)
    foreign = bound.post("/api/v1/live-tokens", {"customer": globex.public_id})
    unknown = bound.post("/api/v1/live-tokens", {"customer": "cus_nobody"})
    assert (foreign.status_code, unknown.status_code) == (400, 400)
    assert (
        foreign.json()["errors"]
        == unknown.json()["errors"]
        == [{"field": "customer", "message": "There is no such customer.", "code": "customer_not_found"}]
    )


@pytest.mark.django_db
def test_asking_for_tokens_counts_against_the_limit_of_the_key() -> None:
    client = client_with_key(factories.api_key(scopes=[Scope.LIVE_READ]).secret)
    answers = [client.post("/api/v1/live-tokens", {"customer": "cus_nobody"}) for _ in range(2)]
    left = [int(answer.headers["RateLimit"].split("r=")[1].split(";")[0]) for answer in answers]
    assert left[1] == left[0] - 1
