"""Reading for pages: addresses of lists, questions that may not take long, figures of one page of many."""

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlencode

import structlog
from django.core.paginator import Page, Paginator
from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest
from django.urls import reverse

T = TypeVar("T")
log = structlog.get_logger(__name__)

PATIENCE_MS = 2_000
"""How long one figure of a page may be counted before the page goes without it."""


def list_address(name: str, **filters: Any) -> str:
    """The address of an admin list with filters; empty ones are left out."""
    given = {key: value for key, value in filters.items() if value not in (None, "")}
    return f"{reverse(f'admin:{name}_changelist')}?{urlencode(given)}"


def page_address(name: str, **query: Any) -> str:
    """The address of a page of the site with a query; empty values are left out."""
    given = {key: value for key, value in query.items() if value not in (None, "")}
    address = reverse(f"admin:{name}")
    return f"{address}?{urlencode(given)}" if given else address


def attempt(what: str, question: Callable[[], T], *, patience_ms: int = PATIENCE_MS) -> T | None:
    """The answer to a question that only reads, or None if the database could not give it in time.

    Whatever fails is logged and stays here: one figure never takes its page down. The question evaluates what it
    returns; nothing lazy leaves it.
    """
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(patience_ms)])
            answer = question()
            transaction.set_rollback(True)  # nothing was written; the limit ends with the savepoint
    except DatabaseError as error:
        log.warning("figure_unavailable", figure=what, error=str(error).strip())
        return None
    return answer


def one_page(request: HttpRequest, rows: Any, size: int, *, name: str = "p") -> Page[Any]:
    """The page of rows that the address asks for; anything that is no page number means the first or the last."""
    return Paginator(rows, size).get_page(request.GET.get(name))


def query_without(request: HttpRequest, *names: str) -> str:
    """The query of the address without some parameters, to go on with: "entity=1&"."""
    given = request.GET.copy()
    for name in names:
        given.pop(name, None)
    encoded = given.urlencode()
    return f"{encoded}&" if encoded else ""
