"""Who works in the back office: inviting, groups, letting go, and the link with which a person chooses a password.

Nobody changes their own rights, so somebody who may manage people always remains; and only superusers touch
superusers. The link is signed over the password it replaces: it works once, for three days, and is stored nowhere.
"""

from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.contrib.auth.models import Group
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.db import transaction

from billing.activity import services as activity
from billing.core.errors import BillingError, InvalidInput, Kind
from billing.core.events import EventName
from billing.platform.actors import Actor, ActorKind
from billing.platform.validation import require_fields
from customers.models import User
from customers.services.portal import portal_actor
from customers.services.sessions import change_password, end_sessions
from customers.services.users import UserExists
from customers.services.visits import end_customer_visit


class NotYourself(BillingError):
    """Somebody else has to change one's rights."""

    code = "not_yourself"
    kind = Kind.FORBIDDEN


class OnlySuperusers(BillingError):
    """Superusers are changed by superusers."""

    code = "only_superusers"
    kind = Kind.FORBIDDEN


class NotStaff(BillingError):
    """The person is at a customer; their access is managed there."""

    code = "not_staff"
    kind = Kind.CONFLICT


class StaffLinkInvalid(BillingError):
    """The link is unknown, was used, or has run out."""

    code = "staff_link_invalid"
    kind = Kind.CONFLICT


class _StaffLinkTokens(PasswordResetTokenGenerator):
    key_salt = "customers.services.people.staff_link"


_tokens = _StaffLinkTokens()


@transaction.atomic
def invite_staff(*, email: str, name: str, groups: Sequence[Group], actor: Actor, at: datetime) -> User:
    """Make an account for somebody on the staff; a mail with a link to choose a password follows.

    Emits user.created, user.invited. Raises InvalidInput, UserExists.
    """
    user = User(email=User.objects.normalize_email(email.strip()), name=name.strip(), is_staff=True)
    user.set_unusable_password()
    require_fields(user, exclude={"password"})
    if not groups:
        raise InvalidInput("Choose at least one group: without one a person can do nothing.", field="groups")
    if User.objects.filter(email__iexact=user.email).exists():
        raise UserExists("Somebody signs in with this mail address already.", field="email")
    user.save()
    user.groups.set(groups)
    names = sorted(group.name for group in groups)
    _record(EventName.USER_CREATED, user, actor, at, {"is_staff": True, "is_superuser": False})
    _record(EventName.USER_INVITED, user, actor, at, {"groups": names})
    return user


@transaction.atomic
def invite_staff_again(*, user: User, actor: Actor, at: datetime) -> User:
    """Mail a link to choose a new password; the present one goes on working until then.

    Emits user.invited. Raises NotStaff, OnlySuperusers.
    """
    user = _managed(user, actor, may_be_oneself=True)
    if not user.is_active:
        raise NotStaff("This person was let go. Take them back first.")
    _record(EventName.USER_INVITED, user, actor, at, {})
    return user


@transaction.atomic
def change_groups(*, user: User, groups: Sequence[Group], actor: Actor, at: datetime) -> User:
    """Put somebody on the staff into these groups and no others. Changes nothing, and says nothing, if they are.

    Emits user.groups_changed. Raises NotYourself, OnlySuperusers, NotStaff.
    """
    user = _managed(user, actor)
    before, after = sorted(user.groups.values_list("name", flat=True)), sorted(one.name for one in groups)
    if before != after:
        user.groups.set(groups)
        _record(EventName.USER_GROUPS_CHANGED, user, actor, at, {"before": before, "after": after})
    return user


@transaction.atomic
def deactivate_user(*, user: User, actor: Actor, at: datetime) -> User:
    """Let somebody on the staff go: signed out everywhere at once, and never in again until taken back.

    Emits user.deactivated, session.ended. Raises NotYourself, OnlySuperusers, NotStaff. Safe to run twice.
    """
    user = _managed(user, actor)
    end_customer_visit(user=user, actor=actor, at=at)
    ended = end_sessions(user=user, actor=actor, at=at)
    if user.is_active:
        user.is_active = False
        user.save(update_fields=["is_active"])
        _record(EventName.USER_DEACTIVATED, user, actor, at, {"sessions_ended": ended})
    return user


@transaction.atomic
def reactivate_user(*, user: User, actor: Actor, at: datetime) -> User:
    """Take somebody back, with the groups they had. Emits user.reactivated. Raises as `deactivate_user`."""
    user = _managed(user, actor)
    if not user.is_active:
        user.is_active = True
        user.save(update_fields=["is_active"])
        _record(EventName.USER_REACTIVATED, user, actor, at, {})
    return user


def require_may_manage(*, user: User, actor: Actor, may_be_oneself: bool = False) -> None:
    """Refuse acting on oneself, and on superusers as anybody else. Raises NotYourself, OnlySuperusers."""
    if actor.kind != ActorKind.USER:
        return  # a command: whoever runs it has the machine
    if actor.public_id == user.public_id:
        if not may_be_oneself:
            raise NotYourself("Somebody else has to do this for you.")
        return
    if user.is_superuser and not User.objects.filter(public_id=actor.public_id, is_superuser=True).exists():
        raise OnlySuperusers("This person is a superuser, whom only another superuser may change.")


def staff_link_token(user: User) -> str:
    """The token of the link with which a person chooses a password."""
    return _tokens.make_token(user)


def user_behind_staff_link(*, user_id: str, token: str) -> User | None:
    """Whose link this is; None if it does not work."""
    user = User.objects.filter(public_id=user_id, is_staff=True, is_active=True).first()
    return user if user is not None and _tokens.check_token(user, token) else None


@transaction.atomic
def use_staff_link(*, user_id: str, token: str, password: str, at: datetime) -> User:
    """Choose a password by the mailed link, which thereby ends, like every session of the person. Locks the person.

    Emits user.password_changed. Raises StaffLinkInvalid, InvalidInput (weak password).
    """
    User.objects.select_for_update(no_key=True).filter(public_id=user_id).first()
    user = user_behind_staff_link(user_id=user_id, token=token)
    if user is None:
        raise StaffLinkInvalid("This link has run out or was used.")
    return change_password(user=user, password=password, keep_key="", actor=portal_actor(user), at=at)


def staff_link(user: User) -> str:
    """The address of that link."""
    return f"{settings.SITE_URL}/admin/welcome/{user.public_id}/{staff_link_token(user)}/"


def _managed(user: User, actor: Actor, *, may_be_oneself: bool = False) -> User:
    found = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if not found.is_staff:
        raise NotStaff("This person is at a customer. Access to a portal is managed with the customer.")
    require_may_manage(user=found, actor=actor, may_be_oneself=may_be_oneself)
    return found


def _record(name: EventName, user: User, actor: Actor, at: datetime, data: dict[str, object]) -> None:
    activity.record(name=name, object_kind="user", object_id=user.public_id, actor=actor, at=at, data=data)
