"""Correcting usage: canceled, amended and backfilled events, and taking such a correction back.

Events never change. A correction adds signs (an event no longer counts, or counts again) and events of its own, each
with its time of receipt, so that what was billed stays explained and the next bill finds the difference: a period that
is open changes at once, one that is billed gets a line of late usage or a credit.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Q, QuerySet, Sum

from billing.activity import services as activity
from billing.catalog.models import Meter
from billing.core.errors import BillingError, InvalidInput, InvalidPeriod, Kind
from billing.core.events import EventName
from billing.platform.actors import Actor
from billing.platform.lookup import get_or_not_found
from billing.usage.models import (
    CorrectionKind,
    UsageAddition,
    UsageCorrection,
    UsageEvent,
    UsageSign,
)
from billing.usage.readings import TICK
from billing.usage.services.events import ID_LENGTH_MAX, IncomingEvent, Verdict, VerdictKind
from billing.usage.services.ingestion import correction_time, ingest
from billing.usage.services.meters import recount
from billing.usage.services.notices import leave_notices
from customers.models import Customer

EVENTS_MAX = 10_000
"""Most events that one correction takes away or brings in."""
REASON_LENGTH_MAX = 500


class EventDoesNotCount(BillingError):
    """The event was canceled or amended already."""

    code = "event_does_not_count"
    kind = Kind.CONFLICT


class CorrectionRefused(BillingError):
    """An event that a correction would bring in is not one; nothing was changed."""

    code = "correction_refused"
    kind = Kind.INVALID


class CorrectionReverted(BillingError):
    """The correction was taken back already, or is itself one that takes another back."""

    code = "correction_reverted"
    kind = Kind.CONFLICT


class TooManyCorrected(BillingError):
    """More events than one correction may touch."""

    code = "too_many_events"
    kind = Kind.INVALID


@transaction.atomic
def cancel_events(
    *, customer_id: str, event_ids: Sequence[str], reason: str, actor: Actor, at: datetime
) -> UsageCorrection:
    """Let events of one type no longer count. They stay stored, and a copy sent again stays a duplicate.

    event_ids: the sender's. Locks: customer. Emits usage.corrected.
    Raises NotFound for the customer and for an unknown event, EventDoesNotCount, TooManyCorrected, InvalidInput
    without a reason.
    """
    customer = _lock(customer_id)
    _require_reason(reason)
    wanted = list(dict.fromkeys(event_ids))
    if not 1 <= len(wanted) <= EVENTS_MAX:
        raise TooManyCorrected(f"A correction names 1 to {EVENTS_MAX} events.", field="event_ids")
    events = [_counting_event(customer, event_id, field="event_ids") for event_id in wanted]
    if len({event.event_type for event in events}) > 1:
        raise InvalidInput("The events of one correction have one type.", field="event_ids")
    times = [event.at for event in events]
    correction = _begin(
        CorrectionKind.CANCEL, customer, events[0].event_type, min(times), max(times) + TICK, reason, actor
    )
    _sign(correction, events, -1)
    return _finish(correction, actor, at)


@transaction.atomic
def amend_event(
    *,
    customer_id: str,
    event_id: str,
    properties: Mapping[str, object],
    event_at: datetime | None = None,
    reason: str,
    actor: Actor,
    at: datetime,
) -> UsageCorrection:
    """Put another event in the place of one: other properties, and another time where `event_at` is given.

    The new event has an id of its own (`<id>~2`, `<id>~3`); the old one stays and no longer counts.
    Locks: customer. Emits usage.corrected. Raises NotFound, EventDoesNotCount, CorrectionRefused, InvalidInput.
    """
    customer = _lock(customer_id)
    _require_reason(reason)
    old = _counting_event(customer, event_id, field="event_id")
    new_at = event_at or old.at
    correction = _begin(
        CorrectionKind.AMEND,
        customer,
        old.event_type,
        min(old.at, new_at),
        max(old.at, new_at) + TICK,
        reason,
        actor,
    )
    _sign(correction, [old], -1)
    incoming = IncomingEvent(
        id=_next_id(customer, event_id),
        customer=customer.public_id,
        type=old.event_type,
        at=new_at,
        properties=dict(properties),
    )
    _bring_in(correction, [incoming], replaces=old)
    return _finish(correction, actor, at)


@transaction.atomic
def backfill_usage(
    *,
    customer_id: str,
    event_type: str,
    start_at: datetime,
    end_at: datetime,
    events: Sequence[IncomingEvent],
    reason: str,
    actor: Actor,
    at: datetime,
) -> UsageCorrection:
    """Replace all events of a type with `at` in [start_at, end_at) by others, which have ids of their own.

    events: may be empty; each lies in the time. Locks: customer. Emits usage.corrected.
    Raises NotFound, InvalidPeriod, InvalidInput, CorrectionRefused naming `events[3].at`, TooManyCorrected.
    """
    customer = _lock(customer_id)
    _require_reason(reason)
    if start_at.tzinfo is None or end_at.tzinfo is None or start_at >= end_at:
        raise InvalidPeriod(
            "A backfill has two instants with offsets and ends after it starts.", field="end_at"
        )
    if not Meter.objects.filter(event_type=event_type).exists():
        raise InvalidInput("No meter reads events of this type.", field="event_type")
    old = _counting(customer).filter(event_type=event_type, at__gte=start_at, at__lt=end_at)
    replaced = list(old.order_by("pk")[: EVENTS_MAX + 1])
    if len(replaced) > EVENTS_MAX or len(events) > EVENTS_MAX:
        raise TooManyCorrected(
            f"A backfill takes away and brings in up to {EVENTS_MAX} events; choose a shorter time.",
            field="events",
        )
    correction = _begin(CorrectionKind.BACKFILL, customer, event_type, start_at, end_at, reason, actor)
    _sign(correction, replaced, -1)
    _bring_in(correction, events)
    return _finish(correction, actor, at)


@transaction.atomic
def revert_correction(*, correction_id: str, reason: str, actor: Actor, at: datetime) -> UsageCorrection:
    """Take a correction back: what it brought in no longer counts, what it took away counts again.

    What a later correction has changed since is left as it is. Locks: customer. Emits usage.corrected.
    Raises NotFound, CorrectionReverted, InvalidInput.
    """
    first = get_or_not_found(
        UsageCorrection.objects.select_related("customer"), kind="usage_correction", public_id=correction_id
    )
    customer = _lock(first.customer.public_id)
    _require_reason(reason)
    if first.kind == CorrectionKind.REVERT:
        raise CorrectionReverted("This one takes another back; make that correction again instead.")
    if UsageCorrection.objects.filter(reverts=first).exists():
        raise CorrectionReverted("This correction was taken back already.")
    correction = _begin(
        CorrectionKind.REVERT,
        customer,
        first.event_type,
        first.start_at,
        first.end_at,
        reason,
        actor,
        reverts=first,
    )
    brought_in = _counting(customer).filter(addition__correction=first)
    _sign(correction, list(brought_in.order_by("pk")), -1)
    taken = list(first.signs.filter(sign=-1).values_list("event_id", flat=True))
    gone = UsageEvent.objects.filter(pk__in=taken).annotate(net=Sum("signs__sign")).filter(net__lt=0)
    _sign(correction, list(gone.order_by("pk")), 1)
    return _finish(correction, actor, at)


def _lock(customer_id: str) -> Customer:
    """The customer, locked against billing and against ingestion."""
    return get_or_not_found(
        Customer.objects.select_for_update(of=("self",)), kind="customer", public_id=customer_id
    )


def _require_reason(reason: str) -> None:
    if not reason.strip() or len(reason) > REASON_LENGTH_MAX:
        raise InvalidInput(f"A correction says why, in up to {REASON_LENGTH_MAX} characters.", field="reason")


def _counting(customer: Customer) -> QuerySet[UsageEvent]:
    """The events of a customer that count now."""
    events = UsageEvent.objects.filter(customer=customer).annotate(net=Sum("signs__sign"))
    return events.filter(Q(net=None) | Q(net__gte=0))


def _counting_event(customer: Customer, event_id: str, *, field: str) -> UsageEvent:
    event = get_or_not_found(
        UsageEvent.objects.filter(customer=customer), kind="usage_event", event_id=event_id
    )
    if (UsageSign.objects.filter(event=event).aggregate(net=Sum("sign"))["net"] or 0) < 0:
        raise EventDoesNotCount(f"The event {event_id} was canceled or amended already.", field=field)
    return event


def _next_id(customer: Customer, event_id: str) -> str:
    """The first free id of the form `<id>~2`; an id that leaves no room is cut."""
    stem = event_id.partition("~")[0][: ID_LENGTH_MAX - 12]
    number = 2
    while UsageEvent.objects.filter(customer=customer, event_id=f"{stem}~{number}").exists():
        number += 1
    return f"{stem}~{number}"


def _begin(
    kind: CorrectionKind,
    customer: Customer,
    event_type: str,
    start_at: datetime,
    end_at: datetime,
    reason: str,
    actor: Actor,
    *,
    reverts: UsageCorrection | None = None,
) -> UsageCorrection:
    return UsageCorrection.objects.create(
        customer=customer,
        kind=kind,
        event_type=event_type,
        start_at=start_at,
        end_at=end_at,
        reason=reason.strip(),
        recorded_at=correction_time(customer.pk),
        reverts=reverts,
        actor_kind=actor.kind.value,
        actor_id=actor.public_id,
        actor_label=actor.label,
    )


def _sign(correction: UsageCorrection, events: Sequence[UsageEvent], sign: int) -> None:
    """Say of events that they no longer count, or count again. Copied by the database, which keeps all digits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO usage_usagesign"
            " (correction_id, event_id, customer_id, event_type, at, received_at, properties, sign)"
            " SELECT %s, id, customer_id, event_type, at, %s, properties, %s FROM usage_usageevent"
            " WHERE id = ANY(%s) ORDER BY id",
            [correction.pk, correction.recorded_at, sign, [event.pk for event in events]],
        )


def _bring_in(
    correction: UsageCorrection, events: Sequence[IncomingEvent], *, replaces: UsageEvent | None = None
) -> None:
    """Take in the events of a correction, however old; all of them or none."""
    for place, incoming in enumerate(events):
        _require_own(correction, incoming, place)
    verdicts = ingest(events=events, visible_to=correction.customer_id, accept_old=True, keep_rejected=False)
    for place, verdict in enumerate(verdicts):
        if verdict.kind is not VerdictKind.ACCEPTED:
            raise _refusal(place, verdict, is_only=replaces is not None)
    stored = UsageEvent.objects.filter(
        customer=correction.customer_id, event_id__in=[str(incoming.id) for incoming in events]
    )
    UsageAddition.objects.bulk_create(
        UsageAddition(correction=correction, event=event, replaces=replaces)
        for event in stored.order_by("pk")
    )


def _require_own(correction: UsageCorrection, incoming: IncomingEvent, place: int) -> None:
    if correction.kind != CorrectionKind.BACKFILL:
        return
    if incoming.type != correction.event_type:
        raise CorrectionRefused("An event of a backfill has its type.", field=f"events[{place}].type")
    if not isinstance(incoming.at, datetime) or incoming.at.tzinfo is None:
        raise CorrectionRefused("An event has an instant with its offset.", field=f"events[{place}].at")
    if not correction.start_at <= incoming.at < correction.end_at:
        raise CorrectionRefused("An event of a backfill lies in its time.", field=f"events[{place}].at")


def _refusal(place: int, verdict: Verdict, *, is_only: bool) -> CorrectionRefused:
    says = verdict.message or f"An event of this id is stored already ({verdict.kind})."
    field = verdict.field or "id"
    return CorrectionRefused(says, field=field if is_only else f"events[{place}].{field}")


def _finish(correction: UsageCorrection, actor: Actor, at: datetime) -> UsageCorrection:
    """Bring the rollups in line, tell the pages, and record who did it."""
    meters = Meter.objects.filter(event_type=correction.event_type).order_by("pk")
    recount(
        customer_pk=correction.customer_id,
        meter_pks=[meter.pk for meter in meters],
        start_at=correction.start_at,
        end_at=correction.end_at,
    )
    leave_notices([correction.customer_id])
    counts = correction.signs.values_list("sign", flat=True)
    activity.record(
        name=EventName.USAGE_CORRECTED,
        object_kind="usage_correction",
        object_id=correction.public_id,
        customer_id=correction.customer.public_id,
        data={
            "kind": correction.kind,
            "event_type": correction.event_type,
            "reason": correction.reason,
            "no_longer_count": sum(1 for sign in counts if sign < 0),
            "count_again": sum(1 for sign in counts if sign > 0),
            "brought_in": correction.additions.count(),
        },
        actor=actor,
        at=at,
    )
    return correction
