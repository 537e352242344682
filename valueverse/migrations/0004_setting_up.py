"""What each group may do to set up what is sold, who sells it, and who buys it."""

from typing import Any

from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

CLERK = (
    "customers.add_customer", "customers.change_customer", "customers.add_portalmembership",
    "customers.change_portalmembership", "customers.delete_portalmembership", "subscriptions.add_subscription",
    "subscriptions.change_subscription",
)  # fmt: skip
MANAGER = (
    *CLERK, "catalog.add_meter", "catalog.add_product", "catalog.add_plan", "catalog.add_planversion",
    "catalog.change_planversion", "catalog.publish_planversion", "catalog.add_taxrate", "catalog.change_taxrate",
    "customers.add_legalentity", "customers.change_legalentity", "customers.add_taxregistration",
    "customers.add_apikey", "customers.change_apikey", "approvals.change_approvalpolicy",
)  # fmt: skip
SUPPORT = (
    "customers.view_portalmembership", "customers.view_portallink", "customers.add_portalmembership",
    "catalog.view_taxrate",
)  # fmt: skip

GROUPS = {"Finance manager": MANAGER, "Finance clerk": CLERK, "Support": SUPPORT}


def allow_setting_up(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Make the permission that is new, which Django otherwise makes after the last migration, then hand them out."""
    config: Any = apps.get_app_config("catalog")
    config.models_module = True  # create_permissions skips an app without models, and the stub names none
    create_permissions(config, verbosity=0, apps=apps, using=schema_editor.connection.alias)
    config.models_module = None
    permission, group = apps.get_model("auth", "Permission"), apps.get_model("auth", "Group")
    alias = schema_editor.connection.alias
    found = {
        f"{row.content_type.app_label}.{row.codename}": row
        for row in permission.objects.using(alias).select_related("content_type")
    }
    for name, verbs in GROUPS.items():
        group.objects.using(alias).get(name=name).permissions.add(*[found[verb] for verb in verbs])


class Migration(migrations.Migration):
    dependencies = [
        ("valueverse", "0003_people_and_views"),
        ("catalog", "0003_permission_to_publish"),
        ("approvals", "0003_reason_of_a_rejection"),
    ]

    operations = [migrations.RunPython(allow_setting_up, migrations.RunPython.noop)]
