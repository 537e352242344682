"""A person's own account: which customer they look at, language, password, and where they are signed in."""

from django.contrib import messages
from django.contrib.auth import authenticate, update_session_auth_hash
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from billing.core.errors import BillingError
from billing.platform.clock import now
from customers import services
from customers.selectors import sessions_of
from valueverse.browsers import browser_name
from valueverse.portal.access import CUSTOMER_KEY, Member, for_members, show
from valueverse.portal.forms import PasswordForm

SESSIONS_SHOWN = 50


@require_safe
@for_members
def account(request: HttpRequest, member: Member) -> HttpResponse:
    """The person: whose portal they look at, language, time zone, sessions; on phones also the way to the rest."""
    here = request.session.session_key
    at = now()
    sessions = [
        {
            "row": one,
            "browser": browser_name(one.agent) or member.say("browser_unknown"),
            "seen_at": timezone.localtime(one.seen_at),
            "is_here": one.session_key == here,
        }
        for one in (sessions_of(member.user, at=at)[:SESSIONS_SHOWN] if member.visit is None else ())
    ]
    return show(request, "account", {"sessions": sessions}, member=member)


@require_POST
@for_members
def choose_customer(request: HttpRequest, member: Member) -> HttpResponse:
    """Look at another customer of one's own."""
    wanted = request.POST.get("membership", "")
    if wanted not in {one.public_id for one in member.others}:
        raise Http404
    request.session[CUSTOMER_KEY] = wanted
    return redirect("portal:home")


@require_POST
@for_members
def end_session(request: HttpRequest, member: Member, session_id: str) -> HttpResponse:
    """Sign out of one browser; another person's session is not found."""
    services.end_session(user=member.user, session_id=session_id, actor=member.actor, at=now())
    messages.success(request, member.say("session_ended"))
    return redirect("portal:account")


@require_POST
@for_members
def end_other_sessions(request: HttpRequest, member: Member) -> HttpResponse:
    """Sign out everywhere but here."""
    services.end_sessions(
        user=member.user, keep_key=str(request.session.session_key), actor=member.actor, at=now()
    )
    messages.success(request, member.say("sessions_ended"))
    return redirect("portal:account")


@sensitive_post_parameters("current", "password")
@require_http_methods(["GET", "HEAD", "POST"])
@for_members
def password(request: HttpRequest, member: Member) -> HttpResponse:
    """Choose a new password; every other session ends."""
    if request.method != "POST":
        return _password_page(request, member, PasswordForm(language=member.language))
    form = PasswordForm(request.POST, language=member.language)
    if form.is_valid() and not _is_right(request, member, form.cleaned_data["current"]):
        form.add_error("current", member.say("wrong_current_password"))
    if form.is_valid():
        before = str(request.session.session_key)
        try:
            user = services.change_password(
                user=member.user,
                password=form.cleaned_data["password"],
                keep_key=before,
                actor=member.actor,
                at=now(),
            )
        except BillingError as error:
            form.refuse(error)
        else:
            update_session_auth_hash(request, user)
            services.rename_session(before=before, after=str(request.session.session_key))
            messages.success(request, member.say("password_changed"))
            return redirect("portal:account")
    return _password_page(request, member, form, status=400)


def _password_page(
    request: HttpRequest, member: Member, form: PasswordForm, status: int = 200
) -> HttpResponse:
    return show(request, "password", {"form": form, "section": "account"}, member=member, status=status)


def _is_right(request: HttpRequest, member: Member, typed: str) -> bool:
    """Whether this is the person's password; a wrong one counts as a failed sign-in, and too many lock the account."""
    found = authenticate(request=request, username=member.user.email, password=typed)
    request.axes_locked_out = False  # type: ignore[attr-defined]  # the form says that it is wrong
    return found is not None and found.pk == member.user.pk
