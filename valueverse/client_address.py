"""Who is calling, seen through the reverse proxies that were declared and through no others."""

from collections.abc import Mapping
from ipaddress import ip_address, ip_network

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The caller's IP address.

    With VV_PROXY_COUNT = n the last n entries of X-Forwarded-For were written by our own proxies, so the caller is
    the n-th from the right; what stands further left is the caller's own claim and is ignored.
    """
    direct: str = request.META.get("REMOTE_ADDR", "")
    if not settings.PROXY_COUNT:
        return direct
    forwarded = [
        part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()
    ]
    return forwarded[-settings.PROXY_COUNT] if len(forwarded) >= settings.PROXY_COUNT else direct


def login_name(request: HttpRequest, credentials: Mapping[str, str] | None = None) -> str | None:
    """Whose password is tried: the admin's form calls the field username, the token endpoint email."""
    given = credentials or request.POST
    return given.get("username") or given.get("email")


def is_operator(request: HttpRequest) -> bool:
    """Whether the caller may see what is for operators: by address, or signed in as staff."""
    return _address_is_allowed(request) or _is_staff(request)


def _address_is_allowed(request: HttpRequest) -> bool:
    if not settings.PROXY_COUNT and "X-Forwarded-For" in request.headers:
        return False  # it came through an undeclared proxy, whose address says nothing about the caller
    try:
        address = ip_address(client_address(request))
    except ValueError:
        return False
    return any(address in ip_network(network) for network in settings.OPERATIONS_ALLOWED_IPS)


def _is_staff(request: HttpRequest) -> bool:
    try:
        return bool(request.user.is_authenticated and request.user.is_staff)
    except DatabaseError:  # asked while the database is down
        return False
