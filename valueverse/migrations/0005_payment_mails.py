"""Who reads the mails about payments and sends them again: all groups of finance, and support."""

from typing import Any

from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

READERS = ("Finance manager", "Finance clerk", "Support", "Auditor")
SENDERS = ("Finance manager", "Finance clerk", "Support")


def grant(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Make the permissions, which Django otherwise makes after the last migration, and give them to the groups."""
    config: Any = apps.get_app_config("payments")
    config.models_module = True  # create_permissions skips an app without models, and the stub names none
    create_permissions(config, verbosity=0, apps=apps, using=schema_editor.connection.alias)
    config.models_module = None
    alias = schema_editor.connection.alias
    permission = apps.get_model("auth", "Permission").objects.using(alias)
    group = apps.get_model("auth", "Group").objects.using(alias)
    for codename, groups in (("view_paymentmail", READERS), ("resend_mail", SENDERS)):
        row = permission.get(content_type__app_label="payments", codename=codename)
        for one in group.filter(name__in=groups):
            one.permissions.add(row)


class Migration(migrations.Migration):
    dependencies = [
        ("valueverse", "0004_setting_up"),
        ("payments", "0005_payment_mails"),
    ]

    operations = [migrations.RunPython(grant, migrations.RunPython.noop)]
