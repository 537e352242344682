"""Kind `aggregation`: a meter applied to events, measured by replay."""

from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from billing.core.aggregation import (
    Measured,
    MeterEvent,
    MeterRule,
    Operation,
    Window,
    measure,
    measure_groups,
    meter_rule,
)
from billing.core.errors import InvalidInput
from valueverse.simulation.reading import Fields, shown

_NO_PROPERTY = frozenset({"count", "expression"})


def answer(case: Fields) -> dict[str, Any]:
    """The units, and what else such a case may ask for. Raises InvalidInput, InvalidMeter, InvalidPeriod."""
    rule, window = rule_of(case), window_of(case)
    events = [_event(row) for row in case.parts("events")]
    result = _shown(measure(rule, events, window))
    if rule.group_by:
        groups = measure_groups(rule, events, window)
        rows = [
            {"key": dict(zip(rule.group_by, key, strict=True)), **_shown(found)}
            for key, found in groups.items()
        ]
        result["groups"] = rows or [
            {"key": dict.fromkeys(rule.group_by), **_shown(measure(rule, (), window))}
        ]
    return result


def rule_of(case: Fields) -> MeterRule:
    """The meter of a case in the product's terms."""
    meter = case.part("meter")
    aggregation = meter.text("aggregation")
    rounding = meter.part("rounding") if meter.has("rounding") else None
    return meter_rule(
        aggregation,
        property="" if aggregation in _NO_PROPERTY else meter.text("field"),
        filters=_filters(meter, "filter") | _filters(case, "filter"),
        group_by=tuple(meter.data.get("group_by") or ()),
        rounding=rounding.text("mode", "none") if rounding else "none",
        rounding_decimals=rounding.whole("precision", 0) if rounding and rounding.has("precision") else 0,
        recurring=bool(meter.data.get("recurring")),
        prorated=bool(meter.data.get("prorated")),
        percentile=meter.number("percentile") if meter.has("percentile") else None,
        multiplier=meter.number("multiplier") if meter.has("multiplier") else None,
        expression=meter.text("expression", "") if aggregation == "expression" else "",
    )


def window_of(case: Fields) -> Window:
    """The period of a case, half open.

    An end at midnight is where the next period starts; any other is the last instant of service and still counts,
    and the last second of a day stands for the whole day.
    """
    period = case.part("period")
    start, end = period.instant("start"), period.instant("end")
    zone: tzinfo = ZoneInfo(case.text("timezone")) if case.has("timezone") else (start.tzinfo or UTC)
    whole = timedelta(days=period.whole("duration_days")) if period.has("duration_days") else None
    return Window(start, _after(end, zone), zone, whole)


def _after(end: datetime, zone: tzinfo) -> datetime:
    """The first instant that no longer belongs to a period whose last one was given."""
    local = end.astimezone(zone)
    midnight = datetime.combine(local.date(), time.min, zone)
    if local == midnight:
        return end
    following = datetime.combine(local.date() + timedelta(days=1), time.min, zone)
    return following if following - local <= timedelta(seconds=1) else end + timedelta(microseconds=1)


def _filters(fields: Fields, name: str) -> dict[str, list[str]]:
    """A filter of a case: per property one value, or a list of those allowed."""
    if not fields.has(name):
        return {}
    given = fields.part(name).data
    return {key: [value] if isinstance(value, str) else list(value) for key, value in given.items()}


def _event(row: Fields) -> MeterEvent:
    operation = row.text("operation", "add") if row.has("operation") else "add"
    if operation not in list(Operation):
        raise InvalidInput("is add or remove", field=f"{row.place}.operation")
    properties = row.part("properties").data if row.has("properties") else {}
    at = row.instant("at")
    identity = row.text("id") if row.has("id") else ""
    return MeterEvent(at, properties, identity, Operation(operation))


def _shown(found: Measured) -> dict[str, Any]:
    return {
        "units": shown(found.units),
        "full_units": shown(found.full_units),
        "event_units": shown(found.last_event_units),
        "event_units_full": [shown(one) for one in found.event_units],
        "event_units_prorated": [shown(one) for one in found.event_units_prorated],
        "closing_value": shown(found.closing),
    }
