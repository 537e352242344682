"""How long a person stays signed in, and that staff are in only with their second factor.

Django's store enforces the times: a session's expiry is the nearer of "unused for that long" and "signed in for that
long", so a session that is over is gone for sockets too. It moves at most once a minute.

Signing in is noted where Django announces it. This is the one place where signals are used: whatever door a person
takes, nobody can forget to note it.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.http import HttpRequest, HttpResponse

from billing.platform.clock import now
from customers import services
from customers.models import User
from valueverse.client_address import client_address
from valueverse.live.middleware import HEADER as LIVE_HEADER

STARTED_KEY = "signed_in_at"
SEEN_KEY = "seen_at"
FACTOR_KEY = "second_factor"
CONFIRMED_KEY = "confirmed_at"
TOUCH_SECONDS = 60
CONFIRMED_FOR = timedelta(minutes=10)
"""How long ago somebody must have shown their second factor or password to change second factors."""


def is_second_factor_required() -> bool:
    """Whether staff need a second factor here."""
    return bool(settings.STAFF_SECOND_FACTOR == "required")


def note_sign_in(sender: object, request: HttpRequest | None, user: User, **kwargs: object) -> None:
    """Begin the times of a session, and note it as one that its person can see and end."""
    session = getattr(request, "session", None)
    if request is None or session is None:
        return
    at = now()
    session[STARTED_KEY] = session[SEEN_KEY] = session[CONFIRMED_KEY] = int(at.timestamp())
    expires_at = _expiry(user, started_at=at, at=at)
    session.set_expiry(expires_at)
    if not session.session_key:
        session.save()
    services.start_session(
        user=user, session_key=session.session_key, at=at, expires_at=expires_at, **_browser(request)
    )


def note_sign_out(sender: object, request: HttpRequest | None, user: User | None, **kwargs: object) -> None:
    """Drop the note; the session itself is flushed by Django."""
    session = getattr(request, "session", None)
    if session is not None and session.session_key:
        services.forget_session(session_key=session.session_key)


def connect() -> None:
    """Called once, when the apps are loaded."""
    user_logged_in.connect(note_sign_in, dispatch_uid="valueverse.note_sign_in")
    user_logged_out.connect(note_sign_out, dispatch_uid="valueverse.note_sign_out")


class SessionGuardMiddleware:
    """Behind Django's authentication: ends what may not go on, and keeps the rest going.

    A session of the staff without its second factor, where one is required, is nobody's: it ends here, before any
    view, page or check of a permission sees a person.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        shown = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
        if shown is None:
            return self.get_response(request)
        if isinstance(user := _person(request), User):
            self.guard(request, user)
        response = self.get_response(request)
        if request.session.session_key != shown:  # it ended, or the browser goes on with another one
            services.forget_session(session_key=shown)
        return response

    def guard(self, request: HttpRequest, user: User) -> None:
        """End the session, touch it, or leave it as it is. Parts read again in the background do not touch it."""
        session = request.session
        if user.is_staff and is_second_factor_required() and FACTOR_KEY not in session:
            logout(request)
            return
        at = now()
        seen = session.get(SEEN_KEY, 0)
        if at.timestamp() - seen < TOUCH_SECONDS:
            return
        started_at = datetime.fromtimestamp(session.setdefault(STARTED_KEY, int(at.timestamp())), UTC)
        expires_at = _expiry(user, started_at=started_at, at=at)
        if expires_at <= at:  # the times were made shorter since
            logout(request)
            return
        if LIVE_HEADER in request.headers:  # a page that keeps itself current is no sign of a person
            return
        session[SEEN_KEY] = int(at.timestamp())
        session.set_expiry(expires_at)
        services.touch_session(
            session_key=str(session.session_key), at=at, expires_at=expires_at, **_browser(request)
        )


def cycle_session(request: HttpRequest) -> None:
    """Give the session a new key and keep what it holds: whoever knew the old one is out."""
    before = str(request.session.session_key)
    request.session.cycle_key()
    services.rename_session(before=before, after=str(request.session.session_key))


def note_second_factor(request: HttpRequest, method: str) -> None:
    """The person has just shown their second factor, or set one up."""
    request.session[FACTOR_KEY] = method
    note_confirmed(request)


def note_confirmed(request: HttpRequest) -> None:
    """The person has just shown that it is them."""
    request.session[CONFIRMED_KEY] = int(now().timestamp())


def is_confirmed(request: HttpRequest) -> bool:
    """Whether they have shown it within the last minutes."""
    age = now().timestamp() - request.session.get(CONFIRMED_KEY, 0)
    return bool(0 <= age < CONFIRMED_FOR.total_seconds())


def _person(request: HttpRequest) -> Any:
    user = request.user
    return user if user.is_authenticated else None


def _expiry(user: User, *, started_at: datetime, at: datetime) -> datetime:
    if user.is_staff:
        idle, longest = settings.STAFF_SESSION_IDLE, settings.STAFF_SESSION_LONGEST
    else:
        idle, longest = settings.PORTAL_SESSION_IDLE, settings.PORTAL_SESSION_LONGEST
    expiry: datetime = min(at + idle, started_at + longest)
    return expiry


def _browser(request: HttpRequest) -> dict[str, str]:
    return {"address": client_address(request), "agent": request.META.get("HTTP_USER_AGENT", "")}
