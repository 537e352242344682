"""One place that refuses, in a portal, what would change something while it is viewed as its customer."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from valueverse.portal.access import looks_only
from valueverse.portal.visiting import visit_of

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class VisitMiddleware:
    """Asks before any view of the portal runs, so that a new page need not think of it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: object, args: object, kwargs: object
    ) -> HttpResponse | None:
        """The refusal, or None to go on."""
        found = request.resolver_match
        if request.method in SAFE_METHODS or found is None or found.app_name != "portal":
            return None
        return looks_only(request) if visit_of(request) is not None else None
