from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0002_proration_policy"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="planversion",
            options={"permissions": [("publish_planversion", "Can publish plan versions")]},
        ),
    ]
