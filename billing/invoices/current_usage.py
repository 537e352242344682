"""What a subscription has used in its current period, and what that would cost if the period ended now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.core.periods import Period
from billing.revenue.inputs import meter_of, metered_items, usage_of_items, value_of_usage_minor
from billing.subscriptions.models import Subscription
from billing.subscriptions.selectors import current_period


@dataclass(frozen=True, slots=True)
class UsageSoFar:
    """One metered price: quantity in the period so far, and its amount in minor units, rounded as on the invoice."""

    code: str
    description: str
    meter: str
    unit_code: str
    quantity: Decimal
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class CurrentUsage:
    """The usage of the current service period. total_minor: net, without fees and tax."""

    period: Period
    items: Sequence[UsageSoFar]
    total_minor: int
    currency: str
    as_of: datetime


def current_usage(*, subscription: Subscription, at: datetime) -> CurrentUsage | None:
    """The usage received so far for the service period that holds `at`; None outside of service."""
    period = current_period(subscription, at=at)
    if period is None:
        return None
    items = metered_items(
        list(
            subscription.items.select_related("price__meter", "price__plan_version").order_by(
                "price__position"
            )
        )
    )
    for item in items:
        item.subscription = subscription
    used = usage_of_items(
        customer=subscription.customer,
        items=items,
        period=period.service,
        received_until=None,
        whole=period.whole,
    )
    rows = []
    for item in items:
        rows.append(
            UsageSoFar(
                code=item.price.code,
                description=item.price.name,
                meter=meter_of(item).code,
                unit_code=item.price.unit_code,
                quantity=sum((one.quantity for one in used[item.pk]), Decimal(0)),
                amount_minor=value_of_usage_minor(item, used[item.pk]),
                currency=subscription.currency,
            )
        )
    total_minor = sum(row.amount_minor for row in rows)
    return CurrentUsage(period.service, rows, total_minor, subscription.currency, at)
