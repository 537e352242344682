"""Signing in to the back office: the password, then the second factor; only then is anybody signed in.

Between the two the session says whose password was right and nothing else: no page, check of a permission or socket
sees a person. Wrong codes count like wrong passwords, per account and per address, and lock both doors.
"""

import json
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from django import forms
from django.contrib.auth import REDIRECT_FIELD_NAME, login
from django.contrib.auth.signals import user_login_failed
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.utils.http import url_has_allowed_host_and_scheme

from billing.core.errors import BillingError
from billing.platform.clock import now
from customers import services
from customers.models import User
from valueverse.sessions import is_second_factor_required, note_second_factor

BACKEND = "django.contrib.auth.backends.ModelBackend"
PENDING_KEY = "password_was_right"
PASSKEY_KEY = "passkey_question"
PENDING_FOR = timedelta(minutes=10)
"""How long after the password the second factor may follow."""


@dataclass(frozen=True, slots=True)
class Pending:
    """Somebody whose password was right a moment ago, and where they want to go."""

    user: User
    target: str


class CodeForm(forms.Form):
    """The second step: a code."""

    code = forms.CharField(
        max_length=20,
        label="Code",
        help_text="Six digits from your authenticator app, or a recovery code.",
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}
        ),
    )


class StaffLoginView(LoginView):
    """The first step. A right password begins the second one, where there is one."""

    def form_valid(self, form: Any) -> HttpResponse:
        return begin(self.request, form.get_user(), self.get_redirect_url())


def begin(request: HttpRequest, user: User, target: str) -> HttpResponse:
    """The password was right: to the second step, or in."""
    target = safe_target(request, target)
    has_factor = services.has_second_factor(user)
    if not has_factor and not is_second_factor_required():
        login(request, user, backend=BACKEND)
        return HttpResponseRedirect(target)
    request.session.flush()
    request.session[PENDING_KEY] = {
        "user": user.pk,
        "at": int(now().timestamp()),
        "target": target,
        "password": user.get_session_auth_hash(),
    }
    return HttpResponseRedirect(reverse("admin:sign_in_code" if has_factor else "admin:sign_in_set_up"))


def pending_of(request: HttpRequest) -> Pending | None:
    """Who is between the two steps in this browser; None if nobody, or for too long."""
    kept = request.session.get(PENDING_KEY)
    if not isinstance(kept, dict) or request.user.is_authenticated:
        return None
    if not 0 <= now().timestamp() - kept["at"] < PENDING_FOR.total_seconds():
        return None
    user = User.objects.filter(pk=kept["user"], is_active=True, is_staff=True).first()
    if user is None or not constant_time_compare(kept["password"], user.get_session_auth_hash()):
        return None
    return Pending(user, kept["target"])


def enter(request: HttpRequest, pending: Pending, method: str) -> None:
    """Both steps are done: sign in, with a new session key."""
    request.session.pop(PENDING_KEY, None)
    login(request, pending.user, backend=BACKEND)
    note_second_factor(request, method)


def safe_target(request: HttpRequest, target: str) -> str:
    """A page of the back office, and of no other site."""
    safe = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return target if safe and target.startswith("/admin/") else reverse("admin:index")


def passkey_host(request: HttpRequest) -> str:
    """The host that passkeys are made for; "" where browsers make none: a bare address, or plain HTTP elsewhere."""
    host = request.get_host().partition(":")[0].lower()
    is_name = any(letter.isalpha() for letter in host) and not host.startswith("[")
    return host if is_name and (request.is_secure() or host == "localhost") else ""


def passkey_question(request: HttpRequest, user: User) -> dict[str, Any] | None:
    """What to ask one of the person's passkeys; None where there is none or the browser would refuse."""
    host = passkey_host(request)
    if not host:
        return None
    ceremony = services.begin_passkey_check(user=user, host=host)
    options = json.loads(json.dumps(ceremony.options))
    if not options["publicKey"].get("allowCredentials"):
        return None
    request.session[PASSKEY_KEY] = ceremony.state
    return dict(options)


def passkey_answer(request: HttpRequest) -> Any:
    """What the browser sent from the passkey, as JSON; None if that is none."""
    try:
        return json.loads(request.POST.get("credential", ""))
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a second factor: `method` if it was right, else an error; locked: too many tries."""

    method: str = ""
    error: str = ""
    locked: bool = False


LOCKED = Verdict(error="Too many tries. Wait 15 minutes, then sign in again.", locked=True)


def check_second_factor(request: HttpRequest, user: User) -> Verdict:
    """Judge the code or passkey in a POST. A wrong one counts as a failed sign-in."""
    credentials = {"username": user.email}
    if not AxesProxyHandler.is_allowed(request, credentials):
        return LOCKED
    try:
        return Verdict(method=_method(request, user))
    except services.SecretUnreadable as error:
        return Verdict(error=error.message)
    except BillingError as error:
        user_login_failed.send(sender=__name__, credentials=credentials, request=request)
        if getattr(request, "axes_locked_out", False):
            request.axes_locked_out = False  # type: ignore[attr-defined]  # answered here, by a page of ours
            return LOCKED
        return Verdict(error=error.message)


def _method(request: HttpRequest, user: User) -> str:
    if "credential" not in request.POST:
        code = request.POST.get("code", "")
        return services.check_code(user=user, code=code[:40], at=now())
    services.check_passkey(
        user=user,
        host=passkey_host(request),
        state=request.session.pop(PASSKEY_KEY, {}),
        answer=passkey_answer(request),
        at=now(),
    )
    return "passkey"


def locked_out(
    request: HttpRequest, original_response: HttpResponse | None, credentials: dict[str, Any] | None = None
) -> HttpResponse:
    """Axes' answer to whoever has guessed too often: the sign-in page's own words, status 429."""
    return render(request, "backoffice/access/locked.html", status=HTTPStatus.TOO_MANY_REQUESTS)


def login_context(site: Any, request: HttpRequest) -> dict[str, Any]:
    """What the first step's page needs."""
    context = {
        **site.each_context(request),
        "title": "Sign in",
        "subtitle": None,
        "app_path": request.get_full_path(),
        "username": request.user.get_username(),
    }
    if REDIRECT_FIELD_NAME not in request.GET and REDIRECT_FIELD_NAME not in request.POST:
        context[REDIRECT_FIELD_NAME] = reverse("admin:index")
    return context
