"""API keys in requests (S28)."""

import hmac
from datetime import timedelta

from django.db.models import Q
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from billing.platform.actors import Actor, ActorKind
from billing.platform.api.principals import Principal
from billing.platform.clock import now
from customers.models import ApiKey
from customers.services.api_keys import PREFIX_LENGTH, hash_secret

_SECRET_LENGTH_MAX = 100
_LAST_USED_EVERY = timedelta(minutes=1)


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer vv_...` or `X-Api-Key: vv_...`; never in the address, which is logged everywhere."""

    def authenticate(self, request: Request) -> tuple[Principal, ApiKey] | None:
        secret = _secret_of(request)
        if secret is None:
            return None
        key = ApiKey.objects.filter(prefix=secret[:PREFIX_LENGTH]).first()
        expected = key.secret_hash if key else hash_secret("")
        if not hmac.compare_digest(expected, hash_secret(secret)) or key is None:
            raise AuthenticationFailed("This API key is not known.", code="api_key_unknown")
        at = now()
        if key.revoked_at is not None:
            raise AuthenticationFailed("This API key was revoked.", code="api_key_revoked")
        if key.expires_at is not None and key.expires_at <= at:
            raise AuthenticationFailed("This API key has expired.", code="api_key_expired")
        stale = Q(last_used_at=None) | Q(last_used_at__lt=at - _LAST_USED_EVERY)
        if key.last_used_at is None or key.last_used_at < at - _LAST_USED_EVERY:
            ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=at)
        return principal_of_key(key), key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


def principal_of_key(key: ApiKey) -> Principal:
    """The caller that a key stands for."""
    return Principal(
        actor=Actor(ActorKind.API_KEY, key.public_id, f"{key.name} ({key.prefix})"),
        scopes=frozenset(key.scopes),
        customer_pk=key.customer_id,
    )


def _secret_of(request: Request) -> str | None:
    """The key in the headers; None if there is none, so that other ways to sign in get their turn."""
    header = request.headers.get("X-Api-Key")
    if header is None:
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not value.strip().startswith("vv_"):
            return None
        header = value
    secret = header.strip()
    if len(secret) > _SECRET_LENGTH_MAX or not secret.isascii() or not secret.isprintable():
        raise AuthenticationFailed("This API key is not known.", code="api_key_unknown")
    return secret
