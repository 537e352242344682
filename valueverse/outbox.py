"""Running what follows from events in this very process, for commands that must be done when they end."""

from collections.abc import Callable

from celery import current_app

from billing.activity import services as activity
from billing.activity.models import Activity
from valueverse.live.frames import frames_of, is_told, publish
from valueverse.reactions import REACTIONS

ROUNDS_MAX = 1000


def drain_outbox() -> int:
    """Relay recorded events until none is left, run their tasks here one after the other, and chain the activity.

    Returns how many tasks ran. Tasks run outside the relay's transaction, as they do in a worker; one that fails
    raises here. Raises RuntimeError if events keep causing events without end.
    """
    current_app.loader.import_default_modules()  # tasks register when their modules are imported
    done = 0
    for _ in range(ROUNDS_MAX):
        queued: list[tuple[str, str]] = []
        happened: list[Activity] = []
        relayed = activity.relay(reactions=REACTIONS, queue=_adding_to(queued), announce=happened.extend)
        for task_name, object_id in queued:
            current_app.tasks[task_name](object_id)
        publish(frames_of([row for row in happened if is_told(row.name)]))
        done += len(queued)
        if relayed == 0:
            while activity.chain():
                pass
            return done
    raise RuntimeError("the outbox does not come to an end")


def _adding_to(queued: list[tuple[str, str]]) -> Callable[[str, str], None]:
    return lambda task_name, object_id: queued.append((task_name, object_id))
