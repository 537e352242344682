import django.contrib.postgres.indexes
import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("invoices", "0004_indexes_for_reports")]

    operations = [
        migrations.AddIndex(
            model_name="creditnote",
            index=models.Index(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Lower("number"), name="text_pattern_ops"
                ),
                name="credit_note_by_number",
            ),
        ),
        migrations.AddIndex(
            model_name="creditnote",
            index=models.Index(fields=["currency", "total_minor", "-id"], name="credit_note_by_amount"),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Lower("number"), name="text_pattern_ops"
                ),
                name="invoice_by_number",
            ),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(fields=["currency", "total_minor", "-id"], name="invoice_by_amount"),
        ),
    ]
