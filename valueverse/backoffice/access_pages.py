"""The pages around signing in, and "Your account": second factors, password, sessions.

Setting up the first second factor belongs to signing in where one is required: those two pages are open to somebody
whose password was right and who has none yet. Everything else needs to be signed in, and changing factors needs to have
shown one's factor or password within the last minutes.
"""

import json
from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from billing.core.errors import BillingError
from billing.platform.admin import staff_actor
from billing.platform.clock import now
from billing.platform.lookup import NotFound
from customers import services
from customers.selectors import sessions_of
from customers.services.portal import portal_actor
from customers.services.secrets import ISSUER, EncryptingAdapter
from valueverse.backoffice import signing_in
from valueverse.backoffice.access_base import (
    ALONE,
    INSIDE,
    AccessBase,
    PasswordForm,
    WelcomeForm,
    codes_left,
    is_right_password,
    keep_signed_in,
    person,
    qr_code,
    refuse,
)
from valueverse.backoffice.signing_in import CodeForm
from valueverse.browsers import browser_name
from valueverse.sessions import cycle_session, is_confirmed, is_second_factor_required, note_confirmed

SECRET_KEY = "authenticator_secret"  # noqa: S105  # where the session keeps it
SESSIONS_SHOWN = 50


class AccessPages(AccessBase):
    """The addresses, and a method for each."""

    def urls(self) -> list[URLPattern]:
        view = self.site.admin_view
        return [
            path("login/code/", self.code, name="sign_in_code"),
            path("login/set-up/", self.set_up, name="sign_in_set_up"),
            path("welcome/<str:user_id>/<str:token>/", self.welcome, name="staff_welcome"),
            path("account/", view(self.account), name="account"),
            path("account/confirm/", view(self.confirm), name="account_confirm"),
            path("account/authenticator/", self.authenticator, name="account_authenticator"),
            path("account/passkeys/add/", self.add_passkey, name="account_passkey"),
            path("account/factors/<int:pk>/remove/", view(self.remove), name="account_factor_remove"),
            path("account/recovery-codes/", view(self.recovery_codes), name="account_recovery_codes"),
            path("account/password/", view(self.password), name="account_password"),
            path("account/sessions/end-others/", view(self.end_others), name="account_sessions_end"),
            path("account/sessions/<str:session_id>/end/", view(self.end_one), name="account_session_end"),
        ]

    # Signing in -------------------------------------------------------------------------------------------------

    @method_decorator(never_cache)
    def code(self, request: HttpRequest) -> HttpResponse:
        """The second step: a code, or a passkey."""
        pending = signing_in.pending_of(request)
        if pending is None or not services.has_second_factor(pending.user):
            return self.to_login(request)
        answer = self.challenge(request, pending.user, shell=ALONE, title="Second factor")
        if isinstance(answer, HttpResponse):
            return answer
        signing_in.enter(request, pending, answer)
        if answer == "recovery_code":
            messages.warning(request, "You used a recovery code, which works no more. Look at your account.")
        return HttpResponseRedirect(pending.target)

    @method_decorator(never_cache)
    def set_up(self, request: HttpRequest) -> HttpResponse:
        """A second factor is required and there is none: which one?"""
        pending = signing_in.pending_of(request)
        if pending is None or services.has_second_factor(pending.user):
            return self.to_login(request)
        context = {"shell": ALONE, "title": "Set up a second factor", **self.passkey_offer(request)}
        return self.page(request, "set_up", context)

    @method_decorator(never_cache)
    @method_decorator(sensitive_post_parameters("password"))
    def welcome(self, request: HttpRequest, user_id: str, token: str) -> HttpResponse:
        """Choose a password by the mailed link; then sign in with it."""
        user = services.user_behind_staff_link(user_id=user_id, token=token)
        context: dict[str, Any] = {"shell": ALONE, "title": "Choose a password", "person": user}
        if user is None:
            return self.page(request, "link_invalid", {**context, "title": "This link does not work"}, 410)
        form = WelcomeForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            try:
                services.use_staff_link(
                    user_id=user_id, token=token, password=form.cleaned_data["password"], at=now()
                )
            except services.StaffLinkInvalid:
                return self.page(request, "link_invalid", context, 410)
            except BillingError as error:
                refuse(form, error)
            else:
                messages.success(request, "Your password is set. Sign in with it.")
                return HttpResponseRedirect(reverse("admin:login"))
        return self.page(request, "welcome", {**context, "form": form}, 400 if form.errors else 200)

    # Your account -----------------------------------------------------------------------------------------------

    @method_decorator(never_cache)
    def account(self, request: HttpRequest) -> HttpResponse:
        """Who one is here, how one signs in, and where one is signed in."""
        user, at = person(request), now()
        rows = list(Authenticator.objects.filter(user=user).order_by("created_at"))
        recovery = next((row for row in rows if row.type == Authenticator.Type.RECOVERY_CODES), None)
        context = {
            "shell": INSIDE,
            "title": "Your account",
            "groups": [group.name for group in user.groups.order_by("name")],
            "factors": [row for row in rows if row is not recovery],
            "has_app": any(row.type == Authenticator.Type.TOTP for row in rows),
            "codes_left": codes_left(recovery),
            "is_required": is_second_factor_required(),
            "sessions": [
                (one, browser_name(one.agent), one.session_key == request.session.session_key)
                for one in sessions_of(user, at=at)[:SESSIONS_SHOWN]
            ],
            **self.passkey_offer(request),
        }
        return self.page(request, "account", context)

    @method_decorator(never_cache)
    @method_decorator(sensitive_post_parameters("password"))
    def confirm(self, request: HttpRequest) -> HttpResponse:
        """Show once more that it is you: by the second factor, or by the password where there is none."""
        user = person(request)
        target = signing_in.safe_target(
            request, request.POST.get("next") or request.GET.get("next") or reverse("admin:account")
        )
        more = {"target": target, "back": reverse("admin:account")}
        if services.has_second_factor(user):
            answer = self.challenge(request, user, shell=INSIDE, title="Confirm that it is you", **more)
        else:
            answer = self.password_again(request, user, more)
        if isinstance(answer, HttpResponse):
            return answer
        cycle_session(request)
        note_confirmed(request)
        return HttpResponseRedirect(target)

    @method_decorator(never_cache)
    @method_decorator(sensitive_post_parameters("code"))
    def authenticator(self, request: HttpRequest) -> HttpResponse:
        """Set up an authenticator app: a key to scan or type, proven by the first code."""
        owner = self.owner(request)
        if isinstance(owner, HttpResponse):
            return owner
        user, pending = owner
        form = CodeForm(request.POST if request.method == "POST" else None)
        form.fields["code"].help_text = "The six digits that the app shows now."
        secret = request.session.get(SECRET_KEY)
        if form.is_valid() and secret:
            try:
                codes = services.enroll_totp(
                    user=user,
                    secret=secret,
                    code=form.cleaned_data["code"],
                    actor=portal_actor(user),
                    at=now(),
                )
            except BillingError as error:
                refuse(form, error)
            else:
                request.session.pop(SECRET_KEY, None)
                return self.enrolled(request, user, pending, "totp", codes)
        secret = request.session.setdefault(SECRET_KEY, services.new_totp_secret())
        context = {
            "shell": ALONE if pending else INSIDE,
            "title": "Authenticator app",
            "form": form,
            "qr": qr_code(EncryptingAdapter().build_totp_url(user, secret)),
            "secret": " ".join(secret[start : start + 4] for start in range(0, len(secret), 4)),
            "issuer": ISSUER,
            "email": user.email,
            "back": reverse("admin:sign_in_set_up" if pending else "admin:account"),
        }
        return self.page(request, "authenticator", context, 400 if form.errors else 200)

    @method_decorator(never_cache)
    def add_passkey(self, request: HttpRequest) -> HttpResponse:
        """Set up a passkey."""
        owner = self.owner(request)
        if isinstance(owner, HttpResponse):
            return owner
        user, pending = owner
        host, error = signing_in.passkey_host(request), ""
        if request.method == "POST" and host:
            try:
                codes = services.add_passkey(
                    user=user,
                    host=host,
                    state=request.session.pop(signing_in.PASSKEY_KEY, {}),
                    answer=signing_in.passkey_answer(request),
                    name=request.POST.get("name", ""),
                    actor=portal_actor(user),
                    at=now(),
                )
            except BillingError as refusal:
                error = refusal.message
            else:
                return self.enrolled(request, user, pending, "passkey", codes)
        question = None
        if host:
            ceremony = services.begin_passkey(user=user, host=host)
            request.session[signing_in.PASSKEY_KEY] = ceremony.state
            question = json.loads(json.dumps(ceremony.options))
        context = {
            "shell": ALONE if pending else INSIDE,
            "title": "Passkey",
            "question": question,
            "name": request.POST.get("name", "") or browser_name(request.META.get("HTTP_USER_AGENT", "")),
            "error": error,
            "back": reverse("admin:sign_in_set_up" if pending else "admin:account"),
            **self.passkey_offer(request),
        }
        return self.page(request, "passkey", context, 400 if error else 200)

    @method_decorator(require_POST)
    def remove(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Remove an authenticator app or a passkey of one's own."""
        if not is_confirmed(request):
            return self.to_confirm(reverse("admin:account"))
        try:
            services.remove_second_factor(
                user=person(request),
                factor_id=pk,
                is_required=is_second_factor_required(),
                actor=staff_actor(request),
                at=now(),
            )
        except NotFound as error:
            raise Http404 from error
        except BillingError as error:
            messages.error(request, error.message)
        else:
            self.end_the_others(request)
            messages.success(request, "Removed. You are signed out everywhere else.")
        return HttpResponseRedirect(reverse("admin:account"))

    @method_decorator(never_cache)
    @method_decorator(require_POST)
    def recovery_codes(self, request: HttpRequest) -> HttpResponse:
        """New recovery codes, shown once."""
        user = person(request)
        if not services.has_second_factor(user):
            return HttpResponseRedirect(reverse("admin:account"))
        if not is_confirmed(request):
            return self.to_confirm(reverse("admin:account"))
        codes = services.make_recovery_codes(user=user, actor=staff_actor(request), at=now())
        return self.codes_page(request, codes, reverse("admin:account"))

    @method_decorator(never_cache)
    @method_decorator(sensitive_post_parameters("current", "password"))
    def password(self, request: HttpRequest) -> HttpResponse:
        """Change one's own password; every other session ends."""
        user = person(request)
        form = PasswordForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            if is_right_password(request, user, form.cleaned_data["current"]):
                try:
                    changed = services.change_password(
                        user=user,
                        password=form.cleaned_data["password"],
                        keep_key=str(request.session.session_key),
                        actor=staff_actor(request),
                        at=now(),
                    )
                except BillingError as error:
                    refuse(form, error)
                else:
                    keep_signed_in(request, changed)
                    messages.success(request, "Your password is changed. You are signed out everywhere else.")
                    return HttpResponseRedirect(reverse("admin:account"))
            else:
                form.add_error("current", "This is not your present password.")
        context = {
            "shell": INSIDE,
            "title": "Change password",
            "form": form,
            "back": reverse("admin:account"),
        }
        return self.page(request, "password", context, 400 if form.errors else 200)

    @method_decorator(require_POST)
    def end_one(self, request: HttpRequest, session_id: str) -> HttpResponse:
        """Sign out of one browser."""
        try:
            services.end_session(
                user=person(request), session_id=session_id, actor=staff_actor(request), at=now()
            )
        except NotFound as error:
            raise Http404 from error
        messages.success(request, "Signed out there.")
        return HttpResponseRedirect(reverse("admin:account"))

    @method_decorator(require_POST)
    def end_others(self, request: HttpRequest) -> HttpResponse:
        """Sign out everywhere but here."""
        ended = self.end_the_others(request)
        messages.success(request, f"Signed out of {ended} other browser{'' if ended == 1 else 's'}.")
        return HttpResponseRedirect(reverse("admin:account"))
