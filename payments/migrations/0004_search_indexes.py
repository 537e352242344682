import django.contrib.postgres.indexes
import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0003_indexes_for_reports")]

    operations = [
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(fields=["currency", "amount_minor", "-id"], name="payment_by_amount"),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Lower("reference"), name="text_pattern_ops"
                ),
                condition=models.Q(("reference", ""), _negated=True),
                name="payment_by_reference",
            ),
        ),
        migrations.AddIndex(
            model_name="paymentmethod",
            index=models.Index(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Reverse("label"), name="text_pattern_ops"
                ),
                name="payment_method_by_tail",
            ),
        ),
    ]
