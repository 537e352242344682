"""Which pages may open a socket with the browser's cookie.

A browser sends the cookie whoever wrote the page, and no same-origin policy stops a WebSocket: the server must look
at Origin itself. Without one, with `null` or a foreign one the cookie counts for nothing.
"""

from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host


def is_allowed_origin(origin: str | None, *, host: str | None) -> bool:
    """Whether a page of `origin` (the header, None if there was none) may use the cookie at `host` (the header).

    It may if it is of this very site (the host asked for, if that is one of ours, or SITE_URL), or is listed in
    LIVE_ALLOWED_ORIGINS.
    """
    if not origin or origin == "null":
        return False
    try:
        parts = urlsplit(origin)
        _ = parts.port  # ValueError for one that is no number
    except ValueError:
        return False
    if parts.scheme not in ("https", "http") or not parts.hostname:
        return False
    if _written(parts) in {*settings.LIVE_ALLOWED_ORIGINS, settings.SITE_URL}:
        return True
    if settings.HTTPS and parts.scheme != "https":
        return False
    return bool(host) and parts.netloc.lower() == str(host).lower() and _is_ours(str(host))


def _written(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.netloc}".lower()


def _is_ours(host: str) -> bool:
    """Whether the host is one under which the site may be asked for: another name for our address is a trap."""
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)
