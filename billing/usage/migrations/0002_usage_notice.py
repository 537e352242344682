"""The outbox of live figures: a row per customer whose usage changed and whose pages have not been told."""

import django.db.models.deletion
from django.db import migrations, models

from billing.platform.migration_sql import sql_beside


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0002_portal_membership"),
        ("usage", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="UsageNotice",
            fields=[
                (
                    "customer",
                    models.OneToOneField(
                        help_text="Whose usage changed.",
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="customers.customer",
                    ),
                ),
                (
                    "noticed_at",
                    models.DateTimeField(help_text="When it last changed, by the machine's clock."),
                ),
            ],
        ),
        sql_beside(__file__, "0002_usage_notice"),
    ]
