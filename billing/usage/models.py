"""Usage as it arrived, and the rollups that keep the price of a period cheap."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q

from billing.catalog.models import Meter
from billing.platform.fields import PublicIdField, QuantityField
from customers.models import Customer


class UsageEvent(models.Model):
    """One accepted event, exactly as received. Stored once per customer and event id (I12), never changed."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="+", db_index=False)
    event_id = models.CharField(max_length=128, help_text="The sender's id of the event.")
    event_type = models.CharField(max_length=120)
    at = models.DateTimeField(help_text="When the usage happened, by the sender.")
    received_at = models.DateTimeField(
        help_text="When we accepted it, by the machine's clock; taken while the customer is locked."
    )
    properties = models.JSONField()
    content_hash = models.CharField(
        max_length=64, help_text="SHA-256 of type and properties; tells a conflict."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["customer", "event_id"], name="i12_event_is_stored_once"),
        ]
        indexes = [
            models.Index(fields=["customer", "event_type", "at"], name="usage_event_by_time"),
            models.Index(fields=["customer", "received_at"], name="usage_event_by_receipt"),
            # Rows lie in the order of their receipt: a few pages say where a day begins, at no cost to the writer.
            BrinIndex(
                fields=["received_at"], pages_per_range=32, autosummarize=True, name="usage_event_by_day"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.event_id}"


class UsageRollup(models.Model):
    """Count and sum of one meter for one customer in one quarter of an hour, UTC.

    Kept current in the transaction that stores the events, so that a period costs its rollups, never its events.
    Every time zone's midnight falls on a bound of these buckets.
    """

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="+", db_index=False)
    meter = models.ForeignKey(Meter, on_delete=models.PROTECT, related_name="+", db_index=False)
    bucket_at = models.DateTimeField(help_text="Start of the quarter of an hour.")
    event_count = models.BigIntegerField()
    quantity_sum = QuantityField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "meter", "bucket_at"], name="i13_one_rollup_per_meter_and_bucket"
            ),
            models.CheckConstraint(condition=Q(event_count__gte=0), name="rollup_count_is_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.meter_id} {self.bucket_at:%Y-%m-%d %H:%M}: {self.quantity_sum}"


class UsageNotice(models.Model):
    """A customer whose usage has changed since its pages were last told: the outbox of live figures.

    One row however many events came in, written in the transaction that stores them and removed by whoever tells
    the pages. So bursts become one message, nothing is told that was rolled back, and nothing stored goes untold.
    """

    customer = models.OneToOneField(
        Customer,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="+",
        help_text="Whose usage changed.",
    )
    noticed_at = models.DateTimeField(help_text="When it last changed, by the machine's clock.")

    def __str__(self) -> str:
        return f"{self.customer_id} {self.noticed_at:%Y-%m-%d %H:%M:%S}"


class UsageImport(models.Model):
    """A file of usage taken in by `import_usage`: how far it got, and what it met. Resumable by its content hash."""

    public_id = PublicIdField(prefix="uim")
    file_name = models.CharField(max_length=255)
    content_hash = models.CharField(max_length=64)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, null=True, related_name="+")
    rows_done = models.PositiveBigIntegerField(default=0, help_text="Rows read and committed so far.")
    accepted = models.PositiveBigIntegerField(default=0)
    duplicates = models.PositiveBigIntegerField(default=0)
    conflicts = models.PositiveBigIntegerField(default=0)
    rejected = models.PositiveBigIntegerField(default=0)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["content_hash"], name="usage_import_by_content")]

    def __str__(self) -> str:
        return self.file_name
