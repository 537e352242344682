"""What every issued document, line and tax row has in common."""

from django.db import models
from django.db.models import F, JSONField, Q, Value

from billing.platform.fields import CurrencyField, MinorField, PercentField, QuantityField
from customers.models import Customer, LegalEntity, NumberSeries


class IssuedDocument(models.Model):
    """Columns of a document with a number. A draft has none of the facts of issue; an issued one never changes."""

    legal_entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, related_name="+")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="%(class)ss")
    currency = CurrencyField()
    status = models.CharField(max_length=12, default="draft")
    series = models.ForeignKey(NumberSeries, on_delete=models.PROTECT, null=True, related_name="+")
    series_year = models.PositiveSmallIntegerField(null=True)
    series_number = models.PositiveIntegerField(null=True)
    number = models.CharField(max_length=40, null=True, help_text="Printed number; taken when finalized.")
    issued_on = models.DateField(null=True)
    tax_point_on = models.DateField(null=True, help_text="Day on which the tax becomes chargeable.")
    subtotal_minor = MinorField(help_text="Sum of the lines, without tax.")
    tax_minor = MinorField()
    total_minor = MinorField()
    snapshot = models.JSONField(null=True, help_text="The document as issued, complete enough for EN 16931.")
    snapshot_hash = models.CharField(max_length=64, null=True, help_text="SHA-256 of the canonical JSON.")
    finalized_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True, help_text="When the first mail with it left.")
    shown_at = models.DateTimeField(null=True, help_text="When the customer first opened it.")
    exported_at = models.DateTimeField(null=True, help_text="When it first left in an export.")
    created_at = models.DateTimeField()

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    status="draft",
                    number=None,
                    series=None,
                    series_year=None,
                    series_number=None,
                    issued_on=None,
                    finalized_at=None,
                    snapshot=None,
                )
                | (
                    ~Q(status="draft")
                    & Q(
                        number__isnull=False,
                        series__isnull=False,
                        series_year__isnull=False,
                        series_number__isnull=False,
                        issued_on__isnull=False,
                        tax_point_on__isnull=False,
                        finalized_at__isnull=False,
                        snapshot__isnull=False,
                        snapshot_hash__isnull=False,
                    )
                ),
                name="i9_%(class)s_draft_has_no_number",
            ),
            models.CheckConstraint(
                condition=Q(total_minor=F("subtotal_minor") + F("tax_minor")),
                name="i6_%(class)s_total_is_net_plus_tax",
            ),
            models.UniqueConstraint(
                fields=["series", "series_year", "series_number"], name="i8_%(class)s_number_is_unique"
            ),
            models.UniqueConstraint(
                fields=["legal_entity", "number"], name="i8_%(class)s_printed_number_is_unique"
            ),
        ]


class DocumentLine(models.Model):
    """Columns of a line: what, how much, for which time, at which tax."""

    position = models.PositiveSmallIntegerField()
    code = models.CharField(max_length=60)
    description = models.CharField(max_length=300)
    kind = models.CharField(max_length=12, help_text="recurring, usage or late_usage.")
    timing = models.CharField(
        max_length=12, help_text="in_advance: deferred until served; in_arrears: served already."
    )
    product_code = models.CharField(max_length=60, blank=True)
    quantity = QuantityField()
    unit_code = models.CharField(max_length=3)
    unit_amount = models.DecimalField(
        max_digits=30,
        decimal_places=12,
        null=True,
        help_text="Price of one unit, where one price holds for all.",
    )
    amount_minor = MinorField(help_text="Net amount: gross less the allowances.")
    allowance_minor = MinorField(
        default=0, db_default=0, help_text="What the allowances take off; net and this are the gross amount."
    )
    allowances = models.JSONField(
        default=list,
        db_default=Value([], JSONField()),
        help_text="What is taken off before tax: kind, reference, label and amount of each.",
    )
    service_start_on = models.DateField()
    service_last_on = models.DateField(
        help_text="Last day of service, inclusive, in the customer's time zone."
    )
    tax_category = models.CharField(max_length=2)
    tax_percent = PercentField()
    working = models.JSONField(
        help_text="How the amount came about: price version, steps, rounding, rules version."
    )

    class Meta:
        abstract = True
        ordering = ["position"]

    @property
    def gross_minor(self) -> int:
        """What the working adds up to, in minor units, before allowances."""
        return self.amount_minor + self.allowance_minor


class DocumentTax(models.Model):
    """One row of the tax table: base and tax of one category and rate, rounded once."""

    tax_country = models.CharField(max_length=2)
    category = models.CharField(max_length=2)
    percent = PercentField()
    base_minor = MinorField()
    tax_minor = MinorField()
    exemption_code = models.CharField(
        max_length=30, blank=True, help_text="VATEX code, where no tax is charged."
    )
    exemption_text = models.CharField(
        max_length=40, blank=True, help_text="Which legal text the document prints."
    )

    class Meta:
        abstract = True
        ordering = ["category", "percent"]
