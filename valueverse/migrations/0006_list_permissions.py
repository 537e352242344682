"""Who may take a list out of the house, and who may share a view of one."""

from typing import Any

from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

GRANTS = {
    "Finance manager": ("export_list", "share_view"),
    "Finance clerk": ("export_list", "share_view"),
    "Auditor": ("export_list",),
}


def grant(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    config: Any = apps.get_app_config("customers")
    config.models_module = True  # create_permissions skips an app without models, and the stub names none
    create_permissions(config, verbosity=0, apps=apps, using=schema_editor.connection.alias)
    config.models_module = None
    permission, group = apps.get_model("auth", "Permission"), apps.get_model("auth", "Group")
    alias = schema_editor.connection.alias
    for name, codenames in GRANTS.items():
        found = permission.objects.using(alias).filter(
            content_type__app_label="customers", codename__in=codenames
        )
        group.objects.using(alias).get(name=name).permissions.add(*found)


class Migration(migrations.Migration):
    dependencies = [
        ("valueverse", "0005_payment_mails"),
        ("customers", "0005_number_formats_and_saved_views"),
    ]

    operations = [migrations.RunPython(grant, migrations.RunPython.noop)]
