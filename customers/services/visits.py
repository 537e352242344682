"""Viewing a portal as its customer: begun with a reason, limited in time, in the customer's activity on both ends."""

from datetime import datetime, timedelta

from django.db import transaction

from billing.activity import services as activity
from billing.core.errors import InvalidInput
from billing.core.events import EventName
from billing.platform.actors import Actor, task_actor
from billing.platform.validation import require_fields
from customers.models import Customer, CustomerVisit, User

OVERDUE_MAX = 500


@transaction.atomic
def start_customer_visit(
    *, user: User, customer: Customer, reason: str, longest: timedelta, actor: Actor, at: datetime
) -> CustomerVisit:
    """Let somebody on the staff look at a portal as its customer does. Ends their earlier visit; asked again for
    the same reason it is that one. Locks the person.

    Emits customer_visit.started. Raises InvalidInput (no reason).
    """
    visit = CustomerVisit(
        user=user, customer=customer, reason=reason.strip(), started_at=at, expires_at=at + longest
    )
    if not visit.reason:
        raise InvalidInput("Say why. The reason stands in the customer's activity.", field="reason")
    require_fields(visit)
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    same = CustomerVisit.objects.filter(
        user=user, customer=customer, reason=visit.reason, ended_at=None, expires_at__gt=at
    ).first()
    if same is not None:
        return same
    for earlier in CustomerVisit.objects.filter(user=user, ended_at=None).select_related("customer", "user"):
        _end(earlier, actor, at)
    visit.save()
    _record(EventName.CUSTOMER_VISIT_STARTED, visit, actor, at)
    return visit


@transaction.atomic
def end_customer_visit(*, user: User, actor: Actor, at: datetime) -> CustomerVisit | None:
    """End a person's visit; None if there is none. Emits customer_visit.ended. Safe to run twice."""
    visit = (
        CustomerVisit.objects.select_for_update(of=("self",))
        .select_related("customer", "user")
        .filter(user=user, ended_at=None)
        .first()
    )
    if visit is not None:
        _end(visit, actor, at)
    return visit


@transaction.atomic
def end_overdue_customer_visits(*, at: datetime) -> int:
    """Record the end of visits whose time is over and whose person did not end them; returns how many.

    Emits customer_visit.ended for each. Safe to run twice.
    """
    overdue = (
        CustomerVisit.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("customer", "user")
        .filter(ended_at=None, expires_at__lte=at)
        .order_by("expires_at")[:OVERDUE_MAX]
    )
    count = 0
    for visit in overdue:
        _end(visit, task_actor("customers.end_overdue_visits"), at)
        count += 1
    return count


def _end(visit: CustomerVisit, actor: Actor, at: datetime) -> None:
    visit.ended_at = max(visit.started_at, min(at, visit.expires_at))
    visit.save(update_fields=["ended_at"])
    _record(EventName.CUSTOMER_VISIT_ENDED, visit, actor, at)


def _record(name: EventName, visit: CustomerVisit, actor: Actor, at: datetime) -> None:
    until = visit.ended_at or visit.expires_at
    activity.record(
        name=name,
        object_kind="customer_visit",
        object_id=visit.public_id,
        customer_id=visit.customer.public_id,
        actor=actor,
        at=at,
        data={
            "user": visit.user.public_id,
            "reason": visit.reason,
            "from": visit.started_at.isoformat(),
            "until": until.isoformat(),
        },
    )
