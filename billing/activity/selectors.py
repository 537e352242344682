"""Questions about the record of who did what."""

from datetime import datetime

from django.db.models import Min, QuerySet

from billing.activity.models import Activity
from billing.platform.clock import now


def outbox_age_seconds() -> float:
    """How long the oldest recorded event has been waiting for the relay; 0 if none waits."""
    oldest = oldest_undispatched_at()
    return max((now() - oldest).total_seconds(), 0.0) if oldest else 0.0


def activity_of(*, object_id: str) -> QuerySet[Activity]:
    """What happened to one object, newest first."""
    return Activity.objects.filter(object_id=object_id).order_by("-id")


def oldest_undispatched_at() -> datetime | None:
    """When the oldest row was recorded that the relay has not dispatched; None if there is none."""
    oldest: datetime | None = Activity.objects.filter(dispatched_at=None).aggregate(at=Min("recorded_at"))[
        "at"
    ]
    return oldest
