"""Writing the record of who did what, relaying it, and chaining it."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Max

from billing.activity.models import Activity
from billing.core.events import EventName
from billing.platform.actors import Actor
from billing.platform.clock import now
from billing.platform.locks import try_transaction_lock

RELAY_BATCH = 500
_CHAIN_START = "0" * 64


def record(
    *,
    name: EventName,
    object_kind: str,
    object_id: str,
    actor: Actor,
    at: datetime,
    customer_id: str = "",
    data: Mapping[str, Any] | None = None,
) -> Activity:
    """Record one fact in the caller's transaction.

    object_id and customer_id are public ids; data holds small JSON values (ids, figures, old and new values).
    What follows from the event is listed in `valueverse/reactions.py` and happens after commit, by the relay.
    Raises AssertionError outside a transaction: a fact without its change would be a lie.
    """
    assert connection.in_atomic_block, "activity is recorded in the transaction of the change"
    return Activity.objects.create(
        name=EventName(name).value,
        object_kind=object_kind,
        object_id=object_id,
        customer_id=customer_id,
        data=dict(data or {}),
        actor_kind=actor.kind.value,
        actor_id=actor.public_id,
        actor_label=actor.label,
        happened_at=at,
        recorded_at=now(),
    )


def relay(
    *,
    reactions: Mapping[str, Sequence[str]],
    queue: Callable[[str, str], None],
    announce: Callable[[Sequence[Activity]], None] | None = None,
    limit: int = RELAY_BATCH,
) -> int:
    """Queue what follows from recorded events; returns how many rows were dispatched.

    reactions: event name -> task names. queue: called as queue(task name, object id) for each of them.
    announce: called once with all rows, for what concerns every event rather than its object (pages that watch).
    A row is marked in the transaction that queued its tasks: a crash in between queues them again, so every task
    is safe to run twice (I29). Rows another relay holds are skipped.
    """
    with transaction.atomic():
        rows = list(
            Activity.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(dispatched_at=None)
            .order_by("id")[:limit]
        )
        for row in rows:
            for task_name in reactions.get(row.name, ()):
                queue(task_name, row.object_id)
        if announce is not None and rows:
            announce(rows)
        Activity.objects.filter(pk__in=[row.pk for row in rows]).update(dispatched_at=now())
    return len(rows)


def chain(*, limit: int = RELAY_BATCH) -> int:
    """Give recorded rows their place in the hash chain; returns how many.

    Each hash covers the previous one and the row, so that a changed, removed or reordered row shows (I33). Rows are
    chained after commit, one chainer at a time, so that writers never wait for each other.
    """
    with transaction.atomic():
        if not try_transaction_lock("activity.chain"):
            return 0
        position = Activity.objects.aggregate(last=Max("chain_position"))["last"] or 0
        previous = _CHAIN_START
        if position:
            previous = str(Activity.objects.values_list("chain_hash", flat=True).get(chain_position=position))
        rows = list(Activity.objects.filter(chain_position=None).order_by("id")[:limit])
        for row in rows:
            position += 1
            previous = chain_hash(previous, position, row)
            row.chain_position, row.chain_hash = position, previous
        Activity.objects.bulk_update(rows, ["chain_position", "chain_hash"])
    return len(rows)


def chain_hash(previous: str, position: int, row: Activity) -> str:
    """The hash of a row at a position: SHA-256 over the previous hash and the row's facts as canonical JSON."""
    facts = [
        previous,
        position,
        row.public_id,
        row.name,
        row.object_kind,
        row.object_id,
        row.customer_id,
        row.actor_kind,
        row.actor_id,
        row.actor_label,
        row.data,
        row.happened_at.isoformat(),
        row.recorded_at.isoformat(),
    ]
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def broken_chain_positions(*, limit: int = 100) -> list[int]:
    """Positions at which the chain does not hold: a row was changed, removed or inserted before the relay's mark."""
    broken: list[int] = []
    previous, expected = _CHAIN_START, 1
    for row in (
        Activity.objects.exclude(chain_position=None).order_by("chain_position").iterator(chunk_size=2000)
    ):
        if row.chain_position != expected or row.chain_hash != chain_hash(previous, expected, row):
            broken.append(expected)
            if len(broken) >= limit:
                break
        previous, expected = str(row.chain_hash), int(row.chain_position or 0) + 1
    return broken
