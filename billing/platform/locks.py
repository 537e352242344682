"""Locks, and the one order in which they are taken.

Order: customers by id, then subscriptions by id, then invoices by id, then payments by id, then number counters,
then accounting periods and ledger accounts. Whoever needs several takes them in this order, each kind sorted by id
in one statement; so two transactions never wait for each other in a circle.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from billing.core.errors import BillingError, Kind


class RunInProgress(BillingError):
    """Another process holds the advisory lock of this run; try again when it has ended."""

    code = "run_in_progress"
    kind = Kind.UNAVAILABLE


def _lock_key(name: str) -> int:
    """A signed 64-bit key for `name`; PostgreSQL's advisory locks are numbered, not named."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


@contextmanager
def run_lock(name: str) -> Iterator[None]:
    """Hold the session-wide advisory lock of a run while the block lasts.

    The lock belongs to the database session: when the process dies, PostgreSQL frees it.
    Raises RunInProgress at once if another session holds it.
    """
    key = _lock_key(name)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
        (locked,) = cursor.fetchone()
        if not locked:
            raise RunInProgress(f"Another process is running '{name}'. Try again when it has ended.")
    try:
        yield
    finally:
        if connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [key])


def try_transaction_lock(name: str) -> bool:
    """Take the advisory lock `name` until the current transaction ends; False if another transaction holds it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_lock_key(name)])
        (locked,) = cursor.fetchone()
    return bool(locked)


@contextmanager
def waiting_lock(name: str) -> Iterator[None]:
    """Hold the session-wide advisory lock `name` while the block lasts, after waiting for whoever has it.

    For what one person does to one object: the second of two clicks waits, then sees what the first has done. No
    transaction stays open meanwhile, so that a gateway may be called. Waits as long as the lock timeout allows.
    """
    key = _lock_key(name)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [key])
    try:
        yield
    finally:
        if connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [key])
