from django.db import migrations, models

from billing.platform.migration_sql import sql_beside


class Migration(migrations.Migration):
    dependencies = [
        ("approvals", "0002_permissions_per_verb"),
    ]

    operations = [
        migrations.AddField(
            model_name="approvalrequest",
            name="decision_reason",
            field=models.CharField(
                blank=True,
                default="",
                help_text="Why it was rejected; whoever asked reads it.",
                max_length=500,
            ),
            preserve_default=False,
        ),
        sql_beside(__file__, "0003_reason_of_a_rejection"),
    ]
