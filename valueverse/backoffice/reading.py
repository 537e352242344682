"""Reading for pages: addresses of lists, and one page of many rows."""

from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.http import HttpRequest
from django.urls import reverse


def list_address(name: str, **filters: Any) -> str:
    """The address of an admin list with filters; empty ones are left out."""
    given = {key: value for key, value in filters.items() if value not in (None, "")}
    return f"{reverse(f'admin:{name}_changelist')}?{urlencode(given)}"


def page_address(name: str, **query: Any) -> str:
    """The address of a page of the site with a query; empty values are left out."""
    given = {key: value for key, value in query.items() if value not in (None, "")}
    address = reverse(f"admin:{name}")
    return f"{address}?{urlencode(given)}" if given else address


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
