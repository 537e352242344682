"""Bill runs: the document of one billing of many customers."""

from django.db import models
from django.db.models import Q

from billing.approvals.models import ApprovalRequest
from billing.core.lifecycles import BillRunStatus
from billing.platform.fields import ActorColumns, PublicIdField, is_one_of
from customers.models import Customer


class BillRun(ActorColumns):
    """One billing of every customer with something due as of an instant.

    `usage_cutoff_at` is frozen when the run starts: usage received later goes on a later invoice. What is due of a
    customer on a test clock, and what has been received from it, goes by that clock.
    """

    public_id = PublicIdField(prefix="run")
    status = models.CharField(max_length=12)
    as_of = models.DateTimeField(help_text="Everything due up to here is billed.")
    customer = models.ForeignKey(
        Customer,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        help_text="Set if only this one is billed.",
    )
    needs_review = models.BooleanField(
        default=False,
        help_text="Wait for a person between drafting and finalizing, instead of going on at once.",
    )
    usage_cutoff_at = models.DateTimeField(help_text="Usage received up to here is billed.")
    approval = models.ForeignKey(ApprovalRequest, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        permissions = [
            ("start_bill_run", "Can preview and start bill runs"),
            ("approve_bill_run", "Can approve bill runs"),
            ("cancel_bill_run", "Can cancel bill runs"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=is_one_of("status", list(BillRunStatus)), name="bill_run_status_is_known"
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["approved", "finalizing", "completed"]) | Q(approval__isnull=False),
                name="approved_bill_run_names_its_approval",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} as of {self.as_of:%Y-%m-%d}: {self.status}"


class BillRunCustomerStatus(models.TextChoices):
    PENDING = "pending", "Pending"
    DRAFTED = "drafted", "Drafted"
    FINALIZED = "finalized", "Finalized"
    PARKED = "parked", "Parked"


class BillRunCustomer(models.Model):
    """One customer of a run: claimed with SKIP LOCKED, done, or parked with the reason."""

    run = models.ForeignKey(BillRun, on_delete=models.CASCADE, related_name="customers")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="+")
    status = models.CharField(
        max_length=12, choices=BillRunCustomerStatus.choices, default=BillRunCustomerStatus.PENDING
    )
    error_code = models.CharField(max_length=60, blank=True)
    error_message = models.CharField(max_length=500, blank=True, help_text="Why the customer was not billed.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "customer"], name="a_run_holds_a_customer_once"),
        ]
        indexes = [models.Index(fields=["run", "status"], name="bill_run_customer_by_status")]

    def __str__(self) -> str:
        return f"{self.run_id} {self.customer_id}: {self.status}"
