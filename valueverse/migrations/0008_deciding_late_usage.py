"""Who may decide about late usage of plans that ask."""

from typing import Any

from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

GRANTS = {"Finance manager": ("decide_late_usage",), "Finance clerk": ("decide_late_usage",)}


def grant(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    config: Any = apps.get_app_config("revenue")
    config.models_module = True  # create_permissions skips an app without models, and the stub names none
    create_permissions(config, verbosity=0, apps=apps, using=schema_editor.connection.alias)
    config.models_module = None
    permission, group = apps.get_model("auth", "Permission"), apps.get_model("auth", "Group")
    alias = schema_editor.connection.alias
    for name, codenames in GRANTS.items():
        found = permission.objects.using(alias).filter(
            content_type__app_label="revenue", codename__in=codenames
        )
        group.objects.using(alias).get(name=name).permissions.add(*found)


class Migration(migrations.Migration):
    dependencies = [
        ("valueverse", "0007_correcting_usage"),
        ("revenue", "0002_late_usage"),
    ]

    operations = [migrations.RunPython(grant, migrations.RunPython.noop)]
