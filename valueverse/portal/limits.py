"""How often one address may ask for something while nobody is signed in."""

import time

from django.core.cache import cache
from django.http import HttpRequest

from valueverse.client_address import client_address

LINKS_MAX = 20
WINDOW_SECONDS = 15 * 60


def too_many(request: HttpRequest, scope: str, *, limit: int = LINKS_MAX) -> bool:
    """Count this request of its address; whether it is one too many within 15 minutes.

    Without a cache nothing is counted: a lost Redis does not lock people out.
    """
    key = f"portal:{scope}:{client_address(request)}:{int(time.time()) // WINDOW_SECONDS}"
    try:
        cache.add(key, 0, WINDOW_SECONDS * 2)
        return (cache.incr(key) or 0) > limit
    except ValueError:  # the counter ran out between the two calls: a new window
        return False
