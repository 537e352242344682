import django.contrib.postgres.indexes
import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0001_initial")]

    operations = [
        migrations.AddIndex(
            model_name="subscription",
            index=models.Index(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Lower("external_id"), name="text_pattern_ops"
                ),
                name="subscription_by_external_id",
            ),
        ),
    ]
