"""Questions about usage: totals of a period, what arrived late, whether the rollups are right.

A period costs the rollups it reads. Only the partial quarters of an hour at its two ends, and what arrived after a
cut-off, are read from the events themselves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Count, Max, Q, QuerySet

from billing.catalog.models import Meter
from billing.core.aggregation import Partial
from billing.core.errors import InvalidPeriod
from billing.core.quantity import format_quantity
from billing.usage.models import RejectedEvent, UsageCorrection, UsageEvent, UsageSign
from billing.usage.readings import BOUNDED_SQL, BUCKET, FACTS_SQL, LIVE_SQL, READING_SQL, TICK, bucket_of
from customers.models import Customer


@dataclass(frozen=True, slots=True)
class RollupMismatch:
    """A rollup that differs from the recount of its events; zeros where one side is missing."""

    customer_id: str
    meter_code: str
    bucket_at: datetime
    stored: Partial
    recounted: Partial


_ROLLUPS = """
    SELECT meter_id, sum(event_count) AS event_count, sum(quantity_sum) AS quantity_sum,
           min(quantity_min) AS quantity_min, max(quantity_max) AS quantity_max FROM usage_usagerollup
    WHERE customer_id = %(customer)s AND meter_id = ANY(%(meters)s)
      AND bucket_at >= %(first_bucket)s AND bucket_at < %(last_bucket)s
    GROUP BY meter_id
"""
_DAYS = """
    SELECT meter_id, (bucket_at AT TIME ZONE %(zone)s)::date, sum(event_count)::bigint, sum(quantity_sum),
           min(quantity_min), max(quantity_max)
    FROM usage_usagerollup
    WHERE customer_id = %(customer)s AND meter_id = ANY(%(meters)s)
      AND bucket_at >= %(first_bucket)s AND bucket_at < %(end_at)s
    GROUP BY 1, 2
"""
_UNTIL = "AND event.received_at <= %(received_until)s"
_LATER = "AND event.received_at > %(received_until)s"
_BETWEEN = "AND event.received_at > %(received_after)s AND event.received_at <= %(received_until)s"

_MISMATCHES = f"""
    WITH recount AS (
        SELECT event.customer_id, meter.id AS meter_id, date_bin('15 minutes', event.at, 'epoch') AS bucket_at,
               count(*) AS event_count, sum(reading.quantity) AS quantity_sum,
               min({BOUNDED_SQL}) AS quantity_min, max({BOUNDED_SQL}) AS quantity_max
        FROM catalog_meter meter JOIN {LIVE_SQL} event ON event.event_type = meter.event_type
        {READING_SQL}
        GROUP BY 1, 2, 3
    )
    SELECT customer.public_id, meter.code, bucket_at,
           coalesce(stored.event_count, 0), coalesce(stored.quantity_sum, 0), stored.quantity_min,
           stored.quantity_max,
           coalesce(recount.event_count, 0), coalesce(recount.quantity_sum, 0), recount.quantity_min,
           recount.quantity_max
    FROM usage_usagerollup stored FULL JOIN recount USING (customer_id, meter_id, bucket_at)
    JOIN customers_customer customer ON customer.id = customer_id
    JOIN catalog_meter meter ON meter.id = meter_id
    WHERE (coalesce(stored.event_count, 0), coalesce(stored.quantity_sum, 0), stored.quantity_min, stored.quantity_max)
       IS DISTINCT FROM
          (coalesce(recount.event_count, 0), coalesce(recount.quantity_sum, 0), recount.quantity_min,
           recount.quantity_max)
    ORDER BY customer.public_id, meter.code, bucket_at LIMIT %(limit)s
"""  # noqa: S608  (constants only)


def usage_totals(
    *,
    customer: Customer,
    meters: Sequence[Meter],
    start_at: datetime,
    end_at: datetime,
    received_until: datetime | None,
) -> dict[int, Partial]:
    """What each meter counts of a customer's events with `at` in [start_at, end_at), by the meter's primary key.

    received_until: only events received until then, so that a frozen cut-off gives the same answer later; None for
    all. Every meter is in the answer. Bounds may lie anywhere; they need not fall on a quarter of an hour.
    The smallest and largest values are right only if nothing was received after the cut-off and nothing corrected:
    use `measuring.measure_usage`, which knows.
    Raises InvalidPeriod.
    """
    _require_period(start_at, end_at)
    first_bucket = bucket_of(start_at + BUCKET - TICK)
    last_bucket = bucket_of(end_at)
    until = "" if received_until is None else _UNTIL
    parts: list[str] = []
    if first_bucket < last_bucket:
        parts.append(_ROLLUPS)
        if received_until is not None:
            parts.append(_events("-", "first_bucket", "last_bucket", _LATER))
        if start_at < first_bucket:
            parts.append(_events("+", "start_at", "first_bucket", until))
        if last_bucket < end_at:
            parts.append(_events("+", "last_bucket", "end_at", until))
    else:
        parts.append(_events("+", "start_at", "end_at", until))
    bounds = {
        "start_at": start_at,
        "end_at": end_at,
        "first_bucket": first_bucket,
        "last_bucket": last_bucket,
    }
    return _totals(parts, customer, meters, {**bounds, "received_until": received_until})


def daily_totals(
    *, customer: Customer, meters: Sequence[Meter], start_at: datetime, end_at: datetime, zone: ZoneInfo
) -> dict[date, dict[int, Partial]]:
    """What `usage_totals` counts in [start_at, end_at), by day of a time zone and by the meter's primary key.

    Days without usage are left out; the days add up to the period. Costs the rollups, and the events of the quarter
    of an hour that a bound cuts. Raises InvalidPeriod.
    """
    _require_period(start_at, end_at)
    found: dict[date, dict[int, Partial]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            _DAYS,
            {
                "customer": customer.pk,
                "meters": [meter.pk for meter in meters],
                "first_bucket": bucket_of(start_at),
                "end_at": end_at,
                "zone": zone.key,
            },
        )
        for meter_pk, day, count, total, low, high in cursor.fetchall():
            found.setdefault(day, {})[meter_pk] = _partial(count, total, low, high)
    for bound in (start_at, end_at):
        if bound != bucket_of(bound):  # a day that a bound cuts within a rollup is counted from its events
            day = bound.astimezone(zone).date()
            first = max(start_at, datetime.combine(day, time.min, zone))
            last = min(end_at, datetime.combine(day + timedelta(days=1), time.min, zone))
            found[day] = usage_totals(
                customer=customer, meters=meters, start_at=first, end_at=last, received_until=None
            )
    used = {day: totals for day, totals in found.items() if any(part.count for part in totals.values())}
    return dict(sorted(used.items()))


def late_totals(
    *,
    customer: Customer,
    meters: Sequence[Meter],
    start_at: datetime,
    end_at: datetime,
    received_after: datetime,
    received_until: datetime,
) -> dict[int, Partial]:
    """What each meter counts of the events of a period received in (received_after, received_until].

    That is what a later cut-off adds to an earlier one: the two totals and this one add up. Costs the late events.
    Raises InvalidPeriod.
    """
    _require_period(start_at, end_at)
    bounds = {
        "start_at": start_at,
        "end_at": end_at,
        "received_after": received_after,
        "received_until": received_until,
    }
    part = _events("+", "start_at", "end_at", _BETWEEN)
    return _totals([part], customer, meters, bounds)


def has_events_received_after(
    *, customer: Customer, start_at: datetime, end_at: datetime, received_after: datetime
) -> bool:
    """Whether usage with `at` in [start_at, end_at) arrived or was corrected after an instant: is there any at all?"""
    late = {"customer": customer, "received_at__gt": received_after, "at__gte": start_at, "at__lt": end_at}
    return UsageEvent.objects.filter(**late).exists() or UsageSign.objects.filter(**late).exists()


def corrections(*, visible_to: int | None = None) -> QuerySet[UsageCorrection]:
    """Corrections of usage, with how many events each changed; visible_to: of one customer only."""
    found = UsageCorrection.objects.select_related("customer", "reverts").annotate(
        no_longer_count=Count("signs", filter=Q(signs__sign=-1), distinct=True),
        count_again=Count("signs", filter=Q(signs__sign=1), distinct=True),
        brought_in=Count("additions", distinct=True),
    )
    return found if visible_to is None else found.filter(customer=visible_to)


def corrections_between(
    *,
    customer: Customer,
    meter: Meter,
    start_at: datetime,
    end_at: datetime,
    after: datetime | None,
    until: datetime | None,
) -> QuerySet[UsageCorrection]:
    """The corrections of a meter's usage of a period that a bill knows: made in (after, until], newest first."""
    found = UsageCorrection.objects.filter(
        customer=customer, event_type=meter.event_type, start_at__lt=end_at, end_at__gt=start_at
    )
    if after is not None:
        found = found.filter(recorded_at__gt=after)
    if until is not None:
        found = found.filter(recorded_at__lte=until)
    return found.order_by("-recorded_at", "-pk")


def rejected_events(*, visible_to: int | None = None) -> QuerySet[RejectedEvent]:
    """Events that were refused; visible_to: those that name this customer only."""
    found = RejectedEvent.objects.select_related("customer")
    return found if visible_to is None else found.filter(customer=visible_to)


def receipt_cutoff(*, customer: Customer, at: datetime) -> datetime:
    """The instant that parts what this customer has sent so far from what comes later.

    `at`, or the last receipt if that is later. Everything stored by now was received then or before; everything
    taken in afterwards, after it. Holds only under a lock on the customer's row (update or no key update) that
    lasts until the bill is committed: ingestion waits for it, and reads the time once it has it.
    """
    lasts = [
        model.objects.filter(customer=customer).aggregate(last=Max("received_at"))["last"]
        for model in (UsageEvent, UsageSign)
    ]
    latest: datetime = max([at, *(last for last in lasts if last is not None)])
    return latest


def rollup_mismatches(*, limit: int = 100) -> list[RollupMismatch]:
    """Rollups that differ from a recount of all events (I13); empty if all is well. Reads every event."""
    with connection.cursor() as cursor:
        cursor.execute(_MISMATCHES, {"limit": limit})
        return [
            RollupMismatch(customer, meter, bucket_at, Partial(*numbers[:4]), Partial(*numbers[4:]))
            for customer, meter, bucket_at, *numbers in cursor.fetchall()
        ]


def _events(sign: str, start: str, end: str, received: str) -> str:
    """The part that reads events: adds them (+) or takes them away (-), between two parameters named here."""
    return f"""
    SELECT meter.id AS meter_id, {sign}sum(event.sign) AS event_count,
           {sign}sum(event.sign * reading.quantity) AS quantity_sum,
           min({BOUNDED_SQL}) AS quantity_min, max({BOUNDED_SQL}) AS quantity_max
    FROM catalog_meter meter
    JOIN {FACTS_SQL} event ON event.event_type = meter.event_type AND event.customer_id = %(customer)s
    {READING_SQL}
    WHERE meter.id = ANY(%(meters)s) AND event.at >= %({start})s AND event.at < %({end})s {received}
    GROUP BY meter.id
    """  # noqa: S608  (constants only)


def _require_period(start_at: datetime, end_at: datetime) -> None:
    if start_at.tzinfo is None or end_at.tzinfo is None or start_at >= end_at:
        raise InvalidPeriod("a period has two instants with offsets and ends after it starts", field="period")


def _totals(
    parts: Sequence[str], customer: Customer, meters: Sequence[Meter], bounds: Mapping[str, datetime | None]
) -> dict[int, Partial]:
    """Add up the parts in one statement, so that all of them see the same state of the data."""
    totals = {meter.pk: Partial() for meter in meters}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT meter_id, sum(event_count)::bigint, sum(quantity_sum), min(quantity_min), max(quantity_max)"  # noqa: S608
            f" FROM ({' UNION ALL '.join(parts)}) AS part GROUP BY meter_id",
            {**bounds, "customer": customer.pk, "meters": sorted(totals)},
        )
        for meter_pk, count, total, low, high in cursor.fetchall():
            totals[meter_pk] = _partial(count, total, low, high)
    return totals


def _partial(count: int, total: Decimal, low: Decimal | None, high: Decimal | None) -> Partial:
    low, high = (None if bound is None else Decimal(format_quantity(bound)) for bound in (low, high))
    return Partial(count, Decimal(format_quantity(total)), low, high)
