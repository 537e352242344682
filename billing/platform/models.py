"""What the platform itself stores: the first answer to each idempotent API request."""

from django.db import models


class IdempotencyRecord(models.Model):
    """One API request made under an `Idempotency-Key`, and the answer that every repetition gets.

    The record and the effect of the request commit in one transaction, or, where the effect needs several, the
    record is first stored as started and finished when the answer is known (I30).
    """

    principal = models.CharField(max_length=80, help_text="Kind and public id of whoever sent the request.")
    key = models.CharField(max_length=255, help_text="The Idempotency-Key header as sent.")
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=400)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of method, path and body.")
    response_status = models.PositiveSmallIntegerField(null=True)
    response_body = models.BinaryField(null=True)
    response_type = models.CharField(max_length=100, default="")
    locked_at = models.DateTimeField(
        null=True, help_text="Since when a process works on it; a crash leaves it set."
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["principal", "key"], name="i30_one_answer_per_principal_and_key"),
        ]

    def __str__(self) -> str:
        return f"{self.principal} {self.key}"
