"""Where people are signed in: noting it, keeping it current, ending it.

A row here and the session in Django's store come and go together. A session that was ended is gone from the store, so
a request or socket that asks for it again finds nobody.
"""

from datetime import datetime
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from billing.activity import services as activity
from billing.core.errors import InvalidInput
from billing.core.events import EventName
from billing.platform.actors import Actor
from billing.platform.lookup import get_or_not_found
from customers.models import User, UserSession

AGENT_MAX = 300
ADDRESS_MAX = 45


def start_session(
    *, user: User, session_key: str, address: str, agent: str, at: datetime, expires_at: datetime
) -> UserSession:
    """Note that a person has signed in. Sign-ins and failures are logged by axes; this is what can be ended.

    address: the browser's network address; agent: what it calls itself. Safe to run twice.
    """
    noted, _ = UserSession.objects.update_or_create(
        session_key=session_key,
        defaults={
            "user": user,
            "address": _storable(address, ADDRESS_MAX),
            "agent": _storable(agent, AGENT_MAX),
            "started_at": at,
            "seen_at": at,
            "expires_at": expires_at,
        },
    )
    return noted


def touch_session(*, session_key: str, address: str, agent: str, at: datetime, expires_at: datetime) -> None:
    """Note that a session was used, and until when it lasts now. A session that was ended stays ended."""
    UserSession.objects.filter(session_key=session_key).update(
        seen_at=at,
        expires_at=expires_at,
        address=_storable(address, ADDRESS_MAX),
        agent=_storable(agent, AGENT_MAX),
    )


def rename_session(*, before: str, after: str) -> None:
    """Follow a session whose key was changed."""
    UserSession.objects.filter(session_key=before).update(session_key=after)


def forget_session(*, session_key: str) -> None:
    """Drop the note of a session that ended by itself: somebody signed out, or signed in as somebody else."""
    UserSession.objects.filter(session_key=session_key).delete()


@transaction.atomic
def end_session(*, user: User, session_id: str, actor: Actor, at: datetime) -> None:
    """Sign a person out of one browser at once.

    Emits session.ended. Raises NotFound, for another person's session too.
    """
    found = UserSession.objects.filter(user=user)
    _end(found.filter(pk=get_or_not_found(found, kind="session", public_id=session_id).pk), user, actor, at)


@transaction.atomic
def end_sessions(*, user: User, actor: Actor, at: datetime, keep_key: str = "") -> int:
    """Sign a person out everywhere at once, but for the session with `keep_key`. Returns how many ended.

    Without `keep_key` their refresh tokens of the API end too. Emits session.ended for each. Safe to run twice.
    """
    if not keep_key:
        end_tokens_of(user)
    return _end(UserSession.objects.filter(user=user).exclude(session_key=keep_key), user, actor, at)


@transaction.atomic
def change_password(*, user: User, password: str, keep_key: str, actor: Actor, at: datetime) -> User:
    """Give a person a new password; every session but the one with `keep_key` ends, and so do tokens.

    Emits user.password_changed. Raises InvalidInput (weak password).
    """
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidInput("The password is too weak.", fields={"password": list(error.messages)}) from error
    user.set_password(password)
    user.save(update_fields=["password"])
    ended = end_sessions(user=user, keep_key=keep_key, actor=actor, at=at)
    activity.record(
        name=EventName.USER_PASSWORD_CHANGED,
        object_kind="user",
        object_id=user.public_id,
        actor=actor,
        at=at,
        data={"sessions_ended": ended},
    )
    return user


def end_tokens_of(user: Any) -> None:
    """End every refresh token of a person; access tokens run out by themselves within 15 minutes."""
    left = OutstandingToken.objects.filter(user=user, blacklistedtoken=None)
    BlacklistedToken.objects.bulk_create(
        [BlacklistedToken(token=token) for token in left], ignore_conflicts=True
    )


def forget_expired_sessions(*, at: datetime) -> int:
    """Drop the notes of sessions that have run out; returns how many. Django's store drops its own."""
    return UserSession.objects.filter(expires_at__lte=at).delete()[0]


def _end(sessions: QuerySet[UserSession], user: User, actor: Actor, at: datetime) -> int:
    store: Any = import_module(settings.SESSION_ENGINE).SessionStore
    ended = list(sessions.select_for_update().order_by("pk"))
    for one in ended:
        store(one.session_key).delete()
        one.delete()
        activity.record(
            name=EventName.SESSION_ENDED,
            object_kind="session",
            object_id=one.public_id,
            actor=actor,
            at=at,
            data={"user": user.public_id, "address": one.address, "started_at": one.started_at.isoformat()},
        )
    return len(ended)


def _storable(text: str, longest: int) -> str:
    return "".join(letter for letter in text if letter.isprintable())[:longest]
