"""Background recognition of revenue."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from celery import shared_task

from billing.platform.actors import task_actor
from billing.platform.clock import now
from billing.revenue import services
from customers.selectors import legal_entities


@shared_task(name="revenue.recognize_revenue", ignore_result=True)
def recognize_revenue() -> None:
    """Release and accrue what was delivered by yesterday, per live legal entity. Safe to run twice: see the service.

    Test entities live on test clocks, so that nobody but the person who plays with them says what day it is.
    """
    actor = task_actor("revenue.recognize_revenue")
    for legal_entity in legal_entities().filter(is_test=False):
        yesterday = now().astimezone(ZoneInfo(legal_entity.time_zone)).date() - timedelta(days=1)
        services.recognize_revenue(legal_entity=legal_entity, as_of=yesterday, actor=actor, at=now())
