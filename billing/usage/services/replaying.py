"""Taking refused events in after all, or setting them aside."""

from datetime import datetime

from django.db import transaction

from billing.activity import services as activity
from billing.core.errors import BillingError, InvalidInput, Kind
from billing.core.events import EventName
from billing.platform.actors import Actor
from billing.platform.lookup import get_or_not_found
from billing.usage.exact_json import decode
from billing.usage.models import RejectedEvent
from billing.usage.services.events import IncomingEvent, VerdictKind, event_from_json
from billing.usage.services.ingestion import ingest
from customers.models import Customer


class StillRejected(BillingError):
    """The repaired event is refused, too; `fields` names what is wrong."""

    code = "still_rejected"
    kind = Kind.INVALID


class RejectionResolved(BillingError):
    """Somebody has replayed or dismissed it already."""

    code = "rejection_resolved"
    kind = Kind.CONFLICT


@transaction.atomic
def replay_rejected(
    *, rejected_id: str, repaired: IncomingEvent | None = None, actor: Actor, at: datetime
) -> RejectedEvent:
    """Take a refused event in after all, as it is or as it was repaired, however old it is by now.

    repaired: the event in its place; none: as it was sent. Emits rejected_event.replayed.
    Raises NotFound, RejectionResolved, StillRejected naming the field (then nothing changes).
    """
    row = _open(rejected_id)
    event = repaired if repaired is not None else event_from_json(decode(row.content.encode()))
    (verdict,) = ingest(events=[event], accept_old=True, keep_rejected=False)
    if verdict.kind not in (VerdictKind.ACCEPTED, VerdictKind.DUPLICATE):
        raise StillRejected(verdict.message, field=verdict.field or "content")
    return _resolve(row, "replayed", EventName.REJECTED_EVENT_REPLAYED, actor, at)


@transaction.atomic
def dismiss_rejected(*, rejected_id: str, reason: str, actor: Actor, at: datetime) -> RejectedEvent:
    """Set a refused event aside for good. Emits rejected_event.dismissed.

    Raises NotFound, RejectionResolved, InvalidInput.
    """
    if not reason.strip() or len(reason) > 500:
        raise InvalidInput("Say why it is set aside, in up to 500 characters.", field="reason")
    return _resolve(
        _open(rejected_id), "dismissed", EventName.REJECTED_EVENT_DISMISSED, actor, at, reason=reason
    )


def _open(rejected_id: str) -> RejectedEvent:
    row = get_or_not_found(
        RejectedEvent.objects.select_for_update(of=("self",)), kind="rejected_event", public_id=rejected_id
    )
    if row.resolved_at is not None:
        raise RejectionResolved(f"This event was {row.resolution} already.")
    return row


def _resolve(
    row: RejectedEvent, resolution: str, name: EventName, actor: Actor, at: datetime, *, reason: str = ""
) -> RejectedEvent:
    row.resolved_at, row.resolution = at, resolution
    row.save(update_fields=["resolved_at", "resolution"])
    customer = None if row.customer_id is None else Customer.objects.get(pk=row.customer_id)
    activity.record(
        name=name,
        object_kind="rejected_event",
        object_id=row.public_id,
        customer_id=customer.public_id if customer else "",
        data={"event_id": row.event_id, "reason": row.reason, **({"why": reason} if reason else {})},
        actor=actor,
        at=at,
    )
    return row
