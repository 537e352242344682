"""The real addresses and two that fail, for tests of what a failure looks like."""

from typing import NoReturn

from django.http import HttpRequest
from django.urls import path

from valueverse import errors
from valueverse.urls import urlpatterns as real

handler400 = errors.bad_request
handler403 = errors.permission_denied
handler404 = errors.not_found
handler500 = errors.server_error


def fail(request: HttpRequest) -> NoReturn:
    raise RuntimeError("planted")


urlpatterns = [*real, path("fail", fail), path("api/v1/fail", fail)]
