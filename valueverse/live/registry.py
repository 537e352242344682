"""The open sockets of this process, and the check that ends those whose caller is no longer let in.

Signing out, a new password, a deactivated person, a membership or permission taken away, a revoked or expired key:
none of them reaches a socket that is open already. So all sockets are looked at again and again, in bulk.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import structlog
from channels.db import database_sync_to_async
from django.db import DatabaseError

from valueverse.live import metrics
from valueverse.live.callers import Caller, Facts
from valueverse.live.groups import Group

SOCKETS_PER_CALLER = 30
"""Enough for anybody's tabs. A key for which many people watch one customer gets more, see below."""

SOCKETS_PER_TOKEN_SOURCE = 1000
CLOSE_SECONDS = 60
"""How long a socket may outlive the right to it, also while the database cannot be asked."""

MALFORMED, ENDED, NO_SUCH_GROUP, TOO_MANY, TRY_AGAIN = 4400, 4401, 4404, 4429, 1013
"""Why the server closes a socket. 4000 and above are the application's own (RFC 6455, 7.4.2)."""

log = structlog.get_logger(__name__)


class Socket(Protocol):
    """What the registry knows of a socket."""

    caller: Caller
    joined: set[Group]

    async def say(self, message: dict[str, object]) -> None: ...
    async def end(self, code: int, reason: str) -> None: ...


class Registry:
    """The open sockets of this process."""

    def __init__(self) -> None:
        self._sockets: set[Socket] = set()
        self._by_caller: Counter[str] = Counter()
        self.checked_at = time.monotonic()

    def __len__(self) -> int:
        return len(self._sockets)

    def add(self, socket: Socket) -> None:
        if socket not in self._sockets:
            self._sockets.add(socket)
            self._by_caller[socket.caller.identity] += 1
            metrics.SOCKETS.set(len(self._sockets))

    def discard(self, socket: Socket) -> None:
        if socket in self._sockets:
            self._sockets.discard(socket)
            self._by_caller[socket.caller.identity] -= 1
            self._by_caller += Counter()  # forgets those without sockets
            metrics.SOCKETS.set(len(self._sockets))

    def has_room_for(self, caller: Caller) -> bool:
        limit = SOCKETS_PER_CALLER if caller.token is None else SOCKETS_PER_TOKEN_SOURCE
        return self._by_caller[caller.identity] < limit

    async def check_every(self, seconds: float) -> None:
        """Check until canceled. Where the database does not answer for a minute, everybody has to come back."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.check()
            except DatabaseError as error:
                log.warning("live_check_failed", error=type(error).__name__)
                if time.monotonic() - self.checked_at > CLOSE_SECONDS - seconds:
                    await self._end(list(self._sockets), TRY_AGAIN, "cannot check who is there")

    async def check(self) -> None:
        """End the sockets whose caller, or one of whose groups, would not be let in now."""
        begun_at = time.monotonic()
        standing = [(socket, frozenset(socket.joined)) for socket in self._sockets]
        if standing:
            fallen = await database_sync_to_async(_fallen)([(one.caller, groups) for one, groups in standing])
            await self._end(
                [standing[place][0] for place in fallen], ENDED, "signed out or no longer allowed"
            )
        self.checked_at = begun_at

    async def tell_all(self, message: dict[str, object]) -> None:
        """Say something to every socket."""
        await asyncio.gather(*(socket.say(message) for socket in list(self._sockets)), return_exceptions=True)

    async def _end(self, sockets: Sequence[Socket], code: int, reason: str) -> None:
        await asyncio.gather(*(socket.end(code, reason) for socket in sockets), return_exceptions=True)


def _fallen(standing: Sequence[tuple[Caller, frozenset[Group]]]) -> list[int]:
    """The places of those who would not be let in now."""
    facts = Facts.of({caller for caller, _ in standing})
    return [
        place
        for place, (caller, groups) in enumerate(standing)
        if not facts.is_known(caller) or not all(facts.may_hear(caller, group) for group in groups)
    ]
