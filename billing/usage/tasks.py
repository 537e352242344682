"""Background work on usage."""

from celery import shared_task

from billing.platform.clock import now
from billing.usage import services


@shared_task(name="usage.count_past_events", ignore_result=True)
def count_past_events(meter_id: str) -> None:
    """After meter.created. Safe to run twice: it sets the rollups to what a recount gives."""
    services.count_past_events(meter_id=meter_id)


@shared_task(name="usage.forget_rejected", ignore_result=True)
def forget_rejected() -> None:
    """Every night. Safe to run twice: it removes what is old by then."""
    services.forget_rejected(at=now())
