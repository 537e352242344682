"""Making the rollups of a meter that is younger than the events it reads."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction

from billing.catalog.models import Meter
from billing.platform.lookup import get_or_not_found
from billing.usage.readings import BOUNDED_SQL, BUCKET, LIVE_SQL, READING_SQL, TICK, bucket_of
from billing.usage.services.ingestion import with_retries

_RECOUNT = f"""
    INSERT INTO usage_usagerollup
        (customer_id, meter_id, bucket_at, event_count, quantity_sum, quantity_min, quantity_max)
    SELECT event.customer_id, meter.id, date_bin('15 minutes', event.at, 'epoch'), count(*), sum(reading.quantity),
           min({BOUNDED_SQL}), max({BOUNDED_SQL})
    FROM catalog_meter meter JOIN {LIVE_SQL} event ON event.event_type = meter.event_type
    {READING_SQL}
    WHERE meter.id = ANY(%(meters)s) AND event.customer_id = %(customer)s
      AND event.at >= %(start_at)s AND event.at < %(end_at)s
    GROUP BY 1, 2, 3 ORDER BY 2, 3
"""  # noqa: S608  (constants only)

BEGINNING = datetime(1, 1, 2, tzinfo=UTC)
END = datetime(9999, 12, 30, tzinfo=UTC)


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
    recount(customer_pk=customer_pk, meter_pks=[meter_pk])


def recount(
    *,
    customer_pk: int,
    meter_pks: Sequence[int],
    start_at: datetime = BEGINNING,
    end_at: datetime = END,
) -> None:
    """Make a customer's rollups of some meters anew from the events that count now, in the quarters of [start, end).

    The caller holds the customer's lock, which keeps ingestion out.
    """
    whole: dict[str, Any] = {
        "customer": customer_pk,
        "meters": sorted(meter_pks),
        "start_at": start_at if start_at == BEGINNING else bucket_of(start_at),
        "end_at": end_at if end_at == END else bucket_of(end_at - TICK) + BUCKET,
    }
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM usage_usagerollup WHERE customer_id = %(customer)s AND meter_id = ANY(%(meters)s)"
            " AND bucket_at >= %(start_at)s AND bucket_at < %(end_at)s",
            whole,
        )
        cursor.execute(_RECOUNT, whole)
