"""The outbox of live figures: who is told that usage changed, after the commit that changed it.

A row per customer, not per event: a thousand events are one message, since a page reads its figures again anyway.
"""

from collections.abc import Callable, Iterable, Sequence

from django.db import connection, transaction

NOTICES_MAX = 500
"""Customers told in one transaction, for which ingestion of these customers may have to wait."""


def leave_notices(customer_pks: Iterable[int]) -> None:
    """Note, in the transaction that stores their events, that the usage of customers changed.

    In sorted order, like every lock here, so that two batches never wait for each other in a circle. An update
    where a row is there already, rather than nothing: the row may be on its way out, and doing nothing would leave
    this change untold.
    """
    ordered = sorted(customer_pks)
    if not ordered:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO usage_usagenotice (customer_id, noticed_at)"
            " SELECT customer_id, clock_timestamp() FROM unnest(%s::bigint[]) AS changed (customer_id)"
            " ON CONFLICT (customer_id) DO UPDATE SET noticed_at = excluded.noticed_at",
            [ordered],
        )


def take_notices(*, tell: Callable[[Sequence[str]], None], limit: int = NOTICES_MAX) -> int:
    """Take notices out, longest waiting first, and tell about them; returns how many.

    tell: called once with the public ids of the customers, inside the transaction. If it raises, the notices stay
    and are taken again: at least once, so telling twice must be harmless. Keep it short: ingestion of these
    customers waits for it. Rows that somebody else holds (another process that tells, or events coming in right
    now) are left for the next time, so any number of processes may call this.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "WITH found AS MATERIALIZED ("
                " SELECT customer_id FROM usage_usagenotice ORDER BY noticed_at LIMIT %s FOR UPDATE SKIP LOCKED"
                "), taken AS ("
                " DELETE FROM usage_usagenotice notice USING found WHERE notice.customer_id = found.customer_id"
                " RETURNING notice.customer_id"
                ") SELECT customer.public_id FROM taken"
                " JOIN customers_customer customer ON customer.id = taken.customer_id",
                [limit],
            )
            changed = [public_id for (public_id,) in cursor.fetchall()]
        if changed:
            tell(changed)
    return len(changed)
