"""How often one caller may call: a counter per caller and minute, in the cache.

The cache may be away; then the API stays open, for a limit that cannot be counted must not stop the billing.
Failed logins are counted apart, in the database.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from django.core.cache import cache
from django.views import View
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle

from billing.platform.api.principals import Principal, staff_user_of
from billing.platform.clock import now

DEFAULT_RATES: Mapping[str, str] = {"api_key": "3000/minute", "user": "600/minute", "address": "30/minute"}
"""Requests per caller, where DEFAULT_THROTTLE_RATES of REST_FRAMEWORK does not say otherwise."""

_SECONDS = {"second": 1, "minute": 60, "hour": 3600}


@dataclass(frozen=True, slots=True)
class Standing:
    """How a caller stands in its window: allowed requests, how many are left, seconds until the window ends."""

    scope: str
    limit: int
    window_seconds: int
    left: int
    reset_seconds: int

    def headers(self) -> dict[str, str]:
        """RateLimit and RateLimit-Policy after draft-ietf-httpapi-ratelimit-headers-10."""
        return {
            "RateLimit-Policy": f'"{self.scope}";q={self.limit};w={self.window_seconds}',
            "RateLimit": f'"{self.scope}";r={self.left};t={self.reset_seconds}',
        }


class WindowThrottle(BaseThrottle):
    """Counts a caller's requests in windows of fixed length."""

    scope: ClassVar[str]
    standing: Standing | None = None

    def caller(self, request: Request) -> str | None:
        """Who is counted; None where this throttle is not for the request."""
        raise NotImplementedError

    def allow_request(self, request: Request, view: View) -> bool:
        caller = self.caller(request)
        if caller is None:
            return True
        limit, window_seconds = rate_of(self.scope)
        second = int(now().timestamp())
        key = f"throttle:{self.scope}:{caller}:{second // window_seconds}"
        try:
            cache.add(key, 0, window_seconds * 2)
            used = cache.incr(key)
        except ValueError:  # the counter ran out between the two calls: a new window
            used = 1
        reset_seconds = window_seconds - second % window_seconds
        self.standing = Standing(self.scope, limit, window_seconds, max(0, limit - used), reset_seconds)
        request.rate_limit = self.standing  # type: ignore[attr-defined]
        return used <= limit

    def wait(self) -> float | None:
        return self.standing.reset_seconds if self.standing else None


class ApiKeyThrottle(WindowThrottle):
    """Counts the requests of an API key."""

    scope = "api_key"

    def caller(self, request: Request) -> str | None:
        return request.user.actor.public_id if isinstance(request.user, Principal) else None


class UserThrottle(WindowThrottle):
    """Counts the requests of a person."""

    scope = "user"

    def caller(self, request: Request) -> str | None:
        user = staff_user_of(request)
        return str(user.pk) if user is not None else None


class AddressThrottle(WindowThrottle):
    """Counts the requests of an address, where nobody is signed in yet."""

    scope = "address"

    def caller(self, request: Request) -> str | None:
        return self.get_ident(request)


def rate_of(scope: str) -> tuple[int, int]:
    """Requests and seconds of a scope: "3000/minute" is (3000, 60)."""
    configured = api_settings.DEFAULT_THROTTLE_RATES.get(scope)
    count, _, unit = str(configured or DEFAULT_RATES[scope]).partition("/")
    return int(count), _SECONDS[unit]
