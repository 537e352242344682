"""Taking events in: every face ends here.

One transaction stores the events and keeps the rollups current. Its statements lock in one order everywhere
(customers by id, then events by customer and id, then rollups by customer, meter and bucket, then notices by
customer), so that two batches never wait for each other in a circle.
"""

import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

import structlog
from django.db import OperationalError, connection, transaction

from billing.catalog.models import Meter
from billing.catalog.selectors import rule_of
from billing.core.aggregation import Aggregation, MeterRule, Partial
from billing.core.errors import BillingError, InvalidQuantity, Kind
from billing.platform import metrics
from billing.platform.clock import now
from billing.usage.readings import TICK, bucket_of, reading
from billing.usage.services.events import (
    CheckedEvent,
    IncomingEvent,
    Reason,
    Refused,
    Verdict,
    VerdictKind,
    check_event,
)
from billing.usage.services.notices import leave_notices
from billing.usage.services.rejected import keep_rejects

BATCH_MAX = 1000
"""Events of one batch over the API. The service itself takes more, within reason; the import uses 5,000."""

PAST_MAX = timedelta(days=35)
FUTURE_MAX = timedelta(minutes=5)
"""How far `at` may lie before and after receipt. An import may lift the first, never the second."""

ATTEMPTS = 5
_RETRY_STATES = frozenset({"40P01", "40001", "55P03"})  # deadlock, serialization failure, lock not available

log = structlog.get_logger(__name__)
T = TypeVar("T")
EventKey = tuple[int, str]
RollupKey = tuple[int, int, datetime]


class BatchTooLarge(BillingError):
    """More events than one request may carry."""

    code = "batch_too_large"
    kind = Kind.INVALID


@dataclass(frozen=True, slots=True)
class _Recipient:
    """A customer as a batch needs it: primary key, and when its events of this batch count as received."""

    pk: int
    received_at: datetime


@dataclass(slots=True)
class _Batch:
    """What is known about the events of a batch while it is worked on. Keys of `verdicts` are places in the batch."""

    verdicts: dict[int, Verdict] = field(default_factory=dict)
    checked: dict[int, CheckedEvent] = field(default_factory=dict)
    known: dict[int, tuple[EventKey, _Recipient]] = field(default_factory=dict)
    new: dict[EventKey, int] = field(default_factory=dict)
    out_of_window: set[int] = field(default_factory=set)
    readings: dict[EventKey, list[tuple[int, Partial]]] = field(default_factory=dict)


def ingest(
    *,
    events: Sequence[IncomingEvent],
    visible_to: int | None = None,
    accept_old: bool = False,
    keep_rejected: bool = True,
) -> list[Verdict]:
    """Take events in; one verdict each, in their order. Accepted means committed.

    visible_to: primary key of the only customer for whom events are taken; all others are unknown.
    accept_old: take events however old they are (imports). An event stored already is a duplicate if it says the
    same, whatever its `at`, and a conflict if not; the stored one stays. keep_rejected: what is refused is kept for a
    while, to be looked at, repaired and sent again (`rejected.keep_rejects`). A bad event never keeps a good one out.
    The time of receipt is read here and not handed in, since it counts only once the customer is locked: what is
    stored when a period is billed was received before the bill's cut-off, and what comes later after it.
    Locks: customers (shared), events, rollups, notices. Tried again up to 5 times after a deadlock or a lock timeout,
    unless the caller holds a transaction. Writes no activity: stored events are their own record.
    """
    work = partial(_ingest_once, events, visible_to, accept_old)
    verdicts = with_retries(work)
    if keep_rejected and any(verdict.reason is not None for verdict in verdicts):
        keep_rejects(events, verdicts)
    counts = Counter(verdict.kind for verdict in verdicts)
    transaction.on_commit(partial(_count, counts))
    return verdicts


def with_retries(work: Callable[[], T]) -> T:
    """Run a transaction again when another one got in its way; inside a caller's transaction, run it once."""
    attempt = 1
    while True:
        try:
            return work()
        except OperationalError as error:
            state = getattr(error.__cause__, "sqlstate", None)
            if connection.in_atomic_block or state not in _RETRY_STATES or attempt == ATTEMPTS:
                raise
            log.info("usage_batch_tried_again", attempt=attempt, sqlstate=state)
            time.sleep(random.uniform(0.01, 0.05) * 2**attempt)  # noqa: S311  (jitter, not a secret)
            attempt += 1


def _count(counts: Mapping[VerdictKind, int]) -> None:
    for kind, count in counts.items():
        metrics.USAGE_EVENTS.labels(verdict=kind.value).inc(count)


@transaction.atomic
def _ingest_once(events: Sequence[IncomingEvent], visible_to: int | None, accept_old: bool) -> list[Verdict]:
    batch = _Batch()
    for place, event in enumerate(events):
        try:
            batch.checked[place] = check_event(event)
        except Refused as refused:
            batch.verdicts[place] = refused.verdict(event.id)
    if batch.checked:
        recipients = _lock_recipients({event.customer for event in batch.checked.values()}, visible_to)
        # Read after the customers are locked, so that a meter made meanwhile is either seen here, or counts these
        # events when it counts those before it.
        meters = _meters_by_type({event.type for event in batch.checked.values()})
        _sort_out(batch, recipients, meters, accept_old)
        _store(batch)
    return [batch.verdicts[place] for place in range(len(events))]


def _sort_out(
    batch: _Batch,
    recipients: Mapping[str, _Recipient],
    meters: Mapping[str, list[tuple[Meter, MeterRule]]],
    accept_old: bool,
) -> None:
    """Decide what can be decided without looking at stored events; the first of equal ids is the one to store."""
    for place, event in batch.checked.items():
        try:
            recipient = recipients.get(event.customer)
            if recipient is None:
                raise Refused(Reason.UNKNOWN_CUSTOMER, "there is no such customer", "customer")
            if event.type not in meters:
                raise Refused(Reason.UNKNOWN_TYPE, "no meter reads events of this type", "type")
            found = _readings(meters[event.type], event.properties)
        except InvalidQuantity as error:
            refused = Refused(Reason.INVALID_QUANTITY, error.message, next(iter(error.fields), ""))
            batch.verdicts[place] = refused.verdict(event.id)
            continue
        except Refused as refused:
            batch.verdicts[place] = refused.verdict(event.id)
            continue
        key = (recipient.pk, event.id)
        batch.known[place] = (key, recipient)
        earliest = (
            datetime.min.replace(tzinfo=event.at.tzinfo) if accept_old else recipient.received_at - PAST_MAX
        )
        if not earliest <= event.at <= recipient.received_at + FUTURE_MAX:
            batch.out_of_window.add(place)
        elif key not in batch.new:
            batch.new[key] = place
            batch.readings[key] = found


def _readings(
    meters: Sequence[tuple[Meter, MeterRule]], properties: Mapping[str, object]
) -> list[tuple[int, Partial]]:
    """What each meter of the type reads; those whose filters leave the event out read nothing."""
    found = []
    for meter, rule in meters:
        quantity = reading(meter, rule, properties)
        if quantity is not None:
            bound = quantity if rule.aggregation in (Aggregation.MIN, Aggregation.MAX) else None
            found.append((meter.pk, Partial(1, quantity, bound, bound)))
    return found


def _store(batch: _Batch) -> None:
    """Insert what is new, compare the rest with what is stored, and add the accepted events to the rollups."""
    inserted = _insert_events(batch)
    stored = {key: batch.checked[batch.new[key]].content_hash for key in inserted}
    stored |= _stored_hashes({key for key, _ in batch.known.values()} - inserted)
    for place, (key, _) in batch.known.items():
        event = batch.checked[place]
        if key in inserted and batch.new[key] == place:
            batch.verdicts[place] = Verdict(VerdictKind.ACCEPTED, event.id)
        elif key not in stored:
            message = (
                "at lies too far from the time of receipt: up to 35 days before it, up to 5 minutes after it"
            )
            refused = Refused(Reason.TIMESTAMP_OUT_OF_WINDOW, message, "at")
            batch.verdicts[place] = refused.verdict(event.id)
        elif stored[key] == event.content_hash:
            batch.verdicts[place] = Verdict(VerdictKind.DUPLICATE, event.id)
        else:
            message = "an event of this id is stored with other content; it stays as it is"
            batch.verdicts[place] = Verdict(
                VerdictKind.CONFLICT, event.id, Reason.OTHER_CONTENT, message, "id"
            )
    _add_to_rollups(batch, inserted)
    leave_notices({customer_pk for customer_pk, _ in inserted})


def _lock_recipients(references: set[str], visible_to: int | None) -> dict[str, _Recipient]:
    """The customers behind public or external ids, locked against billing, with their time of receipt."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, public_id, external_id, test_clock_id FROM customers_customer"
            " WHERE (public_id = ANY(%(references)s) OR external_id = ANY(%(references)s))"
            " AND (%(visible_to)s::bigint IS NULL OR id = %(visible_to)s) ORDER BY id FOR SHARE",
            {"references": sorted(references), "visible_to": visible_to},
        )
        rows = cursor.fetchall()
    machine_time = now()
    on_clocks = _receipts_on_clocks([pk for pk, _, _, clock in rows if clock is not None])
    found = {pk: _Recipient(pk, on_clocks.get(pk, machine_time)) for pk, *_ in rows}
    by_external_id = {external_id: found[pk] for pk, _, external_id, _ in rows if external_id is not None}
    return by_external_id | {public_id: found[pk] for pk, public_id, _, _ in rows}


def _receipts_on_clocks(customer_pks: Sequence[int]) -> dict[int, datetime]:
    """When events arrive for customers on test clocks: just after the clock's time and after all that came before.

    A test clock stands still. Were everything received at its time, then what arrives after a bill at that time
    would be taken for billed.
    """
    if not customer_pks:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT customer.id, greatest(clock.now_at,"
            " (SELECT max(event.received_at) FROM usage_usageevent event WHERE event.customer_id = customer.id),"
            " (SELECT max(sign.received_at) FROM usage_usagesign sign WHERE sign.customer_id = customer.id))"
            " FROM customers_customer customer JOIN customers_testclock clock ON clock.id = customer.test_clock_id"
            " WHERE customer.id = ANY(%s)",
            [list(customer_pks)],
        )
        return {pk: last + TICK for pk, last in cursor.fetchall()}


def correction_time(customer_pk: int) -> datetime:
    """When a correction counts as received, for a customer that the caller has locked: after all that came before."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT clock.now_at,"
            " (SELECT max(event.received_at) FROM usage_usageevent event WHERE event.customer_id = customer.id),"
            " (SELECT max(sign.received_at) FROM usage_usagesign sign WHERE sign.customer_id = customer.id)"
            " FROM customers_customer customer LEFT JOIN customers_testclock clock ON clock.id = customer.test_clock_id"
            " WHERE customer.id = %s",
            [customer_pk],
        )
        clock_at, *lasts = cursor.fetchone()
    latest: datetime = max([clock_at or now(), *(last for last in lasts if last is not None)])
    return latest + TICK


def _meters_by_type(types: Iterable[str]) -> dict[str, list[tuple[Meter, MeterRule]]]:
    meters: dict[str, list[tuple[Meter, MeterRule]]] = defaultdict(list)
    for meter in Meter.objects.filter(event_type__in=sorted(types)).order_by("pk"):
        meters[meter.event_type].append((meter, rule_of(meter)))
    return meters


def _insert_events(batch: _Batch) -> set[EventKey]:
    """Insert the new events, skipping those stored already; the keys of those that went in."""
    if not batch.new:
        return set()
    rows = [(key, batch.known[place][1], batch.checked[place]) for key, place in sorted(batch.new.items())]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO usage_usageevent"
            " (customer_id, event_id, event_type, at, received_at, properties, content_hash)"
            " SELECT customer_id, event_id, event_type, at, received_at, properties::jsonb, content_hash"
            " FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::text[],"
            " %s::text[])"
            " AS new (customer_id, event_id, event_type, at, received_at, properties, content_hash)"
            " ON CONFLICT (customer_id, event_id) DO NOTHING RETURNING customer_id, event_id",
            [
                [key[0] for key, _, _ in rows],
                [event.id for _, _, event in rows],
                [event.type for _, _, event in rows],
                [event.at for _, _, event in rows],
                [recipient.received_at for _, recipient, _ in rows],
                [event.properties_json for _, _, event in rows],
                [event.content_hash for _, _, event in rows],
            ],
        )
        return {(customer_id, event_id) for customer_id, event_id in cursor.fetchall()}


def _stored_hashes(keys: Iterable[EventKey]) -> dict[EventKey, str]:
    """The content hashes of those of `keys` that are stored."""
    ordered = sorted(keys)
    if not ordered:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT event.customer_id, event.event_id, event.content_hash"
            " FROM unnest(%s::bigint[], %s::text[]) AS wanted (customer_id, event_id)"
            " JOIN usage_usageevent event USING (customer_id, event_id)",
            [[customer_id for customer_id, _ in ordered], [event_id for _, event_id in ordered]],
        )
        return {(customer_id, event_id): digest for customer_id, event_id, digest in cursor.fetchall()}


def _add_to_rollups(batch: _Batch, inserted: Iterable[EventKey]) -> None:
    sums: dict[RollupKey, Partial] = defaultdict(Partial)
    for key in inserted:
        bucket_at = bucket_of(batch.checked[batch.new[key]].at)
        for meter_pk, one in batch.readings[key]:
            sums[key[0], meter_pk, bucket_at] += one
    if not sums:
        return
    rows = sorted(sums.items())
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO usage_usagerollup AS stored"
            " (customer_id, meter_id, bucket_at, event_count, quantity_sum, quantity_min, quantity_max)"
            " SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::bigint[], %s::numeric[],"
            " %s::numeric[], %s::numeric[])"
            " ON CONFLICT (customer_id, meter_id, bucket_at) DO UPDATE SET"
            " event_count = stored.event_count + excluded.event_count,"
            " quantity_sum = stored.quantity_sum + excluded.quantity_sum,"
            " quantity_min = least(stored.quantity_min, excluded.quantity_min),"
            " quantity_max = greatest(stored.quantity_max, excluded.quantity_max)",
            [
                [customer_pk for (customer_pk, _, _), _ in rows],
                [meter_pk for (_, meter_pk, _), _ in rows],
                [bucket_at for (_, _, bucket_at), _ in rows],
                [total.count for _, total in rows],
                [total.sum for _, total in rows],
                [total.min for _, total in rows],
                [total.max for _, total in rows],
            ],
        )
