"""Tokens that open one socket, for the pages and programs of somebody else: short-lived, for one customer, once.

The API gives them out (`POST /api/v1/live-tokens`). A token names what it was given out for, so that the socket ends
with that: the API key, or the person and their password.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core import signing
from redis import asyncio as redis

from billing.platform.clock import now

LIFETIME = timedelta(seconds=60)
"""From the answer of the API to the handshake."""

TOKEN_LENGTH_MAX = 512
_PURPOSE = "valueverse.live.token"
_KEPT_SECONDS = 5 * 60  # longer than a token can be used, whatever the clocks of two machines say


@dataclass(frozen=True, slots=True)
class LiveToken:
    """What a token says.

    customer_id: public id of the one customer. key_id: the API key it was given out for; empty for a person, who is
    then named by user_id, until (when their own access token ends, a Unix time) and mark (of their password).
    """

    customer_id: str
    key_id: str = ""
    user_id: str = ""
    until: int = 0
    mark: str = ""
    nonce: str = ""


def issue_token(token: LiveToken) -> tuple[str, datetime]:
    """The text of a token, and when it can no longer be used."""
    facts = [
        token.customer_id,
        token.key_id,
        token.user_id,
        token.until,
        token.mark,
        secrets.token_urlsafe(16),
    ]
    text = signing.dumps(facts, salt=_PURPOSE)
    return text.replace(":", "."), now() + LIFETIME  # a subprotocol's name takes no colon


def read_token(text: str) -> LiveToken | None:
    """What a token says; None if it is not ours, not for this purpose, or too old."""
    if len(text) > TOKEN_LENGTH_MAX:
        return None
    try:
        facts: Any = signing.loads(text.replace(".", ":"), salt=_PURPOSE, max_age=LIFETIME)
    except signing.BadSignature:
        return None
    return LiveToken(*facts)


async def use_token(token: LiveToken) -> bool:
    """Whether this is the token's first use; from now on it was used.

    Raises RedisError where that cannot be found out: a socket would hear nothing then anyway.
    """
    client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)
    try:
        return bool(await client.set(f"vv:live-token:{token.nonce}", "1", nx=True, ex=_KEPT_SECONDS))
    finally:
        await client.aclose()


def is_past(until: int) -> bool:
    """Whether a Unix time has come; 0 never comes."""
    return bool(until) and datetime.fromtimestamp(until, UTC) <= now()
