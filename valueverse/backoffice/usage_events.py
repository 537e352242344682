"""The events behind a figure of usage: as received, and what a meter reads of each."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.core.paginator import Paginator
from django.db.models import QuerySet, TextField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from billing.catalog.models import Meter
from billing.catalog.selectors import rule_of
from billing.core.aggregation import Aggregation
from billing.core.errors import BillingError
from billing.usage.exact_json import decode
from billing.usage.models import UsageEvent
from billing.usage.readings import reading
from valueverse.backoffice.books import require
from valueverse.backoffice.usage_forms import EventsForm
from valueverse.patience import attempt

ROWS = 100
PAGES_MAX = 500
PATIENCE_MS = 8_000


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event, its properties as sent, and its verdict: what the meter reads of it, or why nothing."""

    event: UsageEvent
    properties: str
    quantity: Decimal | None
    verdict: str
    tone: str


class Events(Paginator):  # type: ignore[type-arg]
    """Pages of events; what lies further back is found by narrowing the time."""

    @property
    def num_pages(self) -> int:
        return min(super().num_pages, PAGES_MAX)


def events_of(given: dict[str, Any]) -> QuerySet[UsageEvent]:
    """The events that a valid form asks for, newest receipt first."""
    found = UsageEvent.objects.all()
    if given["customer"] is not None:
        found = found.filter(customer=given["customer"])
    if given["entity"] is not None:
        found = found.filter(customer__legal_entity=given["entity"])
    if given["meter"] is not None:
        found = found.filter(event_type=given["meter"].event_type)
    for name, lookup in (
        ("at_from", "at__gte"),
        ("at_to", "at__lt"),
        ("received_from", "received_at__gte"),
        ("received_to", "received_at__lt"),
        ("received_after", "received_at__gt"),
        ("received_until", "received_at__lte"),
    ):
        if given[name] is not None:
            found = found.filter(**{lookup: given[name]})
    if given["property"]:
        found = found.annotate(split=KeyTextTransform(given["property"], "properties")).filter(
            split=given["value"]
        )
    if given["without"]:
        found = found.annotate(split=KeyTextTransform(given["without"], "properties")).filter(
            split__isnull=True
        )
    return found.select_related("customer").order_by("-received_at", "-pk")


def row_of(event: UsageEvent, meter: Meter | None) -> EventRow:
    """An event as a row. Its properties come as the text that is stored: numbers keep all their digits."""
    text = str(event.properties_text)  # type: ignore[attr-defined]
    if meter is None:
        return EventRow(event, text, None, "Accepted", "good")
    try:
        quantity = reading(meter, rule_of(meter), decode(text.encode()))
    except BillingError as error:
        return EventRow(event, text, None, f"Not read: {error.message}", "caution")
    if quantity is None:
        return EventRow(event, text, None, "Left out by the meter's filters", "caution")
    if meter.aggregation == Aggregation.COUNT:
        quantity = Decimal(1)
    return EventRow(event, text, quantity, "Accepted", "good")


class EventList:
    """The page of events."""

    def __init__(self, site: Any) -> None:
        self.site = site

    def page(self, request: HttpRequest) -> HttpResponse:
        """The events of a part of usage; the count covers all of them."""
        require(request, "usage.view_usageevent")
        form = EventsForm(request.GET)
        context: dict[str, Any] = {
            **self.site.each_context(request),
            "title": "Usage events",
            "is_fullwidth": "1",
            "form": form,
        }
        status = 200 if form.is_valid() else 400
        if form.is_valid():
            found = attempt("usage events", lambda: self.content(request, form), patience_ms=PATIENCE_MS)
            context |= found or {"is_late": True}
            status = 200 if found else 503
        return TemplateResponse(request, "backoffice/usage_events.html", context, status=status)

    @staticmethod
    def content(request: HttpRequest, form: EventsForm) -> dict[str, Any]:
        given = form.cleaned_data
        meter, customer = given["meter"], given["customer"]
        rows = events_of(given).annotate(properties_text=Cast("properties", TextField())).defer("properties")
        page = Events(rows, ROWS).get_page(request.GET.get("p"))
        zone = customer.time_zone if customer else given["entity"].time_zone
        return {
            "page": page,
            "total": page.paginator.count,
            "rows": [row_of(event, meter) for event in page.object_list],
            "meter": meter,
            "given": given,
            "whose": customer or given["entity"],
            "zone": zone,
            "spans": spans(given, ZoneInfo(zone)),
        }


def spans(given: dict[str, Any], zone: ZoneInfo) -> list[str]:
    """What narrows the list, in words."""
    words = []
    for label, start, end in (("used", "at_from", "at_to"), ("received", "received_from", "received_to")):
        bounds = [
            f"{word} {given[name].astimezone(zone):%Y-%m-%d %H:%M}"
            for word, name in (("from", start), ("before", end))
            if given[name]
        ]
        if bounds:
            words.append(f"{label} {' '.join(bounds)}")
    if given["received_after"]:
        words.append(f"received after {given['received_after'].astimezone(zone):%Y-%m-%d %H:%M:%S}")
    if given["received_until"]:
        words.append(f"received by {given['received_until'].astimezone(zone):%Y-%m-%d %H:%M:%S}")
    if given["property"]:
        words.append(f"{given['property']} is {given['value']}")
    if given["without"]:
        words.append(f"without {given['without']}")
    return words
