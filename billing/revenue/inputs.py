"""Pricing inputs of a service period, gathered from rows as plain values.

They lie here, below invoices, because accrual at month end prices the same usage that the invoice prices later.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from billing.catalog.models import Meter
from billing.catalog.selectors import price_model, rule_of
from billing.core.aggregation import Partial, aggregate
from billing.core.money import Rounding, to_minor
from billing.core.periods import Period
from billing.core.pricing import rate
from billing.subscriptions.models import SubscriptionItem
from billing.usage import selectors as usage
from customers.models import Customer

NOTHING = Partial(0, Decimal(0))


def metered_items(items: Sequence[SubscriptionItem]) -> list[SubscriptionItem]:
    """Those of the items whose quantity comes from a meter."""
    return [item for item in items if item.price.meter_id is not None]


def meter_of(item: SubscriptionItem) -> Meter:
    """The meter of a metered item."""
    meter = item.price.meter
    assert meter is not None, "only metered items have a meter"
    return meter


def usage_quantities(
    *, customer: Customer, items: Sequence[SubscriptionItem], period: Period, received_until: datetime | None
) -> dict[int, Decimal]:
    """The quantity of each metered item (by item id) used in a period and received by an instant (None: so far)."""
    meters = [meter_of(item) for item in items]
    totals = usage.usage_totals(
        customer=customer,
        meters=meters,
        start_at=period.start,
        end_at=period.end,
        received_until=received_until,
    )
    return {item.pk: quantity_of(meter_of(item), totals) for item in items}


def quantity_of(meter: Meter, totals: dict[int, Partial]) -> Decimal:
    """A meter's quantity out of totals by meter id."""
    return aggregate(rule_of(meter), totals.get(meter.pk, NOTHING))


def usage_value_minor(item: SubscriptionItem, quantity: Decimal) -> int:
    """What a quantity costs at an item's price, in minor units, rounded once, half up: as on the invoice line.

    Less than nothing (a meter may take quantities back) has no price and counts as nothing.
    """
    if quantity < 0:
        return 0
    return to_minor(
        rate(price_model(item.price), quantity).amount, item.subscription.currency, Rounding.HALF_UP
    )
