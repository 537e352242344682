"""Monthly recurring revenue (MRR): what the running subscriptions are worth in fees, as if all billed monthly.

Definition. The sum over active subscriptions of their fixed recurring items: price times quantity, without usage, tax,
credits and one-off amounts, divided down (or multiplied up) to one month. A subscription whose cancellation is
scheduled counts until it ends; a scheduled one does not count before it starts. Amounts are per legal entity and
currency and never added across; test entities have their own figure like their own books.

A month is 1/12 of a year: a yearly fee counts 1/12, a quarterly one 1/3, a weekly one 52/12, a daily one 365/12. Each
item of a subscription is exact until it is rounded once, half up, to minor units; every sum adds these rounded
figures, so that a total equals the list behind it to the minor unit.

Source: Stripe, "Monthly recurring revenue (MRR)": monthly-normalized amounts of active subscriptions, without metered
usage and taxes; ChartMogul, "MRR" (yearly / 12, weekly x 52 / 12, daily x 365 / 12).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db.models import Count, F, QuerySet

from billing.catalog.models import Price
from billing.catalog.selectors import price_model
from billing.core.lifecycles import SubscriptionStatus
from billing.core.money import Rounding, to_minor
from billing.core.periods import IntervalUnit
from billing.core.pricing import rate
from billing.core.proration import prorate
from billing.subscriptions.models import Subscription, SubscriptionItem
from customers.models import LegalEntity

MONTHS: dict[str, Fraction] = {
    IntervalUnit.DAY: Fraction(365, 12),
    IntervalUnit.WEEK: Fraction(52, 12),
    IntervalUnit.MONTH: Fraction(1),
    IntervalUnit.YEAR: Fraction(1, 12),
}
"""How often an interval of one unit fits into a month."""


@dataclass(frozen=True, slots=True)
class Recurring:
    """The MRR of some subscriptions in one currency: minor units, and how many subscriptions have a fee."""

    currency: str
    mrr_minor: int
    subscriptions: int


def item_mrr_minor(*, price: Price, quantity: Decimal, currency: str) -> int:
    """What a fee is worth a month, in minor units, rounded once, half up. price: with its plan version; no meter."""
    version = price.plan_version
    exact = rate(price_model(price), quantity).amount
    return to_minor(
        prorate(exact, MONTHS[version.interval_unit] / version.interval_count), currency, Rounding.HALF_UP
    )


def counted_subscriptions() -> QuerySet[Subscription]:
    """The subscriptions that MRR counts."""
    return Subscription.objects.filter(status=SubscriptionStatus.ACTIVE)


def _valued(items: QuerySet[SubscriptionItem], *keys: str) -> list[tuple[Mapping[str, Any], int]]:
    """Groups of equal fees with what one of them is worth: the database counts, each fee is priced once."""
    groups = list(
        items.filter(price__meter=None, subscription__in=counted_subscriptions())
        .order_by()
        .values(*keys, "price_id", "quantity", currency=F("subscription__currency"))
        .annotate(count=Count("pk"))
    )
    prices = Price.objects.select_related("plan_version").in_bulk({group["price_id"] for group in groups})
    worth: dict[tuple[int, Decimal, str], int] = {}
    valued = []
    for group in groups:
        key = (group["price_id"], group["quantity"], group["currency"])
        if key not in worth:
            worth[key] = item_mrr_minor(price=prices[key[0]], quantity=key[1], currency=key[2])
        valued.append((group, worth[key] * group["count"]))
    return valued


def mrr(*, legal_entity: LegalEntity) -> list[Recurring]:
    """The MRR of a legal entity by currency; empty where nothing is subscribed to.

    Costs one pass over the running subscriptions' items and one pricing for every different fee and quantity.
    """
    items = SubscriptionItem.objects.filter(subscription__legal_entity=legal_entity)
    totals: dict[str, int] = {}
    for group, minor in _valued(items):
        totals[group["currency"]] = totals.get(group["currency"], 0) + minor
    counts = dict(
        counted_subscriptions()
        .filter(legal_entity=legal_entity)
        .order_by()
        .values_list("currency")
        .annotate(count=Count("pk"))
    )
    return [Recurring(currency, totals.get(currency, 0), count) for currency, count in sorted(counts.items())]


def mrr_of_subscriptions(subscription_pks: Iterable[int]) -> dict[int, int]:
    """The MRR of each of a page of subscriptions, by primary key, in minor units of its currency; 0 if it has none.

    Two queries, whatever the number.
    """
    wanted = list(subscription_pks)
    found = dict.fromkeys(wanted, 0)
    for group, minor in _valued(SubscriptionItem.objects.filter(subscription__in=wanted), "subscription_id"):
        found[group["subscription_id"]] += minor
    return found


def mrr_of_customers(customer_pks: Iterable[int]) -> dict[int, dict[str, int]]:
    """The MRR of each of a page of customers, by primary key: minor units by currency; {} if they have none.

    Two queries, whatever the number.
    """
    wanted = list(customer_pks)
    found: dict[int, dict[str, int]] = {pk: {} for pk in wanted}
    items = SubscriptionItem.objects.filter(subscription__customer__in=wanted)
    for group, minor in _valued(items, "subscription__customer_id"):
        sums = found[group["subscription__customer_id"]]
        sums[group["currency"]] = sums.get(group["currency"], 0) + minor
    return found
