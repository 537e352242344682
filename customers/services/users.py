"""Making people."""

from datetime import datetime

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from billing.activity import services as activity
from billing.core.errors import BillingError, InvalidInput, Kind
from billing.core.events import EventName
from billing.platform.actors import Actor
from billing.platform.validation import require_fields
from customers.models import User


class UserExists(BillingError):
    """Somebody signs in with this mail address already."""

    code = "user_exists"
    kind = Kind.CONFLICT


def create_user(
    *, email: str, password: str, name: str = "", is_staff: bool = False, actor: Actor, at: datetime
) -> User:
    """Make a person who signs in with a mail address. Staff get their permissions from groups.

    Emits user.created. Raises InvalidInput (also for a weak password), UserExists.
    """
    return _create(User(email=email, name=name, is_staff=is_staff), password, actor, at)


def create_superuser(*, email: str, password: str, name: str = "", actor: Actor, at: datetime) -> User:
    """Make a person who may do everything. Emits user.created. Raises as `create_user`."""
    return _create(User(email=email, name=name, is_staff=True, is_superuser=True), password, actor, at)


@transaction.atomic
def _create(user: User, password: str, actor: Actor, at: datetime) -> User:
    user.email = User.objects.normalize_email(user.email)
    require_fields(user, exclude={"password"})
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidInput("The password is too weak.", fields={"password": list(error.messages)}) from error
    if User.objects.filter(email__iexact=user.email).exists():
        raise UserExists("Somebody signs in with this mail address already.", field="email")
    user.set_password(password)
    user.save()
    activity.record(
        name=EventName.USER_CREATED,
        object_kind="user",
        object_id=user.public_id,
        actor=actor,
        at=at,
        data={"is_staff": user.is_staff, "is_superuser": user.is_superuser},
    )
    return user
