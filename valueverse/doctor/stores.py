"""PostgreSQL and Redis: reachable, of the right version, safe, migrated. Every question is a SELECT or an INFO."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import redis
from django.conf import settings
from django.db import connections

from valueverse.doctor.findings import Result, note, ok, problem
from valueverse.embedded import servers
from valueverse.health import missing_migrations

OLDEST_POSTGRES, NEWEST_POSTGRES = 15, 18
OLDEST_REDIS = (6, 2)
CLOCK_SECONDS = 5
CONNECT_SECONDS = 3
GRANT_FIX = "give DATABASE_URL a role of its own that owns nothing, and DATABASE_OWNER_URL the owner"


def stores() -> Iterator[Result]:
    """Both stores; what is embedded and does not run is left alone."""
    running = {state.name: state for state in servers.status(settings.VAR_DIR)}
    if settings.EMBEDDED_DATABASE and not running["postgres"].running:
        yield note("database", "embedded, not running; starts on first use")
    else:
        yield from database()
    if settings.EMBEDDED_REDIS and not running["valkey"].running:
        yield note("redis", "embedded, not running; starts on first use")
    else:
        yield from redis_server()


def database() -> Iterator[Result]:
    fixes = {"default": "DATABASE_URL", "owner": "DATABASE_OWNER_URL"}
    opened: dict[str, psycopg.Connection[Any]] = {}
    try:
        for alias, variable in fixes.items():
            try:
                opened[alias] = _connect(alias)
            except psycopg.OperationalError as error:
                text = " ".join(str(error).split())
                yield problem("database", f"as {alias}: {text}", f"start the server or correct {variable}")
        if len(opened) == len(fixes):
            yield from _server(opened["default"])
            yield from _roles(opened["default"], opened["owner"])
            yield from _migrations()
    finally:
        for connection in opened.values():
            connection.close()


def redis_server() -> Iterator[Result]:
    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=CONNECT_SECONDS, socket_connect_timeout=CONNECT_SECONDS
    )
    try:
        server: dict[str, Any] = client.info("server")
        memory: dict[str, Any] = client.info("memory")
    except redis.RedisError as error:
        yield problem("redis", f"does not answer: {error}", "start the server or correct REDIS_URL")
        return
    finally:
        client.close()
    found = str(server.get("valkey_version") or server["redis_version"])
    name = "Valkey" if "valkey_version" in server else "Redis"
    if tuple(map(int, found.split(".")[:2])) < OLDEST_REDIS:
        yield problem("redis", f"{name} {found} is too old", "use Redis 6.2 or newer, or Valkey")
    else:
        yield ok("redis", f"{name} {found}")
    policy = memory.get("maxmemory_policy")
    if policy != "noeviction":
        yield problem(
            "redis", f"maxmemory-policy is {policy}: queued tasks may be dropped", "set it to noeviction"
        )


def _connect(alias: str) -> psycopg.Connection[Any]:
    parameters = connections[alias].get_connection_params() | {"connect_timeout": CONNECT_SECONDS}
    return psycopg.connect(**parameters, autocommit=True)


def _row(connection: psycopg.Connection[Any], question: str, *values: object) -> tuple[Any, ...]:
    row = connection.execute(question, values or None).fetchone()
    assert row is not None  # every question here has exactly one answer
    return tuple(row)


def _server(connection: psycopg.Connection[Any]) -> Iterator[Result]:
    major, shown = connection.info.server_version // 10000, connection.info.parameter_status("server_version")
    if not OLDEST_POSTGRES <= major <= NEWEST_POSTGRES:
        yield problem(
            "database", f"PostgreSQL {shown}", f"use PostgreSQL {OLDEST_POSTGRES} to {NEWEST_POSTGRES}"
        )
    else:
        yield ok("database", f"PostgreSQL {shown}")
    for setting in ("fsync", "synchronous_commit"):
        value = _row(connection, "SELECT current_setting(%s)", setting)[0]
        if value == "off":
            yield problem("durability", f"{setting} is off: a power cut loses commits", f"set {setting} = on")
        else:
            yield ok("durability", f"{setting} is {value}")
    there: datetime = _row(connection, "SELECT clock_timestamp()")[0]
    apart = abs((datetime.now(UTC) - there).total_seconds())
    if apart > CLOCK_SECONDS:
        yield problem(
            "clock", f"this machine and the database are {apart:.0f} s apart", "synchronize both with NTP"
        )
    else:
        yield ok("clock", "agrees with the database")


def _roles(application: psycopg.Connection[Any], owner: psycopg.Connection[Any]) -> Iterator[Result]:
    question = "SELECT current_user, current_database(), (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)"
    role, name, is_super = _row(application, question)
    owning_role, owner_name, _ = _row(owner, question)
    if name != owner_name:
        yield problem(
            "roles",
            f"the two roles use different databases: {name} and {owner_name}",
            "name the same one in both URLs",
        )
    (owned,) = _row(
        application,
        "SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole AND relkind IN ('r', 'p')"
        " AND relnamespace = 'public'::regnamespace",
    )
    if is_super:
        yield problem("roles", f"the application connects as the superuser {role}", GRANT_FIX)
    elif role == owning_role or owned:
        yield problem(
            "roles", f"the application's role {role} owns {owned} tables and may weaken them", GRANT_FIX
        )
    else:
        yield ok("roles", f"{role} owns no table; {owning_role} migrates")


def _migrations() -> Iterator[Result]:
    missing = missing_migrations()
    if missing:
        shown = ", ".join(missing[:5]) + (" and more" if len(missing) > 5 else "")
        yield problem("migrations", f"{len(missing)} not applied: {shown}", "manage.py migrate")
    else:
        yield ok("migrations", "all applied")


CHECKS = (stores,)
