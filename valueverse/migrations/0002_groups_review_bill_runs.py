"""Reviewing, finalizing and sending bill runs, and holding customers: who may."""

from typing import Any

from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

CLERK = (
    "review_bill_run", "exclude_from_bill_run", "retry_bill_run", "finalize_bill_run", "send_bill_run",
    "hold_billing",
)  # fmt: skip
GRANTED: dict[str, tuple[str, ...]] = {
    "Finance manager": (*CLERK, "withdraw_bill_run", "view_billinghold"),
    "Finance clerk": (*CLERK, "view_billinghold"),
    "Support": ("view_billinghold",),
    "Auditor": ("view_billinghold",),
}


def grant(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Make the permissions, which Django otherwise makes after the last migration, then give them to the groups."""
    alias = schema_editor.connection.alias
    config: Any = apps.get_app_config("invoices")
    config.models_module = True  # create_permissions skips an app without models, and the stub names none
    create_permissions(config, verbosity=0, apps=apps, using=alias)
    config.models_module = None
    permission, group = apps.get_model("auth", "Permission"), apps.get_model("auth", "Group")
    for name, verbs in GRANTED.items():
        found = permission.objects.using(alias).filter(content_type__app_label="invoices", codename__in=verbs)
        group.objects.using(alias).get(name=name).permissions.add(*found)


class Migration(migrations.Migration):
    dependencies = [
        ("valueverse", "0001_groups"),
        ("invoices", "0003_bill_runs_reviewed"),
    ]

    operations = [migrations.RunPython(grant, migrations.RunPython.noop)]
