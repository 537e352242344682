"""Questions about revenue: what is deferred, what is accrued, what is due to be recognized."""

from datetime import date, datetime

from django.db.models import Exists, OuterRef, QuerySet, Sum

from billing.revenue.models import ForgivenUsage, LateUsageDecision, RevenueSlice, UsageAccrual
from billing.subscriptions.models import BilledPeriod
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


def forgiven_minor(*, item_id: int, start_at: datetime, end_at: datetime) -> int:
    """What of a service period's usage was let go after it was billed, in minor units."""
    held = BilledPeriod.objects.filter(
        item_id=OuterRef("item_id"), invoice_id=OuterRef("invoice_id"), start_at=OuterRef("start_at"),
        received_until=OuterRef("received_until"), line_id="", released_at=None,
    )  # fmt: skip
    found = ForgivenUsage.objects.filter(item_id=item_id, start_at=start_at, end_at=end_at).filter(
        Exists(held)
    )
    return int(found.aggregate(total=Sum("amount_minor"))["total"] or 0)


def decision_after(*, item_id: int, start_at: datetime, after: datetime) -> LateUsageDecision | None:
    """The first decision about usage of a period that was received after an instant; None: nobody has decided."""
    found = LateUsageDecision.objects.filter(item_id=item_id, start_at=start_at, received_until__gt=after)
    return found.order_by("received_until").first()


def accrued_minor(*, item_id: int, start_at: datetime, through_month_on: date | None = None) -> int:
    """What has been accrued for one item and service period, in minor units.

    through_month_on: only for usage of the months up to the one that starts then.
    """
    accruals = UsageAccrual.objects.filter(item_id=item_id, start_at=start_at)
    if through_month_on is not None:
        accruals = accruals.filter(month_on__lte=through_month_on)
    return int(accruals.aggregate(total=Sum("amount_minor"))["total"] or 0)
