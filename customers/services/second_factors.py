"""Second factors of the staff: authenticator app, passkeys, recovery codes. Kept and computed by django-allauth.

A code of the app works once: the time step it belongs to is stored, and no earlier or equal one is taken again. A
recovery code works once. Of a passkey the signature counter is kept, and one that goes back is refused.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from allauth.core.internal.cryptokit import normalize_user_code
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from allauth.mfa.webauthn.internal.auth import WebAuthn
from django.db import transaction
from fido2.server import Fido2Server
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    RegistrationResponse,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from billing.activity import services as activity
from billing.core.errors import BillingError, InvalidInput, Kind
from billing.core.events import EventName
from billing.platform.actors import Actor
from billing.platform.lookup import get_or_not_found
from customers.models import User
from customers.services.portal import portal_actor
from customers.services.secrets import ISSUER, decrypt_secret, rotate_secret
from customers.services.sessions import end_sessions

STEP_SECONDS = 30
STEPS_OFF = 1
"""A code of the step before or after is taken too: clocks of phones are off by seconds, and people type slowly."""

PASSKEYS_MAX = 10
NAME_MAX = 60
TYPE = Authenticator.Type


class WrongCode(BillingError):
    """The code is wrong, has run out or was used before."""

    code = "wrong_code"


class PasskeyRefused(BillingError):
    """What the browser sent is not an answer of this person's passkey to our question."""

    code = "passkey_refused"


class LastSecondFactor(BillingError):
    """A second factor is required, and this is the last one."""

    code = "last_second_factor"
    kind = Kind.CONFLICT


@dataclass(frozen=True, slots=True)
class Ceremony:
    """A question to a passkey: options for the browser, and the state to judge its answer by."""

    options: dict[str, Any]
    state: dict[str, Any]


def has_second_factor(user: User) -> bool:
    """Whether a person has an authenticator app or a passkey."""
    return bool(Authenticator.objects.filter(user=user, type__in=[TYPE.TOTP, TYPE.WEBAUTHN]).exists())


def new_totp_secret() -> str:
    """A new key for an authenticator app, in base 32, 160 bits."""
    return str(generate_totp_secret())


@transaction.atomic
def enroll_totp(*, user: User, secret: str, code: str, actor: Actor, at: datetime) -> list[str]:
    """Make an authenticator app a second factor, proven by its first code. Replaces an earlier app.

    Returns recovery codes, if the person had none. Locks the person. Emits second_factor.added. Raises WrongCode.
    """
    _lock(user)
    step = _matching_step(secret, code, at)
    if step is None:
        raise WrongCode("This code does not fit. Enter the one the app shows now.", field="code")
    Authenticator.objects.filter(user=user, type=TYPE.TOTP).delete()
    made = TOTP.activate(user, secret).instance
    made.data["last_step"] = step
    made.save(update_fields=["data"])
    _record(EventName.SECOND_FACTOR_ADDED, user, actor, at, {"kind": "totp"})
    return _first_recovery_codes(user, actor, at)


def begin_passkey(*, user: User, host: str) -> Ceremony:
    """The question with which a browser makes a passkey for `host`."""
    options, state = _server(host).register_begin(
        user=PublicKeyCredentialUserEntity(
            id=user.public_id.encode(), name=user.email, display_name=user.get_full_name()
        ),
        credentials=_credentials(user),
        resident_key_requirement=ResidentKeyRequirement.DISCOURAGED,
        user_verification=UserVerificationRequirement.PREFERRED,
    )
    return Ceremony(dict(options), dict(state))


@transaction.atomic
def add_passkey(
    *,
    user: User,
    host: str,
    state: Mapping[str, Any],
    answer: Any,
    name: str,
    actor: Actor,
    at: datetime,
) -> list[str]:
    """Make a passkey a second factor.

    answer: what the browser sent, parsed JSON. Returns recovery codes, if the person had none. Locks the person.
    Emits second_factor.added. Raises PasskeyRefused, InvalidInput.
    """
    _lock(user)
    name = "".join(letter for letter in name if letter.isprintable()).strip()[:NAME_MAX]
    if Authenticator.objects.filter(user=user, type=TYPE.WEBAUTHN).count() >= PASSKEYS_MAX:
        raise InvalidInput(f"At most {PASSKEYS_MAX} passkeys. Remove one first.", field="name")
    try:
        RegistrationResponse.from_dict(answer)
        _server(host).register_complete(dict(state), answer)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise PasskeyRefused("The passkey was not accepted. Try again.") from error
    made = WebAuthn.add(user, name or "Passkey", answer).instance
    _record(EventName.SECOND_FACTOR_ADDED, user, actor, at, {"kind": "passkey", "name": made.data["name"]})
    return _first_recovery_codes(user, actor, at)


def begin_passkey_check(*, user: User, host: str) -> Ceremony:
    """The question that one of a person's passkeys has to answer."""
    options, state = _server(host).authenticate_begin(
        credentials=_credentials(user), user_verification=UserVerificationRequirement.PREFERRED
    )
    return Ceremony(dict(options), dict(state))


@transaction.atomic
def check_passkey(*, user: User, host: str, state: Mapping[str, Any], answer: Any, at: datetime) -> None:
    """Whether the answer comes from one of the person's passkeys. Locks its row. Raises PasskeyRefused."""
    rows = list(
        Authenticator.objects.select_for_update().filter(user=user, type=TYPE.WEBAUTHN).order_by("pk")
    )
    keys = {bytes(_credential(row).credential_id): row for row in rows}
    try:
        parsed = AuthenticationResponse.from_dict(answer)
        used = _server(host).authenticate_complete(dict(state), [_credential(row) for row in rows], answer)
        count = int(parsed.response.authenticator_data.counter)
        row = keys[bytes(used.credential_id)]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise PasskeyRefused("The passkey was not accepted. Try again, or use a code.") from error
    last = int(row.data.get("sign_count", 0))
    if (count or last) and count <= last:  # a copy of the key was used in between; 0 means it does not count
        raise PasskeyRefused("This passkey may have been copied. Use a code, and remove it.")
    row.data["sign_count"], row.last_used_at = count, at
    row.save(update_fields=["data", "last_used_at"])


@transaction.atomic
def check_code(*, user: User, code: str, at: datetime) -> str:
    """Which factor a typed code belongs to: "totp" or "recovery_code". It works once.

    Locks the factors' rows. Emits recovery_code.used. Raises WrongCode, SecretUnreadable.
    """
    rows = {
        row.type: row
        for row in Authenticator.objects.select_for_update()
        .filter(user=user, type__in=[TYPE.TOTP, TYPE.RECOVERY_CODES])
        .order_by("pk")
    }
    totp, recovery = rows.get(TYPE.TOTP), rows.get(TYPE.RECOVERY_CODES)
    if totp is not None:
        step = _matching_step(decrypt_secret(totp.data["secret"]), code, at)
        if step is not None and step > int(totp.data.get("last_step", 0)):
            totp.data["last_step"], totp.last_used_at = step, at
            totp.save(update_fields=["data", "last_used_at"])
            return "totp"
    if recovery is not None and RecoveryCodes(recovery).validate_code(code):
        Authenticator.objects.filter(pk=recovery.pk).update(last_used_at=at)
        _record(EventName.RECOVERY_CODE_USED, user, portal_actor(user), at, {})
        return "recovery_code"
    raise WrongCode("This code is wrong, has run out or was used before.", field="code")


@transaction.atomic
def make_recovery_codes(*, user: User, actor: Actor, at: datetime) -> list[str]:
    """New recovery codes, shown now and never again; earlier ones end. Emits recovery_codes.created."""
    _lock(user)
    Authenticator.objects.filter(user=user, type=TYPE.RECOVERY_CODES).delete()
    made = [str(code) for code in RecoveryCodes.activate(user).generate_codes()]
    _record(EventName.RECOVERY_CODES_CREATED, user, actor, at, {"count": len(made)})
    return made


@transaction.atomic
def remove_second_factor(
    *, user: User, factor_id: int, is_required: bool, actor: Actor, at: datetime
) -> None:
    """Remove an authenticator app or a passkey; with the last one go the recovery codes.

    is_required: the last one stays. Locks the person. Emits second_factor.removed. Raises NotFound, LastSecondFactor.
    """
    _lock(user)
    factors = Authenticator.objects.filter(user=user, type__in=[TYPE.TOTP, TYPE.WEBAUTHN])
    row = get_or_not_found(factors, kind="second_factor", pk=factor_id)
    is_last = factors.count() == 1
    if is_last and is_required:
        raise LastSecondFactor("A second factor is required. Add another one first.")
    row.delete()
    if is_last:
        Authenticator.objects.filter(user=user).delete()
    kind = "totp" if row.type == TYPE.TOTP else "passkey"
    _record(EventName.SECOND_FACTOR_REMOVED, user, actor, at, {"kind": kind})


@transaction.atomic
def reset_second_factors(*, user: User, actor: Actor, at: datetime) -> int:
    """Take all second factors from somebody who has lost them, and sign them out everywhere. Returns how many.

    Whoever signs in next with the password sets up a new one. Emits second_factor.reset. Safe to run twice.
    """
    _lock(user)
    removed = int(Authenticator.objects.filter(user=user).delete()[0])
    end_sessions(user=user, actor=actor, at=at)
    if removed:
        _record(EventName.SECOND_FACTOR_RESET, user, actor, at, {"removed": removed})
    return removed


@transaction.atomic
def reencrypt_second_factors() -> int:
    """Rewrite every stored secret under the first key; returns how many. Raises SecretUnreadable: nothing changed.

    Changes no fact, so no activity is recorded. Safe to run twice.
    """
    rows = Authenticator.objects.select_for_update().filter(type__in=[TYPE.TOTP, TYPE.RECOVERY_CODES])
    count = 0
    for row in rows.order_by("pk"):
        for name in ("secret", "seed"):
            if name in row.data:
                row.data[name] = rotate_secret(row.data[name])
        row.save(update_fields=["data"])
        count += 1
    return count


def _lock(user: User) -> None:
    User.objects.select_for_update(no_key=True).get(pk=user.pk)


def _matching_step(secret: str, code: str, at: datetime) -> int | None:
    """The newest time step near `at` whose code this is."""
    typed = str(normalize_user_code(code))
    now_step = int(at.timestamp()) // STEP_SECONDS
    found = None
    for step in range(now_step - STEPS_OFF, now_step + STEPS_OFF + 1):
        if hmac.compare_digest(typed.encode(), format_hotp_value(hotp_value(secret, step)).encode()):
            found = step
    return found


def _first_recovery_codes(user: User, actor: Actor, at: datetime) -> list[str]:
    if Authenticator.objects.filter(user=user, type=TYPE.RECOVERY_CODES).exists():
        return []
    return make_recovery_codes(user=user, actor=actor, at=at)


def _server(host: str) -> Fido2Server:
    return Fido2Server(PublicKeyCredentialRpEntity(id=host, name=ISSUER))


def _credential(row: Authenticator) -> AttestedCredentialData:
    found: AttestedCredentialData = WebAuthn(row).authenticator_data.credential_data
    return found


def _credentials(user: User) -> list[AttestedCredentialData]:
    return [_credential(row) for row in Authenticator.objects.filter(user=user, type=TYPE.WEBAUTHN)]


def _record(name: EventName, user: User, actor: Actor, at: datetime, data: dict[str, Any]) -> None:
    activity.record(name=name, object_kind="user", object_id=user.public_id, actor=actor, at=at, data=data)
