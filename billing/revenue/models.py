"""When invoiced and used service becomes revenue.

Document lines are named by public id, without foreign key: documents live in a higher layer.
"""

from django.db import models
from django.db.models import F, Q

from billing.core.money import format_major
from billing.ledger.models import JournalEntry
from billing.platform.fields import ActorColumns, CurrencyField, MinorField, PublicIdField, ReferenceField
from billing.subscriptions.models import SubscriptionItem
from customers.models import Customer, LegalEntity


class RevenueSchedule(models.Model):
    """How the deferred revenue of one invoice line is released, month by month.

    The slices of a schedule sum to its amount (I22). Credited service shortens it: slices not yet recognized are
    canceled and counted in `credited_minor`.
    """

    public_id = PublicIdField(prefix="rvs")
    line_id = ReferenceField(unique=True, help_text="Public id of the invoice line.")
    invoice_id = ReferenceField(db_index=True, help_text="Public id of the invoice.")
    legal_entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, related_name="+")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="+")
    product_code = models.CharField(max_length=60, blank=True)
    currency = CurrencyField()
    amount_minor = MinorField(help_text="Net amount of the line.")
    start_on = models.DateField()
    end_on = models.DateField(help_text="First day after the service.")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(end_on__gt=F("start_on")), name="schedule_ends_after_it_starts"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.line_id}: {format_major(self.amount_minor, self.currency)} {self.currency}"


class RevenueSlice(models.Model):
    """The part of a schedule that belongs to one calendar month."""

    public_id = PublicIdField(prefix="rsl")
    schedule = models.ForeignKey(RevenueSchedule, on_delete=models.PROTECT, related_name="slices")
    month_on = models.DateField(help_text="First day of the month.")
    last_on = models.DateField(help_text="Last day of service in the month; the release is dated then.")
    amount_minor = MinorField()
    entry = models.OneToOneField(
        JournalEntry,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        help_text="The entry that released it.",
    )
    reversal_entry = models.OneToOneField(
        JournalEntry,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        help_text="The entry that took it back.",
    )
    canceled_at = models.DateTimeField(null=True, help_text="When a credit took it off the schedule.")

    class Meta:
        ordering = ["schedule", "month_on"]
        constraints = [
            models.UniqueConstraint(fields=["schedule", "month_on"], name="one_slice_per_month"),
            models.CheckConstraint(
                condition=Q(reversal_entry=None) | Q(entry__isnull=False),
                name="only_released_slices_are_reversed",
            ),
        ]
        indexes = [
            models.Index(
                fields=["last_on"], name="slice_unreleased", condition=Q(entry=None, canceled_at=None)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.schedule_id} {self.month_on:%Y-%m}"


class ForgivenUsage(models.Model):
    """A difference of usage, found after its period was billed, that is not charged. It counts as long as the invoice
    that let it go holds the rectangle of receipts (`BilledPeriod` without a line): a void makes it due again.
    """

    item = models.ForeignKey(SubscriptionItem, on_delete=models.PROTECT, related_name="forgiven")
    start_at = models.DateTimeField(help_text="Start of the service period.")
    end_at = models.DateTimeField(help_text="End of the service period.")
    received_until = models.DateTimeField(help_text="Up to which receipts.")
    currency = CurrencyField()
    amount_minor = MinorField(help_text="What it would have cost; less than nothing is what was kept.")
    invoice_id = ReferenceField(db_index=True, help_text="Public id of the invoice that let it go.")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["item", "start_at", "received_until", "invoice_id"], name="usage_is_forgiven_once"
            ),
            models.CheckConstraint(condition=~Q(amount_minor=0), name="forgiven_usage_is_not_zero"),
        ]

    def __str__(self) -> str:
        return f"{self.item_id} {self.start_at:%Y-%m-%d}: {self.amount_minor}"


class LateUsageDecision(ActorColumns):
    """What somebody decided about late usage of a plan that asks: all that was received until then."""

    BILL, FORGIVE = "bill", "forgive"

    public_id = PublicIdField(prefix="lud")
    item = models.ForeignKey(SubscriptionItem, on_delete=models.PROTECT, related_name="late_usage_decisions")
    start_at = models.DateTimeField(help_text="Start of the service period.")
    received_until = models.DateTimeField(help_text="Up to which receipts it holds.")
    decision = models.CharField(max_length=7, choices=[(BILL, "Bill"), (FORGIVE, "Let go")])
    reason = models.CharField(max_length=500)
    decided_at = models.DateTimeField()

    class Meta:
        permissions = [("decide_late_usage", "Can decide about late usage")]
        constraints = [
            models.UniqueConstraint(
                fields=["item", "start_at", "received_until"], name="late_usage_is_decided_once"
            ),
            models.CheckConstraint(
                condition=Q(decision__in=["bill", "forgive"]), name="late_usage_is_billed_or_forgiven"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="late_usage_decision_has_a_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.decision} {self.item_id} {self.start_at:%Y-%m-%d}"


class UsageAccrual(models.Model):
    """Usage that became revenue in the month it was used, before or with its invoice.

    For one item and service period the accruals sum to what that usage costs so far; the invoice then turns the
    unbilled receivable into a receivable.
    """

    public_id = PublicIdField(prefix="acr")
    item = models.ForeignKey(SubscriptionItem, on_delete=models.PROTECT, related_name="accruals")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="+")
    legal_entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, related_name="+")
    start_at = models.DateTimeField(help_text="Start of the service period.")
    end_at = models.DateTimeField(help_text="End of the service period.")
    month_on = models.DateField(help_text="Month in which the usage happened.")
    currency = CurrencyField()
    amount_minor = MinorField()
    entry = models.OneToOneField(JournalEntry, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(amount_minor=0), name="accrual_is_not_zero"),
        ]
        indexes = [models.Index(fields=["item", "start_at"], name="accrual_by_item")]

    def __str__(self) -> str:
        return f"{self.item_id} {self.month_on:%Y-%m}: {format_major(self.amount_minor, self.currency)} {self.currency}"
