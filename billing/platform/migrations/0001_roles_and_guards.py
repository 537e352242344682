"""Before any table exists: what the application's role may do with those to come, and the guards they use.

The owner (DATABASE_OWNER_URL) makes every table; the application (DATABASE_URL) owns none and reads and writes
rows only. Append-only tables take UPDATE and DELETE away from it in their own migration.
"""

from django.conf import settings
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from psycopg import sql

from billing.platform.migration_sql import sql_beside


def grant_to_application(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    role = str(settings.DATABASES["default"]["USER"])
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        if cursor.fetchone() == (role,):
            return  # one role for everything: `doctor` reports it
        for statement in (
            "GRANT USAGE ON SCHEMA public TO {role}",
            "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {role}",
        ):
            cursor.execute(sql.SQL(statement).format(role=sql.Identifier(role)).as_string(None))


class Migration(migrations.Migration):
    initial = True
    dependencies: list[tuple[str, str]] = []
    run_before = [
        ("contenttypes", "0001_initial"),
        ("sessions", "0001_initial"),
        ("axes", "0001_initial"),
    ]
    operations = [
        migrations.RunPython(grant_to_application, migrations.RunPython.noop),
        sql_beside(__file__, "0001_roles_and_guards"),
    ]
