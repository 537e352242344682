"""Signing in: by password, by mailed link, by invitation. And out.

Whoever may not come in is told the same, whatever the cause. A link is used by the button on its page, never by
opening it: programs that check mails open links too.
"""

from django.contrib.auth import authenticate, login, logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from billing.core.errors import BillingError, InvalidInput
from billing.platform.clock import now
from customers import services
from customers.models import PortalLink, PortalLinkKind, User
from customers.selectors import live_portal_link
from customers.services.api_keys import hash_secret
from customers.tasks import send_sign_in_link
from valueverse.portal.access import CUSTOMER_KEY, LANGUAGE_KEY, language_of, member_of, show
from valueverse.portal.limits import too_many
from valueverse.portal.words import LANGUAGES, say

BACKEND = "django.contrib.auth.backends.ModelBackend"


@require_http_methods(["GET", "HEAD"])
def start(request: HttpRequest) -> HttpResponse:
    """The bare address: staff to the back office, everybody else to the portal."""
    return redirect("/admin/" if getattr(request.user, "is_staff", False) else reverse("portal:home"))


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """One page, two ways in: with a password, or by a link that is mailed."""
    target = _target(request)
    if request.method != "POST":
        if member_of(request) is not None:
            return redirect(target)
        return _sign_in_page(request, target, reason=request.GET.get("reason", ""))
    email = request.POST.get("email", "").strip()[:254]
    if not email or "\0" in email:
        return _sign_in_page(request, target, error="email_needed", status=400)
    if request.POST.get("by") == "link":
        return _ask_for_link(request, email, target)
    user, locked = _check(request, email, request.POST.get("password", ""))
    if locked:
        return _sign_in_page(request, target, error="locked_out", email=email, status=429)
    if user is None:
        return _sign_in_page(request, target, error="wrong_credentials", email=email, status=400)
    return _enter(request, user, target)


def _sign_in_page(
    request: HttpRequest,
    target: str,
    *,
    error: str = "",
    reason: str = "",
    email: str = "",
    status: int = 200,
) -> HttpResponse:
    language = language_of(request)
    content = {
        "target": target,
        "error": say(language, error) if error else "",
        "reason": say(language, "document_link_expired") if reason == "document" else "",
        "email": email,
    }
    return show(request, "sign_in", content, status=status)


def _ask_for_link(request: HttpRequest, email: str, target: str) -> HttpResponse:
    """Queue the question whether this address is known, and say the same in either case."""
    if too_many(request, "link"):
        return _sign_in_page(request, target, error="locked_out", email=email, status=429)
    send_sign_in_link.delay(email, language_of(request))
    return show(request, "link_asked", {})


def _check(request: HttpRequest, email: str, password: str) -> tuple[User | None, bool]:
    """Who signs in with this password (never staff: their door is the back office), and whether axes locks."""
    user = authenticate(request=request, username=email, password=password)
    locked = bool(getattr(request, "axes_locked_out", False))
    if locked:
        request.axes_locked_out = False  # type: ignore[attr-defined]  # answered here, by a page of ours
    allowed = isinstance(user, User) and not user.is_staff
    return (user if allowed and isinstance(user, User) else None), locked


def _enter(request: HttpRequest, user: User, target: str) -> HttpResponse:
    """Sign in with a new session key; the language chosen before stays."""
    language = request.session.get(LANGUAGE_KEY)
    request.session.flush()
    login(request, user, backend=BACKEND)
    if language:
        request.session[LANGUAGE_KEY] = language
    return redirect(target)


def _target(request: HttpRequest) -> str:
    """Where to go afterwards: a page of the portal, and of no other site."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if safe and wanted.startswith("/portal/") else reverse("portal:home")


@require_http_methods(["GET", "HEAD", "POST"])
def link(request: HttpRequest, token: str) -> HttpResponse:
    """A mailed link: its page has one button, and the button signs in."""
    found = live_portal_link(token_hash=hash_secret(token), kind=PortalLinkKind.SIGN_IN, at=now())
    if found is None:
        return show(request, "link_invalid", {"note": "link_invalid_note"}, status=410)
    if request.method != "POST":
        return show(request, "link", {"email": found.email})
    try:
        user = services.consume_sign_in_link(token=token, at=now())
    except services.PortalLinkInvalid:
        return show(request, "link_invalid", {"note": "link_invalid_note"}, status=410)
    return _enter(request, user, reverse("portal:home"))


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Accept an invitation: with a new password, or with the one of the account that is there already."""
    found = live_portal_link(token_hash=hash_secret(token), kind=PortalLinkKind.INVITATION, at=now())
    if found is None:
        return show(request, "link_invalid", {"note": "invitation_invalid_note"}, status=410)
    is_known = User.objects.filter(email__iexact=found.email).exists()
    if request.method != "POST":
        return _invitation_page(request, found, is_known)
    password = request.POST.get("password", "")
    try:
        if is_known:
            user, locked = _check(request, found.email, password)
            if user is None:
                error = "locked_out" if locked else "wrong_credentials"
                text = say(_language(request, found), error)
                return _invitation_page(request, found, is_known, [text], status=429 if locked else 400)
            membership = services.accept_invitation_as(token=token, user=user, at=now())
        else:
            with translation.override(
                _language(request, found)
            ):  # what is wrong with a password is said in it
                membership = services.accept_invitation(token=token, password=password, at=now())
    except InvalidInput as error:
        return _invitation_page(request, found, is_known, error.fields.get("password"), status=400)
    except BillingError:
        return show(request, "link_invalid", {"note": "invitation_invalid_note"}, status=410)
    answer = _enter(request, membership.user, reverse("portal:home"))
    request.session[CUSTOMER_KEY] = membership.public_id
    return answer


def _language(request: HttpRequest, found: PortalLink) -> str:
    return language_of(request, found.customer.language if found.customer else "")


def _invitation_page(
    request: HttpRequest,
    found: PortalLink,
    is_known: bool,
    errors: list[str] | None = None,
    status: int = 200,
) -> HttpResponse:
    content = {
        "invitation": found,
        "is_known": is_known,
        "errors": errors or [],
        "language": _language(request, found),
    }
    return show(request, "invitation", content, status=status)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    language = request.session.get(LANGUAGE_KEY)
    logout(request)
    if language:
        request.session[LANGUAGE_KEY] = language
    return redirect("portal:sign-in")


@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    """Remember the language of the pages for this session."""
    chosen = request.POST.get("language", "")
    if chosen in LANGUAGES:
        request.session[LANGUAGE_KEY] = chosen
    back = request.POST.get("back", "")
    safe = url_has_allowed_host_and_scheme(
        back, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return redirect(back if safe and back.startswith("/portal/") else reverse("portal:home"))
