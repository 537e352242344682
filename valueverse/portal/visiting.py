"""Somebody on the staff in a portal, as its customer sees it: everything can be read, nothing can be done.

Three walls, each enough by itself for what it covers: a request that would change something is refused before its view
runs; a view runs in a transaction that PostgreSQL keeps read-only, so that looking leaves no mark (an invoice seen by
the staff is not one seen by the customer); and the buttons on the page are dead, so that nobody tries.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest, HttpResponse

from billing.platform.clock import now
from customers.models import CustomerVisit, User
from customers.selectors import open_customer_visit

READ_ONLY_TRANSACTION = "25006"
"""SQLSTATE of a write in a read-only transaction."""

_FORM = re.compile(rb"<form\b[^>]*\bmethod=\"post\"[^>]*>.*?</form>", re.IGNORECASE | re.DOTALL)
_CONTROL = re.compile(rb"<(button|select|textarea|input)\b(?![^>]*\btype=\"hidden\")", re.IGNORECASE)
_ACTS = re.compile(rb"<(\w+)(?=[^>]*\bhx-(?:post|put|patch|delete)=)", re.IGNORECASE)


class LooksOnly(Exception):
    """What was asked for would have changed something."""


def visit_of(request: HttpRequest) -> CustomerVisit | None:
    """The view as customer that the signed-in person has begun and not ended; None for everybody else."""
    user = request.user
    if not isinstance(user, User) or not user.is_staff:
        return None
    kept: CustomerVisit | None = getattr(request, "customer_visit", None)
    if kept is None:
        kept = open_customer_visit(user=user, at=now())
        request.customer_visit = kept  # type: ignore[attr-defined]
    return kept


@contextmanager
def looking(visit: CustomerVisit | None) -> Iterator[None]:
    """While the block lasts the database takes no change from a view as customer. Raises LooksOnly if asked to."""
    if visit is None:
        yield
        return
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION READ ONLY")
            yield
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", "") != READ_ONLY_TRANSACTION:
            raise
        raise LooksOnly from error


def without_buttons(response: HttpResponse) -> HttpResponse:
    """The page with every control disabled that would send something."""
    if response.headers.get("Content-Type", "").startswith("text/html") and not response.streaming:
        content = _FORM.sub(_disable, response.content)
        response.content = _ACTS.sub(rb"<\1 disabled", content)
    return response


def _disable(form: re.Match[bytes]) -> bytes:
    if b"data-ends-view" in form[0]:  # the one that ends the view
        return form[0]
    return _CONTROL.sub(rb"<\1 disabled", form[0])
