"""A live process that really runs, and the people who connect to it."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import connections
from django.test import Client
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from billing.activity.models import Activity
from billing.platform.clock import now
from customers.models import User
from valueverse.embedded import process
from valueverse.live.application import TOKEN_PROTOCOL
from valueverse.live.consumer import PROTOCOL
from valueverse.tasks import send_live_frames

SECONDS = 10
QUIET_SECONDS = 1.5
"""Usage is told twice a second: what has not come by then does not come."""


@dataclass
class LiveSite:
    """A started live process over the database and Redis of the test."""

    port: int

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(
        self, *, cookie: str = "", origin: str | None = "", token: str = "", **headers: str
    ) -> ClientConnection:
        """Open a socket. origin: "" for that of the site itself, None for none. Raises InvalidStatus if refused."""
        if cookie:
            headers["Cookie"] = f"{settings.SESSION_COOKIE_NAME}={cookie}"
        return connect(
            f"ws://127.0.0.1:{self.port}/ws/live",
            origin=self.origin if origin == "" else origin,  # type: ignore[arg-type]
            additional_headers=headers,
            subprotocols=[PROTOCOL, *([TOKEN_PROTOCOL + token] if token else [])],  # type: ignore[list-item]
            compression=None,
            proxy=None,
            open_timeout=SECONDS,
        )

    def status(self, **how: Any) -> int:
        """The HTTP status of a handshake: 101 if it was accepted."""
        try:
            with self.connect(**how):
                return 101
        except InvalidStatus as refused:
            return refused.response.status_code


def said(connection: ClientConnection, *, seconds: float = SECONDS) -> dict[str, Any]:
    """The next message. Raises TimeoutError, and ConnectionClosed if the server closed."""
    return dict(json.loads(connection.recv(timeout=seconds)))


def frame(connection: ClientConnection, event: str = "", *, seconds: float = SECONDS) -> dict[str, Any]:
    """The next event of that name, or of any."""
    while True:
        message = said(connection, seconds=seconds)
        if message["type"] == "event" and event in ("", message["event"]):
            return message


def is_quiet(connection: ClientConnection, *, seconds: float = QUIET_SECONDS) -> bool:
    """Whether no event comes for a while."""
    try:
        frame(connection, seconds=seconds)
    except TimeoutError:
        return True
    return False


def subscribe(connection: ClientConnection, *groups: str) -> list[str]:
    """Join groups; those joined now."""
    connection.send(json.dumps({"type": "subscribe", "groups": list(groups)}))
    while (message := said(connection))["type"] != "subscribed":
        pass
    return list(message["groups"])


def closed_with(connection: ClientConnection, *, seconds: float = SECONDS) -> tuple[int, str]:
    """Code and reason with which the server closes."""
    with pytest.raises(ConnectionClosed) as closing:
        _hear_out(connection, seconds=seconds)
    return closing_of(closing.value)


def closing_of(closed: ConnectionClosed) -> tuple[int, str]:
    """Code and reason; the server must have said them."""
    if closed.rcvd is None:
        raise AssertionError("the connection was cut")
    return closed.rcvd.code, closed.rcvd.reason


def _hear_out(connection: ClientConnection, *, seconds: float) -> None:
    while True:
        said(connection, seconds=seconds)


def session_of(user: User) -> str:
    """The session of somebody who signed in with a browser."""
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def environment(database: str, **changes: str) -> dict[str, str]:
    """What a process needs to work on the test's database and Redis."""
    entry = settings.DATABASES["default"]
    login = f"{quote(entry['USER'])}:{quote(entry['PASSWORD'])}"
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "valueverse.settings.base",
        "DATABASE_URL": f"postgresql://{login}@{entry['HOST']}:{entry['PORT']}/{database}",
        "REDIS_URL": settings.REDIS_URL,
        "VV_VAR_DIR": str(settings.VAR_DIR),  # whose secret signs our sessions and tokens
        "LIVE_CHECK_INTERVAL": "500ms",
        "LIVE_ALLOWED_ORIGINS": "https://shown.example",
        "LOG_LEVEL": "WARNING",
        **changes,
    }


def relay_now() -> None:
    """What the relay's round and the task after it do, in this process; closes the connection of a thread."""
    rows = list(Activity.objects.filter(dispatched_at=None).order_by("id"))
    Activity.objects.filter(pk__in=[row.pk for row in rows]).update(dispatched_at=now())
    send_live_frames([row.public_id for row in rows])
    if threading.current_thread() is not threading.main_thread():
        connections.close_all()


@contextmanager
def started(database: str, **changes: str) -> Iterator[LiveSite]:
    """`manage.py serve_live` on a free port, until the block ends."""
    port = process.free_port(None)
    server = subprocess.Popen(
        [sys.executable, "manage.py", "serve_live", "--port", str(port)],
        env=environment(database, **changes),
        cwd=settings.BASE_DIR,
    )
    try:
        assert process.wait_until(lambda: process.answers(port) or server.poll() is not None, seconds=60)
        assert server.poll() is None, "the live process does not start"
        yield LiveSite(port)
    finally:
        server.terminate()
        server.wait(20)


def raw_answer(port: int, request: bytes, *, seconds: float = SECONDS) -> bytes:
    """What a server answers to bytes, until it closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(request)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


def eventually(condition: Callable[[], bool], *, seconds: float = SECONDS) -> bool:
    return process.wait_until(condition, seconds=seconds)
