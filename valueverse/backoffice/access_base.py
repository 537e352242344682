"""What the pages of signing in and of one's account share: who they are for, the challenge, and how they are shown."""

import base64
import io
from typing import Any

import qrcode
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django import forms
from django.contrib import messages
from django.contrib.auth import authenticate, update_session_auth_hash
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode
from qrcode.image.svg import SvgPathImage

from billing.core.errors import BillingError
from billing.platform.admin import staff_actor
from billing.platform.clock import now
from customers import services
from customers.models import User
from valueverse.backoffice import signing_in
from valueverse.backoffice.signing_in import CodeForm, Pending
from valueverse.sessions import cycle_session, is_confirmed, note_second_factor

ALONE = "backoffice/access/alone.html"
INSIDE = "backoffice/access/inside.html"
Owner = tuple[User, Pending | None]


class PasswordForm(forms.Form):
    """Changing one's own password."""

    current = forms.CharField(
        label="Present password",
        max_length=500,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    password = forms.CharField(
        label="New password",
        max_length=500,
        help_text="At least 12 characters. You stay signed in here and are signed out everywhere else.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


class WelcomeForm(forms.Form):
    """Choosing a password by a mailed link."""

    password = forms.CharField(
        label="Password",
        max_length=500,
        help_text="At least 12 characters.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "autofocus": True}),
    )


class AccessBase:
    """The base of the pages."""

    def __init__(self, site: Any) -> None:
        self.site = site

    def challenge(
        self, request: HttpRequest, user: User, *, shell: str, title: str, **more: Any
    ) -> HttpResponse | str:
        """Ask for a code or passkey: the page, or the method that was right."""
        verdict = signing_in.Verdict()
        if request.method == "POST":
            verdict = signing_in.check_second_factor(request, user)
            if verdict.method:
                return verdict.method
        form = CodeForm(request.POST if request.method == "POST" and "code" in request.POST else None)
        if not Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists():
            form.fields["code"].help_text = "One of your recovery codes."
        if form.is_bound and verdict.error and not form.errors:
            form.add_error("code", verdict.error)
        context = {
            "shell": shell,
            "title": title,
            "form": form,
            "person": user,
            "error": "" if form.is_bound else verdict.error,
            "has_codes": Authenticator.objects.filter(user=user)
            .exclude(type=Authenticator.Type.WEBAUTHN)
            .exists(),
            "question": signing_in.passkey_question(request, user),
            **more,
        }
        status = 429 if verdict.locked else 400 if verdict.error else 200
        return self.page(request, "code", context, status)

    def password_again(self, request: HttpRequest, user: User, more: dict[str, Any]) -> HttpResponse | str:
        form = WelcomeForm(request.POST if request.method == "POST" else None)
        form.fields["password"].help_text = ""
        form.fields["password"].widget.attrs["autocomplete"] = "current-password"
        if form.is_valid():
            if is_right_password(request, user, form.cleaned_data["password"]):
                return "password"
            form.add_error("password", "This is not your password.")
        context = {"shell": INSIDE, "title": "Confirm that it is you", "form": form, **more}
        return self.page(request, "password", context, 400 if form.errors else 200)

    def owner(self, request: HttpRequest) -> Owner | HttpResponse:
        """Who sets up a factor: somebody signed in who has just confirmed it, or who needs their first one."""
        if self.site.has_permission(request):
            return (person(request), None) if is_confirmed(request) else self.to_confirm(request.path)
        pending = signing_in.pending_of(request)
        if pending is None or services.has_second_factor(pending.user):
            return self.to_login(request)
        return pending.user, pending

    def enrolled(
        self, request: HttpRequest, user: User, pending: Pending | None, method: str, codes: list[str]
    ) -> HttpResponse:
        """A factor was set up: in with it, out everywhere else, and the recovery codes if they are new."""
        if pending is not None:
            signing_in.enter(request, pending, method)
        else:
            cycle_session(request)
            note_second_factor(request, method)
        self.end_the_others(request)
        target = pending.target if pending else reverse("admin:account")
        if codes:
            return self.codes_page(request, codes, target)
        messages.success(request, "The second factor is set up. You are signed out everywhere else.")
        return HttpResponseRedirect(target)

    def end_the_others(self, request: HttpRequest) -> int:
        return services.end_sessions(
            user=person(request),
            keep_key=str(request.session.session_key),
            actor=staff_actor(request),
            at=now(),
        )

    def codes_page(self, request: HttpRequest, codes: list[str], target: str) -> HttpResponse:
        context = {"shell": INSIDE, "title": "Recovery codes", "codes": codes, "target": target}
        return self.page(request, "recovery_codes", context)

    def passkey_offer(self, request: HttpRequest) -> dict[str, Any]:
        """Whether passkeys can be made at this address, and the one on the same machine where they can."""
        host, colon, port = request.get_host().partition(":")
        is_own_machine = host == "127.0.0.1" and not request.is_secure()
        return {
            "may_use_passkeys": bool(signing_in.passkey_host(request)),
            "localhost": f"http://localhost{colon}{port}{reverse('admin:index')}" if is_own_machine else "",
        }

    def to_login(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(
            reverse("admin:index") if self.site.has_permission(request) else reverse("admin:login")
        )

    @staticmethod
    def to_confirm(target: str) -> HttpResponse:
        return HttpResponseRedirect(f"{reverse('admin:account_confirm')}?{urlencode({'next': target})}")

    def page(
        self, request: HttpRequest, name: str, context: dict[str, Any], status: int = 200
    ) -> HttpResponse:
        request.current_app = self.site.name
        whole = {**self.site.each_context(request), "is_fullwidth": "1", **context}
        return TemplateResponse(request, f"backoffice/access/{name}.html", whole, status=status)


def person(request: HttpRequest) -> User:
    """Who is signed in; the pages that ask are for people who are."""
    assert isinstance(request.user, User), "behind admin_view somebody is signed in"
    return request.user


def is_right_password(request: HttpRequest, user: User, password: str) -> bool:
    """Whether it is; a wrong one counts as a failed sign-in, and too many lock the account."""
    found = authenticate(request=request, username=user.email, password=password)
    request.axes_locked_out = False  # type: ignore[attr-defined]  # the form says that it is wrong
    return found is not None and found.pk == user.pk


def keep_signed_in(request: HttpRequest, user: User) -> None:
    """After a new password: this session goes on, with a new key."""
    before = str(request.session.session_key)
    update_session_auth_hash(request, user)
    services.rename_session(before=before, after=str(request.session.session_key))


def codes_left(recovery: Authenticator | None) -> int | None:
    """How many recovery codes are unused; None where that cannot be told."""
    if recovery is None:
        return 0
    try:
        return len(RecoveryCodes(recovery).get_unused_codes())
    except services.SecretUnreadable:
        return None


def qr_code(text: str) -> str:
    """A QR code as an image in the address itself: the key goes to no other place."""
    file = io.BytesIO()
    qrcode.make(text, image_factory=SvgPathImage, border=4).save(file)
    return f"data:image/svg+xml;base64,{base64.b64encode(file.getvalue()).decode()}"


def refuse(form: forms.Form, error: BillingError) -> None:
    """Put a refusal beside its field, or on top."""
    for name, texts in error.fields.items():
        for text in texts:
            form.add_error(name if name in form.fields else None, text)
    if not error.fields:
        form.add_error(None, error.message)
