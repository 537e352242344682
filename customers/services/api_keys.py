"""API keys: secrets that let programs in (S28)."""

import hashlib
import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from billing.activity import services as activity
from billing.core.errors import InvalidInput
from billing.core.events import EventName
from billing.platform.actors import Actor
from billing.platform.lookup import get_or_not_found
from billing.platform.scopes import Scope
from billing.platform.validation import require_fields, require_instant
from customers.models import ApiKey, Customer

PREFIX_LENGTH = 16
_ALPHABET = string.ascii_letters + string.digits
_RANDOM_LENGTH = 40  # 62^40: 238 bits, of which the prefix shows the first 8 characters (47 bits)

SCOPES_FOR_ALL_CUSTOMERS = frozenset({Scope.CATALOG_WRITE, Scope.CLOCKS_WRITE})
"""What a key bound to one customer cannot be allowed: it would touch others."""


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key and its secret, which is known now and never again."""

    key: ApiKey
    secret: str


@transaction.atomic
def create_api_key(
    *,
    name: str,
    scopes: Sequence[str],
    customer: Customer | None = None,
    expires_at: datetime | None = None,
    actor: Actor,
    at: datetime,
) -> NewApiKey:
    """Make a key. Its secret is `vv_test_...` if it is bound to a customer of a test entity, else `vv_live_...`.

    Only a hash of the secret is stored. expires_at: first instant at which it no longer works.
    Emits api_key.created. Raises InvalidInput.
    """
    wanted = _require_scopes(scopes, bound=customer is not None)
    if expires_at is not None and require_instant(expires_at, field="expires_at") <= at:
        raise InvalidInput("A key expires in the future.", field="expires_at")
    mode = "test" if customer is not None and customer.legal_entity.is_test else "live"
    secret = f"vv_{mode}_" + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    key = ApiKey(
        name=name,
        prefix=secret[:PREFIX_LENGTH],
        secret_hash=hash_secret(secret),
        scopes=wanted,
        customer=customer,
        created_at=at,
        expires_at=expires_at,
    )
    require_fields(key)
    key.save()
    _record(EventName.API_KEY_CREATED, key, actor, at)
    return NewApiKey(key, secret)


@transaction.atomic
def revoke_api_key(*, key_id: str, actor: Actor, at: datetime) -> ApiKey:
    """End a key at once and for good. Idempotent. Locks the key. Emits api_key.revoked. Raises NotFound."""
    key = get_or_not_found(ApiKey.objects.select_for_update(of=("self",)), kind="api_key", public_id=key_id)
    if key.revoked_at is None:
        key.revoked_at = at
        key.save(update_fields=["revoked_at"])
        _record(EventName.API_KEY_REVOKED, key, actor, at)
    return key


def hash_secret(secret: str) -> str:
    """What is stored of a secret. It has 238 random bits, so a plain SHA-256 cannot be searched backwards."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _require_scopes(scopes: Sequence[str], *, bound: bool) -> list[str]:
    known = {scope.value for scope in Scope}
    unknown = [scope for scope in scopes if scope not in known]
    if not scopes or unknown:
        named = f"There is no scope {unknown[0][:40]!r}. " if unknown else ""
        raise InvalidInput(f"{named}A key has one or more of: {', '.join(sorted(known))}.", field="scopes")
    beyond = SCOPES_FOR_ALL_CUSTOMERS.intersection(scopes) if bound else frozenset()
    if beyond:
        raise InvalidInput(
            f"A key bound to a customer cannot have {', '.join(sorted(beyond))}.", field="scopes"
        )
    return sorted(set(scopes))


def _record(name: EventName, key: ApiKey, actor: Actor, at: datetime) -> None:
    activity.record(
        name=name,
        object_kind="api_key",
        object_id=key.public_id,
        customer_id=key.customer.public_id if key.customer else "",
        actor=actor,
        at=at,
        data={"name": key.name, "prefix": key.prefix, "scopes": key.scopes},
    )
