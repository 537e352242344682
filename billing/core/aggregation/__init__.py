"""Meters: how the events of a period become units. Merged from partial results, or replayed from the events.

`MERGEABLE` declares which is which. `measure` is the replay and can do all of them; `aggregate` reads merged partials.
"""

from billing.core.aggregation.events import (
    OPERATION,
    MeterEvent,
    Operation,
    group_of,
    passes,
    property_text,
    quantity_in,
    unique_value,
)
from billing.core.aggregation.partial import MERGEABLE, Partial, adds_up, aggregate, merges
from billing.core.aggregation.replay import Measured, Window, measure, measure_groups
from billing.core.aggregation.rules import (
    CARRIED,
    PRORATED,
    Aggregation,
    InvalidMeter,
    MeterRule,
    OverlappingFilters,
    UnitRounding,
    meter_filters,
    meter_rule,
    narrowed,
    require_disjoint,
    rounded_units,
)

__all__ = [
    "CARRIED",
    "MERGEABLE",
    "OPERATION",
    "PRORATED",
    "Aggregation",
    "InvalidMeter",
    "Measured",
    "MeterEvent",
    "MeterRule",
    "Operation",
    "OverlappingFilters",
    "Partial",
    "UnitRounding",
    "Window",
    "adds_up",
    "aggregate",
    "group_of",
    "measure",
    "measure_groups",
    "merges",
    "meter_filters",
    "meter_rule",
    "narrowed",
    "passes",
    "property_text",
    "quantity_in",
    "require_disjoint",
    "rounded_units",
    "unique_value",
]
