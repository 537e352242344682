"""`Idempotency-Key`: a request that is sent again gets its first answer, and has its effect once (I30).

Superset of Stripe's behavior and of draft-ietf-httpapi-idempotency-key-header-07:
- answers are kept for 30 days, per caller: nobody ever sees the answer to somebody else's key;
- the same key with another request is refused (422), and one that is still running too (409, Retry-After);
- answers before an effect (wrong input, not found, conflict, too many requests) are not kept: the key stays usable;
- every answer after an effect is kept, a declined payment or a stored request for approval included.

Two modes. `atomic`: record and effect commit together; while the request runs, an advisory lock of the transaction
holds the key, so a crash frees it. `recoverable`, for effects that need several transactions (a payment): the record
is stored as started, then the view runs, then the answer is stored. A record that was started and never finished is
run again after two minutes, which is safe because the services behind it are idempotent by `request_key`.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpResponse
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.core.errors import BillingError, Kind
from billing.platform.api.principals import principal_of
from billing.platform.clock import now
from billing.platform.locks import try_transaction_lock
from billing.platform.models import IdempotencyRecord

HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotent-Replayed"
KEY_LENGTH_MAX = 255
RETENTION = timedelta(days=30)
ABANDONED_AFTER = timedelta(minutes=2)
DOCUMENTED_AT = "/api/v1/docs"
BEFORE_ANY_EFFECT = frozenset({Kind.INVALID, Kind.NOT_FOUND, Kind.FORBIDDEN, Kind.CONFLICT})

P = ParamSpec("P")
V = TypeVar("V", bound=APIView)
Answer = Response | HttpResponse
Method = Callable[Concatenate[V, Request, P], Answer]


class IdempotencyKeyMissing(APIException):
    """The request moves money and bears no key, so a repetition could not be told from a second order."""

    status_code = 400
    default_code = "idempotency_key_missing"
    default_detail = (
        f"This request needs the header {HEADER}: a unique value of yours, the same when you send it again."
    )

    def __init__(self) -> None:
        super().__init__()
        page = f"{settings.SITE_URL}{DOCUMENTED_AT}"
        self.type_uri = f"{page}#idempotency"
        self.headers = {"Link": f'<{page}>; rel="describedby"; type="text/html"'}


class IdempotencyKeyInvalid(APIException):
    """The key is too long, empty, or not plain text."""

    status_code = 400
    default_code = "idempotency_key_invalid"
    default_detail = f"{HEADER} has 1 to {KEY_LENGTH_MAX} printable ASCII characters."


class IdempotencyKeyReused(APIException):
    """The key belongs to another request of the same caller."""

    status_code = 422
    default_code = "idempotency_key_reused"
    default_detail = f"This {HEADER} was used for another request. A new request needs a new key."


class RequestStillRunning(APIException):
    """The first request with this key has no answer yet."""

    status_code = 409
    default_code = "request_still_running"
    default_detail = (
        "The first request with this key is still running. Send it again after the seconds in Retry-After."
    )

    def __init__(self, seconds: int = 1) -> None:
        super().__init__()
        self.headers = {"Retry-After": str(seconds)}


@dataclass(frozen=True, slots=True)
class Idempotency:
    """How a method of a view takes keys. kept: typed errors that leave an effect, so that their answer is kept."""

    required: bool
    recoverable: bool
    kept: tuple[type[BillingError], ...] = ()


def idempotent(
    *, required: bool = False, recoverable: bool = False, kept: tuple[type[BillingError], ...] = ()
) -> Callable[[Method[V, P]], Method[V, P]]:
    """Make a POST or PATCH of a view take the header; `required` where it moves money."""
    how = Idempotency(required, recoverable, kept)

    def decorate(method: Method[V, P]) -> Method[V, P]:
        @wraps(method)
        def handle(view: V, request: Request, /, *args: P.args, **kwargs: P.kwargs) -> Answer:
            key = _key_of(request, required=required)
            if key is None:
                return method(view, request, *args, **kwargs)

            def run() -> HttpResponse:
                return _rendered(view, request, lambda: method(view, request, *args, **kwargs), kept)

            path = request.path.rstrip("/")  # the same address with and without a slash at the end
            claim = _Claim(str(principal_of(request)), key, str(request.method), path, _body(request))
            return _run_recoverably(claim, run) if recoverable else _run_atomically(claim, run)

        handle.idempotency = how  # type: ignore[attr-defined]  # read by the schema and by the contract tests
        return handle

    return decorate


def request_key(request: Request) -> str:
    """What services may be idempotent by: caller and key of a request whose method requires one."""
    return f"{principal_of(request)}:{_key_of(request, required=True)}"


def forget_expired_answers(*, limit: int = 1000) -> int:
    """Delete answers past their retention, at most `limit`; returns how many. Safe to run at any time."""
    expired = IdempotencyRecord.objects.filter(expires_at__lte=now()).order_by("expires_at")[:limit]
    return IdempotencyRecord.objects.filter(pk__in=[record.pk for record in expired]).delete()[0]


@dataclass(frozen=True, slots=True)
class _Claim:
    """A key that a request uses, and what it uses it for."""

    principal: str
    key: str
    method: str
    path: str
    body: str

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(f"{self.method}\n{self.path}\n{self.body}".encode()).hexdigest()

    def record(self) -> IdempotencyRecord | None:
        """The record of this key, locked until the transaction ends; None if the key is new or past its retention.

        Raises RequestStillRunning while another transaction holds the key, IdempotencyKeyReused if the record is of
        another request.
        """
        if not try_transaction_lock(f"idempotency:{self.principal}:{self.key}"):
            raise RequestStillRunning
        record = IdempotencyRecord.objects.filter(principal=self.principal, key=self.key).first()
        if record is None:
            return None
        if record.expires_at <= now():
            record.delete()
            return None
        if record.fingerprint != self.fingerprint:
            raise IdempotencyKeyReused
        return record

    def new_record(self) -> IdempotencyRecord:
        created_at = now()
        return IdempotencyRecord(
            principal=self.principal,
            key=self.key,
            method=self.method,
            path=self.path[:400],
            fingerprint=self.fingerprint,
            created_at=created_at,
            expires_at=created_at + RETENTION,
        )


def _run_atomically(claim: _Claim, run: Callable[[], HttpResponse]) -> HttpResponse:
    with transaction.atomic(durable=True):
        record = claim.record()
        if record is not None:
            return _replay(record)
        answer = run()
        record = claim.new_record()
        _fill(record, answer)
        record.save()
        return answer


def _run_recoverably(claim: _Claim, run: Callable[[], HttpResponse]) -> HttpResponse:
    with transaction.atomic(durable=True):
        record = claim.record() or claim.new_record()
        if record.response_status is not None:
            return _replay(record)
        if record.locked_at is not None and record.locked_at > now() - ABANDONED_AFTER:
            raise RequestStillRunning(seconds=5)
        record.locked_at = now()
        record.save()
    try:
        answer = run()
    except Exception as error:
        if _nothing_happened(error):
            record.delete()
        else:  # what happened is unclear: the next repetition may find out at once
            record.locked_at = None
            record.save()
        raise
    _fill(record, answer)
    record.save()
    return answer


def _nothing_happened(error: Exception) -> bool:
    """Whether the error says that the request was refused before any effect."""
    if isinstance(error, BillingError):
        return error.kind in BEFORE_ANY_EFFECT
    if isinstance(error, APIException):
        return error.status_code < 500
    return isinstance(error, Http404 | PermissionDenied)


def _rendered(
    view: APIView, request: Request, call: Callable[[], Answer], kept: tuple[type[BillingError], ...]
) -> HttpResponse:
    """The answer as bytes, so that the first caller and every repetition get the very same."""
    try:
        response = call()
    except kept as error:
        response = view.handle_exception(error)
    if isinstance(response, Response):
        response = view.finalize_response(request, response).render()
    return HttpResponse(
        response.content, status=response.status_code, content_type=response.headers["Content-Type"]
    )


def _fill(record: IdempotencyRecord, answer: HttpResponse) -> None:
    record.response_status = answer.status_code
    record.response_body = answer.content
    record.response_type = answer.headers["Content-Type"]
    record.locked_at = None


def _replay(record: IdempotencyRecord) -> HttpResponse:
    return HttpResponse(
        bytes(record.response_body or b""),
        status=record.response_status,
        content_type=record.response_type,
        headers={REPLAYED_HEADER: "true"},
    )


def _key_of(request: Request, *, required: bool) -> str | None:
    key = request.headers.get(HEADER)
    if key is None:
        if required:
            raise IdempotencyKeyMissing
        return None
    if not 0 < len(key) <= KEY_LENGTH_MAX or not key.isascii() or not key.isprintable():
        raise IdempotencyKeyInvalid
    return str(key)


def _body(request: Request) -> str:
    """The body in one canonical form: the order of names and white space do not make it another request."""
    return json.dumps(request.data, sort_keys=True, separators=(",", ":"), default=str)
