"""Credit notes: documents of their own that take back what an invoice charged."""

from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from billing.approvals.models import ApprovalRequest
from billing.core.lifecycles import CreditNoteStatus
from billing.invoices.models.base import DocumentLine, DocumentTax, IssuedDocument
from billing.invoices.models.invoices import Invoice, InvoiceLine
from billing.platform.fields import MinorField, PublicIdField, is_one_of


class CreditReason(models.TextChoices):
    DUPLICATED_CHARGE = "duplicated_charge", "Duplicated charge"
    PRODUCT_UNSATISFACTORY = "product_unsatisfactory", "Product unsatisfactory"
    ORDER_CHANGE = "order_change", "Order change"
    ORDER_CANCELLATION = "order_cancellation", "Order cancellation"
    FRAUDULENT_CHARGE = "fraudulent_charge", "Fraudulent charge"
    BILLING_ERROR = "billing_error", "Billing error"
    SERVICE_ISSUE = "service_issue", "Service issue"
    OTHER = "other", "Other"


class CreditNote(IssuedDocument):
    """A credit over a whole invoice.

    A cancellation takes an unpaid invoice back as if it had not been issued: its periods and usage can be billed
    again. Any other credit note leaves the service as billed. The amount first settles what is open of the invoice
    (`offset_minor`); the rest was paid and is owed back (`refund_minor`).
    """

    public_id = PublicIdField(prefix="crn")
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="credit_notes")
    is_cancellation = models.BooleanField(default=False)
    reason = models.CharField(max_length=24, choices=CreditReason.choices)
    note = models.CharField(max_length=500, blank=True, help_text="Printed on the credit note.")
    approval = models.OneToOneField(ApprovalRequest, on_delete=models.PROTECT, related_name="+")
    offset_minor = MinorField(help_text="Settles what is open of the invoice.")
    refund_minor = MinorField(help_text="Was paid already and is owed back.")
    refunded_minor = MinorField(default=0, help_text="Refunds under way or done.")

    class Meta(IssuedDocument.Meta):
        ordering = ["-id"]
        constraints = [
            *IssuedDocument.Meta.constraints,
            models.CheckConstraint(
                condition=is_one_of("status", list(CreditNoteStatus)), name="credit_note_status_is_known"
            ),
            models.CheckConstraint(
                condition=Q(offset_minor__gte=0, refund_minor__gte=0)
                & Q(total_minor=F("offset_minor") + F("refund_minor")),
                name="credit_note_is_offset_plus_refund",
            ),
            models.CheckConstraint(
                condition=Q(refunded_minor__gte=0) & Q(refunded_minor__lte=F("refund_minor")),
                name="i18_credit_note_is_not_refunded_beyond_its_amount",
            ),
        ]
        indexes = [
            models.Index(OpClass(Lower("number"), name="text_pattern_ops"), name="credit_note_by_number"),
            models.Index(fields=["currency", "total_minor", "-id"], name="credit_note_by_amount"),
        ]

    def __str__(self) -> str:
        return self.number or f"draft {self.public_id}"


class CreditNoteLine(DocumentLine):
    """One credited line; it names the invoice line it takes back."""

    public_id = PublicIdField(prefix="cnl")
    credit_note = models.ForeignKey(CreditNote, on_delete=models.CASCADE, related_name="lines")
    invoice_line = models.ForeignKey(InvoiceLine, on_delete=models.PROTECT, related_name="credits")

    class Meta(DocumentLine.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["credit_note", "position"], name="credit_note_line_positions_are_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.credit_note_id} {self.position} {self.code}"


class CreditNoteTax(DocumentTax):
    """One row of a credit note's tax table."""

    credit_note = models.ForeignKey(CreditNote, on_delete=models.CASCADE, related_name="taxes")

    class Meta(DocumentTax.Meta):
        verbose_name_plural = "credit note taxes"
        constraints = [
            models.UniqueConstraint(
                fields=["credit_note", "category", "percent"], name="one_credit_note_tax_row_per_rate"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.credit_note_id} {self.category} {self.percent}"
