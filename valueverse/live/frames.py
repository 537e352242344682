"""What is said to which group: ids and small summaries, never a page's content. The form is described in README.md.

A frame is a hint that something changed. Whoever gets it reads its page again, by the query it always uses; so a
frame that is lost, late, or sent twice costs nothing but time.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

import structlog
from channels.layers import get_channel_layer
from redis.exceptions import RedisError

from billing.activity.models import Activity
from billing.core.events import EventName
from billing.invoices.models import Invoice
from valueverse.live.groups import APPROVALS, DASHBOARD, Group, customer_group, run_group

Frame = dict[str, Any]
Addressed = tuple[Group, Frame]
"""A frame and the group it is for."""

USAGE_RECEIVED = "usage.received"
BILL_RUN_PROGRESS = "bill_run.progress"
DASHBOARD_CHANGED = "dashboard.changed"

CUSTOMER_EVENTS: dict[str, tuple[str, ...]] = {
    EventName.INVOICE_FINALIZED: ("number", "total_minor", "currency"),
    EventName.INVOICE_SETTLED: ("number",),
    EventName.INVOICE_REOPENED: ("number",),
    EventName.INVOICE_VOIDED: ("number",),
    EventName.CREDIT_NOTE_FINALIZED: ("number", "invoice", "total_minor", "currency"),
    EventName.PAYMENT_INITIATED: ("status", "amount_minor", "currency", "invoice"),
    EventName.PAYMENT_SUCCEEDED: ("status", "amount_minor", "currency", "invoice"),
    EventName.PAYMENT_FAILED: ("status", "amount_minor", "currency", "invoice"),
    EventName.PAYMENT_UNKNOWN: ("status", "amount_minor", "currency", "invoice"),
    EventName.PAYMENT_ALLOCATED: ("payment", "invoice", "amount_minor", "currency"),
    EventName.PAYMENT_METHOD_CREATED: (),
    EventName.REFUND_INITIATED: ("payment", "amount_minor", "currency"),
    EventName.REFUND_SUCCEEDED: ("payment", "amount_minor", "currency"),
    EventName.REFUND_FAILED: ("payment", "amount_minor", "currency"),
    EventName.SUBSCRIPTION_STARTED: (),
    EventName.SUBSCRIPTION_CANCEL_SCHEDULED: ("cancel_at",),
    EventName.SUBSCRIPTION_CANCELED: ("cancel_at",),
    EventName.CUSTOMER_UPDATED: (),
}
"""What a customer hears about itself, and which of the event's facts go along. Drafts and what only the seller
knows (approvals, runs, reasons) are not here, and a new event is silent until somebody adds it."""

DASHBOARD_EVENTS = (
    "invoice.",
    "credit_note.",
    "payment.",
    "refund.",
    "subscription.",
    "bill_run.",
    "approval.",
)
"""Beginnings of the names of events that change a figure of the dashboard."""

RUN_EVENTS = frozenset(
    {
        EventName.INVOICE_DRAFTED,
        EventName.INVOICE_DELETED,
        EventName.INVOICE_FINALIZED,
        EventName.INVOICE_VOIDED,
    }
)
"""Events of an invoice that move the bill run it is part of."""

log = structlog.get_logger(__name__)


def is_told(name: str) -> bool:
    """Whether any group hears of an event."""
    return name in CUSTOMER_EVENTS or name.startswith(DASHBOARD_EVENTS)


def frames_of(rows: Sequence[Activity]) -> list[Addressed]:
    """What recorded events make groups hear: each customer every event, staff pages one frame for all of them."""
    frames = [
        (
            customer_group(row.customer_id),
            _frame(
                customer_group(row.customer_id),
                row.name,
                row.object_id,
                row.happened_at,
                {key: row.data[key] for key in CUSTOMER_EVENTS[row.name] if row.data.get(key) is not None},
            ),
        )
        for row in rows
        if row.customer_id and row.name in CUSTOMER_EVENTS
    ]
    return [*frames, *_run_frames(rows), *_staff_frames(rows)]


def usage_frames(customer_ids: Sequence[str], *, at: datetime) -> list[Addressed]:
    """Usage of these customers came in."""
    frames = [
        (customer_group(one), _frame(customer_group(one), USAGE_RECEIVED, one, at, {}))
        for one in customer_ids
    ]
    return [*frames, (DASHBOARD, _frame(DASHBOARD, USAGE_RECEIVED, "", at, {"customers": len(customer_ids)}))]


def _run_frames(rows: Sequence[Activity]) -> list[Addressed]:
    """One frame per bill run: its own event if there was one, else that its invoices moved."""
    frames = {
        row.object_id: _frame(
            run_group(row.object_id),
            row.name,
            row.object_id,
            row.happened_at,
            {"status": row.data.get("status")},
        )
        for row in rows
        if row.object_kind == "bill_run"
    }
    moved = {row.object_id: row.happened_at for row in rows if row.name in RUN_EVENTS}
    runs = (
        Invoice.objects.filter(public_id__in=list(moved), bill_run__isnull=False)
        if moved
        else Invoice.objects.none()
    )
    for invoice_id, run_id in runs.values_list("public_id", "bill_run__public_id"):
        at = moved[invoice_id]
        frames.setdefault(run_id, _frame(run_group(run_id), BILL_RUN_PROGRESS, run_id, at, {}))
    return [(run_group(run_id), frame) for run_id, frame in frames.items()]


def _staff_frames(rows: Sequence[Activity]) -> list[Addressed]:
    frames: list[Addressed] = []
    counts = Counter(row.name for row in rows if row.name.startswith(DASHBOARD_EVENTS))
    if counts:
        at = max(row.happened_at for row in rows)
        frames.append((DASHBOARD, _frame(DASHBOARD, DASHBOARD_CHANGED, "", at, {"events": dict(counts)})))
    asked = [row for row in rows if row.name.startswith("approval.")]
    if asked:
        last = asked[-1]
        frames.append((APPROVALS, _frame(APPROVALS, last.name, last.object_id, last.happened_at, {})))
    return frames


def _frame(group: Group, event: str, object_id: str, at: datetime, data: Frame) -> Frame:
    return {
        "type": "event",
        "group": group.name,
        "event": str(event),
        "object": object_id,
        "at": at.isoformat(timespec="milliseconds"),
        "data": data,
    }


async def send_frames(frames: Iterable[Addressed]) -> None:
    """Give frames to the channel layer. Raises RedisError or OSError if it cannot be reached."""
    layer = get_channel_layer()
    for group, frame in frames:
        await layer.group_send(group.layer_name, {"type": "live.frame", "frame": frame})


def publish(frames: Collection[Addressed]) -> None:
    """Send frames from a process without a loop of its own. What cannot be sent is dropped: pages re-read."""
    if not frames:
        return
    try:
        asyncio.run(_send_and_leave(frames))
    except (RedisError, OSError) as error:
        log.warning("live_frames_dropped", count=len(frames), error=type(error).__name__)


async def _send_and_leave(frames: Iterable[Addressed]) -> None:
    try:
        await send_frames(frames)
    finally:
        await get_channel_layer().flush()  # its connection belongs to this loop, which ends here


def publish_activity(activity_ids: Sequence[str]) -> None:
    """Tell the groups what these recorded events mean for them."""
    rows = Activity.objects.filter(public_id__in=list(activity_ids)).order_by("id")
    publish(frames_of(list(rows)))
