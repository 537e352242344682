"""Money coming in and going back: methods, payments, allocations, refunds, and when to collect what."""

from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower, Reverse

from billing.approvals.models import ApprovalRequest
from billing.core import lifecycles
from billing.core.lifecycles import MailStatus, PaymentStatus, RefundStatus
from billing.invoices.models import CreditNote, Invoice
from billing.platform.fields import CurrencyField, MinorField, PublicIdField, is_one_of
from customers.models import Customer, LegalEntity

LIVE_PAYMENT_STATUSES = tuple(
    status.value for status in PaymentStatus if status in lifecycles.LIVE_PAYMENT_STATUSES
)
"""The live states of core in the order of their definition, since the constraint of I16 is written in it."""

RECEIVED_PAYMENT_STATUSES = ("succeeded", "partially_refunded", "refunded")
"""States in which the money has arrived."""


class PaymentMethod(models.Model):
    """How a customer pays automatically: a reference at a gateway. No card number ever reaches us."""

    public_id = PublicIdField(prefix="pmt")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="payment_methods")
    gateway = models.CharField(max_length=20, help_text="Code of the gateway, for example test.")
    gateway_ref = models.CharField(max_length=120, help_text="The gateway's id of the method.")
    label = models.CharField(
        max_length=80, help_text="How it reads on documents, for example 'card ...4242'."
    )
    is_default = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    detached_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["customer"],
                condition=Q(is_default=True, detached_at=None),
                name="one_default_payment_method",
            ),
        ]
        indexes = [
            models.Index(OpClass(Reverse("label"), name="text_pattern_ops"), name="payment_method_by_tail")
        ]

    def __str__(self) -> str:
        return self.label


class PaymentKind(models.TextChoices):
    PROVIDER = "provider", "By a gateway"
    MANUAL = "manual", "Recorded by hand"


class Payment(models.Model):
    """One attempt to receive money, or one receipt recorded by hand.

    Money received lands in unapplied cash; an allocation moves it to an invoice. `allocated_minor` and the refund
    counters are kept by trigger and never exceed the amount (I18, I19).
    """

    public_id = PublicIdField(prefix="pay")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="payments")
    legal_entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=8, choices=PaymentKind.choices)
    status = models.CharField(max_length=20)
    currency = CurrencyField()
    amount_minor = MinorField()
    invoice = models.ForeignKey(
        Invoice,
        on_delete=models.PROTECT,
        null=True,
        related_name="payment_attempts",
        help_text="What it is for.",
    )
    method = models.ForeignKey(PaymentMethod, on_delete=models.PROTECT, null=True, related_name="payments")
    gateway = models.CharField(max_length=20, blank=True)
    gateway_ref = models.CharField(max_length=120, blank=True, help_text="The gateway's id of the payment.")
    idempotency_key = models.CharField(
        max_length=64, blank=True, help_text="Sent to the gateway with every try."
    )
    failure_code = models.CharField(max_length=40, blank=True)
    failure_message = models.CharField(max_length=300, blank=True)
    reference = models.CharField(
        max_length=140, blank=True, help_text="Reference of a receipt recorded by hand."
    )
    received_on = models.DateField(null=True, help_text="Day of receipt, in the legal entity's time zone.")
    approval = models.OneToOneField(ApprovalRequest, on_delete=models.PROTECT, null=True, related_name="+")
    allocated_minor = MinorField(default=0)
    refunded_minor = MinorField(default=0, help_text="Refunds under way or done, of every kind.")
    unapplied_refunded_minor = MinorField(default=0, help_text="Of these, paid back out of unapplied cash.")
    initiated_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    check_at = models.DateTimeField(null=True, help_text="When the janitor asks the gateway about it.")
    check_count = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["-id"]
        permissions = [
            ("record_payment", "Can record payments by hand"),
            ("allocate_payment", "Can allocate payments and reverse allocations"),
            ("refund_payment", "Can refund payments"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=is_one_of("status", list(PaymentStatus)), name="payment_status_is_known"
            ),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="payment_amount_is_positive"),
            models.UniqueConstraint(
                fields=["gateway", "gateway_ref"],
                condition=~Q(gateway_ref=""),
                name="i15_gateway_payment_is_recorded_once",
            ),
            models.UniqueConstraint(
                fields=["invoice"],
                condition=Q(kind="provider", status__in=LIVE_PAYMENT_STATUSES),
                name="i16_one_live_attempt_per_invoice",
            ),
            models.CheckConstraint(
                condition=Q(allocated_minor__gte=0, unapplied_refunded_minor__gte=0)
                & Q(amount_minor__gte=F("allocated_minor") + F("unapplied_refunded_minor")),
                name="i18_payment_is_not_allocated_beyond_its_amount",
            ),
            models.CheckConstraint(
                condition=Q(refunded_minor__gte=0) & Q(refunded_minor__lte=F("amount_minor")),
                name="i19_payment_is_not_refunded_beyond_its_amount",
            ),
            models.CheckConstraint(
                condition=Q(kind="provider", method__isnull=False) & ~Q(gateway="") & ~Q(idempotency_key="")
                | Q(kind="manual", approval__isnull=False, method=None, gateway=""),
                name="payment_kind_has_its_fields",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=RECEIVED_PAYMENT_STATUSES) | Q(received_on__isnull=False),
                name="received_payment_says_when",
            ),
        ]
        indexes = [
            models.Index(fields=["customer", "-id"], name="payment_by_customer"),
            models.Index(fields=["currency", "amount_minor", "-id"], name="payment_by_amount"),
            models.Index(
                OpClass(Lower("reference"), name="text_pattern_ops"),
                name="payment_by_reference",
                condition=~Q(reference=""),
            ),
            models.Index(
                fields=["gateway_ref"], name="payment_by_gateway_reference", condition=~Q(gateway_ref="")
            ),
            models.Index(fields=["check_at"], name="payment_to_check", condition=Q(check_at__isnull=False)),
            models.Index(fields=["received_on", "id"], name="payment_by_receipt"),
            models.Index(fields=["amount_minor", "id"], name="payment_sorted_by_amount"),
            models.Index(fields=["status", "id"], name="payment_by_status"),
            models.Index(
                fields=["id"],
                name="payment_unapplied",
                condition=Q(
                    status__in=RECEIVED_PAYMENT_STATUSES,
                    amount_minor__gt=F("allocated_minor") + F("unapplied_refunded_minor"),
                ),
            ),
            models.Index(
                fields=["legal_entity", "received_on"],
                include=["currency", "amount_minor"],
                condition=Q(status__in=RECEIVED_PAYMENT_STATUSES),
                name="payment_received_by_seller",
            ),
            models.Index(
                fields=["legal_entity", "initiated_at"],
                condition=Q(status="failed"),
                name="payment_failed_by_seller",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.status}"

    @property
    def unapplied_minor(self) -> int:
        """Received and not allocated or paid back, in minor units."""
        if self.status not in RECEIVED_PAYMENT_STATUSES:
            return 0
        return self.amount_minor - self.allocated_minor - self.unapplied_refunded_minor


class PaymentAllocation(models.Model):
    """Money of a payment put to an invoice. Append-only: a reversal is a row with the negative amount."""

    public_id = PublicIdField(prefix="pal")
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="allocations")
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="allocations")
    amount_minor = MinorField()
    reverses = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="reversed_by")
    accounting_on = models.DateField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount_minor__gt=0, reverses=None)
                | Q(amount_minor__lt=0, reverses__isnull=False),
                name="only_a_reversal_is_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id}"


class Refund(models.Model):
    """Money going back: what a credit note owes, or unapplied cash. Recorded before the gateway is called."""

    public_id = PublicIdField(prefix="rfd")
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    credit_note = models.ForeignKey(CreditNote, on_delete=models.PROTECT, null=True, related_name="refunds")
    amount_minor = MinorField()
    currency = CurrencyField()
    status = models.CharField(max_length=12)
    reason = models.CharField(max_length=300)
    approval = models.OneToOneField(ApprovalRequest, on_delete=models.PROTECT, related_name="+")
    idempotency_key = models.CharField(max_length=64)
    gateway_ref = models.CharField(max_length=120, blank=True)
    failure_message = models.CharField(max_length=300, blank=True)
    initiated_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=is_one_of("status", list(RefundStatus)), name="refund_status_is_known"
            ),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="refund_amount_is_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.status}"


class CollectionSchedule(models.Model):
    """When the next attempt to collect an invoice is due, and how many there were."""

    invoice = models.OneToOneField(Invoice, on_delete=models.PROTECT, related_name="collection")
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, help_text="Empty: nothing more is tried.")
    stopped_reason = models.CharField(max_length=120, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["next_attempt_at"], name="collection_due", condition=Q(next_attempt_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.invoice_id}: {self.attempts}"


class PaymentMailKind(models.TextChoices):
    RECEIPT = "receipt", "Receipt"
    FAILURE = "failure", "Payment failed"


class PaymentMail(models.Model):
    """A mail about a payment to one contact, a receipt or the notice of a failure: queued, sent or failed."""

    public_id = PublicIdField(prefix="pml")
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="mails")
    kind = models.CharField(max_length=8, choices=PaymentMailKind.choices)
    is_resent = models.BooleanField(default=False, help_text="Sent again because a person asked for it.")
    recipient = models.EmailField()
    status = models.CharField(max_length=8, default=MailStatus.QUEUED.value)
    next_try_at = models.DateTimeField(
        null=True, help_text="When the charge is tried again, as the mail says; empty: it is not."
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(
        null=True, help_text="When sending is tried next; empty when it is done."
    )
    error = models.CharField(max_length=500, blank=True, help_text="Why the last try failed.")
    queued_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        permissions = [("resend_mail", "Can send the mails about a payment again")]
        constraints = [
            models.UniqueConstraint(
                fields=["payment", "kind", "recipient"],
                condition=Q(is_resent=False),
                name="payment_is_mailed_once_per_contact",
            ),
            models.CheckConstraint(
                condition=is_one_of("kind", list(PaymentMailKind)), name="payment_mail_kind_is_known"
            ),
            models.CheckConstraint(
                condition=is_one_of("status", list(MailStatus)), name="payment_mail_status_is_known"
            ),
            models.CheckConstraint(
                condition=Q(status="sent", sent_at__isnull=False) | (~Q(status="sent") & Q(sent_at=None)),
                name="sent_payment_mail_says_when",
            ),
        ]
        indexes = [
            models.Index(
                OpClass(Lower("recipient"), name="text_pattern_ops"), name="payment_mail_by_recipient"
            ),
            models.Index(
                fields=["next_attempt_at"],
                name="payment_mail_due",
                condition=Q(next_attempt_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.recipient}: {self.kind}, {self.status}"
