"""One open socket: it joins groups, gets their frames, and says little. The messages are described in README.md."""

import asyncio
import json
import time
from contextlib import suppress
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from redis.exceptions import RedisError

from valueverse.live import metrics
from valueverse.live.callers import Caller, can_join
from valueverse.live.groups import Group, group_of
from valueverse.live.registry import MALFORMED, NO_SUCH_GROUP, TOO_MANY, TRY_AGAIN, Registry

PROTOCOL = "valueverse.live.v1"
GROUPS_MAX = 10
BURST = 20
PER_SECOND = 2
"""Messages a client may send: 20 at once, then two a second."""

SEND_SECONDS = 10
"""A client that takes in nothing for this long is let go; it reads its page again when it comes back."""


class LiveConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels has no types
    """Serves a caller whose handshake was accepted (`valueverse.live.application`)."""

    def __init__(self, caller: Caller, registry: Registry) -> None:
        super().__init__()
        self.caller, self.registry = caller, registry
        self.joined: set[Group] = set()
        self.is_closing = False
        self.allowance, self.counted_at = float(BURST), time.monotonic()

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Without Channels' look at database connections on every message: nothing here holds one between calls."""
        await getattr(self, message["type"].replace(".", "_"))(message)

    async def connect(self) -> None:
        offered = self.scope.get("subprotocols", [])
        await self.accept(subprotocol=PROTOCOL if PROTOCOL in offered else None)
        self.registry.add(self)
        await self.say({"type": "hello", "groups_max": GROUPS_MAX})

    async def disconnect(self, code: int) -> None:
        await self.forget()

    async def forget(self) -> None:
        """Leave nothing behind, however the socket ended. Safe to run twice."""
        self.is_closing = True
        self.registry.discard(self)
        while self.joined:
            with suppress(RedisError, OSError):
                await self.channel_layer.group_discard(self.joined.pop().layer_name, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.is_closing:
            return
        if not self._within_allowance():
            await self.end(TOO_MANY, "too many messages")
            return
        try:
            message = json.loads(text_data or "")
        except (ValueError, RecursionError):
            message = None
        match message:
            case {"type": "subscribe", "groups": list(names)} if names:
                await self._join(names)
            case {"type": "unsubscribe", "groups": list(names)} if names:
                await self._leave(names)
            case {"type": "ping"}:
                await self.say({"type": "pong"})
            case _:
                await self.end(MALFORMED, "not a message of this protocol")

    async def _join(self, names: list[object]) -> None:
        """All of them or none: one that is not for this caller ends the socket, whether it exists or not."""
        groups = [group_of(name) for name in names[: GROUPS_MAX + 1]]
        wanted = {group for group in groups if group is not None} - self.joined
        if len(names) > GROUPS_MAX or len(self.joined | wanted) > GROUPS_MAX:
            await self.end(TOO_MANY, "too many groups")
            return
        if None in groups or not await database_sync_to_async(self._may_join)(wanted):
            await self.end(NO_SUCH_GROUP, "no such group")
            return
        for group in wanted:
            await self.channel_layer.group_add(group.layer_name, self.channel_name)
            self.joined.add(group)
        await self.say({"type": "subscribed", "groups": sorted(group.name for group in self.joined)})

    def _may_join(self, groups: set[Group]) -> bool:
        return all(can_join(self.caller, group) for group in groups)

    async def _leave(self, names: list[object]) -> None:
        for group in {group_of(name) for name in names[:GROUPS_MAX]} & self.joined:
            if group is not None:
                self.joined.discard(group)
                await self.channel_layer.group_discard(group.layer_name, self.channel_name)
        await self.say({"type": "subscribed", "groups": sorted(group.name for group in self.joined)})

    async def live_frame(self, message: dict[str, Any]) -> None:
        """A frame of a group, from the channel layer."""
        metrics.FRAMES.inc()
        await self.say(message["frame"])

    async def say(self, message: dict[str, Any]) -> None:
        """Send a message, unless the socket is on its way out."""
        if self.is_closing:
            return
        try:
            await asyncio.wait_for(
                self.send(text_data=json.dumps(message, separators=(",", ":"))), SEND_SECONDS
            )
        except TimeoutError:
            await self.end(TRY_AGAIN, "too slow")

    async def end(self, code: int, reason: str) -> None:
        """Close from this side; what comes in afterwards is not looked at any more."""
        if self.is_closing:
            return
        self.is_closing = True
        metrics.CLOSED.labels(code=str(code)).inc()
        self.registry.discard(self)
        await self.close(code=code, reason=reason)

    def _within_allowance(self) -> bool:
        at = time.monotonic()
        self.allowance = min(BURST, self.allowance + (at - self.counted_at) * PER_SECOND)
        self.counted_at = at
        if self.allowance < 1:
            return False
        self.allowance -= 1
        return True
