import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import billing.platform.fields
from billing.platform.migration_sql import revoke_from_application, sql_beside


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0002_permissions_per_verb"),
        ("customers", "0002_portal_membership"),
        ("invoices", "0002_permissions_per_verb"),
    ]

    operations = [
        migrations.CreateModel(
            name="BillingHold",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "actor_kind",
                    models.CharField(help_text="User, API key, command, task or policy.", max_length=16),
                ),
                (
                    "actor_id",
                    models.CharField(help_text="Public id of the actor, or its name.", max_length=80),
                ),
                (
                    "actor_label",
                    models.CharField(help_text="How the actor was called at that time.", max_length=200),
                ),
                (
                    "public_id",
                    billing.platform.fields.PublicIdField(
                        editable=False,
                        help_text="Opaque id used in the API, in links and in the audit trail.",
                        max_length=36,
                        prefix="hld",
                        unique=True,
                    ),
                ),
                ("reason", models.CharField(max_length=500)),
                (
                    "until_at",
                    models.DateTimeField(
                        help_text="When it ends by itself: the start of a day of the customer. Empty: when released.",
                        null=True,
                    ),
                ),
                ("held_at", models.DateTimeField()),
                ("released_at", models.DateTimeField(null=True)),
                ("released_by_label", models.CharField(blank=True, max_length=200)),
            ],
            options={
                "ordering": ["-id"],
                "permissions": [("hold_billing", "Can hold and release the billing of customers")],
            },
        ),
        migrations.AlterModelOptions(
            name="billrun",
            options={
                "ordering": ["-id"],
                "permissions": [
                    ("start_bill_run", "Can preview and start bill runs"),
                    ("review_bill_run", "Can note that a draft was looked at"),
                    ("exclude_from_bill_run", "Can exclude customers from bill runs"),
                    ("retry_bill_run", "Can retry the failed customers of bill runs"),
                    ("approve_bill_run", "Can approve bill runs"),
                    ("withdraw_bill_run", "Can withdraw the approval of bill runs"),
                    ("finalize_bill_run", "Can finalize approved bill runs"),
                    ("send_bill_run", "Can send the invoices of bill runs"),
                    ("cancel_bill_run", "Can cancel bill runs"),
                ],
            },
        ),
        migrations.AddField(
            model_name="billrun",
            name="compared_with",
            field=models.ForeignKey(
                help_text="The earlier run whose totals stand beside those of this one.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="invoices.billrun",
            ),
        ),
        migrations.AddField(
            model_name="billrun",
            name="customer_count",
            field=models.PositiveIntegerField(default=0, help_text="Customers in this run."),
        ),
        migrations.AddField(
            model_name="billrun",
            name="figures",
            field=models.JSONField(
                default=dict,
                help_text="What it finalizes or has finalized, by currency; shown in lists, never summed.",
            ),
        ),
        migrations.AddField(
            model_name="billrun",
            name="gone_count",
            field=models.PositiveIntegerField(
                default=0,
                help_text="Customers billed by the run it is compared with who are not in this one.",
            ),
        ),
        migrations.AddField(
            model_name="billrun",
            name="review_version",
            field=models.PositiveIntegerField(
                default=0,
                help_text="Goes up with every change a person makes to it, so that an older page is refused.",
            ),
        ),
        migrations.AddField(
            model_name="billrun",
            name="send_asked_at",
            field=models.DateTimeField(
                help_text="When somebody asked to send its invoices; a run without review sends by itself.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="billrun",
            name="send_done_at",
            field=models.DateTimeField(help_text="When all mails of that were queued.", null=True),
        ),
        migrations.AddField(
            model_name="billruncustomer",
            name="currency",
            field=billing.platform.fields.CurrencyField(blank=True, max_length=3),
        ),
        migrations.AddField(
            model_name="billruncustomer",
            name="exclude_reason",
            field=models.CharField(blank=True, help_text="Why it was left out of this run.", max_length=500),
        ),
        migrations.AddField(
            model_name="billruncustomer",
            name="flag_notes",
            field=models.JSONField(
                default=dict, help_text="What each flag is about, in words: from what to what."
            ),
        ),
        migrations.AddField(
            model_name="billruncustomer",
            name="flags",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=16), default=list, size=None
            ),
        ),
        migrations.AddField(
            model_name="billruncustomer",
            name="invoice_count",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="billruncustomer",
            name="last_total_minor",
            field=models.BigIntegerField(
                help_text="Sum of the last invoices of the same subscriptions; empty if there are none.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="billruncustomer",
            name="looked_at",
            field=models.DateTimeField(
                help_text="When somebody noted that they have looked at it.", null=True
            ),
        ),
        migrations.AddField(
            model_name="billruncustomer",
            name="looked_by_id",
            field=models.CharField(blank=True, max_length=80),
        ),
        migrations.AddField(
            model_name="billruncustomer",
            name="looked_by_label",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name="billruncustomer",
            name="other_totals",
            field=models.JSONField(
                default=dict, help_text="Drafts in other currencies: shown, never summed."
            ),
        ),
        migrations.AddField(
            model_name="billruncustomer",
            name="plans",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=60),
                default=list,
                help_text="Codes of the plans billed.",
                size=None,
            ),
        ),
        migrations.AddField(
            model_name="billruncustomer",
            name="total_minor",
            field=billing.platform.fields.MinorField(default=0, help_text="Sum of its drafts, with tax."),
        ),
        migrations.AddField(
            model_name="documentmail",
            name="is_first",
            field=models.BooleanField(
                default=False,
                help_text="The mail with which the document was sent; sending it again makes others.",
            ),
        ),
        migrations.AlterField(
            model_name="billruncustomer",
            name="status",
            field=models.CharField(
                choices=[
                    ("pending", "Pending"),
                    ("drafted", "Drafted"),
                    ("finalized", "Finalized"),
                    ("parked", "Failed"),
                    ("held", "Held"),
                    ("excluded", "Excluded"),
                ],
                default="pending",
                max_length=12,
            ),
        ),
        migrations.AddIndex(
            model_name="billrun",
            index=models.Index(
                condition=models.Q(("send_asked_at__isnull", False), ("send_done_at", None)),
                fields=["send_asked_at"],
                name="bill_run_being_sent",
            ),
        ),
        migrations.AddConstraint(
            model_name="billrun",
            constraint=models.CheckConstraint(
                condition=models.Q(("send_asked_at", None), ("status", "completed"), _connector="OR"),
                name="only_a_completed_bill_run_is_sent",
            ),
        ),
        migrations.AddConstraint(
            model_name="billrun",
            constraint=models.CheckConstraint(
                condition=models.Q(("send_done_at", None), ("send_asked_at__isnull", False), _connector="OR"),
                name="sending_ends_after_it_was_asked_for",
            ),
        ),
        migrations.AddConstraint(
            model_name="documentmail",
            constraint=models.UniqueConstraint(
                condition=models.Q(("invoice__isnull", False), ("is_first", True)),
                fields=("invoice", "recipient"),
                name="invoice_is_sent_to_a_recipient_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="documentmail",
            constraint=models.UniqueConstraint(
                condition=models.Q(("credit_note__isnull", False), ("is_first", True)),
                fields=("credit_note", "recipient"),
                name="credit_note_is_sent_to_a_recipient_once",
            ),
        ),
        migrations.AddField(
            model_name="billinghold",
            name="customer",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="billing_holds",
                to="customers.customer",
            ),
        ),
        migrations.AddField(
            model_name="billruncustomer",
            name="hold",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="run_customers",
                to="invoices.billinghold",
            ),
        ),
        migrations.AddIndex(
            model_name="billruncustomer",
            index=models.Index(
                condition=models.Q(("status__in", ["pending", "drafted"])),
                fields=["run"],
                name="bill_run_customer_waiting",
            ),
        ),
        migrations.AddIndex(
            model_name="billruncustomer",
            index=models.Index(
                models.F("run"),
                models.OrderBy(models.F("total_minor"), descending=True),
                models.F("id"),
                name="bill_run_customer_by_amount",
            ),
        ),
        migrations.AddConstraint(
            model_name="billruncustomer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("status__in", ["pending", "drafted", "finalized", "parked", "held", "excluded"])
                ),
                name="bill_run_customer_status_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="billruncustomer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status", "held"), _negated=True), ("hold__isnull", False), _connector="OR"
                ),
                name="held_bill_run_customer_names_its_hold",
            ),
        ),
        migrations.AddConstraint(
            model_name="billruncustomer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status", "excluded"), models.Q(("exclude_reason", ""), _negated=True)),
                    models.Q(models.Q(("status", "excluded"), _negated=True), ("exclude_reason", "")),
                    _connector="OR",
                ),
                name="excluded_bill_run_customer_says_why",
            ),
        ),
        migrations.AddConstraint(
            model_name="billruncustomer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "flags__contained_by",
                        ["off", "first_invoice", "no_usage", "price_changed", "tax_changed"],
                    )
                ),
                name="bill_run_customer_flags_are_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="billruncustomer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("invoice_count", 0), ("total_minor", 0)),
                    models.Q(("invoice_count__gt", 0), models.Q(("currency", ""), _negated=True)),
                    _connector="OR",
                ),
                name="bill_run_customer_total_has_a_currency",
            ),
        ),
        migrations.AddConstraint(
            model_name="billruncustomer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("looked_at", None), ("looked_by_id", "")),
                    models.Q(("looked_at__isnull", False), models.Q(("looked_by_id", ""), _negated=True)),
                    _connector="OR",
                ),
                name="looked_at_says_by_whom",
            ),
        ),
        migrations.AddConstraint(
            model_name="billinghold",
            constraint=models.UniqueConstraint(
                condition=models.Q(("released_at", None)), fields=("customer",), name="one_hold_per_customer"
            ),
        ),
        migrations.AddConstraint(
            model_name="billinghold",
            constraint=models.CheckConstraint(
                condition=models.Q(("reason", ""), _negated=True), name="hold_says_why"
            ),
        ),
        migrations.AddConstraint(
            model_name="billinghold",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("until_at", None), ("until_at__gt", models.F("held_at")), _connector="OR"
                ),
                name="hold_ends_after_it_begins",
            ),
        ),
        sql_beside(__file__, "0003_bill_runs_reviewed"),
        revoke_from_application("invoices_billinghold", privileges="DELETE, TRUNCATE"),
    ]
