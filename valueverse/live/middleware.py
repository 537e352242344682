"""Parts of pages that are fetched again in the background."""

from collections.abc import Callable

from django.contrib.messages import get_messages
from django.http import HttpRequest, HttpResponse

HEADER = "X-Live"


class KeepMessagesMiddleware:
    """A page that is read again for a part of it shows nobody its messages: they stay for the next real one.

    Lies inside MessageMiddleware, which removes what a page has shown on the way out.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if HEADER in request.headers:
            get_messages(request).used = False  # type: ignore[union-attr]
        return response
