"""Events that were refused: kept for a while with the reason, to be looked at, repaired and sent again.

Kept beside ingestion and after it, in a statement of their own, so that good events never wait for bad ones. Bounded:
the same content is kept once, a batch leaves at most 1,000, and with 100,000 open nothing more is kept.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from django.db import connection

from billing.platform.clock import now
from billing.platform.ids import new_public_id
from billing.usage.models import RejectedEvent
from billing.usage.services.events import IncomingEvent, Verdict

KEPT = timedelta(days=30)
KEPT_PER_BATCH = 1_000
OPEN_MAX = 100_000
CONTENT_MAX = 20_000
"""Characters of an event that are kept; a longer one cannot be repaired here anyway."""

_encode = msgspec.json.Encoder(decimal_format="number").encode


def keep_rejects(events: Sequence[IncomingEvent], verdicts: Sequence[Verdict]) -> int:
    """Keep those of the events whose verdict has a reason; returns how many. Sent again, a kept one is counted."""
    rows: dict[str, tuple[str, ...]] = {}
    for event, verdict in zip(events, verdicts, strict=True):
        content = _content(event)
        if verdict.reason is None or not content or len(rows) == KEPT_PER_BATCH:
            continue
        digest = hashlib.sha256(content.encode()).hexdigest()
        rows[digest] = (
            _text(event.id, 200),
            _text(event.type, 200),
            _text(event.customer, 200),
            content,
            verdict.reason.value,
            _text(verdict.message, 300),
            _text(verdict.field, 160),
        )
    if not rows or RejectedEvent.objects.filter(resolved_at=None)[OPEN_MAX : OPEN_MAX + 1].exists():
        return 0
    columns = list(zip(*rows.values(), strict=True))
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO usage_rejectedevent AS kept (public_id, customer_id, event_id, event_type, content, reason,"
            " message, field, times, content_hash, rejected_at, resolved_at, resolution)"
            " SELECT new.public_id, (SELECT min(customer.id) FROM customers_customer customer"
            " WHERE customer.public_id = new.customer OR customer.external_id = new.customer),"
            " new.event_id, new.event_type, new.content, new.reason, new.message, new.field, 1, new.content_hash,"
            " %s, NULL, '' FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],"
            " %s::text[], %s::text[], %s::text[])"
            " AS new (public_id, event_id, event_type, customer, content, reason, message, field, content_hash)"
            " ORDER BY new.content_hash ON CONFLICT (content_hash) DO UPDATE SET times = kept.times + 1,"
            " rejected_at = excluded.rejected_at, reason = excluded.reason, message = excluded.message,"
            " field = excluded.field, resolved_at = NULL, resolution = ''",
            [
                now(),
                [new_public_id("rej") for _ in rows],
                *[list(column) for column in columns],
                list(rows),
            ],
        )
        return int(cursor.rowcount)


def forget_rejected(*, at: datetime) -> int:
    """Remove what was refused more than 30 days ago; returns how many."""
    removed, _ = RejectedEvent.objects.filter(rejected_at__lt=at - KEPT).delete()
    return removed


def _content(event: IncomingEvent) -> str:
    """The event as JSON that can be read and repaired; empty for one of which nothing is known."""
    known = {name: getattr(event, name) for name in ("id", "customer", "type", "at", "properties")}
    known = {name: value for name, value in known.items() if value is not None}
    if not known:
        return ""
    try:
        text = _encode(known).decode()
    except (msgspec.MsgspecError, TypeError, ValueError, UnicodeError):
        text = json.dumps(known, default=str)
    return text if len(text) <= CONTENT_MAX and "\x00" not in text else ""


def _text(value: object, most: int) -> str:
    """A text that a column can hold; empty for what is none."""
    if not isinstance(value, str):
        return ""
    return value.encode(errors="replace").decode().replace("\x00", "?")[:most]
