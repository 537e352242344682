"""What is sold: meters, products, plans with immutable versions, prices, and the tax rates of countries."""

from collections.abc import Iterable
from enum import StrEnum

from django.db import models
from django.db.models import Q

from billing.core.aggregation import Aggregation, UnitRounding
from billing.core.invoice import Timing
from billing.core.late_usage import LateUsagePolicy
from billing.core.periods import Anchor, IntervalUnit
from billing.core.proration import ProrationPolicy
from billing.core.tax import TaxCategory, TaxCode
from billing.platform.fields import (
    CountryField,
    CurrencyField,
    MinorField,
    PercentField,
    PublicIdField,
    QuantityField,
    is_one_of,
)


def _choices(values: Iterable[StrEnum]) -> list[tuple[str, str]]:
    """A StrEnum as Django choices, its values made readable."""
    return [(str(value), str(value).replace("_", " ").capitalize()) for value in values]


_WITHOUT_PROPERTY = [Aggregation.COUNT.value, Aggregation.EXPRESSION.value]


class Meter(models.Model):
    """How usage events become a quantity: which events it reads, and what it makes of them.

    What it measures never changes once it is made; only its name may. See core.aggregation.
    """

    public_id = PublicIdField(prefix="mtr")
    code = models.CharField(
        max_length=60, unique=True, help_text="Stable name used by the API and on documents."
    )
    name = models.CharField(max_length=120)
    event_type = models.CharField(
        max_length=120, db_index=True, help_text="Type of the usage events it reads."
    )
    aggregation = models.CharField(max_length=20, choices=_choices(Aggregation))
    property = models.CharField(
        max_length=120,
        blank=True,
        help_text="Property of the event that is measured; empty for count and expression.",
    )
    filters = models.JSONField(
        default=dict,
        blank=True,
        help_text='Only events with these values: {"region": ["eu", "us"]}. All must hold.',
    )
    group_by = models.JSONField(
        default=list, blank=True, help_text="Properties whose values are measured, priced and listed apart."
    )
    rounding = models.CharField(
        max_length=5,
        choices=_choices(UnitRounding),
        default=UnitRounding.NONE,
        help_text="What is done to the units of a period before they are priced.",
    )
    rounding_decimals = models.SmallIntegerField(
        default=0, help_text="Decimals after rounding; -2 rounds to hundreds."
    )
    recurring = models.BooleanField(
        default=False, help_text="Whether what is there at the end of a period is carried into the next."
    )
    prorated = models.BooleanField(
        default=False, help_text="Whether each change counts only for the days of the period that it lasts."
    )
    percentile = models.DecimalField(
        max_digits=7, decimal_places=4, null=True, blank=True, help_text="For a percentile: over 0 up to 100."
    )
    multiplier = QuantityField(null=True, blank=True, help_text="For a sum with a multiplier.")
    expression = models.CharField(
        max_length=500,
        blank=True,
        help_text="For an expression: arithmetic over properties of the event, like gb * hours.",
    )
    unit_code = models.CharField(
        max_length=3, default="C62", help_text="UN/ECE recommendation 20; C62 is 'one'."
    )
    allow_negative = models.BooleanField(default=False, help_text="Whether an event may take quantity back.")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=is_one_of("aggregation", list(Aggregation)), name="aggregation_is_known"
            ),
            models.CheckConstraint(
                condition=Q(aggregation__in=_WITHOUT_PROPERTY, property="")
                | (~Q(aggregation__in=_WITHOUT_PROPERTY) & ~Q(property="")),
                name="meter_names_a_property_unless_it_counts",
            ),
            models.CheckConstraint(
                condition=is_one_of("rounding", list(UnitRounding)), name="meter_rounding_is_known"
            ),
            models.CheckConstraint(
                condition=Q(
                    aggregation="percentile", percentile__isnull=False, percentile__gt=0, percentile__lte=100
                )
                | (~Q(aggregation="percentile") & Q(percentile=None)),
                name="meter_has_a_percentile_if_it_is_one",
            ),
            models.CheckConstraint(
                condition=Q(aggregation="sum_with_multiplier", multiplier__isnull=False, multiplier__gt=0)
                | (~Q(aggregation="sum_with_multiplier") & Q(multiplier=None)),
                name="meter_has_a_multiplier_if_it_multiplies",
            ),
            models.CheckConstraint(
                condition=(Q(aggregation="expression") & ~Q(expression=""))
                | (~Q(aggregation="expression") & Q(expression="")),
                name="meter_has_an_expression_if_it_is_one",
            ),
        ]

    def __str__(self) -> str:
        return self.code


class Product(models.Model):
    """What revenue is reported by; plans belong to one."""

    public_id = PublicIdField(prefix="prd")
    code = models.CharField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    tax_code = models.CharField(
        max_length=16,
        choices=_choices(TaxCode),
        default=TaxCode.STANDARD,
        help_text="What tax law sees in it; the rate follows from seller, buyer and day.",
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=is_one_of("tax_code", list(TaxCode)), name="product_tax_code_is_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Plan(models.Model):
    """What a customer subscribes to, under one name through all its versions."""

    public_id = PublicIdField(prefix="pln")
    code = models.CharField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="plans")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.code


class PlanVersion(models.Model):
    """The terms of a plan from one point on. Published, it never changes; subscriptions name a published version."""

    public_id = PublicIdField(prefix="plv")
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="versions")
    version = models.PositiveIntegerField()
    currency = CurrencyField()
    interval_unit = models.CharField(max_length=5, choices=_choices(IntervalUnit))
    interval_count = models.PositiveSmallIntegerField(default=1)
    anchor = models.CharField(
        max_length=12,
        choices=_choices(Anchor),
        help_text="Calendar: periods start on the first of the month, week or year. Anniversary: on the day of start.",
    )
    proration = models.CharField(
        max_length=20,
        choices=_choices(ProrationPolicy),
        default=ProrationPolicy.DAY,
        help_text="How a fee is cut when its service is shorter than the interval.",
    )
    late_usage = models.CharField(
        max_length=7,
        choices=_choices(LateUsagePolicy),
        default=LateUsagePolicy.BILL,
        help_text="What happens to usage that arrives or is corrected after its period was billed.",
    )
    late_usage_up_to_minor = MinorField(
        default=0, help_text="For forgive: up to how much, per price and period, in minor units."
    )
    created_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True, help_text="From then on nothing of this version changes.")

    class Meta:
        permissions = [("publish_planversion", "Can publish plan versions")]
        constraints = [
            models.UniqueConstraint(fields=["plan", "version"], name="plan_versions_are_counted"),
            models.CheckConstraint(
                condition=Q(interval_count__range=(1, 120)), name="interval_count_is_sensible"
            ),
            models.CheckConstraint(
                condition=is_one_of("interval_unit", list(IntervalUnit)), name="interval_unit_is_known"
            ),
            models.CheckConstraint(condition=is_one_of("anchor", list(Anchor)), name="anchor_is_known"),
            models.CheckConstraint(
                condition=is_one_of("proration", list(ProrationPolicy)), name="proration_is_known"
            ),
            models.CheckConstraint(
                condition=is_one_of("late_usage", list(LateUsagePolicy)), name="late_usage_policy_is_known"
            ),
            models.CheckConstraint(
                condition=Q(late_usage="forgive", late_usage_up_to_minor__gt=0)
                | (~Q(late_usage="forgive") & Q(late_usage_up_to_minor=0)),
                name="late_usage_is_forgiven_up_to_an_amount",
            ),
            models.CheckConstraint(
                condition=~Q(proration=ProrationPolicy.THIRTY_DAY_MONTH)
                | Q(interval_unit__in=[IntervalUnit.MONTH, IntervalUnit.YEAR]),
                name="months_of_30_days_suit_months_and_years",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.plan} v{self.version}"


class Price(models.Model):
    """One component of a plan version: a fee, or a price for what a meter measures."""

    public_id = PublicIdField(prefix="pri")
    plan_version = models.ForeignKey(PlanVersion, on_delete=models.PROTECT, related_name="prices")
    position = models.PositiveSmallIntegerField(help_text="Order on the invoice.")
    code = models.CharField(max_length=60, help_text="Code of the invoice line.")
    name = models.CharField(max_length=120, help_text="Text of the invoice line.")
    meter = models.ForeignKey(Meter, on_delete=models.PROTECT, null=True, blank=True, related_name="prices")
    filters = models.JSONField(
        default=dict,
        blank=True,
        help_text='Of several prices on one meter: only events with these values, like {"model": ["large"]}. One '
        "price without them takes the rest.",
    )
    excluded = models.JSONField(
        default=list,
        blank=True,
        help_text="Filters of the other prices on the meter, whose events this one leaves; set when published.",
    )
    model = models.CharField(max_length=20, help_text="Code of the price model, as in price_models.md.")
    definition = models.JSONField(help_text="Amounts and tiers of the model, as decimal strings.")
    timing = models.CharField(max_length=12, choices=_choices(Timing))
    unit_code = models.CharField(
        max_length=3, default="C62", help_text="UN/ECE recommendation 20; C62 is 'one'."
    )
    tax_code = models.CharField(
        max_length=16, choices=_choices(TaxCode), blank=True, help_text="Empty: that of the product."
    )
    tax_percent = PercentField(
        null=True,
        blank=True,
        help_text="A rate of its own, whoever buys; empty: as tax rates and rules say.",
    )

    class Meta:
        ordering = ["plan_version", "position"]
        constraints = [
            models.CheckConstraint(
                condition=is_one_of("tax_code", ["", *TaxCode]), name="price_tax_code_is_known"
            ),
            models.CheckConstraint(
                condition=Q(tax_percent=None) | Q(tax_percent__range=(0, 100)),
                name="price_tax_percent_is_between_0_and_100",
            ),
            models.UniqueConstraint(
                fields=["plan_version", "code"], name="price_codes_are_unique_in_a_version"
            ),
            models.UniqueConstraint(fields=["plan_version", "position"], name="price_positions_are_unique"),
            models.CheckConstraint(condition=is_one_of("timing", list(Timing)), name="timing_is_known"),
            models.CheckConstraint(
                condition=Q(meter=None, timing="in_advance") | Q(meter__isnull=False, timing="in_arrears"),
                name="fees_are_billed_in_advance_and_usage_in_arrears",
            ),
            models.CheckConstraint(
                condition=Q(meter__isnull=False) | Q(filters={}), name="only_usage_has_filters"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.plan_version} {self.code}"


class TaxRate(models.Model):
    """The tax rate of a country in a category, between two days (EN 16931 BT-151, BT-152)."""

    public_id = PublicIdField(prefix="txr")
    country = CountryField()
    category = models.CharField(max_length=2, choices=_choices(TaxCategory), default="S")
    tax_code = models.CharField(
        max_length=16,
        choices=_choices(TaxCode),
        default=TaxCode.STANDARD,
        help_text="For which products it is: standard, reduced or super reduced.",
    )
    name = models.CharField(
        max_length=60, help_text="How the tax is called on documents, for example VAT or USt."
    )
    percent = PercentField()
    valid_from = models.DateField()
    valid_to = models.DateField(null=True, blank=True, help_text="First day on which it no longer holds.")

    class Meta:
        ordering = ["country", "category", "valid_from"]
        constraints = [
            models.CheckConstraint(
                condition=Q(percent__range=(0, 100)), name="tax_percent_is_between_0_and_100"
            ),
            models.CheckConstraint(
                condition=Q(valid_to=None) | Q(valid_to__gt=models.F("valid_from")),
                name="tax_rate_ends_after_it_starts",
            ),
            models.CheckConstraint(
                condition=is_one_of("tax_code", list(TaxCode)), name="tax_rate_tax_code_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.country} {self.percent.normalize():f} % from {self.valid_from}"
