"""From an exception to a problem: the only place of the API that knows HTTP statuses of errors."""

import math
from collections.abc import Mapping
from typing import Any

import psycopg
import structlog
from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DataError, IntegrityError, OperationalError
from django.http import Http404, UnreadablePostError
from rest_framework import exceptions
from rest_framework.response import Response

from billing.core.errors import BillingError, Kind
from billing.platform.api.problems import FieldError, field_errors, problem

STATUS_OF_KIND = {
    Kind.INVALID: 400,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.UNAVAILABLE: 503,
}
RETRY_SECONDS = 5
"""When to try again after a 503: most locks are held for less."""

TRY_AGAIN_STATES = frozenset({"40001", "40P01", "55P03", "57014"})
"""SQLSTATEs that pass by themselves: serialization failure, deadlock, lock not available, statement timeout."""

log = structlog.get_logger(__name__)


def problem_handler(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's exception handler: the answer to a refused request, or None for a fault of ours (answered with 500)."""
    path = context["request"].path
    if isinstance(error, BillingError):
        return billing_problem(error, path=path)
    if isinstance(error, exceptions.ValidationError):
        errors = field_errors(error.detail)
        return problem(400, "invalid_input", "Some fields are not right.", path=path, errors=errors)
    if isinstance(error, exceptions.APIException):
        return _api_problem(error, path=path)
    if isinstance(error, Http404):
        return problem(404, "not_found", "There is nothing at this address.", path=path)
    if isinstance(error, PermissionDenied):
        return problem(403, "permission_denied", "You may not do this.", path=path)
    if isinstance(error, RequestDataTooBig):
        return problem(413, "request_too_large", "The request body is too large.", path=path)
    if isinstance(error, SuspiciousOperation | BadRequest | UnreadablePostError):
        return problem(400, "bad_request", "The request cannot be understood.", path=path)
    return _database_problem(error, path=path)


def billing_problem(error: BillingError, *, path: str) -> Response:
    """A typed error of a service, by its kind."""
    status = STATUS_OF_KIND[error.kind]
    errors = [FieldError(name, text, error.code) for name, texts in error.fields.items() for text in texts]
    return problem(
        status,
        error.code,
        error.message,
        path=path,
        errors=errors,
        details=error.details,
        headers={"Retry-After": str(RETRY_SECONDS)} if error.kind == Kind.UNAVAILABLE else None,
    )


def _api_problem(error: exceptions.APIException, *, path: str) -> Response:
    headers: dict[str, str] = dict(getattr(error, "headers", {}))
    challenge = getattr(error, "auth_header", None)
    if challenge:
        headers["WWW-Authenticate"] = str(challenge)
    codes: Any = error.get_codes()
    detail: Any = error.detail
    if isinstance(error, exceptions.Throttled):
        headers["Retry-After"] = str(math.ceil(getattr(error, "wait", None) or 1))
        detail = "Too many requests. Try again after the seconds in Retry-After."
    if isinstance(detail, Mapping):  # simplejwt puts its sentence and code into a dictionary
        codes, detail = detail.get("code", error.default_code), detail.get("detail", error.default_detail)
    if isinstance(error, exceptions.UnsupportedMediaType):
        detail = "The API reads JSON: send the body with Content-Type: application/json."
    if isinstance(error, exceptions.ParseError):
        codes = "malformed_body"
    type_uri = getattr(error, "type_uri", "about:blank")
    return problem(error.status_code, str(codes), str(detail), path=path, type_uri=type_uri, headers=headers)


def _database_problem(error: Exception, *, path: str) -> Response | None:
    """Refusals of PostgreSQL that no service foresaw. The constraints are named as sentences, so they say it."""
    cause = error.__cause__
    if isinstance(error, IntegrityError) and isinstance(cause, psycopg.Error):
        constraint = cause.diag.constraint_name or ""
        log.warning("refused_by_constraint", constraint=constraint, path=path)
        sentence = constraint.replace("_", " ") or "the data would contradict itself"
        details = {"constraint": constraint} if constraint else None
        return problem(409, "conflict", f"Refused by the database: {sentence}.", path=path, details=details)
    if isinstance(error, DataError):
        return problem(400, "invalid_input", "A value cannot be stored: too large, or not text.", path=path)
    if isinstance(error, OperationalError) and getattr(cause, "sqlstate", None) in TRY_AGAIN_STATES:
        headers = {"Retry-After": "1"}
        return problem(
            503, "try_again", "Somebody else is changing the same data.", path=path, headers=headers
        )
    return None
