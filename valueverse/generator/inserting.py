"""INSERT ... SELECT over Django's models: named columns as SQL, the others as the model's defaults."""

from typing import Any

from django.apps import apps
from django.db import connection
from django.db.backends.utils import CursorWrapper


def insert(
    cursor: CursorWrapper, label: str, source: str, given: dict[str, Any], /, **expressions: str
) -> int:
    """Fill a table from `source` (what follows FROM); returns how many rows that made.

    label: "app.Model". expressions: column to SQL over the source. A column that is not named gets the default that
    its field has in Python, so that a model may grow columns; one that needs a value per row is a mistake in the
    caller. given: the parameters that the SQL names.
    """
    model = apps.get_model(label)
    columns, parameters = dict(expressions), dict(given)
    for field in model._meta.concrete_fields:
        if field.column in columns or field.primary_key or field.null:
            continue
        assert field.has_default() or field.empty_strings_allowed, f"{label}.{field.name} needs a value"
        assert not field.unique, f"{label}.{field.name} needs a value per row"
        name = f"default_{field.column}"
        parameters[name] = field.get_db_prep_save(field.get_default(), connection)
        columns[field.column] = f"%({name})s"
    names, values = ", ".join(f'"{column}"' for column in columns), ", ".join(columns.values())
    statement = f'INSERT INTO "{model._meta.db_table}" ({names}) SELECT {values} FROM {source}'  # noqa: S608
    cursor.execute(statement, parameters)
    return int(cursor.rowcount)


def public_id(prefix: str, key: str, *, place: str = "n") -> str:
    """The SQL of a public id: the instant in %(stamp)s as new_public_id writes it, its place, a digest of seed and key.

    With the place in front of the digest, ids ascend within an instant, and their indexes grow at the end.
    """
    digest = f"left(md5(%(seed)s || '{prefix}' || {key}), 8)"
    return f"'{prefix}_' || %(stamp)s || lpad(to_hex({place}), 8, '0') || {digest}"


def next_id(label: str) -> str:
    """The SQL of a new primary key, for rows that other rows of the same statement list refer to."""
    return f"nextval(pg_get_serial_sequence('{apps.get_model(label)._meta.db_table}', 'id'))"
