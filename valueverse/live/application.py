"""The ASGI application of the live process: handshakes of `/ws/live`, health and metrics, and nothing else.

A handshake is judged before a socket exists: Origin, then who it is. A refused one gets an HTTP status and a word.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Any

import structlog
from channels.db import database_sync_to_async
from django.conf import settings
from django.db import DatabaseError
from redis.exceptions import RedisError

from valueverse.live import metrics, pages
from valueverse.live.background import UsageTeller, watch_channel_layer
from valueverse.live.callers import Caller, is_known
from valueverse.live.consumer import LiveConsumer
from valueverse.live.origins import is_allowed_origin
from valueverse.live.registry import TRY_AGAIN, Registry
from valueverse.live.tokens import read_token, use_token

PATH = "/ws/live"
TOKEN_PROTOCOL = "valueverse.live.token."  # noqa: S105  (the beginning of a subprotocol's name)
COOKIE_LENGTH_MAX = 8192
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
log = structlog.get_logger(__name__)


class Refused(Exception):
    """The handshake is not accepted: a status and a stable code."""

    def __init__(self, status: HTTPStatus, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


class LiveApplication:
    """One per process: the sockets, and what runs beside them."""

    def __init__(self) -> None:
        self.registry = Registry()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        else:
            await pages.answer(scope, send, registry=self.registry)

    async def _live(self, receive: Receive, send: Send) -> None:
        """From the start of the process to its end."""
        await receive()
        teller = UsageTeller()
        teller.start()
        seconds = settings.LIVE_CHECK_INTERVAL.total_seconds()
        tasks = [
            asyncio.create_task(self.registry.check_every(seconds)),
            asyncio.create_task(watch_channel_layer(self.registry)),
        ]
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(teller.end)
        await send({"type": "lifespan.shutdown.complete"})

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            caller = await self._let_in(scope)
        except Refused as refused:
            metrics.REFUSED.labels(reason=refused.code).inc()
            await _refuse(send, refused)
            return
        except (RedisError, OSError, DatabaseError) as error:
            log.warning("live_handshake_failed", error=type(error).__name__)
            await _refuse(send, Refused(HTTPStatus.SERVICE_UNAVAILABLE, "try_again"))
            return
        consumer = LiveConsumer(caller, self.registry)
        try:
            await consumer(scope, receive, send)
        except (RedisError, OSError, DatabaseError) as error:
            # The channel layer or the database is away. The client comes back, and reads its page again.
            log.warning("live_socket_ended", error=type(error).__name__)
            with suppress(OSError, RuntimeError):  # unless the client is gone already
                await send({"type": "websocket.close", "code": TRY_AGAIN, "reason": "try again"})
        finally:
            await consumer.forget()

    async def _let_in(self, scope: Scope) -> Caller:
        """Who opens the socket. Raises Refused."""
        if scope["path"] != PATH:
            raise Refused(HTTPStatus.NOT_FOUND, "not_found")
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        text = _token_text(scope, headers)
        caller = await self._by_token(text) if text is not None else self._by_cookie(headers)
        if not self.registry.has_room_for(caller):
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "too_many_sockets")
        if not await database_sync_to_async(is_known)(caller):
            raise Refused(HTTPStatus.UNAUTHORIZED, "not_signed_in")
        return caller

    async def _by_token(self, text: str) -> Caller:
        """A token is sent on purpose, by a program or a page that was given it: Origin says nothing then."""
        token = read_token(text)
        if token is None or not await use_token(token):
            raise Refused(HTTPStatus.UNAUTHORIZED, "token_not_valid")
        return Caller(token=token)

    def _by_cookie(self, headers: dict[str, str]) -> Caller:
        if not is_allowed_origin(headers.get("origin"), host=headers.get("host")):
            raise Refused(HTTPStatus.FORBIDDEN, "origin_not_allowed")
        session_key = _session_key(headers.get("cookie", ""))
        if session_key is None:
            raise Refused(HTTPStatus.UNAUTHORIZED, "not_signed_in")
        return Caller(session_key=session_key)


def _token_text(scope: Scope, headers: dict[str, str]) -> str | None:
    """The token of a handshake: a subprotocol, since a browser can set no header, or a bearer. Never the address."""
    for offered in scope.get("subprotocols", []):
        if offered.startswith(TOKEN_PROTOCOL):
            return str(offered.removeprefix(TOKEN_PROTOCOL))
    scheme, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else None


def _session_key(cookie: str) -> str | None:
    if len(cookie) > COOKIE_LENGTH_MAX:
        return None
    try:
        found = SimpleCookie(cookie).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        return None
    return found.value if found and found.value.isalnum() else None


async def _refuse(send: Send, refused: Refused) -> None:
    body = json.dumps({"status": int(refused.status), "code": refused.code}).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store")]
    await send({"type": "websocket.http.response.start", "status": int(refused.status), "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
