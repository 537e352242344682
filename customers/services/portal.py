"""Access to the customer portal: invitations, mailed sign-in links, memberships.

A token is a secret of 256 random bits that is mailed and never stored: its hash is. It works once and runs out.
What is wrong with a link that does not work (unknown, used, run out) is not said: one error stands for all three.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from billing.activity import services as activity
from billing.core.errors import BillingError, InvalidInput, Kind
from billing.core.events import EventName
from billing.platform.actors import Actor, ActorKind
from billing.platform.validation import require_fields
from customers.models import Customer, PortalLink, PortalLinkKind, PortalMembership, PortalRole, User
from customers.selectors import live_portal_link
from customers.services.api_keys import hash_secret

INVITATION_LIFETIME = timedelta(days=7)
SIGN_IN_LIFETIME = timedelta(minutes=15)
SIGN_IN_LINKS_MAX = 3
"""Most sign-in links that one person can have at a time: whoever asks more often gets no further mail."""


class PortalLinkInvalid(BillingError):
    """The link is unknown, was used, or has run out."""

    code = "portal_link_invalid"
    kind = Kind.CONFLICT


class AccountExists(BillingError):
    """Whoever was invited has an account already, and accepts by signing in to it."""

    code = "account_exists"
    kind = Kind.CONFLICT


class StaffHasNoPortal(BillingError):
    """Staff look at customers in the back office; their accounts open no portal."""

    code = "staff_has_no_portal"
    kind = Kind.CONFLICT


@dataclass(frozen=True, slots=True)
class NewPortalLink:
    """A link and its token, which is known now and never again."""

    link: PortalLink
    token: str


def portal_actor(user: User) -> Actor:
    """A person at a customer as the actor of what they do."""
    return Actor(ActorKind.USER, user.public_id, str(user))


@transaction.atomic
def invite_contact(
    *,
    customer: Customer,
    email: str,
    name: str = "",
    role: str = PortalRole.VIEWER,
    actor: Actor,
    at: datetime,
) -> NewPortalLink:
    """Invite a person to a customer's portal: a link that works once, for seven days. The caller mails it.

    Ends earlier invitations of this address to this customer. Emits portal_invitation.created.
    Raises InvalidInput, StaffHasNoPortal.
    """
    if role not in PortalRole.values:
        raise InvalidInput(f"A role is one of {', '.join(PortalRole.values)}.", field="role")
    email = User.objects.normalize_email(email.strip())
    token = secrets.token_urlsafe(32)
    link = PortalLink(
        kind=PortalLinkKind.INVITATION,
        token_hash=hash_secret(token),
        email=email,
        name=name.strip(),
        customer=customer,
        role=role,
        created_at=at,
        expires_at=at + INVITATION_LIFETIME,
    )
    require_fields(link)
    if User.objects.filter(email__iexact=email, is_staff=True).exists():
        raise StaffHasNoPortal("This person signs in to the back office.", field="email")
    _end_invitations(customer, email, at)
    link.save()
    _record(EventName.PORTAL_INVITATION_CREATED, link, customer, actor, at, {"role": role})
    return NewPortalLink(link, token)


@transaction.atomic
def accept_invitation(*, token: str, password: str, at: datetime) -> PortalMembership:
    """Make the invited person's account and membership. Locks the link, which thereby ends.

    Emits user.created, portal_invitation.accepted. Raises PortalLinkInvalid, AccountExists, InvalidInput (weak
    password).
    """
    link = _lock_live(token, PortalLinkKind.INVITATION, at)
    if User.objects.filter(email__iexact=link.email).exists():
        raise AccountExists("You have an account already. Sign in to accept.", field="password")
    user = User(email=link.email, name=link.name)
    require_fields(user, exclude={"password"})
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidInput("The password is too weak.", fields={"password": list(error.messages)}) from error
    user.set_password(password)
    user.save()
    activity.record(
        name=EventName.USER_CREATED,
        object_kind="user",
        object_id=user.public_id,
        actor=portal_actor(user),
        at=at,
        data={"is_staff": False, "is_superuser": False},
    )
    return _accept(link, user, at)


@transaction.atomic
def accept_invitation_as(*, token: str, user: User, at: datetime) -> PortalMembership:
    """Give a person who has just signed in the membership that was offered to their address. Locks the link.

    Emits portal_invitation.accepted. Raises PortalLinkInvalid (also for another person's invitation).
    """
    link = _lock_live(token, PortalLinkKind.INVITATION, at)
    if user.email.lower() != link.email.lower() or user.is_staff or not user.is_active:
        raise PortalLinkInvalid("This link has run out or was used.")
    return _accept(link, user, at)


@transaction.atomic
def grant_portal_access(
    *, customer: Customer, user: User, role: str, actor: Actor, at: datetime
) -> PortalMembership:
    """Give a person a role in a customer's portal; an earlier role is replaced.

    Emits portal_membership.granted unless nothing changes. Raises InvalidInput, StaffHasNoPortal.
    """
    if role not in PortalRole.values:
        raise InvalidInput(f"A role is one of {', '.join(PortalRole.values)}.", field="role")
    if user.is_staff:
        raise StaffHasNoPortal("This person signs in to the back office.", field="email")
    membership, is_new = PortalMembership.objects.get_or_create(
        customer=customer, user=user, defaults={"role": role, "created_at": at}
    )
    if is_new or membership.role != role:
        membership.role = role
        membership.save(update_fields=["role"])
        activity.record(
            name=EventName.PORTAL_MEMBERSHIP_GRANTED,
            object_kind="portal_membership",
            object_id=membership.public_id,
            customer_id=customer.public_id,
            actor=actor,
            at=at,
            data={"user": user.public_id, "role": role},
        )
    return membership


@transaction.atomic
def remove_portal_access(*, membership: PortalMembership, actor: Actor, at: datetime) -> None:
    """End a person's access to a customer's portal; their account and other memberships stay.

    Idempotent: a membership that is gone already changes nothing. Emits portal_membership.removed.
    """
    if not PortalMembership.objects.filter(pk=membership.pk).delete()[0]:
        return
    activity.record(
        name=EventName.PORTAL_MEMBERSHIP_REMOVED,
        object_kind="portal_membership",
        object_id=membership.public_id,
        customer_id=membership.customer.public_id,
        actor=actor,
        at=at,
        data={"user": membership.user.public_id, "role": membership.role},
    )


@transaction.atomic
def withdraw_invitation(*, link: PortalLink, actor: Actor, at: datetime) -> None:
    """End an invitation that was not accepted yet: its link no longer works. Locks the link.

    Idempotent: one that was used or ended changes nothing. Emits portal_invitation.withdrawn.
    """
    link = PortalLink.objects.select_for_update(of=("self",)).select_related("customer").get(pk=link.pk)
    if link.used_at is not None:
        return
    link.used_at = at
    link.save(update_fields=["used_at"])
    _record(EventName.PORTAL_INVITATION_WITHDRAWN, link, link.customer, actor, at, {"role": link.role})


@transaction.atomic
def request_sign_in_link(*, email: str, at: datetime) -> NewPortalLink | None:
    """A link that signs a person in once, within 15 minutes; the caller mails it.

    None, and nothing else that a caller could tell people apart by, if nobody at a customer has this address, or if
    they have three live links already. Locks the person. Emits sign_in_link.created.
    """
    user = (
        User.objects.select_for_update(no_key=True)
        .filter(email__iexact=email.strip(), is_active=True, is_staff=False)
        .first()
    )
    if user is None or not user.portal_memberships.exists():
        return None
    live = PortalLink.objects.filter(
        user=user, kind=PortalLinkKind.SIGN_IN, used_at=None, expires_at__gt=at
    ).count()
    if live >= SIGN_IN_LINKS_MAX:
        return None
    token = secrets.token_urlsafe(32)
    link = PortalLink.objects.create(
        kind=PortalLinkKind.SIGN_IN,
        token_hash=hash_secret(token),
        email=user.email,
        user=user,
        created_at=at,
        expires_at=at + SIGN_IN_LIFETIME,
    )
    _record(EventName.SIGN_IN_LINK_CREATED, link, None, portal_actor(user), at, {"user": user.public_id})
    return NewPortalLink(link, token)


@transaction.atomic
def consume_sign_in_link(*, token: str, at: datetime) -> User:
    """The person whom a link signs in; it and the person's other links thereby end. Locks the link.

    Emits sign_in_link.used. Raises PortalLinkInvalid.
    """
    link = _lock_live(token, PortalLinkKind.SIGN_IN, at)
    user = link.user
    if user is None or not user.is_active or user.is_staff:
        raise PortalLinkInvalid("This link has run out or was used.")
    PortalLink.objects.filter(user=user, kind=PortalLinkKind.SIGN_IN, used_at=None).update(used_at=at)
    _record(EventName.SIGN_IN_LINK_USED, link, None, portal_actor(user), at, {"user": user.public_id})
    return user


def _lock_live(token: str, kind: PortalLinkKind, at: datetime) -> PortalLink:
    found = live_portal_link(token_hash=hash_secret(token), kind=kind, at=at)
    link = found and (
        PortalLink.objects.select_for_update(of=("self",))
        .select_related("user", "customer")
        .filter(pk=found.pk, used_at=None)
        .first()
    )
    if not link:
        raise PortalLinkInvalid("This link has run out or was used.")
    return link


def _accept(link: PortalLink, user: User, at: datetime) -> PortalMembership:
    assert link.customer is not None, "an invitation names its customer"
    actor = portal_actor(user)
    membership = grant_portal_access(customer=link.customer, user=user, role=link.role, actor=actor, at=at)
    _end_invitations(link.customer, link.email, at)
    data = {"user": user.public_id, "role": link.role}
    _record(EventName.PORTAL_INVITATION_ACCEPTED, link, link.customer, actor, at, data)
    return membership


def _end_invitations(customer: Customer, email: str, at: datetime) -> None:
    PortalLink.objects.filter(
        kind=PortalLinkKind.INVITATION, customer=customer, email__iexact=email, used_at=None
    ).update(used_at=at)


def _record(
    name: EventName,
    link: PortalLink,
    customer: Customer | None,
    actor: Actor,
    at: datetime,
    data: dict[str, str],
) -> None:
    activity.record(
        name=name,
        object_kind="portal_invitation" if link.kind == PortalLinkKind.INVITATION else "sign_in_link",
        object_id=link.public_id,
        customer_id=customer.public_id if customer else "",
        actor=actor,
        at=at,
        data=data,
    )
