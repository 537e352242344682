"""Home and subscriptions: where a customer stands, and what comes next."""

from collections import defaultdict
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from billing.invoices.models import Invoice
from billing.subscriptions.models import Subscription
from customers.models import CollectionMethod
from customers.selectors import payer_of
from payments.selectors import default_method
from valueverse.portal.access import Member, for_members, note_seen, show
from valueverse.portal.billing_view import Outlook, all_subscriptions, outlook, running_subscriptions
from valueverse.portal.prices import price_row
from valueverse.portal.states import State, subscription_state
from valueverse.portal.views.invoices import listed, open_only, visible_invoices

LATEST = 3


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
        "prices": [
            price_row(
                item,
                subscription.currency,
                language=member.language,
                interval=_interval(subscription, member),
            )
            for item in items
        ],
    }


def _interval(subscription: Subscription, member: Member) -> str:
    version = subscription.plan_version
    if version.interval_count == 1:
        return member.say(f"interval_{version.interval_unit}")
    return member.say(f"interval_{version.interval_unit}s", count=version.interval_count)
