"""What the live process does besides serving sockets: it tells pages of usage, and notices when Redis was away."""

import asyncio
import random
import threading
from collections.abc import Sequence

import structlog
from channels.layers import get_channel_layer
from django.db import DatabaseError, close_old_connections
from redis.exceptions import RedisError

from billing.platform.clock import now
from billing.usage.services import take_notices
from valueverse.live.frames import send_frames, usage_frames
from valueverse.live.registry import Registry

TELL_SECONDS = 0.5
"""Twice a second is as often as anybody reads a figure; what comes in between becomes one frame."""

PAUSE_SECONDS_MAX = 10.0
BEAT_SECONDS = 1.0
SILENCE_SECONDS = 4.0
log = structlog.get_logger(__name__)


class UsageTeller(threading.Thread):
    """Takes usage notices out of the database and sends their frames, with a loop and connections of its own.

    Several may run, in this process's neighbours: each notice is taken by one of them. While Redis or the database
    is away the notices stay where they are, and the teller asks ever more rarely, so that ingestion hardly waits.
    """

    def __init__(self) -> None:
        super().__init__(name="usage-teller", daemon=True)
        self._asked_to_end = threading.Event()

    def run(self) -> None:
        pause = TELL_SECONDS
        with asyncio.Runner() as runner:
            while not self._asked_to_end.wait(pause * random.uniform(0.9, 1.1)):  # noqa: S311  (jitter)
                try:
                    self._tell_waiting(runner)
                    pause = TELL_SECONDS
                except (DatabaseError, RedisError, OSError) as error:
                    pause = min(pause * 2, PAUSE_SECONDS_MAX)
                    log.warning("usage_not_told", error=type(error).__name__, pause_seconds=pause)
                finally:
                    close_old_connections()
            runner.run(get_channel_layer().flush())

    def end(self) -> None:
        """Finish what is in hand and stop."""
        self._asked_to_end.set()
        self.join(timeout=10)

    def _tell_waiting(self, runner: asyncio.Runner) -> None:
        def tell(customer_ids: Sequence[str]) -> None:
            runner.run(send_frames(usage_frames(customer_ids, at=now())))

        while take_notices(tell=tell) and not self._asked_to_end.is_set():
            pass


async def watch_channel_layer(registry: Registry) -> None:
    """Send ourselves a beat through Redis; after a silence, tell every page to read again what it may have missed.

    Redis keeps nothing of what it passes on. A subscription that was cut and came back looks the same from outside,
    hence the beat: it comes by the same connection as every group's frames.
    """
    layer = get_channel_layer()
    loop = asyncio.get_running_loop()
    channel = None
    heard_at = loop.time()
    was_silent = False
    while True:
        try:
            if channel is None:
                channel = await layer.new_channel("beat.")
                receiving = asyncio.ensure_future(layer.receive(channel))
            await layer.send(channel, {"type": "beat"})
        except (RedisError, OSError):
            log.warning("channel_layer_away")
        if channel is not None:
            done, _ = await asyncio.wait([receiving], timeout=BEAT_SECONDS)
            if done:
                heard_at = loop.time()
                receiving = asyncio.ensure_future(layer.receive(channel))
                if was_silent:
                    was_silent = False
                    log.info("channel_layer_back")
                    await registry.tell_all({"type": "resync"})
        if loop.time() - heard_at > SILENCE_SECONDS:
            was_silent = True
        await asyncio.sleep(BEAT_SECONDS)
