"""Holds: a person stops the billing of a customer, with a reason and, if they know it, until when."""

from django.db import models
from django.db.models import F, Q

from billing.platform.fields import ActorColumns, PublicIdField
from customers.models import Customer


class BillingHold(ActorColumns):
    """Nothing of the customer is drafted or finalized while it is in force; what is due stays due.

    It ends when somebody releases it, or by itself at `until_at`, which goes by the customer's clock.
    """

    public_id = PublicIdField(prefix="hld")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="billing_holds")
    reason = models.CharField(max_length=500)
    until_at = models.DateTimeField(
        null=True,
        help_text="When it ends by itself: the start of a day of the customer. Empty: when released.",
    )
    held_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True)
    released_by_label = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-id"]
        permissions = [("hold_billing", "Can hold and release the billing of customers")]
        constraints = [
            models.UniqueConstraint(
                fields=["customer"], condition=Q(released_at=None), name="one_hold_per_customer"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="hold_says_why"),
            models.CheckConstraint(
                condition=Q(until_at=None) | Q(until_at__gt=F("held_at")), name="hold_ends_after_it_begins"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.customer}: on hold"
