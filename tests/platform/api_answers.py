"""What every refusal of the API looks like."""

from typing import Any

from rest_framework.response import Response


def assert_problem(response: Response, status: int, code: str, *, field: str | None = None) -> dict[str, Any]:
    """The response is a problem (RFC 9457) with this status and code, naming this field; returns its body."""
    body: dict[str, Any] = response.json()
    assert (response.status_code, body.get("code")) == (status, code), body
    assert response.headers["Content-Type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "instance"} <= body.keys()
    assert body["status"] == status
    if field is not None:
        assert field in [error["field"] for error in body.get("errors", [])], body
    return body
