"""Questions about revenue: what is deferred, what is accrued, what is due to be recognized."""

from datetime import date, datetime

from django.db.models import QuerySet, Sum

from billing.revenue.models import RevenueSlice, UsageAccrual
from customers.models import LegalEntity


def deferred_minor(*, legal_entity: LegalEntity) -> int:
    """What is still to be released of all schedules, in minor units: the deferred revenue account's control."""
    open_slices = RevenueSlice.objects.filter(schedule__legal_entity=legal_entity, canceled_at=None)
    unreleased = open_slices.filter(entry=None).aggregate(total=Sum("amount_minor"))["total"] or 0
    return int(unreleased)


def due_slices(*, legal_entity: LegalEntity, as_of: date) -> QuerySet[RevenueSlice]:
    """Slices whose service is delivered by the end of a day and that are not revenue yet, oldest first."""
    return (
        RevenueSlice.objects.filter(
            schedule__legal_entity=legal_entity, entry=None, canceled_at=None, last_on__lte=as_of
        )
        .select_related("schedule__customer", "schedule__legal_entity")
        .order_by("last_on", "pk")
    )


def accrued_minor(*, item_id: int, start_at: datetime, through_month_on: date | None = None) -> int:
    """What has been accrued for one item and service period, in minor units.

    through_month_on: only for usage of the months up to the one that starts then.
    """
    accruals = UsageAccrual.objects.filter(item_id=item_id, start_at=start_at)
    if through_month_on is not None:
        accruals = accruals.filter(month_on__lte=through_month_on)
    return int(accruals.aggregate(total=Sum("amount_minor"))["total"] or 0)
