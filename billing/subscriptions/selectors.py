"""Questions about subscriptions: their terms, what is due, what was billed."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from billing.core.billing_moments import ServicePeriod, Terms, service_period
from billing.core.periods import Interval, IntervalUnit
from billing.subscriptions.models import BilledPeriod, Subscription
from customers.models import Customer
from customers.selectors import has_come


def subscriptions_visible_to(*, customer_id: int | None) -> QuerySet[Subscription]:
    """All subscriptions, or those of one customer, newest first."""
    subscriptions = Subscription.objects.select_related(
        "customer", "legal_entity", "plan_version__plan"
    ).order_by("-id")
    return subscriptions if customer_id is None else subscriptions.filter(customer_id=customer_id)


def terms_of(subscription: Subscription) -> Terms:
    """What decides when this subscription bills."""
    version = subscription.plan_version
    return Terms(
        anchor_on=subscription.anchor_on,
        interval=Interval(IntervalUnit(version.interval_unit), version.interval_count),
        zone=ZoneInfo(subscription.time_zone),
        started_at=subscription.started_at,
        cancel_at=subscription.cancel_at,
    )


def current_period(subscription: Subscription, *, at: datetime) -> ServicePeriod | None:
    """The service period that holds `at`; None before the start and after the end of service."""
    if at < subscription.started_at or (subscription.cancel_at is not None and at >= subscription.cancel_at):
        return None
    return service_period(terms_of(subscription), at)


def due_customers(
    *, as_of: datetime, customer: Customer | None = None, by_itself: bool = False
) -> QuerySet[Customer]:
    """Customers with something due at `as_of`; on a test clock, at the clock's time if that is earlier.

    by_itself: nobody asked for their bills, so those of a seller that reviews its bill runs are left out.
    """
    due = has_come("subscriptions__next_billing_at", customer="", at=as_of)
    customers = (
        Customer.objects.filter(due, subscriptions__next_billing_at__lte=as_of).distinct().order_by("pk")
    )
    if by_itself:
        customers = customers.exclude(legal_entity__reviews_bill_runs=True)
    return customers if customer is None else customers.filter(pk=customer.pk)


def due_subscriptions(*, customer: Customer, at: datetime) -> list[Subscription]:
    """The customer's subscriptions with something due at `at`, oldest first; locked until the transaction ends."""
    return list(
        Subscription.objects.select_for_update(of=("self",))
        .select_related("customer", "legal_entity", "plan_version__plan__product")
        .filter(customer=customer, next_billing_at__lte=at)
        .order_by("pk")
    )


def billed_periods(*, item_ids: list[int], reason: str) -> dict[int, list[BilledPeriod]]:
    """What has been billed and not released, by item, oldest first."""
    found: dict[int, list[BilledPeriod]] = {item_id: [] for item_id in item_ids}
    rows = BilledPeriod.objects.filter(item_id__in=item_ids, reason=reason, released_at=None).order_by(
        "start_at", "pk"
    )
    for row in rows:
        found[row.item_id].append(row)
    return found
