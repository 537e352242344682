"""Where a person is signed in, and when staff look at a portal as its customer sees it."""

from django.db import models
from django.db.models import F, Q

from billing.platform.fields import PublicIdField
from customers.models.customers import Customer
from customers.models.users import User


class UserSession(models.Model):
    """One browser in which a person is signed in. The session itself lies in Django's store, under `session_key`.

    Ending a session deletes both: a browser that asks again is nobody.
    """

    public_id = PublicIdField(prefix="ses")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    session_key = models.CharField(
        max_length=40, unique=True, help_text="Its key in the session store; shown to nobody."
    )
    address = models.CharField(max_length=45, blank=True, help_text="Network address it was last used from.")
    agent = models.CharField(max_length=300, blank=True, help_text="What the browser calls itself.")
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField(help_text="Kept to the minute.")
    expires_at = models.DateTimeField(help_text="When it ends unless it is used before.")

    class Meta:
        indexes = [models.Index(fields=["user", "-seen_at"], name="session_by_person")]

    def __str__(self) -> str:
        return self.public_id


class CustomerVisit(models.Model):
    """A look at a customer's portal by somebody on the staff: to be read, for a limited time, with a reason."""

    public_id = PublicIdField(prefix="vis")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="customer_visits")
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="staff_visits")
    reason = models.CharField(max_length=200, help_text="Why; stands in the activity of the customer.")
    started_at = models.DateTimeField()
    expires_at = models.DateTimeField(help_text="First instant at which it no longer shows anything.")
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("started_at")), name="customer_visit_ends_after_its_start"
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=F("started_at"), ended_at__lte=F("expires_at")),
                name="customer_visit_ends_within_its_time",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="customer_visit_has_a_reason"),
            models.UniqueConstraint(
                fields=["user"], condition=Q(ended_at=None), name="one_open_customer_visit_per_person"
            ),
        ]
        indexes = [
            models.Index(fields=["expires_at"], condition=Q(ended_at=None), name="open_customer_visit_by_end")
        ]

    def __str__(self) -> str:
        return self.public_id
