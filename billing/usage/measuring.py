"""What meters measure of a customer's stored usage: merged from rollups, or replayed from the events.

A meter whose aggregation merges (core declares which) costs its rollups. The others, and those that are grouped,
prorated or narrowed by a price, replay the events of the period, which an index finds: as they counted at the cut-off.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db import connection

from billing.catalog.models import Meter
from billing.catalog.selectors import rule_of
from billing.core.aggregation import (
    OPERATION,
    Aggregation,
    Measured,
    MeterEvent,
    MeterRule,
    Operation,
    Partial,
    Window,
    aggregate,
    measure,
    measure_groups,
    merges,
    rounded_units,
)
from billing.core.errors import BillingError, Kind
from billing.core.quantity import format_quantity
from billing.usage.exact_json import decode
from billing.usage.models import UsageSign
from billing.usage.selectors import has_events_received_after, usage_totals
from customers.models import Customer

REPLAY_MAX = 1_000_000
"""Events of one customer, meter and period that are replayed; beyond that a meter that merges is the right one."""
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

GroupKey = tuple[str | None, ...]

_EVENTS = """
    SELECT event.at, event.event_id, event.properties::text
    FROM usage_usageevent event
    WHERE event.customer_id = %(customer)s AND event.event_type = %(event_type)s
      AND event.at >= %(start_at)s AND event.at < %(end_at)s
      AND (%(received_until)s::timestamptz IS NULL OR event.received_at <= %(received_until)s)
      AND (%(received_after)s::timestamptz IS NULL OR event.received_at > %(received_after)s)
      {corrected}
    ORDER BY event.at LIMIT %(limit)s
"""
_CORRECTED = """
      AND NOT EXISTS (
          SELECT FROM usage_usagesign taken WHERE taken.event_id = event.id
            AND (%(received_until)s::timestamptz IS NULL OR taken.received_at <= %(received_until)s)
          GROUP BY taken.event_id HAVING sum(taken.sign) < 0
      )
"""


class TooManyEvents(BillingError):
    """A meter that replays has too many events in one period."""

    code = "too_many_events"
    kind = Kind.CONFLICT


@dataclass(frozen=True, slots=True)
class Asked:
    """A meter and the rule it is read by: its own, or one narrowed to the events of a price."""

    meter: Meter
    rule: MeterRule

    @property
    def is_whole(self) -> bool:
        """Whether it reads all that the meter reads, so that its rollups are right for it."""
        return not self.rule.excluded and self.rule.filters == rule_of(self.meter).filters


def measure_usage(
    *, customer: Customer, asked: Sequence[Asked], window: Window, received_until: datetime | None
) -> list[dict[GroupKey, Measured]]:
    """What each meter measures of a customer's events in a window, by group, in the order asked.

    received_until: as things stood then, so that a frozen cut-off gives the same answer later; None for all. A meter
    without groups has the one group (), always there; of one with groups only those with usage are there.
    Raises InvalidPeriod, TooManyEvents.
    """
    merged = [one.meter for one in asked if is_plain(one)]
    totals: Mapping[int, Partial] = {}
    if merged:
        totals = usage_totals(
            customer=customer,
            meters=merged,
            start_at=window.start,
            end_at=window.end,
            received_until=received_until,
        )
    return [
        {(): _merged(one.rule, totals[one.meter.pk])}
        if is_plain(one)
        else _measured(customer, one, window, received_until)
        for one in asked
    ]


def measure_one(
    *, customer: Customer, meter: Meter, window: Window, received_until: datetime | None = None
) -> Measured:
    """What a meter measures in all, its groups together."""
    rule = replace(rule_of(meter), group_by=())
    (found,) = measure_usage(
        customer=customer, asked=[Asked(meter, rule)], window=window, received_until=received_until
    )
    return found[()]


@dataclass(frozen=True, slots=True)
class MeasuredPart:
    """What was measured in a part of a window, and in the window up to its end."""

    start_at: datetime
    own: Measured
    so_far: Measured


def usage_in_parts(
    *,
    customer: Customer,
    asked: Asked,
    window: Window,
    starts: Callable[[datetime], datetime],
    received_after: datetime | None = None,
    received_until: datetime | None = None,
) -> list[MeasuredPart]:
    """What a meter that replays measures in each part of a window, its groups together; parts without events are left
    out. starts: the start of the part that holds an instant. What is carried over counts in each part as it stands.
    Raises InvalidPeriod, TooManyEvents.
    """
    rule = replace(asked.rule, group_by=())
    events = list(
        stored_events(
            customer=customer,
            meter=asked.meter,
            rule=rule,
            window=window,
            received_after=received_after,
            received_until=received_until,
        )
    )
    begun = sorted({max(window.start, starts(event.at)) for event in events if event.at >= window.start})
    alone = replace(rule, prorated=False)
    found = []
    for start_at, end_at in zip(begun, [*begun[1:], window.end], strict=True):
        own = measure(alone, events, Window(start_at, end_at, window.zone))
        if own.event_count:
            so_far = measure(rule, events, replace(window, end=end_at, whole=window.end - window.start))
            found.append(MeasuredPart(start_at, own, so_far))
    return found


def day_starts(zone: ZoneInfo) -> Callable[[datetime], datetime]:
    """For `usage_in_parts`: the start of an instant's local day."""
    return lambda at: datetime.combine(at.astimezone(zone).date(), time.min, zone).astimezone(UTC)


def hour_starts(zone: ZoneInfo) -> Callable[[datetime], datetime]:
    """For `usage_in_parts`: where the wall clock's hour began; the hour that autumn repeats is two."""

    def start(at: datetime) -> datetime:
        local = at.astimezone(zone)
        return (
            at - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        ).astimezone(UTC)

    return start


def is_plain(asked: Asked) -> bool:
    """Whether rollups alone answer: the sums of what was received until any cut-off."""
    rule = asked.rule
    return (
        merges(rule)
        and rule.aggregation not in (Aggregation.MIN, Aggregation.MAX)
        and not rule.recurring
        and asked.is_whole
    )


def _merged(rule: MeterRule, partial: Partial) -> Measured:
    exact = aggregate(rule, partial)
    units = rounded_units(rule, exact)
    return Measured(units, units, exact, partial.count, Decimal(0))


def _measured(
    customer: Customer, asked: Asked, window: Window, received_until: datetime | None
) -> dict[GroupKey, Measured]:
    rule = asked.rule
    if merges(rule) and asked.is_whole and _rollups_hold(customer, asked, window, received_until):
        start_at = BEGINNING if rule.recurring else window.start
        totals = usage_totals(
            customer=customer,
            meters=[asked.meter],
            start_at=start_at,
            end_at=window.end,
            received_until=None if rule.aggregation in (Aggregation.MIN, Aggregation.MAX) else received_until,
        )
        return {(): _merged(rule, totals[asked.meter.pk])}
    events = stored_events(
        customer=customer, meter=asked.meter, rule=rule, window=window, received_until=received_until
    )
    if rule.group_by:
        return measure_groups(rule, events, window)
    return {(): measure(rule, events, window)}


def _rollups_hold(customer: Customer, asked: Asked, window: Window, received_until: datetime | None) -> bool:
    """Whether the bounds in the rollups are those of the cut-off: nothing came later, nothing was corrected.

    A sum can be taken back, a smallest or largest value cannot.
    """
    if asked.rule.aggregation not in (Aggregation.MIN, Aggregation.MAX):
        return True
    corrected = UsageSign.objects.filter(
        customer=customer,
        event_type=asked.meter.event_type,
        at__gte=window.start,
        at__lt=window.end,
    )
    if corrected.exists():
        return False
    return received_until is None or not has_events_received_after(
        customer=customer, start_at=window.start, end_at=window.end, received_after=received_until
    )


def stored_events(
    *,
    customer: Customer,
    meter: Meter,
    rule: MeterRule,
    window: Window,
    received_until: datetime | None,
    received_after: datetime | None = None,
) -> Iterator[MeterEvent]:
    """The events that counted at a cut-off (None: that count now), with all before the window for a recurring meter.

    received_after: only those that came after it, for taking usage that came late apart.

    Of a meter that adds up and is carried over, what came before is one event with their sum.
    Raises TooManyEvents beyond a million.
    """
    start_at = BEGINNING if rule.recurring else window.start
    carried = _carried(customer, meter, rule, window, received_until)
    if carried is not None:
        start_at = window.start
        if carried:
            yield MeterEvent(window.start - timedelta(microseconds=1), {rule.property: carried})
    corrected = UsageSign.objects.filter(customer=customer, event_type=meter.event_type).exists()
    with connection.cursor() as cursor:
        cursor.execute(
            _EVENTS.format(corrected=_CORRECTED if corrected else ""),
            {
                "customer": customer.pk,
                "event_type": meter.event_type,
                "start_at": start_at,
                "end_at": window.end,
                "received_until": received_until,
                "received_after": received_after,
                "limit": REPLAY_MAX + 1,
            },
        )
        if cursor.rowcount > REPLAY_MAX:
            raise TooManyEvents(
                f"The meter {meter.code} replays its events, and one period has more than {REPLAY_MAX} of them.",
                field="meter",
            )
        for at, event_id, properties in cursor:
            values = decode(properties.encode())
            removed = (
                rule.aggregation is Aggregation.UNIQUE_COUNT and values.get(OPERATION) == Operation.REMOVE
            )
            yield MeterEvent(at, values, event_id, Operation.REMOVE if removed else Operation.ADD)


def _carried(
    customer: Customer, meter: Meter, rule: MeterRule, window: Window, received_until: datetime | None
) -> Decimal | None:
    """What a sum was at the start of the window, from its rollups; None where only the events can tell."""
    adds = rule.aggregation in (Aggregation.SUM, Aggregation.SUM_WITH_MULTIPLIER, Aggregation.WEIGHTED_SUM)
    if not (rule.recurring and adds and not rule.group_by and Asked(meter, rule).is_whole):
        return None
    totals = usage_totals(
        customer=customer,
        meters=[meter],
        start_at=BEGINNING,
        end_at=window.start,
        received_until=received_until,
    )
    return Decimal(format_quantity(totals[meter.pk].sum))
