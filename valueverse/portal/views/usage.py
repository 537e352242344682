"""Usage by meter, and by day or a property of the events, on the page and as a file.

The totals are those of the home page, from the same query; the values of a property add up to them.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from billing.core.money import format_major
from billing.core.periods import Period
from billing.core.quantity import format_quantity
from billing.invoices.documents.formatting import format_period, format_short_date
from billing.platform.spreadsheets import safe_text
from billing.subscriptions.models import Subscription
from billing.usage.breakdown import EVENTS_RANGE_MAX, Part, Question, property_names, usage_by_property
from valueverse.patience import attempt
from valueverse.portal.access import Member, for_members, show
from valueverse.portal.billing_view import UsageOfMeter, all_subscriptions, periods, usage_by_day
from valueverse.portal.words import say

PATIENCE_MS = 5_000
SPLIT = "property:"
CHART_VALUES = 12
"""How many values the chart draws; the table has all that are named."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the page is about: a subscription, one of its periods, a meter, and a property to split it by ("": days)."""

    subscriptions: list[Subscription]
    subscription: Subscription
    periods: list[Period]
    period: Period
    meters: list[UsageOfMeter]
    meter: UsageOfMeter | None
    properties: list[str]
    split: str

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.subscription.time_zone)


def _chosen(request: HttpRequest, member: Member) -> Choice | None:
    """What the address asks for; anything unknown in it means the first of its kind, the newest period."""
    found = all_subscriptions(member.customer)
    found = [row for row in found if row.started_at <= member.at]
    if not found:
        return None
    found.reverse()
    subscription = next((row for row in found if row.public_id == request.GET.get("plan")), found[0])
    zone = ZoneInfo(subscription.time_zone)
    offered = periods(subscription, at=member.at)
    wanted = request.GET.get("from")
    period = next((one for one in offered if one.start_on(zone).isoformat() == wanted), offered[0])
    meters = usage_by_day(subscription, period=period)
    meter = next((one for one in meters if one.meter.code == request.GET.get("meter")), None)
    meter = meter or (meters[0] if meters else None)
    names: list[str] = []
    if meter is not None and period.end - period.start <= EVENTS_RANGE_MAX:
        names = property_names(customer=member.customer, meter=meter.meter, end_at=period.end)
    split = request.GET.get("by", "").removeprefix(SPLIT)
    split = split if split in names and request.GET.get("by", "").startswith(SPLIT) else ""
    return Choice(found, subscription, offered, period, meters, meter, names, split)


def _parts(choice: Choice, one: UsageOfMeter) -> list[Part] | None:
    """The usage of a meter by the values of the chosen property; None if that takes too long."""
    question = Question(
        choice.subscription.customer, one.meter, choice.period.start, choice.period.end, choice.zone
    )
    return attempt(
        "portal usage split",
        lambda: usage_by_property(question, name=choice.split),
        patience_ms=PATIENCE_MS,
    )


def _label(part: Part, language: str) -> str:
    """How a value is called; what the events say stays as they say it."""
    if part.is_others:
        return say(language, "others")
    if part.value is None:
        return say(language, "without_value")
    return part.value or say(language, "empty_value")


@require_safe
@for_members
def usage(request: HttpRequest, member: Member) -> HttpResponse:
    """A meter of a period: its days as chart and table, with the price so far."""
    choice = _chosen(request, member)
    content: dict[str, Any] = {"choice": choice}
    if choice is not None:
        content["is_current"] = choice.period.start <= member.at < choice.period.end
        content["periods"] = [
            (one.start_on(choice.zone).isoformat(), _words(one, choice, member), one == choice.period)
            for one in choice.periods
        ]
        content["period"] = _words(choice.period, choice, member)
        content["from"] = choice.period.start_on(choice.zone).isoformat()
        if choice.meter is not None and choice.split:
            parts = _parts(choice, choice.meter)
            content["too_slow"] = parts is None
            content["parts"] = [(_label(part, member.language), part) for part in parts or []]
            content["events"] = Decimal(sum(part.events for part in parts or []))
            content["chart"] = [
                {"label": label[:14], "quantity": format_quantity(part.quantity)}
                for label, part in content["parts"][:CHART_VALUES]
            ]
        elif choice.meter is not None:
            content["chart"] = _chart(choice.period, choice.meter, member)
    return show(request, "usage", content, member=member)


def _chart(period: Period, meter: UsageOfMeter, member: Member) -> list[dict[str, str]]:
    """Every day of the period up to today, those without usage too: a chart needs an even axis."""
    zone = ZoneInfo(meter.item.subscription.time_zone)
    first_on, last_on = period.start_on(zone), min(period.last_on(zone), member.at.astimezone(zone).date())
    used = {row.day: row.quantity for row in meter.days}
    days = (first_on + timedelta(days=number) for number in range((last_on - first_on).days + 1))
    return [
        {
            "label": format_short_date(day, member.language, beside=last_on),
            "quantity": format_quantity(used.get(day, Decimal(0))),
        }
        for day in days
    ]


def _words(period: Period, choice: Choice, member: Member) -> str:
    return format_period(period.start_on(choice.zone), period.last_on(choice.zone), member.language)


@require_safe
@for_members
def export(request: HttpRequest, member: Member) -> HttpResponse:
    """The period's usage of every meter as CSV: neutral figures, days of the customer's time zone."""
    choice = _chosen(request, member)
    file = io.StringIO()
    writer = csv.writer(file)
    if choice is not None and choice.split:
        rows = _value_rows(choice, member.language)
    else:
        rows = _day_rows(choice)
    writer.writerows(rows)
    start = choice.period.start_on(choice.zone).isoformat() if choice else "none"
    answer = HttpResponse(file.getvalue(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = str(
        content_disposition_header(as_attachment=True, filename=f"usage-{start}.csv")
    )
    return answer


def _day_rows(choice: Choice | None) -> Iterator[list[str]]:
    """Header, and every day of every meter with the price so far."""
    yield ["day", "meter", "name", "quantity", "unit", "price_so_far", "currency"]
    for one in choice.meters if choice else []:
        currency = one.item.subscription.currency
        for row in one.days:
            yield [
                row.day.isoformat(),
                safe_text(one.meter.code),
                safe_text(one.item.price.name),
                format_quantity(row.quantity),
                one.item.price.unit_code,
                format_major(row.so_far_minor, currency),
                currency,
            ]


def _value_rows(choice: Choice, language: str) -> Iterator[list[str]]:
    """Header, and every value of the property for every meter, the largest first."""
    yield [safe_text(choice.split), "meter", "name", "quantity", "unit", "events"]
    for one in choice.meters:
        for part in _parts(choice, one) or []:
            yield [
                safe_text(_label(part, language)),
                safe_text(one.meter.code),
                safe_text(one.item.price.name),
                format_quantity(part.quantity),
                one.item.price.unit_code,
                str(part.events),
            ]
