"""Pricing inputs of a service period, gathered from rows as plain values.

They lie here, below invoices, because accrual at month end prices the same usage that the invoice prices later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from billing.catalog.models import Meter, Price
from billing.catalog.selectors import price_model, rule_of_price
from billing.core.aggregation import Partial, Window
from billing.core.money import Rounding, to_minor
from billing.core.periods import Period
from billing.core.pricing import rate
from billing.subscriptions.models import SubscriptionItem
from billing.usage.measuring import Asked, measure_usage
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


@dataclass(frozen=True, slots=True)
class GroupUsage:
    """What a price has to price: the units of one group of a meter. group: property and value; () without groups."""

    group: tuple[tuple[str, str | None], ...]
    quantity: Decimal
    event_count: int


def usage_of_items(
    *,
    customer: Customer,
    items: Sequence[SubscriptionItem],
    period: Period,
    received_until: datetime | None,
    whole: Period | None = None,
) -> dict[int, list[GroupUsage]]:
    """What each metered item (by item id) has to price of a period, as received by an instant (None: so far).

    One entry for a meter without groups, one per group with usage else, in order of the values. whole: the service
    period that `period` is a part of, for meters that weigh time; none: itself.
    """
    found: dict[int, list[GroupUsage]] = {}
    for zone, here in _by_zone(items).items():
        used = usage_of_prices(
            customer=customer,
            prices=[item.price for item in here],
            period=period,
            zone=ZoneInfo(zone),
            received_until=received_until,
            whole=whole,
        )
        found |= {item.pk: groups for item, groups in zip(here, used, strict=True)}
    return found


def usage_of_prices(
    *,
    customer: Customer,
    prices: Sequence[Price],
    period: Period,
    zone: ZoneInfo,
    received_until: datetime | None = None,
    whole: Period | None = None,
) -> list[list[GroupUsage]]:
    """What prices on meters would have to price of a customer's usage, whether subscribed to or not: in their order."""
    asked = [asked_by(price) for price in prices]
    measured = measure_usage(
        customer=customer,
        asked=asked,
        window=window_of(period, zone, whole),
        received_until=received_until,
    )
    return [
        [
            GroupUsage(tuple(zip(one.rule.group_by, key, strict=True)), of_group.units, of_group.event_count)
            for key, of_group in groups.items()
        ]
        for one, groups in zip(asked, measured, strict=True)
    ]


def asked_by(price: Price) -> Asked:
    """What a price on a meter asks of usage: the meter, narrowed to the price's events."""
    assert price.meter is not None, "only prices of usage read a meter"
    return Asked(price.meter, rule_of_price(price))


def window_of(period: Period, zone: ZoneInfo, whole: Period | None) -> Window:
    """A period as core measures it, a part of its whole."""
    return Window(period.start, period.end, zone, None if whole is None else whole.end - whole.start)


def _by_zone(items: Sequence[SubscriptionItem]) -> dict[str, list[SubscriptionItem]]:
    zones: dict[str, list[SubscriptionItem]] = {}
    for item in items:
        zones.setdefault(item.subscription.time_zone, []).append(item)
    return zones


def usage_quantities(
    *,
    customer: Customer,
    items: Sequence[SubscriptionItem],
    period: Period,
    received_until: datetime | None,
    whole: Period | None = None,
) -> dict[int, Decimal]:
    """The quantity of each metered item (by item id), its groups added up: `usage_of_items` for those who show it."""
    usage = usage_of_items(
        customer=customer, items=items, period=period, received_until=received_until, whole=whole
    )
    return {pk: sum((one.quantity for one in groups), Decimal(0)) for pk, groups in usage.items()}


def billable(quantity: Decimal) -> Decimal:
    """Units as they are priced: a meter may take quantities back, but less than nothing has no price."""
    return max(quantity, Decimal(0))


def value_of_usage_minor(item: SubscriptionItem, usage: Sequence[GroupUsage]) -> int:
    """What usage costs at an item's price, in minor units: each group priced and rounded apart, as on the invoice."""
    return sum(usage_value_minor(item, one.quantity) for one in usage)


def usage_value_minor(item: SubscriptionItem, quantity: Decimal) -> int:
    """What a quantity costs at an item's price, in minor units, rounded once, half up: as on the invoice line.

    Less than nothing (a meter may take quantities back) has no price and counts as nothing.
    """
    return to_minor(
        rate(price_model(item.price), billable(quantity)).amount, item.subscription.currency, Rounding.HALF_UP
    )
