"""The groups of the back office and what each may do; people are put into groups, never given rights one by one."""

from typing import Any

from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

OURS = (
    "platform", "activity", "approvals", "customers", "catalog", "ledger", "usage", "subscriptions", "revenue",
    "invoices", "payments",
)  # fmt: skip

CLERK = (
    "invoices.start_bill_run", "invoices.finalize_invoice", "invoices.credit_invoice", "invoices.resend_document",
    "payments.record_payment", "payments.allocate_payment", "ledger.export_journal",
)  # fmt: skip
MANAGER = (
    *CLERK, "invoices.void_invoice", "invoices.approve_bill_run", "invoices.cancel_bill_run",
    "payments.refund_payment", "ledger.close_period", "approvals.decide_approval", "customers.add_testclock",
    "customers.change_testclock",
)  # fmt: skip
SUPPORT = (
    "customers.view_legalentity", "customers.view_customer", "customers.view_contact", "customers.view_customertaxid", "catalog.view_plan",
    "catalog.view_planversion", "catalog.view_price", "catalog.view_product", "catalog.view_meter",
    "subscriptions.view_subscription", "subscriptions.view_subscriptionitem", "usage.view_usageevent",
    "usage.view_usagerollup", "usage.view_usageimport", "invoices.view_invoice", "invoices.view_invoiceline",
    "invoices.view_creditnote", "invoices.view_creditnoteline", "invoices.view_creditnotetax",
    "invoices.view_documentmail", "invoices.resend_document", "payments.view_payment",
)  # fmt: skip

GROUPS: dict[str, tuple[tuple[str, ...], bool]] = {
    "Finance manager": (MANAGER, True),
    "Finance clerk": (CLERK, True),
    "Support": (SUPPORT, False),
    "Auditor": (("ledger.export_journal",), True),
}
"""Name: what the group may do, and whether it reads everything."""


def make_groups(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Make the permissions, which Django otherwise makes after the last migration, then the groups."""
    for label in OURS:
        config: Any = apps.get_app_config(label)
        config.models_module = True  # create_permissions skips an app without models, and the stub names none
        create_permissions(config, verbosity=0, apps=apps, using=schema_editor.connection.alias)
        config.models_module = None
    permission, group = apps.get_model("auth", "Permission"), apps.get_model("auth", "Group")
    alias = schema_editor.connection.alias
    found = {
        f"{row.content_type.app_label}.{row.codename}": row
        for row in permission.objects.using(alias).select_related("content_type")
    }
    reading = [
        row for name, row in found.items() if name.partition(".")[2].startswith("view_") and _is_ours(name)
    ]
    for name, (verbs, reads_everything) in GROUPS.items():
        made, _ = group.objects.using(alias).get_or_create(name=name)
        made.permissions.add(*[found[verb] for verb in verbs], *(reading if reads_everything else ()))


def _is_ours(name: str) -> bool:
    return name.partition(".")[0] in OURS


class Migration(migrations.Migration):
    dependencies = [
        ("platform", "0002_idempotency_records"),
        ("activity", "0001_initial"),
        ("approvals", "0002_permissions_per_verb"),
        ("customers", "0002_portal_membership"),
        ("catalog", "0001_initial"),
        ("ledger", "0002_permissions_per_verb"),
        ("usage", "0001_initial"),
        ("subscriptions", "0001_initial"),
        ("revenue", "0001_initial"),
        ("invoices", "0002_permissions_per_verb"),
        ("payments", "0002_permissions_per_verb"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(make_groups, migrations.RunPython.noop)]
