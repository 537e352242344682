"""Tasks of the wiring: the relay of the outbox and the hash chain of the activity."""

from collections.abc import Sequence

from celery import current_app, shared_task
from django.core.management import call_command

from billing.activity import services as activity
from billing.activity.models import Activity
from billing.platform.api.idempotency import forget_expired_answers
from billing.platform.clock import now
from customers.services import forget_expired_sessions
from valueverse.live.frames import is_told, publish_activity
from valueverse.reactions import REACTIONS


def queue_task(task_name: str, object_id: str) -> None:
    """Hand a task to the workers by its name."""
    current_app.send_task(task_name, args=[object_id])


def queue_frames(rows: Sequence[Activity]) -> None:
    """Have the pages told of recorded events: one task for all of them, however many there are."""
    told = [row.public_id for row in rows if is_told(row.name)]
    if told:
        current_app.send_task("valueverse.send_live_frames", args=[told])


@shared_task(name="valueverse.relay_outbox", ignore_result=True)
def relay_outbox() -> int:
    """Queue what follows from recorded events. Safe to run twice: rows are marked in the transaction that queues."""
    return activity.relay(reactions=REACTIONS, queue=queue_task, announce=queue_frames)


@shared_task(name="valueverse.send_live_frames", ignore_result=True)
def send_live_frames(activity_ids: list[str]) -> None:
    """Tell the pages that watch what happened. Safe to run twice: a page told again reads again."""
    publish_activity(activity_ids)


@shared_task(name="valueverse.chain_activity", ignore_result=True)
def chain_activity() -> int:
    """Chain the hashes of new activity. Safe to run twice: one chainer at a time, each row once."""
    return activity.chain()


@shared_task(name="valueverse.forget_expired", ignore_result=True)
def forget_expired() -> None:
    """Delete answers kept for repeated API requests, refresh tokens and sessions past their time. Safe to run twice."""
    while forget_expired_answers():
        pass
    call_command("flushexpiredtokens")
    call_command("clearsessions")
    forget_expired_sessions(at=now())
