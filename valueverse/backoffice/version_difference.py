"""What a plan version changes against another, in words and in the amounts of last month's real usage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from billing.catalog.models import PlanVersion, Price
from billing.catalog.selectors import price_model
from billing.core.billing_moments import service_period
from billing.core.lifecycles import SubscriptionStatus
from billing.core.money import Rounding, to_minor
from billing.core.periods import Period
from billing.core.pricing import rate
from billing.core.pricing.differences import Change, Difference, NamedPrice, differences
from billing.platform import display
from billing.revenue.inputs import billable, usage_of_prices
from billing.subscriptions.models import Subscription
from billing.subscriptions.selectors import terms_of
from customers.models import Customer
from customers.selectors import now_for

CUSTOMERS_MAX = 100
"""How many subscriptions the effect is computed for; each costs a query over its usage."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the difference as the page prints it."""

    code: str
    what: str
    change: str
    before: str
    after: str
    percent: int | None
    is_first: bool


@dataclass(frozen=True, slots=True)
class Effect:
    """One customer's last whole period at the prices of both versions, net, in minor units."""

    customer: Customer
    subscription: Subscription
    period: Period
    before_minor: int
    after_minor: int

    @property
    def change_minor(self) -> int:
        return self.after_minor - self.before_minor


@dataclass(frozen=True, slots=True)
class Effects:
    """The effect on the subscriptions of a plan. left_out: how many more there are; no_period: not served yet."""

    rows: list[Effect]
    count: int
    no_period: int
    before_minor: int
    after_minor: int
    currency: str

    @property
    def left_out(self) -> int:
        return max(0, self.count - CUSTOMERS_MAX)

    @property
    def change_minor(self) -> int:
        return self.after_minor - self.before_minor


def term_words(version: PlanVersion) -> dict[str, str]:
    """The terms of a version that are not prices."""
    count = version.interval_count
    unit = version.interval_unit if count == 1 else f"{count} {version.interval_unit}s"
    return {
        "currency": version.currency,
        "billed every": unit,
        "proration": version.get_proration_display(),
        "periods": "calendar" if version.anchor == "calendar" else "from the day of start",
        "late usage": f"let go up to {display.amount(version.late_usage_up_to_minor, version.currency)}"
        if version.late_usage == "forgive"
        else {"bill": "billed", "ask": "asked about"}[version.late_usage],
        "short periods": "not cut"
        if version.proration == "none"
        else f"by {version.proration.replace('_', ' ')}",
    }


def difference(before: PlanVersion, after: PlanVersion) -> list[Row]:
    """Terms and prices side by side, in words; what is the same is in the list too."""
    old, new = term_words(before), term_words(after)
    rows = [
        Difference(
            "terms", what, Change.SAME if old[what] == new[what] else Change.CHANGED, old[what], new[what]
        )
        for what in new
    ]
    rows += differences(_named(before), _named(after))
    seen: set[tuple[str, bool]] = set()
    shown = []
    for row in rows:
        percent = row.percent if before.currency == after.currency else None
        shown.append(
            Row(
                row.code,
                row.what,
                str(row.change),
                _words(row.before),
                _words(row.after),
                percent,
                (row.code, True) not in seen,
            )
        )
        seen.add((row.code, True))
    return shown


def _named(version: PlanVersion) -> list[NamedPrice]:
    return [
        NamedPrice(row.code, row.name, row.meter.code if row.meter else "", price_model(row))
        for row in version.prices.all()
    ]


def _words(value: Decimal | str | None) -> str:
    if value is None:
        return "–"
    return display.quantity(value) if isinstance(value, Decimal) else value


def subscribers(version: PlanVersion) -> Any:
    """Live subscriptions of one version."""
    return version.subscriptions.exclude(status=SubscriptionStatus.CANCELED)


def effects(version: PlanVersion) -> Effects:
    """What the last whole service period of the plan's other live subscribers would have cost at this version.

    The usage is that of the meters, whichever version reads them; fees count in full. Oldest subscriptions first.
    """
    found = (
        Subscription.objects.filter(
            plan_version__plan=version.plan, status=SubscriptionStatus.ACTIVE, currency=version.currency
        )
        .exclude(plan_version=version)
        .select_related("customer__test_clock", "plan_version")
        .prefetch_related("items__price__meter")
        .order_by("pk")
    )
    rows, no_period = [], 0
    prices = list(version.prices.select_related("meter").order_by("position"))
    for subscription in found[:CUSTOMERS_MAX]:
        period = last_period(subscription, at=now_for(subscription.customer))
        if period is None:
            no_period += 1
            continue
        rows.append(_effect(subscription, prices, period))
    return Effects(
        rows,
        found.count(),
        no_period,
        sum(row.before_minor for row in rows),
        sum(row.after_minor for row in rows),
        version.currency,
    )


def last_period(subscription: Subscription, *, at: datetime) -> Period | None:
    """The last service period that has ended; None in the first one."""
    terms = terms_of(subscription)
    if at <= terms.started_at:
        return None
    current = service_period(terms, at)
    before = current.service.start - timedelta(microseconds=1)
    return service_period(terms, before).service if before >= terms.started_at else None


def _effect(subscription: Subscription, prices: Sequence[Price], period: Period) -> Effect:
    items = list(subscription.items.all())
    old = [item.price for item in items]
    metered = [price for price in [*old, *prices] if price.meter is not None]
    found = usage_of_prices(
        customer=subscription.customer,
        prices=metered,
        period=period,
        zone=ZoneInfo(subscription.time_zone),
        whole=service_period(terms_of(subscription), period.start).whole,
    )
    quantities = {
        price.pk: [billable(one.quantity) for one in groups]
        for price, groups in zip(metered, found, strict=True)
    }
    fees = {item.price.code: item.quantity for item in items if item.price.meter_id is None}
    currency = subscription.currency
    before = sum(_amount(price, quantities, fees, currency) for price in old)
    after = sum(_amount(price, quantities, fees, currency) for price in prices)
    return Effect(subscription.customer, subscription, period, before, after)


def _amount(
    price: Price, quantities: Mapping[int, Sequence[Decimal]], fees: Mapping[str, Decimal], currency: str
) -> int:
    priced = [fees.get(price.code, Decimal(1))] if price.meter_id is None else quantities[price.pk]
    model = price_model(price)
    return sum(to_minor(rate(model, quantity).amount, currency, Rounding.HALF_UP) for quantity in priced)
