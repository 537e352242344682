"""The page of a subscription: its time line, what each item has been charged for, and its documents."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Max, Q
from django.http import HttpRequest

from billing.activity.selectors import activity_of
from billing.catalog.admin import price_lines
from billing.core.lifecycles import InvoiceStatus
from billing.invoices.current_usage import CurrentUsage, current_usage
from billing.invoices.models import Invoice
from billing.platform import display
from billing.reports.recurring import mrr_of_subscriptions
from billing.subscriptions.admin import SubscriptionAdmin
from billing.subscriptions.models import Subscription, SubscriptionItem
from billing.subscriptions.selectors import current_period
from customers.selectors import now_for
from valueverse.backoffice.pages import ObjectPage
from valueverse.backoffice.subscription_verbs import SUBSCRIPTION_VERBS, Start, bill_of, day_of

INVOICES = 50
POINTS_MAX = 4
"""Invoices on the time line: the latest few."""


@dataclass(frozen=True, slots=True)
class Point:
    """A point of the time line. address: the document behind it, if any; tone: past, today or ahead."""

    on: date
    what: str
    tone: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class ItemRow:
    """An item with the last day it was charged for, and the amount used since the last bill (net, minor units)."""

    item: SubscriptionItem
    figures: list[str]
    charged_through_on: date | None
    since_minor: int | None


def timeline(
    subscription: Subscription, invoices: list[Invoice], charged: date | None, at: datetime
) -> list[Point]:
    """Started, invoiced, billed through, today, renews or ends; by day."""
    zone = subscription.time_zone
    today = day_of(at, zone)
    points = [
        Point(
            day_of(subscription.started_at, zone), "Starts" if subscription.started_at > at else "Started", ""
        )
    ]
    points += [
        Point(one.issued_on, f"Invoiced {one.number}", "", display.page_of(one))
        for one in reversed(invoices[:POINTS_MAX])
        if one.issued_on
    ]
    if charged is not None:
        points.append(Point(charged, "Charged through", ""))
    points.append(Point(today, "Today", "today"))
    if subscription.cancel_at is not None:
        points.append(Point(day_of(subscription.cancel_at, zone), "Service ends", ""))
    elif period := current_period(subscription, at=at):
        points.append(Point(day_of(period.service.end, zone), "Renews", ""))
    order = {"Started": 0, "Starts": 0, "Today": 2}
    points.sort(key=lambda point: (point.on, order.get(point.what, 1)))
    return [
        Point(one.on, one.what, one.tone or ("past" if one.on <= today else "ahead"), one.address)
        for one in points
    ]


def item_rows(subscription: Subscription, usage: CurrentUsage | None) -> list[ItemRow]:
    """The items in the order of the invoice."""
    billed = Max("billed_periods__end_at", filter=Q(billed_periods__released_at=None))
    items = (
        subscription.items.select_related("price__meter")
        .order_by("price__position")
        .annotate(charged_until=billed)
    )
    used = {row.code: row.amount_minor for row in usage.items} if usage else {}
    rows = []
    for item in items:
        until: Any = item.charged_until
        through = day_of(until - timedelta(microseconds=1), subscription.time_zone) if until else None
        rows.append(ItemRow(item, price_lines(item.price.definition), through, used.get(item.price.code)))
    return rows


@admin.register(Subscription)
class SubscriptionPage(ObjectPage, SubscriptionAdmin):
    """A subscription with its time line, items and documents."""

    page_template = "backoffice/subscription.html"
    create = Start()
    verbs = SUBSCRIPTION_VERBS
    list_display = [
        "customer_name", "plan_version", "status_pill", "next_change", "charged_through", "mrr_figure",
        "next_billing_at", "started_at", "external_id", "public_id",
    ]  # fmt: skip
    list_amounts: ClassVar = {"mrr_figure": None}

    def prepare_rows(self, request: HttpRequest, rows: list[Any]) -> None:
        super().prepare_rows(request, rows)
        recurring = mrr_of_subscriptions([row.pk for row in rows])
        for row in rows:
            row.listed_mrr = recurring[row.pk]

    @admin.display(description="MRR")
    def mrr_figure(self, row: Subscription) -> display.Cell:
        return display.amount_cell(getattr(row, "listed_mrr", 0), row.currency)

    def get_queryset(self, request: HttpRequest) -> Any:
        return (
            super()
            .get_queryset(request)
            .select_related("customer__test_clock", "legal_entity", "plan_version__plan")
        )

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        at = now_for(row.customer)
        usage = current_usage(subscription=row, at=at)
        items = item_rows(row, usage)
        issued: list[Invoice] = []
        if request.user.has_perm("invoices.view_invoice"):
            issued = list(row.invoices.order_by("-pk")[:INVOICES])
        finalized = [one for one in issued if one.status == InvoiceStatus.FINALIZED]
        charged = max((one.charged_through_on for one in items if one.charged_through_on), default=None)
        return {
            "title": f"{row.customer}: {row.plan_version}",
            "at": at,
            "timeline": timeline(row, finalized, charged, at),
            "items": items,
            "usage": usage,
            "charged_through_on": charged,
            "next_bill": bill_of(row, at=at) if row.next_billing_at else None,
            "invoices": issued,
            "activity": list(activity_of(object_id=row.public_id)[:20]),
        }
