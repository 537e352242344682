"""Who may manage people, and who may view a portal as its customer."""

from typing import Any

from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

GRANTS = {
    "Finance manager": ("manage_people", "view_as_customer"),
    "Finance clerk": ("view_as_customer",),
    "Support": ("view_as_customer",),
    "Auditor": (),
}
"""All that these groups have of the two. Reading everything (the auditor's right) is not viewing as a customer."""


def grant(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Make the new permissions, which Django otherwise makes after the last migration, and give them to groups."""
    config: Any = apps.get_app_config("customers")
    config.models_module = True  # create_permissions skips an app without models, and the stub names none
    alias = schema_editor.connection.alias
    create_permissions(config, verbosity=0, apps=apps, using=alias)
    config.models_module = None
    permission, group = apps.get_model("auth", "Permission"), apps.get_model("auth", "Group")
    both = permission.objects.using(alias).filter(
        content_type__app_label="customers", codename__in=["manage_people", "view_as_customer"]
    )
    for name, codes in GRANTS.items():
        granted = group.objects.using(alias).get(name=name).permissions
        granted.remove(*both)
        granted.add(*both.filter(codename__in=codes))


class Migration(migrations.Migration):
    dependencies = [
        ("valueverse", "0002_groups_review_bill_runs"),
        ("customers", "0003_user_sessions_and_visits"),
    ]

    operations = [migrations.RunPython(grant, migrations.RunPython.noop)]
