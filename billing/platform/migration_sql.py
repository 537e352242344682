"""Plain SQL beside a migration: `0001_initial.py` runs `sql/0001_initial.sql`, and its reverse on the way back."""

from pathlib import Path

from django.conf import settings
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations import RunPython, RunSQL
from django.db.migrations.state import StateApps
from psycopg import sql


def sql_beside(migration_file: str, name: str) -> RunSQL:
    """The operation that runs `sql/<name>.sql` forwards and `sql/<name>.reverse.sql` backwards.

    migration_file: the migration's `__file__`.
    """
    folder = Path(migration_file).parent / "sql"
    return RunSQL((folder / f"{name}.sql").read_text(), (folder / f"{name}.reverse.sql").read_text())


def revoke_from_application(*tables: str, privileges: str = "UPDATE, DELETE, TRUNCATE") -> RunPython:
    """The operation that takes `privileges` on `tables` away from the application's role.

    The triggers refuse these writes to everybody; the missing privilege is a second wall that a disabled trigger
    does not open. Where owner and application are one role there is nothing to take away.
    """

    def revoke(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
        role = str(settings.DATABASES["default"]["USER"])
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("SELECT current_user")
            if cursor.fetchone() == (role,):
                return
            for table in tables:
                statement = sql.SQL(
                    "REVOKE " + privileges + " ON {table} FROM {role}"
                ).format(  # constant text
                    table=sql.Identifier(table), role=sql.Identifier(role)
                )
                cursor.execute(statement.as_string(None))

    return RunPython(revoke, RunPython.noop)
