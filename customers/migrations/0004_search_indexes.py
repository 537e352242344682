import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("customers", "0003_user_sessions_and_visits")]

    operations = [
        migrations.AddIndex(
            model_name="contact",
            index=models.Index(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Lower("email"), name="text_pattern_ops"
                ),
                name="contact_by_email",
            ),
        ),
        migrations.AddIndex(
            model_name="customer",
            index=models.Index(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Lower("name"), name="text_pattern_ops"
                ),
                name="customer_by_name",
            ),
        ),
        migrations.AddIndex(
            model_name="customer",
            index=models.Index(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Lower("external_id"), name="text_pattern_ops"
                ),
                name="customer_by_external_id",
            ),
        ),
        migrations.AddIndex(
            model_name="customer",
            index=django.contrib.postgres.indexes.GinIndex(
                django.contrib.postgres.search.SearchVector("name", "legal_name", config="simple"),
                name="customer_by_words_of_name",
            ),
        ),
        migrations.AddIndex(
            model_name="customertaxid",
            index=models.Index(fields=["vat_number"], name="customer_by_vat_number"),
        ),
        migrations.AddIndex(
            model_name="user",
            index=models.Index(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Lower("email"), name="text_pattern_ops"
                ),
                name="user_by_email",
            ),
        ),
        migrations.AddIndex(
            model_name="user",
            index=models.Index(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Lower("name"), name="text_pattern_ops"
                ),
                condition=models.Q(("is_staff", True)),
                name="staff_by_name",
            ),
        ),
    ]
