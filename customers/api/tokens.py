"""JWT for people: a pair of tokens, refreshed by rotation (S24 to S26).

A refresh token works once. Whoever presents one again shows that it was stolen, by them or from them, and every
refresh token of that person ends.
"""

from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.signals import user_login_failed
from django.db import transaction
from django.http import HttpRequest
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token
from rest_framework_simplejwt.utils import get_md5_hash_password

from billing.platform.clock import now
from customers.models import User
from customers.services import WrongCode, check_code, end_tokens_of, has_second_factor

LOCKOUT_SECONDS = 15 * 60


@dataclass(frozen=True, slots=True)
class TokenPair:
    """access: for requests, for 15 minutes. refresh: for the next pair, once, for a day."""

    access: str
    refresh: str


class RotatingRefreshToken(RefreshToken):
    """A refresh token whose use is judged here, under a lock, rather than while it is read."""

    def check_blacklist(self) -> None:
        """Nothing: `refresh_tokens` looks, and must tell a token used twice from a forged one."""


def obtain_tokens(request: HttpRequest, *, email: str, password: str, code: str = "") -> TokenPair:
    """Sign in with mail address and password, staff with a second factor also with a code of it.

    Wrong ones are answered alike; too many, of passwords or codes, lock the address out.
    """
    user = authenticate(request=request, username=email, password=password)
    if getattr(request, "axes_locked_out", False):
        request.axes_locked_out = False  # type: ignore[attr-defined]  # answered here, as a problem
        raise Throttled(wait=LOCKOUT_SECONDS)
    if not isinstance(user, User):
        raise AuthenticationFailed(
            "No active account fits this mail address and password.", code="wrong_credentials"
        )
    if user.is_staff:
        _require_second_factor(request, user, code)
    return _pair_for(user)


def _require_second_factor(request: HttpRequest, user: User, code: str) -> None:
    """The password alone is no way around the second factor."""
    if not has_second_factor(user):
        if settings.STAFF_SECOND_FACTOR == "required":
            raise AuthenticationFailed(
                "Staff need a second factor. Sign in to the back office to set one up.",
                code="second_factor_missing",
            )
        return
    if not code:
        raise AuthenticationFailed(
            "Send `code`: of the authenticator app, or a recovery code.", code="second_factor_needed"
        )
    try:
        check_code(user=user, code=code, at=now())
    except WrongCode as error:
        user_login_failed.send(sender=__name__, credentials={"username": user.email}, request=request)
        if getattr(request, "axes_locked_out", False):
            request.axes_locked_out = False  # type: ignore[attr-defined]  # answered here, as a problem
            raise Throttled(wait=LOCKOUT_SECONDS) from error
        raise AuthenticationFailed(error.message, code=error.code) from error


def refresh_tokens(text: str) -> TokenPair:
    """A new pair for a refresh token, which thereby ends. Used a second time, it ends all tokens of the person."""
    token = _read(text)
    with transaction.atomic():
        issued = _issued(token)
        used = BlacklistedToken.objects.filter(token=issued).exists()
        user = issued.user
        if used and user is not None:
            end_tokens_of(user)
        elif not used:
            BlacklistedToken.objects.create(token=issued)
    if used:
        raise AuthenticationFailed("This refresh token was used before. Sign in again.", code="token_reused")
    if not isinstance(user, User) or not user.is_active or not _password_unchanged(token, user):
        raise AuthenticationFailed("This account is not active any more.", code="account_inactive")
    return _pair_for(user)


def end_token(text: str) -> None:
    """Sign out: the refresh token works no more. Idempotent."""
    token = _read(text)
    with transaction.atomic():
        BlacklistedToken.objects.get_or_create(token=_issued(token))


def _pair_for(user: User) -> TokenPair:
    refresh = RefreshToken.for_user(user)
    OutstandingToken.objects.filter(jti=refresh[api_settings.JTI_CLAIM]).update(token="")  # its id is enough
    access: AccessToken = refresh.access_token
    return TokenPair(access=str(access), refresh=str(refresh))


def _read(text: str) -> Token:
    try:
        return RotatingRefreshToken(text)  # type: ignore[arg-type]
    except TokenError as error:
        raise AuthenticationFailed("This refresh token is not valid.", code="token_not_valid") from error


def _issued(token: Token) -> OutstandingToken:
    """The record of a token that we issued, locked."""
    issued = OutstandingToken.objects.select_for_update().filter(jti=token[api_settings.JTI_CLAIM]).first()
    if issued is None:
        raise AuthenticationFailed("This refresh token is not valid.", code="token_not_valid")
    return issued


def _password_unchanged(token: Token, user: User) -> bool:
    """Whether the token still fits the password it was issued under, where tokens carry its mark."""
    if not api_settings.CHECK_REVOKE_TOKEN:
        return True
    return bool(token.get(api_settings.REVOKE_TOKEN_CLAIM) == get_md5_hash_password(user.password))
