"""Bounds on what one question may cost the database."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled


@contextmanager
def statement_timeout(milliseconds: int) -> Iterator[None]:
    """Let no statement of the block take longer than this; reading only, as it runs in a transaction of its own.

    A statement that does raises OperationalError; `took_too_long` tells it from others. Around it a savepoint
    (`transaction.atomic`) is needed to go on in the block.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout')")
        (before,) = cursor.fetchone()
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(milliseconds)])
        yield
        # Inside another transaction the setting would last until that one ends.
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [before])


def took_too_long(error: OperationalError) -> bool:
    """Whether the statement was canceled by its timeout."""
    return isinstance(error.__cause__, QueryCanceled)
