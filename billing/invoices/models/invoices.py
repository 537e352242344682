"""Invoices, their lines and tax table."""

from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from billing.core.lifecycles import InvoiceStatus, Settlement, settlement
from billing.core.tax import TaxCode
from billing.invoices.models.base import DocumentLine, DocumentTax, IssuedDocument
from billing.invoices.models.runs import BillRun
from billing.platform.fields import MinorField, PercentField, PublicIdField, is_one_of
from billing.subscriptions.models import Subscription, SubscriptionItem
from customers.models import Customer


class BillingReason(models.TextChoices):
    SUBSCRIPTION_CREATE = "subscription_create", "Subscription started"
    SUBSCRIPTION_CYCLE = "subscription_cycle", "Subscription period"
    SUBSCRIPTION_CANCEL = "cancel", "Subscription canceled"


class Invoice(IssuedDocument):
    """An invoice: draft, finalized or voided. What is settled of it is derived from the counters below.

    The counters move only with allocations, credit notes and write-offs, by trigger, and never exceed the total
    (I17).
    """

    public_id = PublicIdField(prefix="inv")
    payer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="invoices_to_pay")
    subscription = models.ForeignKey(
        Subscription, on_delete=models.PROTECT, null=True, blank=True, related_name="invoices"
    )
    bill_run = models.ForeignKey(
        BillRun, on_delete=models.PROTECT, null=True, blank=True, related_name="invoices"
    )
    billing_reason = models.CharField(max_length=24, choices=BillingReason.choices)
    usage_cutoff_at = models.DateTimeField(
        null=True, help_text="Usage received up to here is in; later usage goes on a later invoice."
    )
    due_on = models.DateField(null=True)
    allocated_minor = MinorField(default=0, help_text="Paid: sum of the allocations.")
    offset_minor = MinorField(default=0, help_text="Settled by credit notes of kind offset.")
    written_off_minor = MinorField(default=0)
    credited_minor = MinorField(default=0, help_text="Sum of all its credit notes, of every kind.")
    voided_at = models.DateTimeField(null=True)
    void_reason = models.CharField(max_length=500, blank=True)

    class Meta(IssuedDocument.Meta):
        ordering = ["-id"]
        permissions = [
            ("finalize_invoice", "Can finalize invoices"),
            ("void_invoice", "Can void invoices"),
            ("credit_invoice", "Can credit and cancel invoices"),
            ("resend_document", "Can send documents again"),
        ]
        constraints = [
            *IssuedDocument.Meta.constraints,
            models.CheckConstraint(
                condition=is_one_of("status", list(InvoiceStatus)), name="invoice_status_is_known"
            ),
            models.CheckConstraint(
                condition=Q(
                    allocated_minor__gte=0,
                    offset_minor__gte=0,
                    written_off_minor__gte=0,
                    credited_minor__gte=0,
                ),
                name="i17_invoice_counters_are_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(
                    total_minor__gte=F("allocated_minor") + F("offset_minor") + F("written_off_minor")
                ),
                name="i17_invoice_is_not_settled_beyond_its_total",
            ),
            models.CheckConstraint(
                condition=Q(credited_minor__lte=F("total_minor")),
                name="i17_invoice_is_not_credited_beyond_its_total",
            ),
            models.CheckConstraint(
                condition=Q(status="draft") | Q(due_on__isnull=False), name="finalized_invoice_has_a_due_date"
            ),
            models.CheckConstraint(
                condition=Q(status="voided", voided_at__isnull=False) & ~Q(void_reason="")
                | (~Q(status="voided") & Q(voided_at=None)),
                name="voided_invoice_says_when_and_why",
            ),
        ]
        indexes = [
            models.Index(fields=["customer", "-id"], name="invoice_by_customer"),
            models.Index(fields=["status", "due_on"], name="invoice_by_status_and_due_date"),
            models.Index(fields=["issued_on", "id"], name="invoice_by_issue_date"),
            models.Index(fields=["due_on", "id"], name="invoice_by_due_date"),
            models.Index(fields=["total_minor", "id"], name="invoice_by_total"),
            models.Index(OpClass(Lower("number"), name="text_pattern_ops"), name="invoice_by_number"),
            models.Index(fields=["currency", "total_minor", "-id"], name="invoice_by_amount"),
            models.Index(
                fields=["legal_entity", "issued_on"],
                include=["currency", "total_minor"],
                condition=Q(status="finalized"),
                name="invoice_issued_by_seller",
            ),
            # Its columns are the whole question: the planner takes a third of all invoices for open, and would rather
            # read the table than visit so many rows of it.
            models.Index(
                fields=["legal_entity", "due_on"],
                include=["currency", "total_minor", "allocated_minor", "offset_minor", "written_off_minor"],
                condition=Q(status="finalized")
                & Q(total_minor__gt=F("allocated_minor") + F("offset_minor") + F("written_off_minor")),
                name="invoice_open_by_seller",
            ),
            # What is open is a small part of all, so the newest of it are found here, whatever else is asked of them.
            models.Index(
                F("id").desc(),
                F("due_on"),
                condition=Q(status="finalized")
                & Q(total_minor__gt=F("allocated_minor") + F("offset_minor") + F("written_off_minor")),
                name="invoice_open_newest_first",
            ),
        ]

    def __str__(self) -> str:
        return self.number or f"draft {self.public_id}"

    @property
    def settled_minor(self) -> int:
        """How much is settled, in minor units: paid, credited against it, or written off."""
        return self.allocated_minor + self.offset_minor + self.written_off_minor

    @property
    def open_minor(self) -> int:
        """How much is still owed, in minor units; nothing on drafts and voided invoices."""
        return self.total_minor - self.settled_minor if self.status == InvoiceStatus.FINALIZED else 0

    @property
    def settlement(self) -> Settlement | None:
        """open, partially settled or settled; None for a draft or voided invoice."""
        if self.status != InvoiceStatus.FINALIZED:
            return None
        return settlement(self.total_minor, self.settled_minor)


class InvoiceLine(DocumentLine):
    """One line, with everything that explains its amount."""

    public_id = PublicIdField(prefix="lin")
    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="lines")
    item = models.ForeignKey(SubscriptionItem, on_delete=models.PROTECT, related_name="invoice_lines")
    meter_code = models.CharField(max_length=60, blank=True)
    service_start_at = models.DateTimeField()
    service_end_at = models.DateTimeField()
    tax_code = models.CharField(
        max_length=16, default=TaxCode.STANDARD, help_text="What tax law saw in it when it was drafted."
    )
    own_tax_percent = PercentField(null=True, help_text="The rate that its price names itself.")

    class Meta(DocumentLine.Meta):
        constraints = [
            models.UniqueConstraint(fields=["invoice", "position"], name="invoice_line_positions_are_unique"),
            models.CheckConstraint(
                condition=Q(service_end_at__gt=F("service_start_at")),
                name="invoice_line_service_ends_after_start",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.invoice_id} {self.position} {self.code}"


class InvoiceTax(DocumentTax):
    """One row of an invoice's tax table."""

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="taxes")

    class Meta(DocumentTax.Meta):
        verbose_name_plural = "invoice taxes"
        constraints = [
            models.UniqueConstraint(
                fields=["invoice", "category", "percent"], name="one_invoice_tax_row_per_rate"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.invoice_id} {self.category} {self.percent}"
