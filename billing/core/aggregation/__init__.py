"""Meters: how the events of a period become units. Merged from partial results, or replayed from the events.

`MERGEABLE` declares which is which. `measure` is the replay and can do all of them; `aggregate` reads merged partials.
"""

from billing.core.aggregation.events import MeterEvent, Operation, property_text
from billing.core.aggregation.partial import MERGEABLE, Partial, aggregate, merges
from billing.core.aggregation.replay import Measured, Window, measure, measure_groups
from billing.core.aggregation.rules import (
    CARRIED,
    PRORATED,
    Aggregation,
    InvalidMeter,
    MeterRule,
    UnitRounding,
    meter_rule,
    rounded_units,
)

__all__ = [
    "CARRIED",
    "MERGEABLE",
    "PRORATED",
    "Aggregation",
    "InvalidMeter",
    "Measured",
    "MeterEvent",
    "MeterRule",
    "Operation",
    "Partial",
    "UnitRounding",
    "Window",
    "aggregate",
    "measure",
    "measure_groups",
    "merges",
    "meter_rule",
    "property_text",
    "rounded_units",
]
