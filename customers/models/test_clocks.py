"""Test clocks: objects that own customers and carry their own time."""

from django.db import models

from billing.core.lifecycles import TestClockStatus
from billing.platform.fields import PublicIdField, is_one_of
from customers.models.legal_entities import LegalEntity


class TestClock(models.Model):
    """A clock of its own for the customers attached to it, so that a year can be played in a minute.

    Lives only under a legal entity marked as test. Its time only moves forward.
    """

    public_id = PublicIdField(prefix="clk")
    name = models.CharField(max_length=120)
    legal_entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, related_name="test_clocks")
    now_at = models.DateTimeField(help_text="What time it is for the customers on this clock.")
    status = models.CharField(max_length=12, default=TestClockStatus.READY.value)
    created_at = models.DateTimeField()

    __test__ = False  # pytest: not a test class

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=is_one_of("status", list(TestClockStatus)), name="test_clock_status_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.now_at:%Y-%m-%d %H:%M})"
