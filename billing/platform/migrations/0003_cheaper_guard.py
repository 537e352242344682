from django.db import migrations

from billing.platform.migration_sql import sql_beside


class Migration(migrations.Migration):
    dependencies = [("platform", "0002_idempotency_records")]

    operations = [sql_beside(__file__, "0003_cheaper_guard")]
