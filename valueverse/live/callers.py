"""Who is at a socket, what they may hear, and whether they are still who they were.

A handshake, a request to join a group and the check of all open sockets ask the same questions of the same facts,
so that what is checked later can never differ from what was checked first. Facts are loaded for any number of
callers at once: a handful of queries for a thousand sockets.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, TypeVar

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db.models import Q
from django.utils.crypto import constant_time_compare

from billing.invoices.models import BillRun
from billing.platform.clock import now
from billing.platform.scopes import Scope
from customers.models import ApiKey, Customer, PortalMembership, User
from valueverse.live.groups import Group, GroupKind, customer_group
from valueverse.live.tokens import LiveToken, is_past
from valueverse.sessions import FACTOR_KEY, is_second_factor_required

CHUNK = 1000
MARK_LENGTH = 32
T = TypeVar("T")

STAFF_NEED = {
    GroupKind.CUSTOMER: "customers.view_customer",
    GroupKind.RUN: "invoices.view_billrun",
    GroupKind.DASHBOARD: "invoices.view_invoice",
    GroupKind.APPROVALS: "approvals.view_approvalrequest",
}
"""Permission by which somebody of the staff hears a group: that of the page which shows the same."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who opened a socket: by the session of a browser, or by a token. One of the two is set."""

    session_key: str = ""
    token: LiveToken | None = None

    @property
    def identity(self) -> str:
        """What sockets are counted by: the session, or what the token was given out for."""
        if self.token is None:
            return self.session_key
        return f"{self.token.key_id or self.token.user_id} {self.token.customer_id}"


def password_mark(user: User) -> str:
    """A mark that changes with the person's password."""
    return user.get_session_auth_hash()[:MARK_LENGTH]


@dataclass(slots=True)
class Facts:
    """What the database says about some callers, at one moment."""

    by_session: dict[str, User] = field(default_factory=dict)
    by_id: dict[str, User] = field(default_factory=dict)
    memberships: set[tuple[int, str]] = field(default_factory=set)
    live_keys: set[str] = field(default_factory=set)
    permissions: dict[int, set[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, callers: Collection[Caller]) -> "Facts":
        """Load what is needed to judge the callers."""
        facts = cls()
        tokens = [caller.token for caller in callers if caller.token is not None]
        facts._load_sessions({caller.session_key for caller in callers if caller.session_key})
        for ids in _chunks({token.user_id for token in tokens if token.user_id}):
            facts.by_id |= {
                user.public_id: user for user in User.objects.filter(public_id__in=ids, is_active=True)
            }
        at = now()
        for ids in _chunks({token.key_id for token in tokens if token.key_id}):
            live = ApiKey.objects.filter(
                Q(expires_at=None) | Q(expires_at__gt=at),
                public_id__in=ids,
                revoked_at=None,
                scopes__contains=[Scope.LIVE_READ.value],
            )
            facts.live_keys |= set(live.values_list("public_id", flat=True))
        return facts

    def _load_sessions(self, keys: set[str]) -> None:
        sessions: dict[str, dict[str, Any]] = {}
        for chunk in _chunks(keys):
            found = _session_model().objects.filter(session_key__in=chunk, expire_date__gt=now())
            sessions |= {row.session_key: row.get_decoded() for row in found}
        users: dict[str, User] = {}
        for pks in _chunks({str(data[SESSION_KEY]) for data in sessions.values() if SESSION_KEY in data}):
            users |= {str(user.pk): user for user in User.objects.filter(pk__in=pks, is_active=True)}
        for key, data in sessions.items():
            user = users.get(str(data.get(SESSION_KEY)))
            if user is not None and _is_of(user, data):
                self.by_session[key] = user
        for members in _chunks({user.pk for user in self.by_session.values()}):
            held = PortalMembership.objects.filter(user__in=members)
            self.memberships |= set(held.values_list("user_id", "customer__public_id"))

    def is_known(self, caller: Caller) -> bool:
        """Whether the caller may have a socket at all: signed in and active, or by a token whose source still holds."""
        token = caller.token
        if token is None:
            return caller.session_key in self.by_session
        if token.key_id:
            return token.key_id in self.live_keys
        user = self.by_id.get(token.user_id)
        return (
            user is not None
            and not is_past(token.until)
            and constant_time_compare(token.mark, password_mark(user))
            and self._is_staff_with(user, STAFF_NEED[GroupKind.CUSTOMER])
        )

    def may_hear(self, caller: Caller, group: Group) -> bool:
        """Whether the caller may be in the group. Whether its object exists is another question."""
        if not self.is_known(caller):
            return False
        if caller.token is not None:
            return group == customer_group(caller.token.customer_id)
        user = self.by_session[caller.session_key]
        is_member = group.kind is GroupKind.CUSTOMER and (user.pk, group.object_id) in self.memberships
        return is_member or self._is_staff_with(user, STAFF_NEED[group.kind])

    def _is_staff_with(self, user: User, permission: str) -> bool:
        if not user.is_staff:
            return False
        if user.pk not in self.permissions:
            self.permissions[user.pk] = user.get_all_permissions()
        return permission in self.permissions[user.pk]


def can_join(caller: Caller, group: Group) -> bool:
    """Whether the caller may join the group now. What does not exist and what is somebody else's look the same."""
    return Facts.of([caller]).may_hear(caller, group) and _exists(group)


def is_known(caller: Caller) -> bool:
    """Whether the caller may have a socket now."""
    return Facts.of([caller]).is_known(caller)


def _exists(group: Group) -> bool:
    if group.kind is GroupKind.CUSTOMER:
        return Customer.objects.filter(public_id=group.object_id).exists()
    if group.kind is GroupKind.RUN:
        return BillRun.objects.filter(public_id=group.object_id).exists()
    return True


def _is_of(user: User, session: dict[str, Any]) -> bool:
    """Whether a session is that of the user under their present password (as django.contrib.auth.get_user asks).

    Staff are nobody before their second factor, where one is required: as for SessionGuardMiddleware.
    """
    if session.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return False
    if user.is_staff and is_second_factor_required() and FACTOR_KEY not in session:
        return False
    mark = session.get(HASH_SESSION_KEY, "")
    expected = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return any(constant_time_compare(mark, one) for one in expected)


def _session_model() -> type[AbstractBaseSession]:
    """The table of the session engine in use, which must be one that keeps sessions in the database."""
    store: type[SessionStore] = import_module(settings.SESSION_ENGINE).SessionStore
    return store.get_model_class()


def _chunks(items: Iterable[T]) -> Iterator[list[T]]:
    """Parts of a bounded size, so that no query grows with the number of sockets."""
    ordered = list(items)
    for first in range(0, len(ordered), CHUNK):
        yield ordered[first : first + CHUNK]
