"""The base of every view of the API, and how a view gets its addresses."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.urls import URLPattern, path
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from billing.platform.actors import Actor
from billing.platform.api.pagination import CursorPage
from billing.platform.api.parsers import StrictJSONParser
from billing.platform.api.permissions import HasAccess, Needs
from billing.platform.api.principals import actor_of, visible_customer
from billing.platform.api.schema import ApiSchema
from billing.platform.api.serializers import Query


class ApiView(APIView):
    """A view that reads strictly, asks its `access` table, and answers with rate limit headers.

    access: what each method needs; a method without an entry is refused.
    """

    access: ClassVar[Mapping[str, Needs]] = {}
    http_method_names = ["get", "head", "post", "patch"]
    parser_classes = [StrictJSONParser]
    permission_classes: ClassVar[list[type[BasePermission]]] = [HasAccess]  # type: ignore[misc]
    request: Request
    schema = ApiSchema()

    @property
    def actor(self) -> Actor:
        """Who calls, for the audit trail."""
        return actor_of(self.request)

    @property
    def visible_to(self) -> int | None:
        """The only customer the caller may see, None for all: hand it to selectors."""
        return visible_customer(self.request)

    def read(self, serializer: type[Serializer]) -> dict[str, Any]:  # type: ignore[type-arg]
        """The validated body."""
        reading = serializer(data=self.request.data)
        reading.is_valid(raise_exception=True)
        return dict(reading.validated_data)

    def query(self, serializer: type[Query] = Query) -> dict[str, Any]:
        """The validated parameters of the address."""
        reading = serializer(data=self.request.query_params)
        reading.is_valid(raise_exception=True)
        return dict(reading.validated_data)

    def answer(self, serializer: type[Serializer], instance: Any, *, status: int = 200) -> Response:  # type: ignore[type-arg]
        """One object."""
        return Response(serializer(instance).data, status=status)

    def page(
        self,
        queryset: QuerySet[Any],
        serializer: type[Serializer],  # type: ignore[type-arg]
        *,
        seen: Callable[[list[Any]], None] | None = None,
    ) -> Response:
        """One page of a list; `seen` is told its rows. Call `query` first: it refuses unknown parameters."""
        page = CursorPage()
        rows = page.paginate_queryset(queryset, self.request, self)
        if seen is not None:
            seen(rows)
        return page.get_paginated_response(serializer(rows, many=True).data)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer.headers.setdefault("Cache-Control", "no-store")
        standing = getattr(request, "rate_limit", None)
        if standing is not None:
            for name, value in standing.headers().items():
                answer.headers[name] = value
        return answer


def endpoint(route: str, view: type[ApiView], name: str) -> list[URLPattern]:
    """The address of a view, with and without a slash at the end: a client gets it wrong sooner or later.

    Only the address without the slash is documented and made by `reverse`.
    """
    return [path(route, view.as_view(), name=name), path(f"{route}/", view.as_view(schema=None))]


def only(asked: Mapping[str, Any], **columns: str) -> dict[str, Any]:
    """Those of the named parameters that were given, as conditions on columns."""
    return {column: asked[name] for name, column in columns.items() if name in asked}
