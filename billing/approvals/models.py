"""Requests for approval, and the policies that answer them without a person."""

from django.db import models

from billing.core.lifecycles import ApprovalStatus
from billing.platform.fields import CurrencyField, MinorField, PublicIdField, is_one_of


class ApprovalAction(models.TextChoices):
    """What asks before it acts."""

    CREDIT_NOTE = "credit_note", "Credit note"
    REFUND = "refund", "Refund"
    WRITE_OFF = "write_off", "Write-off"
    MANUAL_PAYMENT = "manual_payment", "Manual payment"
    PRICE_OVERRIDE = "price_override", "Price override"
    BILL_RUN = "bill_run", "Bill run"


class ApprovalPolicy(models.Model):
    """Above which amount an action needs a second person.

    Without a policy for an action and currency, the action is approved at once.
    """

    public_id = PublicIdField(prefix="apo")
    action = models.CharField(max_length=20, choices=ApprovalAction.choices)
    currency = CurrencyField(help_text="The policy holds for amounts in this currency.")
    limit_minor = MinorField(help_text="Amounts above this limit wait for somebody else's approval.")

    class Meta:
        verbose_name_plural = "approval policies"
        constraints = [
            models.UniqueConstraint(fields=["action", "currency"], name="one_policy_per_action_and_currency"),
            models.CheckConstraint(
                condition=models.Q(limit_minor__gte=0), name="approval_limit_is_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()} in {self.currency}"


class ApprovalRequest(models.Model):
    """Somebody wants to do something with money; a policy or another person says yes or no (I34)."""

    public_id = PublicIdField(prefix="apr")
    action = models.CharField(max_length=20, choices=ApprovalAction.choices)
    object_kind = models.CharField(max_length=40)
    object_id = models.CharField(max_length=36, help_text="Public id of the object the action is about.")
    amount_minor = MinorField()
    currency = CurrencyField()
    reason = models.CharField(max_length=500, blank=True)
    status = models.CharField(max_length=12)
    requested_by_kind = models.CharField(max_length=16)
    requested_by_id = models.CharField(max_length=80)
    requested_by_label = models.CharField(max_length=200)
    requested_at = models.DateTimeField()
    decided_by_kind = models.CharField(max_length=16, blank=True)
    decided_by_id = models.CharField(max_length=80, blank=True)
    decided_by_label = models.CharField(max_length=200, blank=True)
    decided_at = models.DateTimeField(null=True)
    decision_reason = models.CharField(
        max_length=500, blank=True, help_text="Why it was rejected; whoever asked reads it."
    )
    executed_at = models.DateTimeField(
        null=True, help_text="When the approved action was carried out; once only."
    )

    class Meta:
        ordering = ["-id"]
        permissions = [("decide_approval", "Can approve and reject requests of others")]
        constraints = [
            models.CheckConstraint(
                condition=is_one_of("status", list(ApprovalStatus)), name="approval_status_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(status="requested", decided_at=None)
                | (
                    ~models.Q(status="requested")
                    & models.Q(decided_at__isnull=False)
                    & ~models.Q(decided_by_id="")
                ),
                name="decided_approval_names_who_and_when",
            ),
            models.CheckConstraint(
                condition=~models.Q(
                    decided_by_kind=models.F("requested_by_kind"), decided_by_id=models.F("requested_by_id")
                ),
                name="i34_nobody_approves_their_own_request",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()} {self.object_id}: {self.status}"
