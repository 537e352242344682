"""The sellers: who issues documents, in whose books, under which tax registrations and number series."""

from django.db import models
from django.db.models import Q

from billing.core.tax import TaxRounding
from billing.platform.fields import CountryField, CurrencyField, PublicIdField, is_one_of


class DocumentType(models.TextChoices):
    INVOICE = "invoice", "Invoice"
    CREDIT_NOTE = "credit_note", "Credit note"


class NumberFormat(models.TextChoices):
    """How the back office separates the figures of a legal entity; each is named by its sample."""

    COMMA_POINT = "1,234.56", "1,234.56"
    POINT_COMMA = "1.234,56", "1.234,56"
    SPACE_COMMA = "1 234,56", "1 234,56"
    APOSTROPHE_POINT = "1'234.56", "1'234.56"


class VatIdPolicy(models.TextChoices):
    """What a VAT number of a business abroad must have shown before the reverse charge applies."""

    CHECKSUM = "checksum", "Its check digits are right"
    CONFIRM_OR_REFUSE = "confirm_or_refuse", "VIES confirmed it, else nothing is issued"
    CONFIRM_OR_TAX = "confirm_or_tax", "VIES confirmed it, else they pay tax like a consumer"


class LegalEntity(models.Model):
    """A firm of the seller that issues documents and keeps books of its own."""

    public_id = PublicIdField(prefix="ent")
    name = models.CharField(max_length=120, unique=True, help_text="Short name used in lists.")
    legal_name = models.CharField(max_length=200, help_text="Full name as registered; printed on documents.")
    line1 = models.CharField(max_length=200, blank=True, help_text="Street and number.")
    line2 = models.CharField(max_length=200, blank=True)
    postal_code = models.CharField(max_length=20, blank=True)
    city = models.CharField(max_length=120, blank=True)
    region = models.CharField(max_length=120, blank=True)
    country = CountryField()
    registration = models.CharField(max_length=200, blank=True, help_text="Register court and number.")
    directors = models.CharField(
        max_length=200, blank=True, help_text="Managing directors, as the footer names them."
    )
    email = models.EmailField(blank=True)
    phone = models.CharField(max_length=40, blank=True)
    accounting_currency = CurrencyField(help_text="Currency of the books. Fixed once something is posted.")
    time_zone = models.CharField(
        max_length=60, help_text="Decides issue dates, due dates and accounting dates."
    )
    fiscal_year_start_month = models.PositiveSmallIntegerField(default=1)
    bank_holder = models.CharField(max_length=70, blank=True)
    bank_name = models.CharField(max_length=120, blank=True)
    iban = models.CharField(max_length=34, blank=True, verbose_name="IBAN")
    bic = models.CharField(max_length=11, blank=True, verbose_name="BIC")
    logo_svg = models.TextField(blank=True, help_text="Logo as SVG, printed at the top right of documents.")
    accent_color = models.CharField(max_length=7, default="#1f4e79", help_text="Color of titles, as #rrggbb.")
    retention_years = models.PositiveSmallIntegerField(
        default=10, help_text="Documents are kept this many years after the end of the year of issue."
    )
    number_format = models.CharField(
        max_length=8,
        choices=NumberFormat.choices,
        default=NumberFormat.COMMA_POINT,
        help_text="How the back office separates its figures. Documents follow the customer's language, exports "
        "neither.",
    )
    reviews_bill_runs = models.BooleanField(
        default=False,
        help_text="Nothing is billed by itself: what is due waits for a bill run that a person looks at.",
    )
    tax_rounding = models.CharField(
        max_length=8,
        choices=[(str(one), str(one).capitalize()) for one in TaxRounding],
        default=TaxRounding.DOCUMENT,
        help_text="Document: tax is rounded once per rate. Line: every line is taxed and rounded by itself.",
    )
    vat_id_policy = models.CharField(
        max_length=20,
        choices=VatIdPolicy.choices,
        default=VatIdPolicy.CHECKSUM,
        help_text="What a VAT number of a business in another EU country must have shown for the reverse charge.",
    )
    is_test = models.BooleanField(
        default=False,
        help_text="Test entities have their own numbers and books and print a watermark. Never changes.",
    )
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "legal entities"
        constraints = [
            models.CheckConstraint(
                condition=Q(fiscal_year_start_month__range=(1, 12)), name="fiscal_year_starts_in_a_month"
            ),
            models.CheckConstraint(
                condition=is_one_of("number_format", list(NumberFormat.values)), name="number_format_is_known"
            ),
            models.CheckConstraint(
                condition=is_one_of("vat_id_policy", list(VatIdPolicy.values)), name="vat_id_policy_is_known"
            ),
            models.CheckConstraint(
                condition=is_one_of("tax_rounding", list(TaxRounding)), name="tax_rounding_is_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class TaxRegistration(models.Model):
    """A tax number of a legal entity in one country, from a day on."""

    legal_entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, related_name="tax_registrations")
    country = CountryField()
    vat_number = models.CharField(
        max_length=20, blank=True, help_text="VAT identification number, with country."
    )
    tax_number = models.CharField(max_length=40, blank=True, help_text="Tax number of the local office.")
    one_stop_shop = models.BooleanField(
        default=False,
        help_text="Sales to consumers in all other member states of the EU are accounted for with it.",
    )
    valid_from = models.DateField()
    valid_to = models.DateField(null=True, blank=True, help_text="First day on which it no longer holds.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(vat_number="") | ~Q(tax_number=""), name="tax_registration_has_a_number"
            ),
        ]

    def __str__(self) -> str:
        return self.vat_number or self.tax_number


class NumberSeries(models.Model):
    """How documents of one type are numbered: a pattern, and a counter per year (I8)."""

    legal_entity = models.ForeignKey(LegalEntity, on_delete=models.PROTECT, related_name="number_series")
    document_type = models.CharField(max_length=12, choices=DocumentType.choices)
    pattern = models.CharField(
        max_length=40, help_text="For example VV-{year}-{number:06d}; needs {year} and {number}."
    )

    class Meta:
        verbose_name_plural = "number series"
        constraints = [
            models.UniqueConstraint(
                fields=["legal_entity", "document_type"], name="one_number_series_per_document_type"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.legal_entity} {self.get_document_type_display()}: {self.pattern}"

    def format(self, *, year: int, number: int) -> str:
        """The printed number, for example VV-2023-000001."""
        return self.pattern.format(year=year, number=number)


class NumberCounter(models.Model):
    """The last number taken of a series in a year. Advanced by one inside the transaction that issues."""

    series = models.ForeignKey(NumberSeries, on_delete=models.PROTECT, related_name="counters")
    year = models.PositiveSmallIntegerField()
    last_number = models.PositiveIntegerField(default=0)
    last_issued_on = models.DateField(
        null=True, help_text="Issue date of the last number; the next is never earlier."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["series", "year"], name="one_counter_per_series_and_year"),
        ]

    def __str__(self) -> str:
        return f"{self.series_id} {self.year}: {self.last_number}"
