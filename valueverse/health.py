"""Is this process alive, started, ready, and how are the parts it needs?

/health/live     touches nothing: a database outage must not make an orchestrator restart the process
/health/startup  migrations applied, answered within a second
/health/ready    database and Redis (cache and broker) answer within a second; 503 while the process is draining
/health          all of it in JSON; the details only for operators
"""

import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooSlow
from http import HTTPStatus
from pathlib import Path
from typing import Any

import psycopg
import redis
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from redis.backoff import NoBackoff
from redis.retry import Retry

from valueverse.client_address import is_operator
from valueverse.web_server import DRAIN_FILE_VARIABLE

BUDGET_SECONDS = 1

_probes = ThreadPoolExecutor(
    max_workers=8, thread_name_prefix="health"
)  # a probe that hangs holds no request up
_migrations_applied = False
_asking: "Future[bool] | None" = None  # one at a time: a database that hangs would use up the threads


def database_answers(parameters: dict[str, Any]) -> None:
    with psycopg.connect(**parameters) as database:
        database.execute("SELECT 1")


def redis_answers(url: str) -> None:
    client = redis.Redis.from_url(
        url, socket_timeout=BUDGET_SECONDS, socket_connect_timeout=BUDGET_SECONDS, retry=Retry(NoBackoff(), 0)
    )
    try:
        client.ping()
    finally:
        client.close()


def missing_migrations() -> list[str]:
    """Names of migrations that the code has and the database has not."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def _all_migrations_applied() -> bool:
    """Asked in a thread of its own, so its connection is closed again."""
    try:
        return not missing_migrations()
    finally:
        connection.close()


def components() -> dict[str, dict[str, Any]]:
    """Each part this process needs: whether it answers within the budget, and after how many milliseconds."""
    parameters = connection.get_connection_params() | {"connect_timeout": 2}  # libpq knows no shorter one
    started = time.monotonic()
    running: dict[str, Future[float]] = {
        "database": _probes.submit(_timed, lambda: database_answers(parameters)),
        "redis": _probes.submit(_timed, lambda: redis_answers(settings.REDIS_URL)),
    }
    return {name: _outcome(future, started) for name, future in running.items()}


def is_draining() -> bool:
    """Whether the server that runs this process was told to end and waits for traffic to go elsewhere."""
    drain_file = os.environ.get(DRAIN_FILE_VARIABLE)
    return drain_file is not None and Path(drain_file).exists()


@never_cache
@require_safe
def live(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def startup(request: HttpRequest) -> JsonResponse:
    global _migrations_applied, _asking  # noqa: PLW0603  (once applied they stay so; asking is a walk over all files)
    if not _migrations_applied:
        try:
            if _asking is None or _asking.done():
                _asking = _probes.submit(_all_migrations_applied)
            _migrations_applied = _asking.result(timeout=BUDGET_SECONDS)
        except Exception:  # noqa: BLE001  (whatever it is, the process is not ready to start its work)
            _migrations_applied = False
    return _answer({"status": "ok" if _migrations_applied else "starting"}, healthy=_migrations_applied)


@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    if is_draining():
        return _answer({"status": "draining"}, healthy=False)
    healthy = all(part["status"] == "ok" for part in components().values())
    return _answer({"status": "ok" if healthy else "unavailable"}, healthy=healthy)


@never_cache
@require_safe
def overview(request: HttpRequest) -> JsonResponse:
    parts = components()
    healthy = all(part["status"] == "ok" for part in parts.values())
    body: dict[str, Any] = {"status": "ok" if healthy else "unavailable"}
    if is_operator(request):
        body |= {
            "version": settings.VERSION,
            "git_sha": settings.GIT_SHA,
            "draining": is_draining(),
            "components": parts,
        }
    return _answer(body, healthy=healthy)


def _timed(probe: Callable[[], None]) -> float:
    started = time.monotonic()
    probe()
    return (time.monotonic() - started) * 1000


def _outcome(future: "Future[float]", started: float) -> dict[str, Any]:
    remaining = max(BUDGET_SECONDS - (time.monotonic() - started), 0)
    try:
        return {"status": "ok", "ms": round(future.result(timeout=remaining), 1)}
    except TooSlow:
        return {"status": "too slow", "ms": BUDGET_SECONDS * 1000}
    except Exception as error:  # noqa: BLE001  (the kind says enough; the text may hold addresses)
        return {
            "status": "down",
            "error": type(error).__name__,
            "ms": round((time.monotonic() - started) * 1000, 1),
        }


def _answer(body: dict[str, Any], *, healthy: bool) -> JsonResponse:
    return JsonResponse(body, status=HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE)
