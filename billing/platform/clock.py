"""The one place that reads the machine's clock; below the faces, time is an argument (`at=`)."""

from datetime import datetime

from django.utils import timezone


def now() -> datetime:
    """The current instant, aware, in UTC."""
    return timezone.now()
