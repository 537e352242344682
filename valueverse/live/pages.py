"""What the live process answers over plain HTTP: probes, metrics, and that it has no pages."""

import json
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from ipaddress import ip_address, ip_network
from typing import Any

from django.conf import settings
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from valueverse.live.registry import CLOSE_SECONDS, Registry
from valueverse.metrics import registry as metrics_registry

Send = Callable[[dict[str, Any]], Awaitable[None]]


async def answer(scope: dict[str, Any], send: Send, *, registry: Registry) -> None:
    """/health/live: the loop turns. /health/ready: sockets are being checked. /metrics: for operators."""
    status, kind, body = _found(scope, registry)
    # Behind the splitter of `manage.py run` a connection is ours for good: the next request may be for the web process.
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
        (b"x-content-type-options", b"nosniff"),
    ]
    if status is HTTPStatus.UPGRADE_REQUIRED:
        headers.append((b"upgrade", b"websocket"))
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _found(scope: dict[str, Any], registry: Registry) -> tuple[HTTPStatus, str, bytes]:
    path = scope["path"]
    if path == "/health/live":
        return _json(HTTPStatus.OK, {"status": "ok"})
    if path == "/health/ready":
        is_checking = time.monotonic() - registry.checked_at < CLOSE_SECONDS
        status = HTTPStatus.OK if is_checking else HTTPStatus.SERVICE_UNAVAILABLE
        return _json(status, {"status": "ok" if is_checking else "unavailable"})
    if path == "/metrics":
        if not _is_operator(scope):
            return HTTPStatus.FORBIDDEN, "text/plain", b"Only for operators."
        return HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(metrics_registry())
    if path.startswith("/ws/"):
        return _json(HTTPStatus.UPGRADE_REQUIRED, {"status": 426, "code": "upgrade_required"})
    return _json(HTTPStatus.NOT_FOUND, {"status": 404, "code": "not_found"})


def _json(status: HTTPStatus, body: dict[str, Any]) -> tuple[HTTPStatus, str, bytes]:
    return status, "application/json", json.dumps(body).encode()


def _is_operator(scope: dict[str, Any]) -> bool:
    """By the address of the connection itself; through a proxy it says nothing about the caller."""
    client = scope.get("client")
    if not client or any(name == b"x-forwarded-for" for name, _ in scope["headers"]):
        return False
    address = ip_address(client[0])
    return any(address in ip_network(network) for network in settings.OPERATIONS_ALLOWED_IPS)
