"""A cache whose loss costs speed and nothing else."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import structlog
from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

T = TypeVar("T")
log = structlog.get_logger(__name__)


class FailSoftRedisCache(RedisCache):
    """Django's Redis cache, except that an unreachable Redis reads as empty and forgets what is written.

    What must not be forgotten (idempotency keys, locks, failed logins) is in PostgreSQL. Each call waits at most
    for the timeouts in CACHES.
    """

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        return self._softly(lambda: super(FailSoftRedisCache, self).get(key, default, version), default)

    def get_many(self, keys: Iterable[str], version: int | None = None) -> dict[str, Any]:
        return self._softly(lambda: super(FailSoftRedisCache, self).get_many(keys, version), {})

    def set(
        self, key: str, value: Any, timeout: float | None = DEFAULT_TIMEOUT, version: int | None = None
    ) -> None:
        self._softly(lambda: super(FailSoftRedisCache, self).set(key, value, timeout, version), None)

    def add(
        self, key: str, value: Any, timeout: float | None = DEFAULT_TIMEOUT, version: int | None = None
    ) -> bool:
        return self._softly(lambda: super(FailSoftRedisCache, self).add(key, value, timeout, version), True)

    def touch(self, key: str, timeout: float | None = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        return self._softly(lambda: super(FailSoftRedisCache, self).touch(key, timeout, version), False)

    def delete(self, key: str, version: int | None = None) -> bool:
        return self._softly(lambda: super(FailSoftRedisCache, self).delete(key, version), False)

    def has_key(self, key: str, version: int | None = None) -> bool:
        return self._softly(lambda: super(FailSoftRedisCache, self).has_key(key, version), False)

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        return self._softly(lambda: super(FailSoftRedisCache, self).incr(key, delta, version), delta)

    def clear(self) -> None:
        """Refused: the same Redis holds queued tasks, and Django's `clear` would drop them too."""
        raise NotImplementedError(
            "the cache shares its Redis with the task queue; delete keys by name instead"
        )

    def _softly(self, call: Callable[[], T], otherwise: T) -> T:
        try:
            return call()
        except RedisError as error:
            log.warning("cache_unavailable", error=str(error))
            return otherwise
