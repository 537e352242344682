"""The form of a meter in the words of finance, and what the meter would have measured of stored events."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.db.models import Count, Max

from billing.catalog import services
from billing.catalog.models import Meter
from billing.catalog.selectors import rule_of
from billing.core.aggregation import MERGEABLE, Aggregation, UnitRounding, Window, measure
from billing.platform import display
from billing.platform.actors import Actor
from billing.usage.measuring import stored_events
from billing.usage.models import UsageEvent
from customers.models import Customer
from valueverse.backoffice.fields import FigureField, FiltersField, filters_text
from valueverse.backoffice.making import Creation
from valueverse.backoffice.verbs import Data, Outcome

AGGREGATIONS = {
    Aggregation.COUNT: "Count: how many events there are",
    Aggregation.SUM: "Sum: add up a property of the events",
    Aggregation.MIN: "Smallest: the smallest value of the period",
    Aggregation.MAX: "Largest: the highest value of the period, a peak",
    Aggregation.AVERAGE: "Average: of the values of the period",
    Aggregation.LATEST: "Latest: the value of the last event",
    Aggregation.UNIQUE_COUNT: "Different values: how many users, devices, projects",
    Aggregation.WEIGHTED_SUM: "Held over time: gigabytes held, by the second",
    Aggregation.PERCENTILE: "Percentile: the value that 95 % of the events do not exceed",
    Aggregation.SUM_WITH_MULTIPLIER: "Sum times a fixed number",
    Aggregation.EXPRESSION: "Formula: compute each event from its properties, then add up",
}
ROUNDINGS = {
    UnitRounding.NONE: "Not rounded",
    UnitRounding.ROUND: "To the nearest",
    UnitRounding.CEIL: "Up",
    UnitRounding.FLOOR: "Down",
}
TRIED_DAYS = 30
TRIED_CUSTOMERS = 5


class MeterForm(forms.Form):
    code = forms.CharField(
        max_length=60,
        help_text="Short name for programs: lower case letters, digits, '_', '-', '.'. It never changes.",
    )
    name = forms.CharField(max_length=120, help_text="What is counted, like Input tokens.")
    event_type = forms.CharField(
        max_length=120,
        label="Event type",
        help_text="The type of the usage events it reads, as they are sent.",
    )
    aggregation = forms.ChoiceField(choices=[(one.value, words) for one, words in AGGREGATIONS.items()])
    property = forms.CharField(
        required=False,
        max_length=120,
        help_text="Which property of the event is measured, like input_tokens. Empty for count and formula.",
    )
    percentile = FigureField(
        required=False, help_text="For a percentile: 95 charges a peak without its highest 5 %."
    )
    multiplier = FigureField(required=False, help_text="For a sum times a number: 0.001 counts thousands.")
    expression = forms.CharField(
        required=False,
        max_length=500,
        label="Formula",
        help_text="Arithmetic over properties of the event: gb * hours, or max(input, 100) + output * 3.",
    )
    filters = FiltersField(label="Only events with")
    group_by = forms.CharField(
        required=False,
        max_length=490,
        label="Apart by",
        help_text="Properties whose values get an invoice line each, like model, region. Empty for one line.",
    )
    rounding = forms.ChoiceField(
        choices=[(one.value, words) for one, words in ROUNDINGS.items()],
        required=False,
        label="Units are rounded",
        help_text="Once a period, before they are priced.",
    )
    rounding_decimals = forms.IntegerField(
        required=False,
        min_value=-12,
        max_value=12,
        label="To decimals",
        help_text="Empty is 0; -2 is hundreds.",
    )
    recurring = forms.BooleanField(
        required=False,
        label="Carried over into the next period",
        help_text="For what stands until it changes: seats, gigabytes stored. Else each period starts at zero.",
    )
    prorated = forms.BooleanField(
        required=False,
        label="Counted for the days it lasts",
        help_text="A seat added on the 16th of a month of 30 days counts as half a seat.",
    )
    unit_code = forms.CharField(
        max_length=3, initial="C62", label="Unit code", help_text="UN/ECE code; C62 is 'one'."
    )
    allow_negative = forms.BooleanField(
        required=False,
        label="Events may take quantity back",
        help_text="For events with a negative quantity.",
    )

    sections = (
        ("", ["code", "name", "event_type", "aggregation", "property"]),
        ("Percentile", ["percentile"], "percentile"),
        ("Multiplier", ["multiplier"], "sum_with_multiplier"),
        ("Formula", ["expression"], "expression"),
        ("Which events", ["filters", "group_by", "allow_negative"]),
        ("The period", ["rounding", "rounding_decimals", "recurring", "prorated", "unit_code"]),
    )

    def clean_group_by(self) -> list[str]:
        return [one.strip() for one in self.cleaned_data["group_by"].split(",") if one.strip()]

    def clean_rounding(self) -> str:
        return self.cleaned_data["rounding"] or UnitRounding.NONE.value

    def clean_rounding_decimals(self) -> int:
        return self.cleaned_data["rounding_decimals"] or 0


class NewMeter(Creation):
    """A meter, tried on the events that are stored before it is made."""

    def __init__(self) -> None:
        super().__init__(
            "new",
            "New meter",
            "catalog.add_meter",
            "What a meter measures never changes. Events that are stored already are counted after it is made.",
            MeterForm,
            model=Meter,
            asks_first=True,
        )

    def button(self, row: Any, data: Data) -> str:
        return "Create meter"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.create_meter(**data, actor=actor, at=at)
        return Outcome(f"Created {made.code}. Next: a price in a plan version that uses it.", made)

    def result(self, row: Any, made: Outcome) -> list[tuple[str, Any]]:
        assert isinstance(made.row, Meter), "the rehearsal makes a meter"
        return tried(made.row)


def meter_words(meter: Meter) -> list[tuple[str, str]]:
    """What a meter does, as the form asked for it; what it does not do is left out."""
    measured = meter.expression or meter.property
    words = [("How", AGGREGATIONS[Aggregation(meter.aggregation)] + (f" ({measured})" if measured else ""))]
    if meter.percentile is not None:
        words.append(("Percentile", display.quantity(meter.percentile)))
    if meter.multiplier is not None:
        words.append(("Multiplier", display.quantity(meter.multiplier)))
    if meter.filters:
        words.append(("Only events with", filters_text(meter.filters)))
    if meter.group_by:
        words.append(("Apart by", ", ".join(meter.group_by)))
    if meter.rounding != UnitRounding.NONE:
        rounding = ROUNDINGS[UnitRounding(meter.rounding)]
        words.append(("Units are rounded", f"{rounding}, to {meter.rounding_decimals} decimals"))
    words.append(("Next period", "Carried over" if meter.recurring else "Starts at zero"))
    if meter.prorated:
        words.append(("Days", "Each change counts for the days it lasts"))
    merges = MERGEABLE[Aggregation(meter.aggregation)] and not meter.group_by and not meter.prorated
    words.append(("Computed from", "Its rollups of quarter hours" if merges else "Its events, each time"))
    return words


def tried(meter: Meter) -> list[tuple[str, Any]]:
    """What a meter measures of the last 30 days of stored events, of the customers with the most of them."""
    how = "its rollups" if MERGEABLE[Aggregation(meter.aggregation)] else "its events, each time"
    found: list[tuple[str, Any]] = [("Units are computed from", how)]
    last_at = UsageEvent.objects.filter(event_type=meter.event_type).aggregate(last=Max("at"))["last"]
    if last_at is None:
        return [*found, ("Stored events of this type", "none yet")]
    end_at = last_at + timedelta(microseconds=1)
    start_at = end_at - timedelta(days=TRIED_DAYS)
    events = UsageEvent.objects.filter(event_type=meter.event_type, at__gte=start_at, at__lt=end_at)
    counts = events.values("customer").annotate(events=Count("pk")).order_by("-events", "customer")
    largest = list(counts[:TRIED_CUSTOMERS])
    customers = Customer.objects.in_bulk([one["customer"] for one in largest])
    rule = replace(rule_of(meter), group_by=())
    for one in largest:
        customer = customers[one["customer"]]
        window = Window(start_at, end_at, ZoneInfo(customer.time_zone))
        read = stored_events(customer=customer, meter=meter, rule=rule, window=window, received_until=None)
        units = display.quantity(measure(rule, read, window).units)
        found.append(
            (
                f"{customer.name}, {TRIED_DAYS} days to {last_at:%Y-%m-%d}",
                f"{units} of {one['events']} events",
            )
        )
    return found
