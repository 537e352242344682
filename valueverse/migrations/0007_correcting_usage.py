"""Who may correct usage, and repair and replay events that were refused."""

from typing import Any

from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

READS = ("view_usagecorrection", "view_rejectedevent")
GRANTS = {
    "Finance manager": (*READS, "correct_usage", "replay_rejectedevent"),
    "Finance clerk": (*READS, "correct_usage", "replay_rejectedevent"),
    "Support": (*READS, "replay_rejectedevent"),
    "Auditor": READS,
}


def grant(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    config: Any = apps.get_app_config("usage")
    config.models_module = True  # create_permissions skips an app without models, and the stub names none
    create_permissions(config, verbosity=0, apps=apps, using=schema_editor.connection.alias)
    config.models_module = None
    permission, group = apps.get_model("auth", "Permission"), apps.get_model("auth", "Group")
    alias = schema_editor.connection.alias
    for name, codenames in GRANTS.items():
        found = permission.objects.using(alias).filter(
            content_type__app_label="usage", codename__in=codenames
        )
        group.objects.using(alias).get(name=name).permissions.add(*found)


class Migration(migrations.Migration):
    dependencies = [
        ("valueverse", "0006_list_permissions"),
        ("usage", "0005_rejected_events"),
    ]

    operations = [migrations.RunPython(grant, migrations.RunPython.noop)]
