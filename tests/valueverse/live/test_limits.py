"""What a client may send: little, and not often. Whatever else it sends ends the socket, and only that one."""

import json
from contextlib import ExitStack, suppress

import pytest
from websockets.exceptions import ConnectionClosed

from billing.platform.ids import new_public_id
from tests import factories
from tests.valueverse.backoffice.office import person
from tests.valueverse.live.site import (
    LiveSite,
    closed_with,
    raw_answer,
    said,
    session_of,
    subscribe,
)

MALFORMED = (4400, "not a message of this protocol")


@pytest.mark.parametrize(
    "message",
    [
        "",
        "not json",
        "null",
        "[]",
        "{}",
        '{"type": "shout"}',
        '{"type": "subscribe"}',
        '{"type": "subscribe", "groups": []}',
        '{"type": "subscribe", "groups": "dashboard"}',
        '{"type": ["subscribe"], "groups": ["dashboard"]}',
        "[" * 2000,
        b"\x00\x01",
    ],
)
def test_what_is_no_message_ends_the_socket(live: LiveSite, message: str | bytes) -> None:
    with live.connect(cookie=session_of(person("Auditor"))) as connection:
        connection.send(message)
        assert closed_with(connection) == MALFORMED


@pytest.mark.parametrize("name", [None, 7, {"a": 1}, "customer:", "dashboard\u0000", "d" * 3000])
def test_a_group_that_has_no_name_is_no_group(live: LiveSite, name: object) -> None:
    with live.connect(cookie=session_of(person("Auditor"))) as connection:
        connection.send(json.dumps({"type": "subscribe", "groups": ["dashboard", name]}))
        assert closed_with(connection) == (4404, "no such group")


def test_a_long_message_ends_the_socket(live: LiveSite) -> None:
    with live.connect(cookie=session_of(person("Auditor"))) as connection:
        connection.send(json.dumps({"type": "ping", "padding": "x" * 5000}))
        assert closed_with(connection)[0] == 1009


def test_a_flood_ends_the_socket_and_a_lively_page_does_not(live: LiveSite) -> None:
    cookie = session_of(person("Auditor"))
    with live.connect(cookie=cookie) as lively, live.connect(cookie=cookie) as flooding:
        said(lively)
        for _ in range(15):
            lively.send('{"type": "ping"}')
        assert [said(lively) for _ in range(15)] == [{"type": "pong"}] * 15
        with suppress(ConnectionClosed):
            for _ in range(200):
                flooding.send('{"type": "ping"}')
        assert closed_with(flooding) == (4429, "too many messages")
        lively.send('{"type": "ping"}')
        assert said(lively) == {"type": "pong"}


def test_a_socket_joins_ten_groups_and_not_eleven(live: LiveSite) -> None:
    names = [f"customer:{factories.customer().public_id}" for _ in range(11)]
    with live.connect(cookie=session_of(person("Auditor"))) as connection:
        assert subscribe(connection, *names[:10]) == sorted(names[:10])
        assert subscribe(connection, *names[:3]) == sorted(names[:10]), "joined already"
        connection.send(json.dumps({"type": "unsubscribe", "groups": [names[0], "dashboard", "nonsense"]}))
        assert said(connection)["groups"] == sorted(names[1:10])
        subscribe(connection, names[10])
        connection.send(json.dumps({"type": "subscribe", "groups": [names[0]]}))
        assert closed_with(connection) == (4429, "too many groups")


def test_a_browser_opens_thirty_sockets_and_gets_no_more(live: LiveSite) -> None:
    cookie = session_of(person("Auditor"))
    with ExitStack() as held:
        for _ in range(30):
            said(held.enter_context(live.connect(cookie=cookie)))
        assert live.status(cookie=cookie) == 429
        assert live.status(cookie=session_of(person("Auditor"))) == 101


def test_the_live_process_has_no_pages(live: LiveSite) -> None:
    def status(request: str) -> bytes:
        answer = raw_answer(live.port, f"{request} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        assert b"connection: close" in answer.lower(), "so that the next request goes to the web process"
        return answer.split(b" ", 2)[1]

    assert status("GET /ws/live") == b"426"
    assert status("GET /admin/") == b"404"
    assert status("GET /health/live") == b"200"
    assert status("GET /health/ready") == b"200"
    assert status("POST /ws/live") == b"426"


def test_operators_read_its_metrics(live: LiveSite) -> None:
    with live.connect(cookie=session_of(person("Auditor"))) as connection:
        said(connection)
        head = "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        assert b"vv_live_sockets " in raw_answer(live.port, f"{head}\r\n".encode())
        assert raw_answer(live.port, f"{head}X-Forwarded-For: 10.0.0.1\r\n\r\n".encode()).startswith(
            b"HTTP/1.1 403 "
        )


def test_an_unknown_address_gets_no_socket(live: LiveSite) -> None:
    cookie = session_of(person("Auditor"))
    for path in ("/ws/", "/ws/other", f"/ws/live/{new_public_id('cus')}", "/ws/live?token=x"):
        request = (
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{live.port}\r\nOrigin: {live.origin}\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        expected = b"HTTP/1.1 401 " if "?" in path else b"HTTP/1.1 404 "
        assert raw_answer(live.port, request.encode()).startswith(expected), path
    assert live.status(cookie=cookie) == 101
