"""Making the rollups of a meter that is younger than the events it reads."""

from django.db import connection, transaction

from billing.catalog.models import Meter
from billing.platform.lookup import get_or_not_found
from billing.usage.readings import READING_SQL
from billing.usage.services.ingestion import with_retries

_RECOUNT = f"""
    INSERT INTO usage_usagerollup (customer_id, meter_id, bucket_at, event_count, quantity_sum)
    SELECT event.customer_id, meter.id, date_bin('15 minutes', event.at, 'epoch'), count(*), sum(reading.quantity)
    FROM catalog_meter meter JOIN usage_usageevent event ON event.event_type = meter.event_type
    {READING_SQL}
    WHERE meter.id = %s AND event.customer_id = %s
    GROUP BY 1, 2, 3 ORDER BY 3
    ON CONFLICT (customer_id, meter_id, bucket_at) DO UPDATE SET
        event_count = excluded.event_count, quantity_sum = excluded.quantity_sum
"""  # noqa: S608  (constants only)


def count_past_events(*, meter_id: str) -> int:
    """Bring the rollups of a meter in line with all stored events of its type; returns how many customers have some.

    A meter reads all events of its type, also those that came before it. Works customer by customer, a transaction
    each, so that it never holds up ingestion for long; safe to run again, and with events coming in meanwhile.
    Locks: the customer. Raises NotFound (meter_not_found).
    """
    meter = get_or_not_found(Meter.objects.all(), kind="meter", public_id=meter_id)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM customers_customer customer WHERE EXISTS (SELECT FROM usage_usageevent event"
            " WHERE event.customer_id = customer.id AND event.event_type = %s) ORDER BY id",
            [meter.event_type],
        )
        customer_pks = [pk for (pk,) in cursor.fetchall()]
    for customer_pk in customer_pks:
        with_retries(lambda pk=customer_pk: _count_customer(pk, meter.pk))  # type: ignore[misc]
    return len(customer_pks)


@transaction.atomic
def _count_customer(customer_pk: int, meter_pk: int) -> None:
    with connection.cursor() as cursor:
        # Waits for batches in flight, which may not know the meter yet, and holds back the next ones.
        cursor.execute("SELECT FROM customers_customer WHERE id = %s FOR NO KEY UPDATE", [customer_pk])
        cursor.execute(_RECOUNT, [meter_pk, customer_pk])
