"""Lists come in pages, newest first, each with a cursor to the next."""

import base64
import binascii
import re
from typing import Any

from django.views import View
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from billing.core.errors import BillingError

LIMIT_DEFAULT = 50
LIMIT_MAX = 200

_PUBLIC_ID = re.compile(r"[a-z]{2,4}_[0-9a-z]{26}")


class InvalidPage(BillingError):
    """The cursor or the limit of a list request makes no sense."""

    code = "invalid_page"


class CursorPage(BasePagination):
    """Pages by key: `limit` (1 to 200, 50 unless told) and `cursor`, as `next_cursor` of the page before gave it.

    Rows are ordered by public id, which is the order of creation, descending. A row added or deleted while somebody
    reads neither shifts nor repeats others.
    """

    next_cursor: str | None = None

    def paginate_queryset(self, queryset: Any, request: Request, view: View | None = None) -> list[Any]:
        limit = _limit(request.query_params.get("limit"))
        cursor = request.query_params.get("cursor")
        if cursor is not None:
            queryset = queryset.filter(public_id__lt=_read_cursor(cursor))
        rows = list(queryset.order_by("-public_id")[: limit + 1])
        if len(rows) > limit:
            rows = rows[:limit]
            self.next_cursor = _write_cursor(rows[-1].public_id)
        return rows

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"data": data, "next_cursor": self.next_cursor})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        cursor = {
            "type": "string",
            "nullable": True,
            "description": "Cursor of the next page; null on the last.",
        }
        return {
            "type": "object",
            "required": ["data", "next_cursor"],
            "properties": {"data": schema, "next_cursor": cursor},
        }


def _limit(text: str | None) -> int:
    if text is None:
        return LIMIT_DEFAULT
    if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= LIMIT_MAX:
        raise InvalidPage(f"The limit is a number from 1 to {LIMIT_MAX}.", field="limit")
    return int(text)


def _write_cursor(public_id: str) -> str:
    return base64.urlsafe_b64encode(public_id.encode()).decode().rstrip("=")


def _read_cursor(text: str) -> str:
    try:
        public_id = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode(
            "ascii"
        )
    except (binascii.Error, ValueError) as error:
        raise InvalidPage("This is not a cursor of this list.", field="cursor") from error
    if not _PUBLIC_ID.fullmatch(public_id):
        raise InvalidPage("This is not a cursor of this list.", field="cursor")
    return public_id
