"""Two relays at once: every recorded event is dispatched, by one of them (I29)."""

from collections import Counter
from collections.abc import Callable

import pytest

from billing.activity.models import Activity
from billing.activity.services import broken_chain_positions, chain, relay
from billing.core.events import EventName
from tests.billing_factories import billed_customer, draft_invoice
from tests.concurrency.racing import at_once, errors, overlapping, values, without_row_locks

pytestmark = pytest.mark.usefixtures("committed_db")
REACTIONS = {name.value: ("react",) for name in EventName}


def relaying(queued: list[str], *, limit: int = 500) -> Callable[[], int]:
    """A relay that notes for which objects it queued a task."""
    return lambda: relay(
        reactions=REACTIONS, queue=lambda _task, object_id: queued.append(object_id), limit=limit
    )


def recorded() -> Counter[str]:
    return Counter(Activity.objects.values_list("object_id", flat=True))


def test_two_relays_dispatch_every_event_once() -> None:
    for _ in range(3):
        draft_invoice(billed_customer())
    queued: list[str] = []

    def until_nothing_is_left() -> None:
        while relaying(queued, limit=4)():
            pass

    assert errors(at_once(*[until_nothing_is_left] * 4)) == []
    assert Counter(queued) == recorded()
    assert not Activity.objects.filter(dispatched_at=None).exists()


def test_a_second_relay_passes_over_what_the_first_one_holds() -> None:
    billed_customer()
    first: list[str] = []
    second: list[str] = []
    result = overlapping(relaying(first, limit=2), relaying(second))
    assert not result.second_waited
    assert len(first) == 2
    assert Counter(first + second) == recorded()


def test_control_without_the_lock_an_event_is_dispatched_twice() -> None:
    billed_customer()
    first: list[str] = []
    second: list[str] = []
    with without_row_locks():
        overlapping(relaying(first, limit=2), relaying(second))
    assert sum(Counter(first + second).values()) == sum(recorded().values()) + 2


def test_a_relay_that_dies_before_its_commit_leaves_its_events_to_the_next_one() -> None:
    billed_customer()

    def dies(_task: str, _object_id: str) -> None:
        raise ConnectionError("the broker is gone")

    with pytest.raises(ConnectionError):
        relay(reactions=REACTIONS, queue=dies)
    queued: list[str] = []
    relaying(queued)()
    assert Counter(queued) == recorded()


def test_two_chainers_at_once_make_one_chain() -> None:
    for _ in range(2):
        draft_invoice(billed_customer())

    def until_nothing_is_left() -> int:
        done = 0
        while Activity.objects.filter(chain_position=None).exists():
            done += chain(limit=3)
        return done

    outcomes = at_once(*[until_nothing_is_left] * 3)
    assert sum(values(outcomes)) == Activity.objects.count()
    assert sorted(Activity.objects.values_list("chain_position", flat=True)) == list(
        range(1, Activity.objects.count() + 1)
    )
    assert broken_chain_positions() == []
