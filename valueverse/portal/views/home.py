"""Home and subscriptions: where a customer stands, and what comes next."""

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from billing.catalog.selectors import price_model
from billing.core.pricing import Flat, Graduated, Package, PerUnit, Volume
from billing.core.pricing.tiers import Tier
from billing.invoices.documents.formatting import format_quantity, format_unit_amount
from billing.invoices.models import Invoice
from billing.subscriptions.models import Subscription, SubscriptionItem
from customers.models import CollectionMethod
from customers.selectors import payer_of
from payments.selectors import default_method
from valueverse.portal.access import Member, for_members, note_seen, show
from valueverse.portal.billing_view import Outlook, all_subscriptions, outlook, running_subscriptions
from valueverse.portal.explanation import tier_words
from valueverse.portal.states import State, subscription_state
from valueverse.portal.views.invoices import listed, open_only, visible_invoices
from valueverse.portal.words import say

LATEST = 3


@dataclass(frozen=True, slots=True)
class PriceRow:
    """A price of a plan in words: name, price, and its tiers as label and price."""

    name: str
    price: str
    tiers: list[tuple[str, str]]
    note: str


@require_safe
@for_members
def home(request: HttpRequest, member: Member) -> HttpResponse:
    """The current period so far, what comes next, and what is open."""
    outlooks = [outlook(row, at=member.at) for row in running_subscriptions(member.customer)]
    issued = visible_invoices(member).defer("snapshot")
    open_invoices, latest = list(open_only(issued)), list(issued[:LATEST])
    note_seen(member, {*latest, *open_invoices})
    content = {
        "outlooks": outlooks,
        "open": open_totals(open_invoices),
        "open_count": len(open_invoices),
        "open_invoice": open_invoices[0] if len(open_invoices) == 1 else None,
        "latest": listed(latest, member),
        "method": default_method(customer=payer_of(member.customer)),
        "by_transfer": member.customer.collection_method == CollectionMethod.SEND_INVOICE,
        "pays_itself": member.customer.payer_id is None,
        "first_on": min((one.next_invoice.at for one in outlooks if one.next_invoice), default=None),
    }
    return show(request, "home", content, member=member)


def open_totals(invoices: list[Invoice]) -> list[tuple[str, int]]:
    """What is open, one sum per currency, in minor units."""
    sums: defaultdict[str, int] = defaultdict(int)
    for invoice in invoices:
        sums[invoice.currency] += invoice.open_minor
    return sorted(sums.items())


@require_safe
@for_members
def subscriptions(request: HttpRequest, member: Member) -> HttpResponse:
    """What the customer has agreed to, what it costs, and what comes next and when."""
    rows = [_subscription(row, member) for row in reversed(all_subscriptions(member.customer))]
    return show(request, "subscriptions", {"subscriptions": rows}, member=member)


def _subscription(subscription: Subscription, member: Member) -> dict[str, Any]:
    state: State = subscription_state(subscription, member)
    items = subscription.items.select_related("price").order_by("price__position")
    seen: Outlook = outlook(subscription, at=member.at)
    return {
        "subscription": subscription,
        "state": state,
        "outlook": seen,
        "prices": [price_row(item, subscription, member) for item in items],
    }


def _interval(subscription: Subscription, member: Member) -> str:
    version = subscription.plan_version
    if version.interval_count == 1:
        return member.say(f"interval_{version.interval_unit}")
    return member.say(f"interval_{version.interval_unit}s", count=version.interval_count)


def price_row(item: SubscriptionItem, subscription: Subscription, member: Member) -> PriceRow:
    """A price of the plan, in the customer's words."""
    return _PriceWords(item, subscription.currency, member.language, _interval(subscription, member)).row()


class _PriceWords:
    """Puts the terms of one price into words."""

    def __init__(self, item: SubscriptionItem, currency: str, language: str, interval: str) -> None:
        self.item, self.currency, self.language, self.interval = item, currency, language, interval

    def row(self) -> PriceRow:
        model = price_model(self.item.price)
        name = self.item.price.name
        match model:
            case Flat():
                amount = f"{self.amount(model.amount)} {self.currency}"
                times = (
                    f"{format_quantity(self.item.quantity, self.language)} × "
                    if self.item.quantity != 1
                    else ""
                )
                fee = self.say("per_interval", amount=times + amount, interval=self.interval)
                return PriceRow(name, fee, [], "")
            case PerUnit():
                return PriceRow(
                    name, self.say("per_unit_price", price=self.priced(model.unit_amount)), [], ""
                )
            case Package():
                size = format_quantity(model.size, self.language)
                price = self.say("package_price", amount=self.priced(model.amount), size=size)
                free = format_quantity(model.free_units, self.language) if model.free_units else ""
                return PriceRow(name, price, [], self.say("package_free", free=free) if free else "")
            case Graduated():
                return PriceRow(
                    name, self.say("usage_price"), self.tiers(model.tiers), self.say("graduated_note")
                )
            case Volume():
                return PriceRow(
                    name, self.say("usage_price"), self.tiers(model.tiers), self.say("volume_note")
                )

    def say(self, key: str, **values: object) -> str:
        return say(self.language, key, **values)

    def amount(self, amount: Decimal) -> str:
        return format_unit_amount(amount, self.currency, self.language)

    def priced(self, amount: Decimal) -> str:
        return f"{self.amount(amount)} {self.currency}"

    def tiers(self, tiers: tuple[Tier, ...]) -> list[tuple[str, str]]:
        rows: list[tuple[str, str]] = []
        start: Decimal | None = None
        for tier in tiers:
            price = self.say("per_unit_price", price=self.priced(tier.unit_amount))
            if tier.flat_amount:
                price += f", {self.say('tier_flat', amount=self.priced(tier.flat_amount))}"
            rows.append((tier_words(start, tier.up_to, language=self.language), price))
            start = tier.up_to
        return rows
