"""Background recognition of revenue."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from celery import shared_task

from billing.platform.actors import task_actor
from billing.platform.clock import now
from billing.revenue import services
from customers.selectors import legal_entities, now_for_seller


@shared_task(name="revenue.recognize_revenue", ignore_result=True)
def recognize_revenue() -> None:
    """Release and accrue what was delivered by yesterday, per legal entity. Safe to run twice: see the service.

    Yesterday is the day before the seller's today: test entities live on their clocks.
    """
    actor = task_actor("revenue.recognize_revenue")
    for legal_entity in legal_entities():
        yesterday = now_for_seller(legal_entity).astimezone(
            ZoneInfo(legal_entity.time_zone)
        ).date() - timedelta(days=1)
        services.recognize_revenue(legal_entity=legal_entity, as_of=yesterday, actor=actor, at=now())
