"""The one shape of an error: RFC 9457 problem details with a stable code and the wrong fields."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import structlog
from rest_framework.response import Response

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong input. field: its path, for example `tiers[1].up_to`; empty for the request as a whole."""

    field: str
    message: str
    code: str


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    path: str,
    errors: Iterable[FieldError] = (),
    details: Mapping[str, str | int] | None = None,
    type_uri: str = "about:blank",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An error answer. code: stable, for programs. detail: one sentence for people. details: further plain values."""
    body: dict[str, Any] = {
        "type": type_uri,
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "instance": path,
    }
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    if request_id:
        body["request_id"] = str(request_id)
    wrong = [{"field": error.field, "message": error.message, "code": error.code} for error in errors]
    if wrong:
        body["errors"] = wrong
    if details:
        body["details"] = dict(details)
    return Response(body, status=status, headers=dict(headers or {}), content_type=MEDIA_TYPE)


def field_errors(detail: Any, place: str = "") -> list[FieldError]:
    """A nested error structure of DRF as a flat list with paths such as `contacts[0].email`."""
    if isinstance(detail, Mapping):
        found = []
        for name, inner in detail.items():
            if name == "non_field_errors":
                found += field_errors(inner, place)
            elif isinstance(name, int):  # the place in a list, as ListField tells it
                found += field_errors(inner, f"{place}[{name}]")
            else:
                found += field_errors(inner, f"{place}.{name}" if place else str(name))
        return found
    if isinstance(detail, list | tuple):
        if all(isinstance(inner, str) for inner in detail):
            return [FieldError(place, str(inner), getattr(inner, "code", "invalid")) for inner in detail]
        return [
            error for index, inner in enumerate(detail) for error in field_errors(inner, f"{place}[{index}]")
        ]
    return [FieldError(place, str(detail), getattr(detail, "code", None) or "invalid")]
