"""The record of who did what: audit trail and outbox in one table."""

from django.db import models

from billing.platform.fields import ActorColumns, PublicIdField


class Activity(ActorColumns):
    """One fact: an actor did something to an object, at a time, for a customer.

    Written in the transaction of the change it records, and never changed afterwards but for the marks that the
    relay sets once: `dispatched_at` when its reactions were queued, and its place in the hash chain (I29, I33).
    """

    public_id = PublicIdField(prefix="act")
    name = models.CharField(
        max_length=60, help_text="What happened, as object.event, for example invoice.finalized."
    )
    object_kind = models.CharField(max_length=40, help_text="Kind of the object, for example invoice.")
    object_id = models.CharField(max_length=36, help_text="Public id of the object.")
    customer_id = models.CharField(
        max_length=36, blank=True, help_text="Public id of the customer concerned, if any."
    )
    data = models.JSONField(
        default=dict, help_text="Small facts about the event: ids, figures, old and new values."
    )
    happened_at = models.DateTimeField(
        help_text="When it counts as done (a test clock's time where one runs)."
    )
    recorded_at = models.DateTimeField(help_text="When the row was written, by the machine's clock.")
    dispatched_at = models.DateTimeField(null=True, help_text="When the relay queued its reactions.")
    chain_position = models.BigIntegerField(
        null=True, unique=True, help_text="Place in the hash chain, from 1."
    )
    chain_hash = models.CharField(
        max_length=64, null=True, help_text="SHA-256 over the previous hash and this row."
    )

    class Meta:
        verbose_name = "activity"
        verbose_name_plural = "activity"
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["object_id", "name"], name="activity_by_object"),
            models.Index(fields=["customer_id", "-id"], name="activity_by_customer"),
            models.Index(fields=["id"], name="activity_undispatched", condition=models.Q(dispatched_at=None)),
            models.Index(fields=["id"], name="activity_unchained", condition=models.Q(chain_position=None)),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.object_id}"
