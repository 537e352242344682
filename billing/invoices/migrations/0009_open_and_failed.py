"""Lists at a million invoices: the newest open ones, and the mails that failed, by index alone."""

from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    dependencies = [("invoices", "0008_mails_by_recipient")]

    operations = [
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                F("id").desc(),
                F("due_on"),
                condition=Q(status="finalized")
                & Q(total_minor__gt=F("allocated_minor") + F("offset_minor") + F("written_off_minor")),
                name="invoice_open_newest_first",
            ),
        ),
        migrations.AddIndex(
            model_name="documentmail",
            index=models.Index(fields=["-id"], name="document_mail_failed", condition=Q(status="failed")),
        ),
    ]
