"""The cache without its Redis: slower, never an error."""

import pytest
from django.conf import settings

from valueverse.cache import FailSoftRedisCache


@pytest.fixture
def unreachable() -> FailSoftRedisCache:
    options = settings.CACHES["default"]["OPTIONS"]
    return FailSoftRedisCache("redis://127.0.0.1:1/0", {"OPTIONS": options})


def test_an_unreachable_cache_reads_as_empty_and_forgets_what_is_written(
    unreachable: FailSoftRedisCache,
) -> None:
    unreachable.set("key", 1)
    assert unreachable.get("key") is None
    assert unreachable.get("key", "default") == "default"
    assert unreachable.get_many(["key"]) == {}
    assert unreachable.add("key", 1) is True
    assert unreachable.touch("key") is False
    assert unreachable.delete("key") is False
    assert ("key" in unreachable) is False
    assert unreachable.incr("key", 2) == 2


def test_a_reachable_cache_remembers() -> None:
    cache = FailSoftRedisCache(settings.REDIS_URL, {"KEY_PREFIX": "test"})
    cache.set("key", {"a": 1})
    assert cache.get("key") == {"a": 1}
    assert cache.delete("key") is True


def test_the_cache_is_never_emptied_as_a_whole_since_tasks_wait_in_the_same_redis(
    unreachable: FailSoftRedisCache,
) -> None:
    with pytest.raises(NotImplementedError):
        unreachable.clear()
