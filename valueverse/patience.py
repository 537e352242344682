"""Questions that may not take long: a page goes without an answer rather than waiting for it."""

from collections.abc import Callable
from typing import TypeVar

import structlog
from django.db import DatabaseError, connection, transaction

T = TypeVar("T")
log = structlog.get_logger(__name__)

PATIENCE_MS = 2_000
"""How long one figure of a page may be counted before the page goes without it."""


def attempt(what: str, question: Callable[[], T], *, patience_ms: int = PATIENCE_MS) -> T | None:
    """The answer to a question that only reads, or None if the database could not give it in time.

    Whatever fails is logged and stays here: one figure never takes its page down. The question evaluates what it
    returns; nothing lazy leaves it.
    """
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(patience_ms)])
            answer = question()
            transaction.set_rollback(True)  # nothing was written; the limit ends with the savepoint
    except DatabaseError as error:
        log.warning("figure_unavailable", figure=what, error=str(error).strip())
        return None
    return answer
