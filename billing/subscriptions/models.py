"""What customers have subscribed to, and which periods have been billed."""

from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from billing.catalog.models import PlanVersion, Price
from billing.core.lifecycles import SubscriptionStatus
from billing.platform.fields import CurrencyField, PublicIdField, QuantityField, ReferenceField, is_one_of
from customers.models import Customer, LegalEntity


class Subscription(models.Model):
    """A customer's agreement to a published plan version. Canceled at period end, it stays active until then."""

    public_id = PublicIdField(prefix="sub")
    external_id = models.CharField(
        max_length=120,
        null=True,
        blank=True,
        help_text="The integrator's own key; one live subscription each.",
    )
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="subscriptions")
    legal_entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, related_name="subscriptions")
    plan_version = models.ForeignKey(PlanVersion, on_delete=models.PROTECT, related_name="subscriptions")
    currency = CurrencyField()
    time_zone = models.CharField(
        max_length=60, help_text="Service periods start at midnight here; fixed at start."
    )
    status = models.CharField(max_length=12)
    started_at = models.DateTimeField(help_text="First instant of service.")
    anchor_on = models.DateField(help_text="Day from which all periods are counted; never moves.")
    cancel_at = models.DateTimeField(
        null=True, help_text="When service ends, if a cancellation is scheduled or done."
    )
    canceled_at = models.DateTimeField(null=True, help_text="When the cancellation took effect.")
    next_billing_at = models.DateTimeField(
        null=True, help_text="The next instant at which something is due; empty when all is billed."
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["external_id"],
                condition=~Q(status="canceled"),
                name="i32_one_live_subscription_per_external_id",
            ),
            models.CheckConstraint(
                condition=is_one_of("status", list(SubscriptionStatus)), name="subscription_status_is_known"
            ),
            models.CheckConstraint(
                condition=Q(status="canceled", canceled_at__isnull=False, cancel_at__isnull=False)
                | (~Q(status="canceled") & Q(canceled_at=None)),
                name="canceled_subscription_says_when",
            ),
            models.CheckConstraint(
                condition=Q(cancel_at=None) | Q(cancel_at__gte=F("started_at")),
                name="service_ends_after_it_starts",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_billing_at", "customer"],
                name="subscription_due",
                condition=Q(next_billing_at__isnull=False),
            ),
            models.Index(
                OpClass(Lower("external_id"), name="text_pattern_ops"), name="subscription_by_external_id"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.customer} {self.plan_version}"


class SubscriptionItem(models.Model):
    """One price of the plan version as this subscription has it."""

    public_id = PublicIdField(prefix="sit")
    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="items")
    price = models.ForeignKey(Price, on_delete=models.PROTECT, related_name="items")
    quantity = QuantityField(default=1, help_text="Units of a fee; metered prices take theirs from usage.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["subscription", "price"], name="one_item_per_price"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="item_quantity_is_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.subscription_id} {self.price.code}"


class BilledReason(models.TextChoices):
    RECURRING = "recurring", "Recurring fee"
    USAGE = "usage", "Usage"


class BilledPeriod(models.Model):
    """What has been billed of an item: a rectangle of service time by time of receipt.

    A fee covers its service period for all receipts. Usage covers the events with `at` in [start_at, end_at) that
    were received in (received_after, received_until]; events of a billed period that arrive later are outside
    every rectangle, so a later rectangle bills them. Rectangles of one item and reason never overlap (I10, I13):
    an exclusion constraint holds that. A void or a cancellation releases its rows.
    """

    item = models.ForeignKey(SubscriptionItem, on_delete=models.PROTECT, related_name="billed_periods")
    reason = models.CharField(max_length=12, choices=BilledReason.choices)
    start_at = models.DateTimeField()
    end_at = models.DateTimeField()
    received_after = models.DateTimeField(null=True, help_text="Empty: from the beginning.")
    received_until = models.DateTimeField(null=True, help_text="Empty: without end (fees).")
    invoice_id = ReferenceField(db_index=True, help_text="Public id of the invoice.")
    line_id = ReferenceField(help_text="Public id of the invoice line.")
    released_at = models.DateTimeField(
        null=True, help_text="When a void or cancellation made it billable again."
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(end_at__gt=F("start_at")), name="billed_period_ends_after_it_starts"
            ),
            models.CheckConstraint(
                condition=Q(received_after=None)
                | Q(received_until=None)
                | Q(received_until__gt=F("received_after")),
                name="receipt_range_ends_after_it_starts",
            ),
        ]
        indexes = [models.Index(fields=["item", "reason", "end_at"], name="billed_period_by_item")]

    def __str__(self) -> str:
        return f"{self.item_id} {self.reason} {self.start_at:%Y-%m-%d}"
