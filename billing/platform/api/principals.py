"""Who sent a request, seen alike for people and for API keys."""

from dataclasses import dataclass, field

from django.contrib.auth.models import AbstractBaseUser, PermissionsMixin
from rest_framework.request import Request

from billing.platform.actors import Actor, ActorKind


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller whose credentials were accepted.

    actor: who the audit trail names. scopes: what a key may do (none for people, who act by model permissions).
    customer_pk: primary key of the only customer the caller may see and touch; None where all are theirs to see.
    """

    actor: Actor
    scopes: frozenset[str] = field(default_factory=frozenset)
    customer_pk: int | None = None
    is_authenticated: bool = True  # what Django and DRF ask of a user
    is_active: bool = True
    is_anonymous: bool = False
    is_staff: bool = False
    pk: None = None

    def __str__(self) -> str:
        """Kind and public id, for example `api_key:key_01hf...`: unique among all callers, for good."""
        return f"{self.actor.kind}:{self.actor.public_id}"


def principal_of(request: Request) -> Principal:
    """The caller. Only for views that require authentication."""
    user = request.user
    if isinstance(user, Principal):
        return user
    assert isinstance(user, AbstractBaseUser), "only for views that require authentication"
    return Principal(actor=user_actor(user))


def actor_of(request: Request) -> Actor:
    """The caller as services and the audit trail want it."""
    return principal_of(request).actor


def visible_customer(request: Request) -> int | None:
    """Primary key of the only customer the caller may see; None if every customer is visible.

    Hand it to the selectors as `visible_to=`: what lies outside looks as if it did not exist.
    """
    return principal_of(request).customer_pk


def user_actor(user: AbstractBaseUser) -> Actor:
    """The actor that stands for a signed-in person."""
    return Actor(ActorKind.USER, str(getattr(user, "public_id", user.pk)), str(user))


def staff_user_of(request: Request) -> PermissionsMixin | None:
    """The signed-in person if it is one of the staff, else None."""
    user = request.user
    if isinstance(user, PermissionsMixin) and getattr(user, "is_staff", False):
        return user
    return None
