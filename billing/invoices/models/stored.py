"""The bytes of issued documents, and the mails that carried them."""

from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from billing.core.lifecycles import MailStatus
from billing.invoices.models.credit_notes import CreditNote
from billing.invoices.models.invoices import Invoice
from billing.platform.fields import PublicIdField, is_one_of


def _exactly_one_document(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(invoice__isnull=False, credit_note=None) | Q(invoice=None, credit_note__isnull=False),
        name=name,
    )


class DocumentFormat(models.TextChoices):
    PDF = "pdf", "PDF"
    JSON = "json", "Canonical JSON"


class StoredDocument(models.Model):
    """A rendering of an issued document: written once, served from here, kept until `retain_until` (I7)."""

    public_id = PublicIdField(prefix="doc")
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, null=True, related_name="stored_documents")
    credit_note = models.ForeignKey(
        CreditNote, on_delete=models.PROTECT, null=True, related_name="stored_documents"
    )
    format = models.CharField(max_length=4, choices=DocumentFormat.choices)
    content = models.BinaryField()
    sha256 = models.CharField(max_length=64)
    retain_until = models.DateField(help_text="The document must not be deleted before this day.")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            _exactly_one_document("stored_document_has_one_owner"),
            models.UniqueConstraint(
                fields=["invoice", "format"], name="one_rendering_per_invoice_and_format"
            ),
            models.UniqueConstraint(
                fields=["credit_note", "format"], name="one_rendering_per_credit_note_and_format"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.format} {self.sha256[:12]}"


class DocumentMail(models.Model):
    """A mail that carries an issued document to one contact: queued, sent or failed."""

    public_id = PublicIdField(prefix="eml")
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, null=True, related_name="mails")
    credit_note = models.ForeignKey(CreditNote, on_delete=models.PROTECT, null=True, related_name="mails")
    recipient = models.EmailField()
    is_first = models.BooleanField(
        default=False, help_text="The mail with which the document was sent; sending it again makes others."
    )
    status = models.CharField(max_length=8, default=MailStatus.QUEUED.value)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(
        null=True, help_text="When it is tried next; empty when it is done."
    )
    error = models.CharField(max_length=500, blank=True, help_text="Why the last try failed.")
    queued_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            _exactly_one_document("mail_carries_one_document"),
            models.CheckConstraint(
                condition=is_one_of("status", list(MailStatus)), name="mail_status_is_known"
            ),
            models.CheckConstraint(
                condition=Q(status="sent", sent_at__isnull=False) | (~Q(status="sent") & Q(sent_at=None)),
                name="sent_mail_says_when",
            ),
            models.UniqueConstraint(
                fields=["invoice", "recipient"],
                condition=Q(is_first=True, invoice__isnull=False),
                name="invoice_is_sent_to_a_recipient_once",
            ),
            models.UniqueConstraint(
                fields=["credit_note", "recipient"],
                condition=Q(is_first=True, credit_note__isnull=False),
                name="credit_note_is_sent_to_a_recipient_once",
            ),
        ]
        indexes = [
            models.Index(
                OpClass(Lower("recipient"), name="text_pattern_ops"), name="document_mail_by_recipient"
            ),
            models.Index(fields=["-id"], name="document_mail_failed", condition=Q(status="failed")),
            models.Index(
                fields=["next_attempt_at"], name="mail_due", condition=Q(next_attempt_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.recipient}: {self.status}"
