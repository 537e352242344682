"""Redis goes away and comes back: no event is refused, no socket is lost, and every page reads again."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import ClientConnection

from billing.usage.models import UsageNotice
from customers.models import Customer
from tests import factories
from tests.billing.usage.builders import event, meter, send
from tests.valueverse.backoffice.office import person
from tests.valueverse.live.site import LiveSite, eventually, frame, said, session_of, started, subscribe
from valueverse.embedded.layout import Layout
from valueverse.embedded.valkey import Valkey

BACK_SECONDS = 40  # the longest pause of the teller, the silence, and a busy machine


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey of its own, which may be stopped."""
    layout = Layout(tmp_path / "redis")
    layout.create()
    server = Valkey(layout)
    server.start()
    yield server
    server.stop()


def messages_until(connection: ClientConnection, wanted: set[str]) -> None:
    """Read until each of these types or events came, in any order."""
    while wanted:
        message = said(connection, seconds=BACK_SECONDS)
        wanted -= {message["type"], message.get("event", "")}


def test_pages_hear_again_what_redis_lost(committed_module_db: str, valkey: Valkey) -> None:
    meter()
    buyer, cookie = factories.customer(), session_of(person("Auditor"))
    with started(committed_module_db, REDIS_URL=valkey.url()) as live:
        told_through_a_silence(live, valkey, buyer, cookie)


def told_through_a_silence(live: LiveSite, valkey: Valkey, buyer: Customer, cookie: str) -> None:
    with live.connect(cookie=cookie) as connection:
        subscribe(connection, f"customer:{buyer.public_id}")
        send(event(buyer, "before"))
        frame(connection, "usage.received")
        valkey.stop()
        assert send(event(buyer, "while it is away")) == ["accepted"]
        assert not eventually(lambda: not UsageNotice.objects.exists(), seconds=6), (
            "kept until it can be told"
        )
        connection.send('{"type": "ping"}')
        messages_until(connection, {"pong"})  # the socket itself does without
        valkey.start()
        messages_until(connection, {"resync", "usage.received"})
        send(event(buyer, "afterwards"))
        frame(connection, "usage.received")
    assert live.status(cookie=cookie) == 101
