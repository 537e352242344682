"""Usage taken apart for people: by day, by hour, by a property of the events; and the events themselves.

Days and hours of all receipts cost the rollups; a property, or a range of receipt, costs the events of the period,
which an index finds. The parts of a count or sum add up to `usage_totals` of the same period: they read the same
events once. Those of a meter that replays its events are measured each by itself, and only `measured_total` is the
whole.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from billing.catalog.models import Meter
from billing.catalog.selectors import rule_of
from billing.core.aggregation import (
    MERGEABLE,
    Aggregation,
    Measured,
    MeterEvent,
    Partial,
    Window,
    aggregate,
    group_of,
    measure,
    measure_groups,
)
from billing.core.errors import InvalidPeriod
from billing.core.quantity import format_quantity
from billing.usage.measuring import Asked, day_starts, hour_starts, stored_events, usage_in_parts
from billing.usage.readings import FACTS_SQL, READING_SQL, bucket_of
from customers.models import Customer, LegalEntity

GROUPS_MAX = 50
"""Values of a property that are named; what is left is one row."""
HOURS_RANGE_MAX = timedelta(days=32)
DAYS_RANGE_MAX = timedelta(days=400)
EVENTS_RANGE_MAX = timedelta(days=100)
"""The longest periods that are taken apart by hour, by day, and where every event has to be read."""
SAMPLE = 200
"""How many of the last events are looked at for the names of their properties."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a meter's usage: the start of its day or hour, or the value of the property (None: without it)."""

    at: datetime | None
    value: str | None
    quantity: Decimal
    events: int
    is_others: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """Whose usage, of what and when: `at` in [start_at, end_at), received in (received_after, received_until]."""

    customer: Customer
    meter: Meter
    start_at: datetime
    end_at: datetime
    zone: ZoneInfo
    received_after: datetime | None = None
    received_until: datetime | None = None

    @property
    def is_of_all_receipts(self) -> bool:
        return self.received_after is None and self.received_until is None

    def params(self) -> dict[str, Any]:
        return {
            "customer": self.customer.pk,
            "meter": self.meter.pk,
            "start_at": self.start_at,
            "end_at": self.end_at,
            "received_after": self.received_after,
            "received_until": self.received_until,
            "zone": self.zone.key,
        }


_EVENTS = f"""
    FROM catalog_meter meter
    JOIN {FACTS_SQL} event ON event.event_type = meter.event_type AND event.customer_id = %(customer)s
    {READING_SQL}
    WHERE meter.id = %(meter)s AND event.at >= %(start_at)s AND event.at < %(end_at)s
      AND (%(received_after)s::timestamptz IS NULL OR event.received_at > %(received_after)s)
      AND (%(received_until)s::timestamptz IS NULL OR event.received_at <= %(received_until)s)
"""
# A local hour begins where the wall clock does; in the hour that autumn repeats both have their own row.
_START = {
    "day": "date_trunc('day', {at} AT TIME ZONE %(zone)s) AT TIME ZONE %(zone)s",
    "hour": ("{at} - ({at} AT TIME ZONE %(zone)s - date_trunc('hour', {at} AT TIME ZONE %(zone)s))"),
}
_ROLLUPS = """
    SELECT {start} AS start_at, sum(event_count)::bigint, sum(quantity_sum)
    FROM usage_usagerollup
    WHERE customer_id = %(customer)s AND meter_id = %(meter)s AND bucket_at >= %(start_at)s AND bucket_at < %(end_at)s
    GROUP BY 1 ORDER BY 1
"""
_BY_VALUE = f"""
    SELECT event.properties ->> %(property)s AS value, sum(event.sign) AS count,
           sum(event.sign * reading.quantity) AS sum
    {_EVENTS}
    GROUP BY 1 ORDER BY 3 DESC, 2 DESC, 1
"""
_NAMES = """
    SELECT DISTINCT pair.key FROM (
        SELECT properties FROM usage_usageevent
        WHERE customer_id = %(customer)s AND event_type = %(event_type)s AND at < %(end_at)s
        ORDER BY at DESC LIMIT %(sample)s
    ) latest CROSS JOIN LATERAL jsonb_each(latest.properties) pair
    WHERE jsonb_typeof(pair.value) IN ('string', 'boolean') ORDER BY 1
"""
_HOURS = """
    SELECT date_bin('1 hour', event.received_at, %(start_at)s) AS hour, count(*)
    FROM usage_usageevent event JOIN customers_customer customer ON customer.id = event.customer_id
    WHERE event.received_at >= %(start_at)s AND customer.legal_entity_id = %(entity)s
    GROUP BY 1 ORDER BY 1
"""


def usage_by_time(question: Question, *, unit: str) -> list[Part]:
    """A meter's usage by day or hour ("day", "hour") of the question's zone, in order; those without usage left out.

    Raises InvalidPeriod for more than 400 days by day, 32 by hour, 100 where receipt is limited.
    """
    _require_range(question, HOURS_RANGE_MAX if unit == "hour" else DAYS_RANGE_MAX)
    if _replays(question.meter):
        return _replayed_by_time(question, unit)
    is_even = question.start_at == bucket_of(question.start_at) and question.end_at == bucket_of(
        question.end_at
    )
    with connection.cursor() as cursor:
        if question.is_of_all_receipts and is_even:
            cursor.execute(_ROLLUPS.format(start=_START[unit].format(at="bucket_at")), question.params())
        else:
            _require_range(question, EVENTS_RANGE_MAX)
            start = _START[unit].format(at="event.at")
            cursor.execute(
                f"SELECT {start} AS start_at, sum(event.sign), sum(event.sign * reading.quantity) {_EVENTS}"
                " GROUP BY 1 ORDER BY 1",
                question.params(),
            )
        return [
            _part(question.meter, at, None, count, total) for at, count, total in cursor.fetchall() if count
        ]


def usage_by_property(question: Question, *, name: str) -> list[Part]:
    """A meter's usage by the values of a property of its events, largest first.

    The first 50 values are named, the others are one row at the end. None is the value of events without the property.
    Raises InvalidPeriod for more than 100 days.
    """
    _require_range(question, EVENTS_RANGE_MAX)
    if _replays(question.meter):
        return _replayed_by_property(question, name)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH value AS ({_BY_VALUE}), named AS (
                SELECT *, row_number() OVER (ORDER BY sum DESC, count DESC, value NULLS LAST) AS place FROM value
            )
            SELECT CASE WHEN place <= %(max)s THEN value END, place > %(max)s AS is_others,
                   sum(count)::bigint, sum(sum), min(place) AS first
            FROM named GROUP BY 1, 2, CASE WHEN place <= %(max)s THEN place END ORDER BY first
            """,  # noqa: S608  (constants only)
            {**question.params(), "property": name, "max": GROUPS_MAX},
        )
        return [
            _part(question.meter, None, value, count, total, is_others=is_others)
            for value, is_others, count, total, _ in cursor.fetchall()
        ]


def measured_total(question: Question) -> Measured:
    """What the meter measures of the whole question, its groups together; parts of it need not add up to that."""
    rule = replace(rule_of(question.meter), group_by=())
    return measure(rule, _events_of(question), _window(question))


def _replays(meter: Meter) -> bool:
    """Whether counts and sums of events do not tell what the meter measures."""
    rule = rule_of(meter)
    return not MERGEABLE[rule.aggregation] or rule.aggregation in (Aggregation.MIN, Aggregation.MAX)


def _window(question: Question) -> Window:
    return Window(question.start_at, question.end_at, question.zone)


def _events_of(question: Question) -> list[MeterEvent]:
    rule = replace(rule_of(question.meter), group_by=())
    events = stored_events(
        customer=question.customer,
        meter=question.meter,
        rule=rule,
        window=_window(question),
        received_after=question.received_after,
        received_until=question.received_until,
    )
    return list(events)


def _replayed_by_time(question: Question, unit: str) -> list[Part]:
    _require_range(question, EVENTS_RANGE_MAX)
    zone = question.zone
    parts = usage_in_parts(
        customer=question.customer,
        asked=Asked(question.meter, rule_of(question.meter)),
        window=_window(question),
        starts=day_starts(zone) if unit == "day" else hour_starts(zone),
        received_after=question.received_after,
        received_until=question.received_until,
    )
    return [Part(part.start_at, None, part.own.units, part.own.event_count) for part in parts]


def _replayed_by_property(question: Question, name: str) -> list[Part]:
    rule = replace(rule_of(question.meter), group_by=(name,), prorated=False)
    events, window = _events_of(question), _window(question)
    found = measure_groups(rule, events, window)
    order = sorted(found, key=lambda key: (-found[key].units, key[0] is None, key[0] or ""))
    named = order[:GROUPS_MAX]
    parts = [Part(None, key[0], found[key].units, found[key].event_count) for key in named]
    if len(order) > GROUPS_MAX:
        rest = [event for event in events if group_of(rule, event.properties) not in set(named)]
        others = measure(rule, rest, window)
        parts.append(Part(None, None, others.units, others.event_count, is_others=True))
    return parts


def property_names(*, customer: Customer, meter: Meter, end_at: datetime) -> list[str]:
    """The properties with text or yes/no values among the customer's last events of the meter's type before an instant.

    These are what usage can be split by; a number that is added up is not.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _NAMES,
            {"customer": customer.pk, "event_type": meter.event_type, "end_at": end_at, "sample": SAMPLE},
        )
        return [name for (name,) in cursor.fetchall()]


def received_by_hour(*, legal_entity: LegalEntity, start_at: datetime) -> dict[datetime, int]:
    """How many events of a legal entity's customers were received in each hour from an instant on; none: absent."""
    with connection.cursor() as cursor:
        cursor.execute(_HOURS, {"start_at": start_at, "entity": legal_entity.pk})
        return dict(cursor.fetchall())


def _part(
    meter: Meter,
    at: datetime | None,
    value: str | None,
    count: int,
    total: Decimal,
    *,
    is_others: bool = False,
) -> Part:
    partial = Partial(count, Decimal(format_quantity(total)))
    return Part(at, value, aggregate(rule_of(meter), partial), count, is_others)


def _require_range(question: Question, longest: timedelta) -> None:
    if question.start_at >= question.end_at:
        raise InvalidPeriod("the last day is before the first", field="to")
    if question.end_at - question.start_at > longest:
        raise InvalidPeriod(f"at most {longest.days} days at once; choose a shorter period", field="to")
