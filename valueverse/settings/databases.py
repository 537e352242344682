"""From a PostgreSQL address to the two entries of Django's DATABASES."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

SCHEMES = ("postgresql", "postgres")


def channel_prefix(redis_url: str) -> str:
    """What the names of channels begin with: installations that share a Redis by its databases stay apart.

    >>> channel_prefix("redis://127.0.0.1:6379/3")
    'vv3-live'
    """
    return f"vv{urlsplit(redis_url).path.strip('/') or 0}-live"


def milliseconds(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)


def database(
    url: str, *, lock_timeout: timedelta, statement_timeout: timedelta, pool_size: int = 0
) -> dict[str, Any]:
    """The DATABASES entry for `url`; its query (`?sslmode=...`) goes to libpq as it is.

    lock_timeout, statement_timeout: what the server enforces on every statement; zero means no limit.
    pool_size: connections kept by each process and shared by its threads; 0 keeps one for each thread instead.
    """
    parts = urlsplit(url)
    options: dict[str, object] = {
        "connect_timeout": 10,
        "application_name": "valueverse",
        "options": f"-c lock_timeout={milliseconds(lock_timeout)}"
        f" -c statement_timeout={milliseconds(statement_timeout)}",
        **dict(parse_qsl(parts.query)),
    }
    if pool_size:
        options["pool"] = {"min_size": 1, "max_size": pool_size, "timeout": 10}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or 5432),
        "CONN_MAX_AGE": 0 if pool_size else 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }
