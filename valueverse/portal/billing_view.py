"""What the pages show of a subscription: its periods, usage so far, and its next invoice. Questions only."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from zoneinfo import ZoneInfo

from billing.catalog.models import Meter
from billing.catalog.selectors import rule_of
from billing.core.aggregation import Partial, aggregate, rounded_units
from billing.core.billing_moments import service_period
from billing.core.errors import TaxUndetermined
from billing.core.invoice import ChargeKind
from billing.core.lifecycles import SubscriptionStatus
from billing.core.periods import Period
from billing.invoices.current_usage import CurrentUsage, current_usage
from billing.invoices.selectors import preview_invoice
from billing.revenue.inputs import (
    asked_by,
    meter_of,
    metered_items,
    usage_of_items,
    usage_value_minor,
    value_of_usage_minor,
    window_of,
)
from billing.subscriptions.models import Subscription, SubscriptionItem
from billing.subscriptions.selectors import subscriptions_visible_to, terms_of
from billing.usage.measuring import day_starts, is_plain, usage_in_parts
from billing.usage.selectors import daily_totals, receipt_cutoff
from customers.models import Customer

PERIODS_MAX = 24
"""How many past periods the usage page offers."""

_TICK = timedelta(microseconds=1)
_NOTHING = Partial(0, Decimal(0))


@dataclass(frozen=True, slots=True)
class NextInvoice:
    """The next invoice as of now. Amounts in minor units; tax_minor None: not known yet. is_late: overdue to bill."""

    at: datetime
    currency: str
    usage_minor: int
    fees_minor: int
    tax_minor: int | None
    is_late: bool

    @property
    def total_minor(self) -> int:
        return self.usage_minor + self.fees_minor + (self.tax_minor or 0)


@dataclass(frozen=True, slots=True)
class Outlook:
    """A subscription with what has been used and what comes next."""

    subscription: Subscription
    usage: CurrentUsage | None
    next_invoice: NextInvoice | None


@dataclass(frozen=True, slots=True)
class UsageDay:
    """A day of a meter: its quantity, and the price of the period up to its end, in minor units."""

    day: date
    quantity: Decimal
    so_far_minor: int


@dataclass(frozen=True, slots=True)
class UsageOfMeter:
    """A metered price over a period. total_minor is the period's price: net, in minor units, rounded once."""

    item: SubscriptionItem
    meter: Meter
    days: Sequence[UsageDay]
    quantity: Decimal
    total_minor: int


def running_subscriptions(customer: Customer) -> list[Subscription]:
    """The customer's subscriptions that are not over, oldest first."""
    return [row for row in all_subscriptions(customer) if row.status != SubscriptionStatus.CANCELED]


def all_subscriptions(customer: Customer) -> list[Subscription]:
    """Every subscription of the customer, oldest first."""
    return list(reversed(subscriptions_visible_to(customer_id=customer.pk)))


def outlook(subscription: Subscription, *, at: datetime) -> Outlook:
    """Usage so far and the next invoice, from the calculation that will make the invoice."""
    return Outlook(
        subscription, current_usage(subscription=subscription, at=at), _next_invoice(subscription, at=at)
    )


def _next_invoice(subscription: Subscription, *, at: datetime) -> NextInvoice | None:
    moment = subscription.next_billing_at
    if moment is None:
        return None
    received = receipt_cutoff(customer=subscription.customer, at=at)
    try:
        preview = preview_invoice(subscription=subscription, billed_at=moment, usage_until=received)
    except TaxUndetermined:
        usage = current_usage(subscription=subscription, at=min(at, moment - _TICK))
        return NextInvoice(
            moment, subscription.currency, usage.total_minor if usage else 0, 0, None, moment <= at
        )
    if preview is None:
        return NextInvoice(moment, subscription.currency, 0, 0, 0, moment <= at)
    fees = sum(line.amount_minor for line in preview.lines if line.kind is ChargeKind.RECURRING)
    return NextInvoice(
        moment, subscription.currency, preview.subtotal_minor - fees, fees, preview.tax_minor, moment <= at
    )


def periods(subscription: Subscription, *, at: datetime) -> list[Period]:
    """The service periods up to the one that holds `at`, newest first."""
    return list(islice(_periods(subscription, at), PERIODS_MAX))


def _periods(subscription: Subscription, at: datetime) -> Iterator[Period]:
    terms = terms_of(subscription)
    if subscription.cancel_at is not None and at >= subscription.cancel_at:
        at = subscription.cancel_at - _TICK
    while at >= subscription.started_at:
        service = service_period(terms, at).service
        yield service
        at = service.start - _TICK


def usage_by_day(subscription: Subscription, *, period: Period) -> list[UsageOfMeter]:
    """Every metered price of a subscription over a period, day by day of its time zone."""
    items = metered_items(
        list(
            subscription.items.select_related("price__meter", "price__plan_version").order_by(
                "price__position"
            )
        )
    )
    if not items:
        return []
    for item in items:
        item.subscription = subscription
    days = daily_totals(
        customer=subscription.customer,
        meters=[meter_of(item) for item in items],
        start_at=period.start,
        end_at=period.end,
        zone=ZoneInfo(subscription.time_zone),
    )
    return [
        _of_meter(item, days) if is_plain(asked_by(item.price)) else _replayed(subscription, item, period)
        for item in items
    ]


def _replayed(subscription: Subscription, item: SubscriptionItem, period: Period) -> UsageOfMeter:
    """A price whose meter replays its events: each day by itself, and what the period costs up to it."""
    zone = ZoneInfo(subscription.time_zone)
    whole = service_period(terms_of(subscription), period.start).whole
    parts = usage_in_parts(
        customer=subscription.customer,
        asked=asked_by(item.price),
        window=window_of(period, zone, whole),
        starts=day_starts(zone),
    )
    rows = [
        UsageDay(
            part.start_at.astimezone(zone).date(), part.own.units, usage_value_minor(item, part.so_far.units)
        )
        for part in parts
    ]
    used = usage_of_items(
        customer=subscription.customer, items=[item], period=period, received_until=None, whole=whole
    )[item.pk]
    quantity = sum((one.quantity for one in used), Decimal(0))
    return UsageOfMeter(item, meter_of(item), rows, quantity, value_of_usage_minor(item, used))


def _of_meter(item: SubscriptionItem, days: dict[date, dict[int, Partial]]) -> UsageOfMeter:
    meter = meter_of(item)
    rule = rule_of(meter)
    rows: list[UsageDay] = []
    so_far = _NOTHING
    for day, totals in days.items():
        part = totals.get(meter.pk, _NOTHING)
        if not part.count:
            continue
        so_far += part
        value = usage_value_minor(item, rounded_units(rule, aggregate(rule, so_far)))
        rows.append(UsageDay(day, aggregate(rule, part), value))
    quantity = rounded_units(rule, aggregate(rule, so_far))
    return UsageOfMeter(item, meter, rows, quantity, usage_value_minor(item, quantity))
