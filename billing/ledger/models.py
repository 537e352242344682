"""The books: accounts by role, accounting periods, balanced append-only journal entries.

Sign convention: one signed amount per posting, debit positive, credit negative. Every posting carries its amount
in document currency and in the legal entity's accounting currency; in both, an entry sums to zero. PostgreSQL
enforces that (I1 to I5, I23); see migrations/sql.
"""

from django.db import models
from django.db.models import F, Q

from billing.core.lifecycles import PeriodStatus
from billing.core.money import format_major
from billing.core.postings import Role
from billing.platform.fields import ActorColumns, CurrencyField, MinorField, PublicIdField, is_one_of
from customers.models import Customer, LegalEntity


class Account(models.Model):
    """A ledger account: one role of one legal entity in one document currency (and per gateway for clearing)."""

    legal_entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, related_name="accounts")
    role = models.CharField(max_length=4, help_text="Role code, for example 1100 for accounts receivable.")
    currency = CurrencyField()
    detail = models.CharField(max_length=40, blank=True, help_text="Which gateway, for clearing accounts.")
    gl_code = models.CharField(max_length=40, help_text="Account number in the firm's general ledger.")

    class Meta:
        ordering = ["role", "detail", "currency"]
        constraints = [
            models.UniqueConstraint(
                fields=["legal_entity", "role", "currency", "detail"],
                name="one_account_per_role_and_currency",
            ),
            models.CheckConstraint(condition=is_one_of("role", list(Role)), name="account_role_is_known"),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.currency} {self.detail}".strip()


class AccountingPeriod(models.Model):
    """A month of a legal entity's books: open, then soft closed (only closing entries), then closed for good."""

    public_id = PublicIdField(prefix="per")
    legal_entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, related_name="accounting_periods")
    start_on = models.DateField()
    end_on = models.DateField(help_text="First day after the period.")
    status = models.CharField(max_length=12, default=PeriodStatus.OPEN.value)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["legal_entity", "start_on"]
        permissions = [
            ("close_period", "Can close accounting periods"),
            ("export_journal", "Can export the journal"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["legal_entity", "start_on"], name="one_accounting_period_per_month"
            ),
            models.CheckConstraint(
                condition=Q(end_on__gt=F("start_on")), name="accounting_period_ends_after_start"
            ),
            models.CheckConstraint(
                condition=is_one_of("status", list(PeriodStatus)), name="accounting_period_status_is_known"
            ),
            models.CheckConstraint(
                condition=Q(status="closed", closed_at__isnull=False)
                | (~Q(status="closed") & Q(closed_at=None)),
                name="closed_period_says_when",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.start_on:%Y-%m} {self.status}"


class JournalEntry(ActorColumns):
    """One business fact in the books. (source type, source id, purpose) says which; each posts once (I5)."""

    public_id = PublicIdField(prefix="jrn")
    legal_entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, related_name="journal_entries")
    period = models.ForeignKey(AccountingPeriod, on_delete=models.PROTECT, related_name="entries")
    accounting_on = models.DateField(
        help_text="Day in the legal entity's time zone on which the fact counts."
    )
    currency = CurrencyField(help_text="Document currency.")
    accounting_currency = CurrencyField(help_text="Currency of the legal entity's books.")
    exchange_rate = models.DecimalField(
        max_digits=18,
        decimal_places=10,
        default=1,
        help_text="Accounting currency for one unit of document currency.",
    )
    exchange_rate_source = models.CharField(
        max_length=40, blank=True, help_text="Empty when both are the same."
    )
    exchange_rate_on = models.DateField(null=True)
    source_type = models.CharField(max_length=40, help_text="Kind of the fact, for example invoice.")
    source_id = models.CharField(max_length=36, help_text="Public id of the fact.")
    purpose = models.CharField(
        max_length=40, help_text="What is posted of it, for example issue or recognize 2023-11."
    )
    reference = models.CharField(
        max_length=60,
        blank=True,
        help_text="Number of the document, or the reference of the payment, for people.",
    )
    reverses = models.OneToOneField(
        "self",
        on_delete=models.PROTECT,
        null=True,
        related_name="reversed_by",
        help_text="The entry it takes back.",
    )
    is_late = models.BooleanField(default=False, help_text="Belongs to a period that was closed already.")
    posted_at = models.DateTimeField(help_text="When the row was written.")

    class Meta:
        verbose_name_plural = "journal entries"
        ordering = ["-accounting_on", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["source_type", "source_id", "purpose"], name="i5_one_fact_posts_once"
            ),
            models.CheckConstraint(condition=Q(exchange_rate__gt=0), name="exchange_rate_is_positive"),
            models.CheckConstraint(
                condition=Q(currency=F("accounting_currency"), exchange_rate=1)
                | (
                    ~Q(currency=F("accounting_currency"))
                    & ~Q(exchange_rate_source="")
                    & Q(exchange_rate_on__isnull=False)
                ),
                name="i26_foreign_entry_names_its_rate",
            ),
        ]
        indexes = [
            models.Index(fields=["legal_entity", "accounting_on"], name="journal_by_day"),
            models.Index(fields=["-accounting_on", "-id"], name="journal_newest_first"),
        ]

    def __str__(self) -> str:
        return f"{self.source_type} {self.source_id} {self.purpose}"


class Posting(models.Model):
    """One signed amount of an entry on one account, with its dimensions."""

    entry = models.ForeignKey(JournalEntry, on_delete=models.PROTECT, related_name="postings")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="postings")
    legal_entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, related_name="+")
    currency = CurrencyField()
    amount_minor = MinorField(help_text="Document currency; debit positive, credit negative.")
    accounting_amount_minor = MinorField(help_text="Accounting currency; debit positive, credit negative.")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, null=True, related_name="postings")
    line_id = models.CharField(max_length=36, blank=True, help_text="Public id of the document line.")
    product_code = models.CharField(max_length=60, blank=True)
    service_start_on = models.DateField(null=True)
    service_end_on = models.DateField(null=True, help_text="Last day of service, inclusive.")
    tax_rate = models.CharField(
        max_length=20, blank=True, help_text="Country, category and rate, for example DE S 19."
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(amount_minor=0, accounting_amount_minor=0),
                name="i2_posting_is_not_zero_in_both_currencies",
            ),
        ]
        indexes = [models.Index(fields=["customer", "account"], name="posting_by_customer_account")]

    def __str__(self) -> str:
        return f"{self.account_id} {format_major(self.amount_minor, self.currency)} {self.currency}"
