"""Two real connections at once, put in the worst order on purpose, and what becomes of each.

Every scenario has a control: `without_row_locks` runs the same two calls without their row locks, and the control
says what goes wrong then. So a test that passes has met the race, and it is the lock that prevents it.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import QuerySet

PATIENCE = 30
"""Seconds after which a thread that has not ended fails the test."""

Work = Callable[[], Any]


@dataclass(slots=True)
class Outcome:
    """What a call returned or raised."""

    value: Any = None
    error: BaseException | None = None

    def constraint(self) -> str:
        """The constraint by which the database refused the call."""
        cause: Any = self.error.__cause__ if self.error else None
        return str(cause.diag.constraint_name) if cause is not None else f"none: {self!r}"


@dataclass(slots=True)
class Overlap:
    """Two calls, of which the second ran while the first was done and not committed."""

    first: Outcome
    second: Outcome
    second_waited: bool


def _run(work: Work, outcome: Outcome) -> None:
    try:
        outcome.value = work()
    except BaseException as error:
        outcome.error = error
    finally:
        connection.close()


def _join(*threads: threading.Thread) -> None:
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads), "a thread is stuck"


def at_once(*works: Work) -> list[Outcome]:
    """Run each in a thread and connection of its own, all starting together."""
    start = threading.Barrier(len(works))
    outcomes = [Outcome() for _ in works]

    def started(work: Work) -> Work:
        def run() -> Any:
            start.wait(PATIENCE)
            return work()

        return run

    threads = [
        threading.Thread(target=_run, args=(started(work), outcome), daemon=True)
        for work, outcome in zip(works, outcomes, strict=True)
    ]
    for thread in threads:
        thread.start()
    _join(*threads)
    return outcomes


def overlapping(first: Work, second: Work) -> Overlap:
    """Run `first` in a transaction; start `second` and let it run until it ends or waits for a lock; then commit."""
    done, may_commit = threading.Event(), threading.Event()
    result = Overlap(Outcome(), Outcome(), False)

    def hold() -> Any:
        try:
            with transaction.atomic():
                value = first()
                done.set()
                may_commit.wait(PATIENCE)
                return value
        finally:
            done.set()

    holder = threading.Thread(target=_run, args=(hold, result.first), daemon=True)
    other = threading.Thread(target=_run, args=(second, result.second), daemon=True)
    holder.start()
    done.wait(PATIENCE)
    other.start()
    try:
        result.second_waited = _ends_or_waits(other)
    finally:
        may_commit.set()
    _join(holder, other)
    return result


@contextmanager
def without_row_locks() -> Iterator[None]:
    """The control: SELECT ... FOR UPDATE locks nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(QuerySet, "select_for_update", lambda queryset, *args, **options: queryset.all())
        yield


def wait_until_somebody_waits() -> None:
    """Return when another connection to this database waits for a lock."""
    end = time.monotonic() + PATIENCE
    while not _somebody_waits():
        assert time.monotonic() < end, "nobody waits for a lock"
        time.sleep(0.01)


def _ends_or_waits(thread: threading.Thread) -> bool:
    """Whether the thread came to wait for a lock; False if it ended without."""
    end = time.monotonic() + PATIENCE
    while thread.is_alive():
        if _somebody_waits():
            return True
        assert time.monotonic() < end, "a thread neither ends nor waits for a lock"
        thread.join(0.01)
    return False


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_stat_clear_snapshot()"
        )  # a transaction sees one state of the view otherwise
        cursor.execute(
            "SELECT count(*) > 0 FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchone()[0])


def values(outcomes: Sequence[Outcome]) -> list[Any]:
    """What the calls that went through returned."""
    return [outcome.value for outcome in outcomes if outcome.error is None]


def errors(outcomes: Sequence[Outcome]) -> list[str]:
    """How the others failed, by the names of their errors, sorted."""
    return sorted(type(outcome.error).__name__ for outcome in outcomes if outcome.error is not None)
