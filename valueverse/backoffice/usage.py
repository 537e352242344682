"""The usage explorer: a meter of a customer by day, hour or property, with the price so far, down to the events."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from billing.catalog.models import Meter
from billing.catalog.selectors import rule_of
from billing.core.aggregation import adds_up
from billing.core.errors import InvalidPeriod
from billing.core.money import format_major
from billing.core.periods import Period
from billing.core.quantity import EXACT, format_quantity
from billing.revenue.inputs import usage_value_minor
from billing.subscriptions.models import SubscriptionItem
from billing.subscriptions.selectors import current_period
from billing.usage.breakdown import (
    Part,
    Question,
    measured_total,
    property_names,
    usage_by_property,
    usage_by_time,
)
from billing.usage.models import UsageEvent
from customers.models import Customer
from customers.selectors import now_for
from valueverse.backoffice.books import require
from valueverse.backoffice.csv_files import csv_response
from valueverse.backoffice.reading import page_address
from valueverse.backoffice.usage_events import EventList
from valueverse.backoffice.usage_forms import DIMENSION, ExplorerForm
from valueverse.patience import attempt

PATIENCE_MS = 8_000
ITEMS_MAX = 20
DAYS_WITHOUT_PLAN = 30


@dataclass(frozen=True, slots=True)
class Row:
    """A part of the usage, what the period costs up to its end (minor units; None: does not apply), and its events."""

    part: Part
    label: str
    so_far_minor: int | None
    address: str
    share: int


@dataclass(frozen=True, slots=True)
class Priced:
    """The fee that a meter's usage is priced by, and the service period that the chosen days begin."""

    item: SubscriptionItem
    period: Period | None

    @property
    def currency(self) -> str:
        return self.item.subscription.currency


@dataclass(frozen=True, slots=True)
class Explored:
    """The answer of the explorer."""

    question: Question
    by: str
    rows: list[Row]
    quantity: Decimal
    events: int
    priced: Priced | None
    total_minor: int | None


def metered_items_of(customer: Customer, meter: Meter | None = None) -> list[SubscriptionItem]:
    """The metered prices of a customer's subscriptions, running ones and newer ones first."""
    items = SubscriptionItem.objects.filter(subscription__customer=customer, price__meter__isnull=False)
    if meter is not None:
        items = items.filter(price__meter=meter)
    found = items.select_related(
        "price__meter",
        "subscription__plan_version__plan",
        "subscription__customer",
    ).order_by("subscription__status", "-subscription_id", "price__position")
    return list(found[:ITEMS_MAX])


def default_days(customer: Customer, items: list[SubscriptionItem]) -> tuple[date, date]:
    """The service period under way, or the last 30 days."""
    at = now_for(customer)
    for item in items:
        period = current_period(item.subscription, at=at)
        if period is not None:
            zone = ZoneInfo(item.subscription.time_zone)
            return period.service.start_on(zone), period.service.last_on(zone)
    today = at.astimezone(ZoneInfo(customer.time_zone)).date()
    return today - timedelta(days=DAYS_WITHOUT_PLAN - 1), today


def priced_period(customer: Customer, meter: Meter, first_on: date, last_on: date) -> Priced | None:
    """How the usage of some days is priced: the item, and its service period if the days begin with it."""
    items = metered_items_of(customer, meter)
    for item in items:
        subscription = item.subscription
        zone = ZoneInfo(subscription.time_zone)
        noon = datetime.combine(first_on, time(23, 59, 59), zone)
        found = current_period(subscription, at=noon) or current_period(
            subscription, at=datetime.combine(first_on, time.min, zone)
        )
        if found is not None:
            service = found.service
            begins = service.start_on(zone) == first_on and last_on <= service.last_on(zone)
            return Priced(item, service if begins else None)
    return Priced(items[0], None) if items else None


def asked(form: ExplorerForm) -> tuple[Question, Priced | None]:
    """The question that a valid form asks. Days that are a service period mean its exact instants."""
    given = form.cleaned_data
    customer, meter, first_on, last_on = given["customer"], given["meter"], given["from"], given["to"]
    priced = priced_period(customer, meter, first_on, last_on)
    zone = ZoneInfo(priced.item.subscription.time_zone if priced else customer.time_zone)
    start_at = datetime.combine(first_on, time.min, zone)
    end_at = datetime.combine(last_on + timedelta(days=1), time.min, zone)
    if priced is not None and priced.period is not None:
        start_at = priced.period.start
        if priced.period.last_on(zone) == last_on:
            end_at = priced.period.end
    question = Question(
        customer, meter, start_at, end_at, zone, given["received_after"], given["received_until"]
    )
    return question, priced


def explore(form: ExplorerForm) -> Explored:
    """The usage that a valid form asks for. Raises InvalidPeriod."""
    question, priced = asked(form)
    by: str = form.cleaned_data["by"]
    dimension = by.removeprefix(DIMENSION) if by.startswith(DIMENSION) else None
    if dimension is None:
        parts = usage_by_time(question, unit=by)
    else:
        parts = usage_by_property(question, name=dimension)
    quantity, events = Decimal(0), 0
    may_price = (
        priced is not None
        and priced.period is not None
        and question.received_after is None
        and not (priced.item.price.filters or priced.item.price.excluded or question.meter.group_by)
    )
    rows: list[Row] = []
    largest = max((abs(part.quantity) for part in parts), default=Decimal(0))
    for part in parts:
        quantity, events = EXACT.add(quantity, part.quantity), events + part.events
        so_far = (
            usage_value_minor(priced.item, quantity) if may_price and priced and dimension is None else None
        )
        share = int(abs(part.quantity) * 1000 / largest) if largest else 0
        rows.append(Row(part, label_of(part, question, by), so_far, events_of(part, question, by), share))
    if not adds_up(rule_of(question.meter)):
        # The parts are measured each by itself; what is priced is what the whole measures.
        whole = measured_total(question)
        quantity, events = whole.units, whole.event_count
        rows = [replace(row, so_far_minor=None) for row in rows]
    total = usage_value_minor(priced.item, quantity) if may_price and priced else None
    return Explored(question, by, rows, quantity, events, priced, total)


def label_of(part: Part, question: Question, by: str) -> str:
    """How a row is called."""
    if part.is_others:
        return "All others"
    if part.at is None:
        return "Without it" if part.value is None else part.value or "Empty text"
    local = part.at.astimezone(question.zone)
    return f"{local:%Y-%m-%d}" if by == "day" else f"{local:%Y-%m-%d %H:%M}"


def events_of(part: Part, question: Question, by: str) -> str:
    """The address of the events of a row; none for the row of all others."""
    if part.is_others:
        return ""
    start_at, end_at = question.start_at, question.end_at
    narrowed: dict[str, str] = {}
    if part.at is None:
        name = by.removeprefix(DIMENSION)
        narrowed = {"without": name} if part.value is None else {"property": name, "value": part.value}
    else:
        local = part.at.astimezone(question.zone)
        after = (
            datetime.combine(local.date() + timedelta(days=1), time.min, question.zone)
            if by == "day"
            else part.at + timedelta(hours=1)
        )
        start_at, end_at = max(start_at, part.at), min(end_at, after)
    address = page_address(
        "usage_events",
        customer=question.customer.public_id,
        meter=question.meter.code,
        at_from=start_at.isoformat(),
        at_to=end_at.isoformat(),
        received_after=question.received_after.isoformat() if question.received_after else "",
        received_until=question.received_until.isoformat() if question.received_until else "",
        **narrowed,
    )
    return address if narrowed.get("value") != "" else f"{address}&value="


def period_beside(found: Explored, *, earlier: bool) -> tuple[date, date] | None:
    """The service period before or after the one shown; None where the days are no service period."""
    if found.priced is None or found.priced.period is None:
        return None
    subscription, shown = found.priced.item.subscription, found.priced.period
    at = shown.start - timedelta(microseconds=1) if earlier else shown.end
    beside = current_period(subscription, at=at)
    if beside is None or (not earlier and beside.service.start > now_for(found.question.customer)):
        return None
    zone = ZoneInfo(subscription.time_zone)
    return beside.service.start_on(zone), beside.service.last_on(zone)


def chart_of(found: Explored) -> dict[str, Any]:
    """The rows as bars; by day, those without usage too: a chart needs an even axis."""
    rows = [(row.label, row.part.quantity) for row in found.rows]
    if found.by == "day":
        zone, used = found.question.zone, dict(rows)
        first_on = found.question.start_at.astimezone(zone).date()
        last_on = (found.question.end_at - timedelta(microseconds=1)).astimezone(zone).date()
        days = [first_on + timedelta(days=number) for number in range((last_on - first_on).days + 1)]
        rows = [(f"{day}", used.get(f"{day}", Decimal(0))) for day in days]
    elif found.by == "hour":
        rows = [(label[5:], quantity) for label, quantity in rows]
    return {
        "labels": [label[5:] if found.by == "day" else label[:16] for label, _ in rows],
        "series": [
            {"name": found.question.meter.name, "values": [format_quantity(quantity) for _, quantity in rows]}
        ],
    }


class UsageViews:
    """The pages of the explorer."""

    def __init__(self, site: Any) -> None:
        self.site = site
        self.events = EventList(site)

    def urls(self) -> list[URLPattern]:
        view = self.site.admin_view
        return [
            path("usage/explorer/", view(self.explorer), name="usage_explorer"),
            path("usage/explorer/usage.csv", view(self.csv), name="usage_explorer_csv"),
            path("usage/explorer/events/", view(self.events.page), name="usage_events"),
        ]

    def form(self, request: HttpRequest) -> ExplorerForm:
        """The form, with the customer's meter and period under way where none is chosen."""
        given = request.GET.copy()
        form = ExplorerForm(given)
        customer = form.found_customer()
        if customer is not None:
            items = metered_items_of(customer)
            first_on, last_on = default_days(customer, items)
            meters = form.fields["meter"].queryset  # type: ignore[attr-defined]
            first = items[0].price.meter if items else meters.first()
            given.setdefault("meter", first.code if first else "")
            if not given.get("from") and not given.get("to"):
                given["from"], given["to"] = f"{first_on:%Y-%m-%d}", f"{last_on:%Y-%m-%d}"
            given.setdefault("by", "day")
            form = ExplorerForm(given)
            meter = Meter.objects.filter(code=given["meter"][:60]).first()
            if meter is not None:
                names = property_names(
                    customer=customer, meter=meter, end_at=now_for(customer) + timedelta(days=1)
                )
                form.offer(names, str(given["by"]))
        return form

    def answer(self, form: ExplorerForm) -> tuple[Explored | None, bool]:
        """What was found, and whether it took too long; a period that is refused stands at its field."""
        if not form.is_bound or not form.data.get("customer") or not form.is_valid():
            return None, False
        try:
            found = attempt("usage explorer", lambda: explore(form), patience_ms=PATIENCE_MS)
        except InvalidPeriod as error:
            form.add_error("to", error.message[:1].upper() + error.message[1:] + ".")
            return None, False
        return found, found is None

    def explorer(self, request: HttpRequest) -> HttpResponse:
        """The page."""
        require(request, "usage.view_usagerollup")
        form = self.form(request)
        found, is_late = self.answer(form)
        is_asked = bool(request.GET.get("customer"))
        context = {
            **self.site.each_context(request),
            "title": "Usage explorer",
            "is_fullwidth": "1",
            "form": form if is_asked else ExplorerForm(initial={"by": "day"}),
            "found": found,
            "is_late": is_late,
            "earlier": self.beside(form, found, earlier=True),
            "later": self.beside(form, found, earlier=False),
            "chart": chart_of(found) if found else None,
            "query": urlencode(dict(form.data.items())) if is_asked else "",  # with what the page filled in
            "has_events": UsageEvent.objects.exists(),
            "may_see_events": request.user.has_perm("usage.view_usageevent"),
            "kind": "Value"
            if found and found.by.startswith(DIMENSION)
            else "Hour from"
            if found and found.by == "hour"
            else "Day",
        }
        status = 400 if is_asked and not form.is_valid() else 503 if is_late else 200
        return TemplateResponse(request, "backoffice/usage_explorer.html", context, status=status)

    @staticmethod
    def beside(form: ExplorerForm, found: Explored | None, *, earlier: bool) -> str:
        """The same question about the period before or after."""
        days = period_beside(found, earlier=earlier) if found else None
        if found is None or days is None:
            return ""
        return page_address(
            "usage_explorer",
            customer=found.question.customer.public_id,
            meter=found.question.meter.code,
            by=found.by,
            **{"from": days[0], "to": days[1]},
        )

    def csv(self, request: HttpRequest) -> HttpResponseBase:
        """The same rows as CSV: neutral figures, text that no spreadsheet runs."""
        require(request, "usage.view_usagerollup")
        form = self.form(request)
        found, _ = self.answer(form)
        if found is None:
            return self.explorer(request)
        return csv_response(f"usage-{found.question.meter.code}-{form.cleaned_data['from']}", csv_rows(found))


def csv_rows(found: Explored) -> Iterator[tuple[str, ...]]:
    """Header, rows and their total."""
    name = found.by.removeprefix(DIMENSION)
    yield (name, "meter", "quantity", "unit", "events", "amount_so_far", "currency")
    currency = found.priced.currency if found.priced else ""
    meter = found.question.meter
    unit = found.priced.item.price.unit_code if found.priced else meter.unit_code
    for row in found.rows:
        so_far = "" if row.so_far_minor is None else format_major(row.so_far_minor, currency)
        yield (
            row.label,
            meter.code,
            format_quantity(row.part.quantity),
            unit,
            str(row.part.events),
            so_far,
            currency,
        )
    total = "" if found.total_minor is None else format_major(found.total_minor, currency)
    yield ("total", meter.code, format_quantity(found.quantity), unit, str(found.events), total, currency)
