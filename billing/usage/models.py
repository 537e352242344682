"""Usage as it arrived, and the rollups that keep the price of a period cheap."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q

from billing.catalog.models import Meter
from billing.platform.fields import ActorColumns, PublicIdField, QuantityField, is_one_of
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
    """Count, sum and bounds of one meter for one customer in one quarter of an hour, UTC.

    Kept current in the transaction that stores the events, so that a period costs its rollups, never its events.
    Every time zone's midnight falls on a bound of these buckets.
    """

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="+", db_index=False)
    meter = models.ForeignKey(Meter, on_delete=models.PROTECT, related_name="+", db_index=False)
    bucket_at = models.DateTimeField(help_text="Start of the quarter of an hour.")
    event_count = models.BigIntegerField()
    quantity_sum = QuantityField()
    quantity_min = QuantityField(
        null=True, help_text="Of meters that look for the smallest or largest; else empty."
    )
    quantity_max = QuantityField(null=True, help_text="As quantity_min.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "meter", "bucket_at"], name="i13_one_rollup_per_meter_and_bucket"
            ),
            models.CheckConstraint(condition=Q(event_count__gte=0), name="rollup_count_is_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.meter_id} {self.bucket_at:%Y-%m-%d %H:%M}: {self.quantity_sum}"


class CorrectionKind(models.TextChoices):
    """What a person did about usage that was wrong."""

    CANCEL = "cancel", "Canceled events"
    AMEND = "amend", "Amended an event"
    BACKFILL = "backfill", "Backfilled a time"
    REVERT = "revert", "Took a correction back"


class UsageCorrection(ActorColumns):
    """Who corrected which usage, when and why. The events stay; what counts is told by `UsageSign`."""

    public_id = PublicIdField(prefix="uco")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=8, choices=CorrectionKind.choices)
    event_type = models.CharField(max_length=120)
    reason = models.CharField(max_length=500, help_text="Why; shown beside the lines that it changes.")
    start_at = models.DateTimeField(help_text="The earliest time of usage that it may change.")
    end_at = models.DateTimeField(help_text="The first time of usage after what it may change.")
    recorded_at = models.DateTimeField(help_text="When it was made; later bills see its effect.")
    reverts = models.OneToOneField(
        "self",
        on_delete=models.PROTECT,
        null=True,
        related_name="reverted_by",
        help_text="The correction that this one takes back.",
    )

    class Meta:
        permissions = [("correct_usage", "Can correct usage")]
        constraints = [
            models.CheckConstraint(
                condition=is_one_of("kind", CorrectionKind.values), name="usage_correction_kind_is_known"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="usage_correction_has_a_reason"),
            models.CheckConstraint(
                condition=Q(end_at__gt=models.F("start_at")), name="usage_correction_spans_time"
            ),
            models.CheckConstraint(
                condition=Q(kind="revert", reverts__isnull=False) | (~Q(kind="revert") & Q(reverts=None)),
                name="usage_correction_reverts_another",
            ),
        ]
        indexes = [models.Index(fields=["customer", "-recorded_at"], name="usage_correction_by_customer")]

    def __str__(self) -> str:
        return f"{self.kind} {self.event_type} {self.recorded_at:%Y-%m-%d}"


class UsageSign(models.Model):
    """An event no longer counts (-1), or counts again (+1), from a time of receipt on.

    A fact beside the event, which never changes: what was billed with a cut-off before it is still what it was.
    The columns of the event are repeated, so that readings add up events and signs alike.
    """

    correction = models.ForeignKey(UsageCorrection, on_delete=models.PROTECT, related_name="signs")
    event = models.ForeignKey(UsageEvent, on_delete=models.PROTECT, related_name="signs")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="+", db_index=False)
    event_type = models.CharField(max_length=120)
    at = models.DateTimeField()
    received_at = models.DateTimeField(help_text="When it was recorded, while the customer was locked.")
    properties = models.JSONField()
    sign = models.SmallIntegerField(help_text="-1: no longer counts. 1: counts again.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["correction", "event"], name="correction_names_an_event_once"),
            models.CheckConstraint(condition=Q(sign__in=[-1, 1]), name="sign_takes_away_or_gives_back"),
        ]
        indexes = [
            models.Index(fields=["customer", "event_type", "at"], name="usage_sign_by_time"),
            models.Index(fields=["customer", "received_at"], name="usage_sign_by_receipt"),
        ]

    def __str__(self) -> str:
        return f"{self.sign:+d} {self.event_id}"


class UsageAddition(models.Model):
    """An event that a correction brought in: the new content of an amended one, or one of a backfill."""

    correction = models.ForeignKey(UsageCorrection, on_delete=models.PROTECT, related_name="additions")
    event = models.OneToOneField(UsageEvent, on_delete=models.PROTECT, related_name="addition")
    replaces = models.ForeignKey(
        UsageEvent, on_delete=models.PROTECT, null=True, related_name="+", help_text="The event it amends."
    )

    def __str__(self) -> str:
        return str(self.event_id)


class RejectedEvent(models.Model):
    """An event that was refused, as it was sent and why: kept for a while, to be repaired and sent again."""

    public_id = PublicIdField(prefix="rej")
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, null=True, related_name="+")
    event_id = models.CharField(
        max_length=200, blank=True, help_text="The sender's id, as far as it was a text."
    )
    event_type = models.CharField(max_length=200, blank=True)
    content = models.TextField(help_text="The event as it was sent, as JSON.")
    reason = models.CharField(max_length=40, help_text="Code of the reason.")
    message = models.CharField(max_length=300)
    field = models.CharField(max_length=160, blank=True)
    times = models.PositiveIntegerField(default=1, help_text="How often it was sent.")
    content_hash = models.CharField(
        max_length=64, help_text="SHA-256 of the content; the same one is kept once."
    )
    rejected_at = models.DateTimeField(help_text="When it was refused last.")
    resolved_at = models.DateTimeField(null=True, help_text="When it was taken in after all, or set aside.")
    resolution = models.CharField(max_length=10, blank=True, help_text="replayed or dismissed.")

    class Meta:
        permissions = [("replay_rejectedevent", "Can repair and replay rejected events")]
        constraints = [
            models.UniqueConstraint(fields=["content_hash"], name="rejected_event_is_kept_once"),
            models.CheckConstraint(
                condition=Q(resolved_at=None, resolution="")
                | Q(resolved_at__isnull=False, resolution__in=["replayed", "dismissed"]),
                name="rejected_event_is_resolved_one_way",
            ),
        ]
        indexes = [
            models.Index(fields=["resolved_at", "-rejected_at"], name="rejected_event_open_first"),
            models.Index(fields=["customer", "-rejected_at"], name="rejected_event_by_customer"),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.event_id}: {self.reason}"


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
