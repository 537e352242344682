"""Writing the forbidden thing in plain SQL, and seeing that PostgreSQL refuses it, and why.

`refused` names the constraint that has to refuse; `accepted` is its control: the legal form of the same write goes
through, so that the refusal is not for another reason. Both check deferred constraints, and both leave no trace.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import DatabaseError, connections, transaction

from billing.platform.ids import new_public_id

CHECK = "23514"
UNIQUE = "23505"
FOREIGN_KEY = "23503"
EXCLUSION = "23P01"
PRIVILEGE = "42501"


def sql(statement: str, *values: Any, alias: str = "default") -> list[tuple[Any, ...]]:
    """Run one statement; its rows, if it has any."""
    with connections[alias].cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


def check_deferred(alias: str = "default") -> None:
    """Check at once what would be checked at commit."""
    sql("SET CONSTRAINTS ALL IMMEDIATE", alias=alias)
    sql("SET CONSTRAINTS ALL DEFERRED", alias=alias)


@contextmanager
def refused(by: str, state: str = CHECK, *, alias: str = "default") -> Iterator[None]:
    """The block's writes are refused by the constraint `by`, at once or at commit."""
    with pytest.raises(DatabaseError) as caught, transaction.atomic(using=alias):  # noqa: PT012 - that is its purpose
        yield
        check_deferred(alias)
    cause: Any = caught.value.__cause__
    assert (cause.sqlstate, cause.diag.constraint_name) == (state, by), str(cause)


@contextmanager
def not_permitted(*, alias: str = "default") -> Iterator[None]:
    """The role of the connection has no right to do what the block does."""
    with pytest.raises(DatabaseError) as caught, transaction.atomic(using=alias):
        yield
    cause: Any = caught.value.__cause__
    assert cause.sqlstate == PRIVILEGE, str(cause)


@contextmanager
def accepted(*, alias: str = "default") -> Iterator[None]:
    """The block's writes are accepted, at once and at commit; then they are taken back."""
    with transaction.atomic(using=alias):
        yield
        check_deferred(alias)
        transaction.set_rollback(True, using=alias)


def copy_row(table: str, row_id: int, **changes: Any) -> int:
    """Insert a copy of a row under a new id (and public id), with changes; the new id."""
    overrides: dict[str, Any] = dict(changes)
    if sql(
        "SELECT 1 FROM information_schema.columns WHERE table_name = %s AND column_name = 'public_id'", table
    ):
        overrides.setdefault("public_id", new_public_id("xxx"))
    ((new_id,),) = sql(
        f"INSERT INTO {table} SELECT (jsonb_populate_record(NULL::{table}, to_jsonb(original) || %s::jsonb"
        f" || jsonb_build_object('id', nextval(pg_get_serial_sequence('{table}', 'id'))))).*"
        f" FROM {table} original WHERE id = %s RETURNING id",
        json.dumps(overrides, default=str),
        row_id,
    )
    return int(new_id)


_OTHER_VALUE = {
    "bigint": "coalesce({0}, 0) + 1",
    "integer": "coalesce({0}, 0) + 1",
    "smallint": "coalesce({0}, 0) + 1",
    "numeric": "coalesce({0}, 0) + 1",
    "character varying": "CASE {0} WHEN 'Z' THEN 'Y' ELSE 'Z' END",
    "date": "coalesce({0}, '2000-01-01') + 1",
    "timestamp with time zone": "coalesce({0}, '2000-01-01') + interval '1 day'",
    "jsonb": "'{{\"tampered\": true}}'",
    "bytea": "'\\x00'",
    "boolean": "NOT {0}",
    "xid8": "'1'",
}


def tampering(table: str) -> dict[str, str]:
    """For each column of a table the SET clause that gives it another value."""
    columns = sql(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s ORDER BY 1",
        table,
    )
    assert columns, f"there is no table {table}"
    return {name: f'"{name}" = ' + _OTHER_VALUE[kind].format(f'"{name}"') for name, kind in columns}
