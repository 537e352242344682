"""Bill runs: the document of one billing of many customers."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from billing.approvals.models import ApprovalRequest
from billing.core.lifecycles import BillRunStatus
from billing.invoices.models.holds import BillingHold
from billing.platform.fields import ActorColumns, CurrencyField, MinorField, PublicIdField, is_one_of
from customers.models import Customer


class BillRun(ActorColumns):
    """One billing of every customer with something due as of an instant.

    `usage_cutoff_at` is frozen when the run starts: usage received later goes on a later invoice. What is due of a
    customer on a test clock, and what has been received from it, goes by that clock.
    """

    public_id = PublicIdField(prefix="run")
    status = models.CharField(max_length=12)
    as_of = models.DateTimeField(help_text="Everything due up to here is billed.")
    customer = models.ForeignKey(
        Customer,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        help_text="Set if only this one is billed.",
    )
    needs_review = models.BooleanField(
        default=False,
        help_text="Wait for a person between drafting and finalizing, instead of going on at once.",
    )
    usage_cutoff_at = models.DateTimeField(help_text="Usage received up to here is billed.")
    approval = models.ForeignKey(ApprovalRequest, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True)
    compared_with = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        help_text="The earlier run whose totals stand beside those of this one.",
    )
    customer_count = models.PositiveIntegerField(default=0, help_text="Customers in this run.")
    gone_count = models.PositiveIntegerField(
        default=0, help_text="Customers billed by the run it is compared with who are not in this one."
    )
    figures = models.JSONField(
        default=dict,
        help_text="What it finalizes or has finalized, by currency; shown in lists, never summed.",
    )
    review_version = models.PositiveIntegerField(
        default=0,
        help_text="Goes up with every change a person makes to it, so that an older page is refused.",
    )
    send_asked_at = models.DateTimeField(
        null=True, help_text="When somebody asked to send its invoices; a run without review sends by itself."
    )
    send_done_at = models.DateTimeField(null=True, help_text="When all mails of that were queued.")

    class Meta:
        ordering = ["-id"]
        permissions = [
            ("start_bill_run", "Can preview and start bill runs"),
            ("review_bill_run", "Can note that a draft was looked at"),
            ("exclude_from_bill_run", "Can exclude customers from bill runs"),
            ("retry_bill_run", "Can retry the failed customers of bill runs"),
            ("approve_bill_run", "Can approve bill runs"),
            ("withdraw_bill_run", "Can withdraw the approval of bill runs"),
            ("finalize_bill_run", "Can finalize approved bill runs"),
            ("send_bill_run", "Can send the invoices of bill runs"),
            ("cancel_bill_run", "Can cancel bill runs"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=is_one_of("status", list(BillRunStatus)), name="bill_run_status_is_known"
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["approved", "finalizing", "completed"]) | Q(approval__isnull=False),
                name="approved_bill_run_names_its_approval",
            ),
            models.CheckConstraint(
                condition=Q(send_asked_at=None) | Q(status="completed"),
                name="only_a_completed_bill_run_is_sent",
            ),
            models.CheckConstraint(
                condition=Q(send_done_at=None) | Q(send_asked_at__isnull=False),
                name="sending_ends_after_it_was_asked_for",
            ),
        ]
        indexes = [
            models.Index(
                fields=["send_asked_at"],
                name="bill_run_being_sent",
                condition=Q(send_asked_at__isnull=False, send_done_at=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} as of {self.as_of:%Y-%m-%d}: {self.status}"


class BillRunCustomerStatus(models.TextChoices):
    """held and excluded are left out by a person, parked by an error; each can come back in."""

    PENDING = "pending", "Pending"
    DRAFTED = "drafted", "Drafted"
    FINALIZED = "finalized", "Finalized"
    PARKED = "parked", "Failed"
    HELD = "held", "Held"
    EXCLUDED = "excluded", "Excluded"


class ReviewFlag(models.TextChoices):
    """Why a draft deserves a look."""

    OFF = "off", "More than 30 % off"
    FIRST_INVOICE = "first_invoice", "First invoice"
    NO_USAGE = "no_usage", "No usage"
    PRICE_CHANGED = "price_changed", "Price changed"
    TAX_CHANGED = "tax_changed", "Tax changed"


class BillRunCustomer(models.Model):
    """One customer of a run: claimed with SKIP LOCKED, done, left out, or parked with the reason.

    The figures are those of the drafts beside the last invoices of the same subscriptions, noted when the drafts are
    made, in the currency of `currency`; drafts in another currency, which are rare, are in `other_totals`.
    """

    run = models.ForeignKey(BillRun, on_delete=models.CASCADE, related_name="customers")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="+")
    status = models.CharField(
        max_length=12, choices=BillRunCustomerStatus.choices, default=BillRunCustomerStatus.PENDING
    )
    error_code = models.CharField(max_length=60, blank=True)
    error_message = models.CharField(max_length=500, blank=True, help_text="Why the customer was not billed.")
    hold = models.ForeignKey(BillingHold, on_delete=models.PROTECT, null=True, related_name="run_customers")
    exclude_reason = models.CharField(
        max_length=500, blank=True, help_text="Why it was left out of this run."
    )
    invoice_count = models.PositiveIntegerField(default=0)
    currency = CurrencyField(blank=True)
    total_minor = MinorField(default=0, help_text="Sum of its drafts, with tax.")
    last_total_minor = models.BigIntegerField(
        null=True, help_text="Sum of the last invoices of the same subscriptions; empty if there are none."
    )
    other_totals = models.JSONField(
        default=dict, help_text="Drafts in other currencies: shown, never summed."
    )
    flags = ArrayField(models.CharField(max_length=16), default=list)
    flag_notes = models.JSONField(
        default=dict, help_text="What each flag is about, in words: from what to what."
    )
    plans = ArrayField(models.CharField(max_length=60), default=list, help_text="Codes of the plans billed.")
    looked_at = models.DateTimeField(null=True, help_text="When somebody noted that they have looked at it.")
    looked_by_id = models.CharField(max_length=80, blank=True)
    looked_by_label = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "customer"], name="a_run_holds_a_customer_once"),
            models.CheckConstraint(
                condition=is_one_of("status", list(BillRunCustomerStatus)),
                name="bill_run_customer_status_is_known",
            ),
            models.CheckConstraint(
                condition=~Q(status="held") | Q(hold__isnull=False),
                name="held_bill_run_customer_names_its_hold",
            ),
            models.CheckConstraint(
                condition=Q(status="excluded") & ~Q(exclude_reason="")
                | (~Q(status="excluded") & Q(exclude_reason="")),
                name="excluded_bill_run_customer_says_why",
            ),
            models.CheckConstraint(
                condition=Q(flags__contained_by=[str(flag) for flag in ReviewFlag]),
                name="bill_run_customer_flags_are_known",
            ),
            models.CheckConstraint(
                condition=Q(invoice_count=0, total_minor=0) | (Q(invoice_count__gt=0) & ~Q(currency="")),
                name="bill_run_customer_total_has_a_currency",
            ),
            models.CheckConstraint(
                condition=Q(looked_at=None, looked_by_id="")
                | (Q(looked_at__isnull=False) & ~Q(looked_by_id="")),
                name="looked_at_says_by_whom",
            ),
        ]
        indexes = [
            models.Index(fields=["run", "status"], name="bill_run_customer_by_status"),
            models.Index(
                fields=["run"],
                name="bill_run_customer_waiting",
                condition=Q(status__in=["pending", "drafted"]),
            ),
            models.Index(F("run"), F("total_minor").desc(), F("id"), name="bill_run_customer_by_amount"),
        ]

    def __str__(self) -> str:
        return f"{self.run_id} {self.customer_id}: {self.status}"

    @property
    def change_minor(self) -> int | None:
        """How much more it is than last time, in minor units; None without a last invoice."""
        return None if self.last_total_minor is None else self.total_minor - self.last_total_minor

    @property
    def change_percent(self) -> int | None:
        """The same in whole percent; None where there is nothing to compare with."""
        if self.change_minor is None or not self.last_total_minor:
            return None
        return round(self.change_minor * 100 / self.last_total_minor)
