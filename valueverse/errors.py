"""What a refused or failed request gets outside of the API's views: problem JSON below /api/, else a plain page."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

API_PREFIX = "/api/"
CODES = {400: "bad_request", 403: "forbidden", 404: "not_found", 500: "internal_error"}


def answer(request: HttpRequest, status: HTTPStatus, detail: str) -> HttpResponse:
    """The error in the form that the caller reads: RFC 9457 for programs, a page for people."""
    if request.path_info.startswith(API_PREFIX):
        body = {
            "type": "about:blank",
            "title": status.phrase,
            "status": int(status),
            "code": CODES[status],
            "detail": detail,
        }
        return JsonResponse(body, status=status, content_type="application/problem+json")
    return render(request, f"{int(status)}.html", status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(request, HTTPStatus.BAD_REQUEST, "The request cannot be understood.")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(request, HTTPStatus.FORBIDDEN, "You may not do this.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(request, HTTPStatus.NOT_FOUND, "There is nothing at this address.")


def server_error(request: HttpRequest) -> HttpResponse:
    return answer(
        request, HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong on our side. It has been logged."
    )
