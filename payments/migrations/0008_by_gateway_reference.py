"""A payment is found by what the gateway calls it."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("payments", "0007_mails_by_recipient")]

    operations = [
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                fields=["gateway_ref"], name="payment_by_gateway_reference", condition=~Q(gateway_ref="")
            ),
        ),
    ]
