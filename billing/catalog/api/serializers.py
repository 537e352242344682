"""What the API of the catalog reads and writes."""

from rest_framework import serializers

from billing.catalog.services.tax_rates import RATED
from billing.core.aggregation import Aggregation, UnitRounding
from billing.core.invoice import Timing
from billing.core.late_usage import LateUsagePolicy
from billing.core.periods import Anchor, IntervalUnit
from billing.core.pricing import MODEL_CODES
from billing.core.proration import ProrationPolicy
from billing.core.tax import TaxCategory, TaxCode
from billing.platform.api.fields import (
    FlagField,
    InstantField,
    MoneyField,
    PublicIdOf,
    QuantityField,
    TextField,
)
from billing.platform.api.serializers import Input, Output, Query, list_of

_DEFINITION = (
    'Decimal strings in major units. flat: {"amount"}; per_unit: {"unit_amount"}; graduated and volume: '
    '{"tiers": [{"up_to", "unit_amount", "flat_amount"?, "block_size"?, "max_amount"?}]}; stairstep: '
    '{"tiers": [{"up_to", "amount"}]}; graduated_percentage: {"tiers": [{"up_to", "percent", "flat_amount"?}]}; '
    'percentage: {"percent", "free_amount"?}; package: {"size", "amount", "free_units"?}; capacity: {"amount", '
    '"included", "unit_amount"}. Bounds are inclusive, the last is null; beside tiers "flat_at_zero"? charges the '
    'first fixed amount without usage too. Any but flat: "modifiers"?: {"conversion"?: {"units_per", "decimals", '
    '"rounding": "up", "down" or "nearest"}, "free_units"?, "discount_percent"?, "maximum"?, "minimum"?}, applied in '
    "this order."
)


_FILTERS = 'Only events with these values, all of which must hold: {"region": ["eu", "uk"]}.'


class FiltersField(serializers.DictField):
    """Properties, and for each the texts it may have."""

    child = serializers.ListField(child=TextField(max_length=500), max_length=100)


class MeterInput(Input):
    """A new meter."""

    code = TextField(max_length=60)
    name = TextField(max_length=120)
    event_type = TextField(max_length=120, help_text="Type of the usage events it reads.")
    aggregation = serializers.ChoiceField(choices=[(str(value), str(value)) for value in Aggregation])
    property = TextField(
        required=False,
        allow_blank=True,
        max_length=120,
        help_text="What is measured; leave it out for count and expression.",
    )
    filters = FiltersField(required=False, help_text=_FILTERS)
    group_by = serializers.ListField(
        child=TextField(max_length=120),
        required=False,
        max_length=4,
        help_text="Properties whose values are measured, priced and listed apart.",
    )
    rounding = serializers.ChoiceField(
        choices=[(str(value), str(value)) for value in UnitRounding],
        required=False,
        help_text="What is done to the units of a period before they are priced.",
    )
    rounding_decimals = serializers.IntegerField(
        required=False, min_value=-12, max_value=12, help_text="Decimals after rounding; -2 is hundreds."
    )
    recurring = FlagField(required=False, help_text="Whether what is there is carried into the next period.")
    prorated = FlagField(
        required=False, help_text="Whether each change counts only for the days of the period that it lasts."
    )
    percentile = QuantityField(
        required=False, allow_null=True, help_text="For a percentile: over 0 up to 100, nearest rank."
    )
    multiplier = QuantityField(required=False, allow_null=True, help_text="For sum_with_multiplier.")
    expression = TextField(
        required=False,
        allow_blank=True,
        max_length=500,
        help_text="For expression: arithmetic over properties of the event, like gb * hours.",
    )
    unit_code = TextField(required=False, max_length=3, help_text="UN/ECE recommendation 20; C62 is 'one'.")
    allow_negative = FlagField(required=False, help_text="Whether an event may take quantity back.")


class MeterOutput(Output):
    """How usage events become a quantity."""

    id = TextField(source="public_id")
    code = TextField()
    name = TextField()
    event_type = TextField()
    aggregation = TextField()
    property = TextField()
    filters = FiltersField(help_text=_FILTERS)
    group_by = serializers.ListField(child=TextField())
    rounding = TextField()
    rounding_decimals = serializers.IntegerField()
    recurring = FlagField()
    prorated = FlagField()
    percentile = QuantityField(allow_null=True)
    multiplier = QuantityField(allow_null=True)
    expression = TextField()
    unit_code = TextField()
    allow_negative = FlagField()
    created_at = InstantField()


class ProductInput(Input):
    """A new product."""

    code = TextField(max_length=60)
    name = TextField(max_length=120)
    tax_code = serializers.ChoiceField(
        required=False,
        choices=[(str(value), str(value)) for value in TaxCode],
        help_text="What tax law sees in it; standard unless told.",
    )


class ProductOutput(Output):
    """What revenue is reported by."""

    id = TextField(source="public_id")
    code = TextField()
    name = TextField()
    tax_code = TextField()
    created_at = InstantField()


class PriceIn(Input):
    """One price of a plan version: a fee in advance, or, with a meter, usage in arrears."""

    code = TextField(max_length=60, help_text="Code of the invoice line.")
    name = TextField(max_length=120, help_text="Text of the invoice line.")
    meter = TextField(
        required=False, allow_null=True, max_length=60, help_text="Code of a meter; null for a fee."
    )
    model = serializers.ChoiceField(choices=[(code, code) for code in MODEL_CODES])
    definition = serializers.DictField(help_text=_DEFINITION)
    unit_code = TextField(required=False, max_length=3, help_text="The meter's unit unless told.")
    tax_code = serializers.ChoiceField(
        required=False,
        allow_blank=True,
        choices=[(str(value), str(value)) for value in TaxCode],
        help_text="That of the product unless told.",
    )
    tax_percent = QuantityField(
        required=False, allow_null=True, allow_negative=False, help_text="A rate of its own; 19 means 19 %."
    )
    filters = FiltersField(
        required=False,
        help_text="Of several prices on one meter: only events with these values. They may not overlap; one price "
        "without filters takes the rest.",
    )


class PriceOutput(Output):
    """One component of a plan version."""

    id = TextField(source="public_id")
    code = TextField()
    name = TextField()
    position = serializers.IntegerField()
    meter = serializers.CharField(
        source="meter.code", default=None, allow_null=True, help_text="Code of the meter."
    )
    model = TextField()
    definition = serializers.DictField(help_text=_DEFINITION)
    timing = serializers.ChoiceField(choices=[(str(value), str(value)) for value in Timing])
    unit_code = TextField()
    tax_code = TextField(help_text="Empty: that of the product.")
    tax_percent = QuantityField(allow_null=True, help_text="A rate of its own.")
    filters = FiltersField(help_text=_FILTERS)


class PriceDetailOutput(PriceOutput):
    """A price with what it belongs to."""

    plan = TextField(source="plan_version.plan.code", help_text="Code of the plan.")
    plan_version = PublicIdOf()
    version = serializers.IntegerField(source="plan_version.version")
    currency = TextField(source="plan_version.currency")


class PlanVersionInput(Input):
    """The next version of a plan."""

    currency = TextField(max_length=3)
    interval_unit = serializers.ChoiceField(choices=[(str(value), str(value)) for value in IntervalUnit])
    interval_count = serializers.IntegerField(required=False, min_value=1, max_value=120)
    anchor = serializers.ChoiceField(choices=[(str(value), str(value)) for value in Anchor])
    proration = serializers.ChoiceField(
        choices=[(str(value), str(value)) for value in ProrationPolicy],
        required=False,
        help_text="How the fee of a short period is cut; the installation's policy unless told.",
    )
    late_usage = serializers.ChoiceField(
        choices=[(str(value), str(value)) for value in LateUsagePolicy],
        required=False,
        help_text="What happens to usage that arrives or is corrected after its period was billed: bill, forgive up to "
        "an amount, or ask.",
    )
    late_usage_up_to = TextField(
        required=False, max_length=30, help_text="For forgive: an amount per price and period, like 5.00."
    )
    prices = list_of(PriceIn(), most=100, help_text="In the order of the invoice.")


class PlanVersionOutput(Output):
    """The terms of a plan. Published, they never change."""

    id = TextField(source="public_id")
    version = serializers.IntegerField()
    currency = TextField()
    interval_unit = TextField()
    interval_count = serializers.IntegerField()
    anchor = TextField()
    proration = TextField()
    late_usage = TextField()
    late_usage_up_to = MoneyField(source="late_usage_up_to_minor")
    created_at = InstantField()
    published_at = InstantField(allow_null=True, help_text="Subscriptions name a published version.")
    prices = PriceOutput(many=True)


class PlanInput(Input):
    """A new plan."""

    code = TextField(max_length=60)
    name = TextField(max_length=120)
    product = TextField(max_length=60, help_text="Code of the product.")


class PlanOutput(Output):
    """What a customer subscribes to, with all its versions."""

    id = TextField(source="public_id")
    code = TextField()
    name = TextField()
    product = TextField(source="product.code", help_text="Code of the product.")
    created_at = InstantField()
    versions = PlanVersionOutput(many=True)


class TaxRateInput(Input):
    """A new tax rate."""

    country = TextField(max_length=2)
    category = serializers.ChoiceField(
        required=False, choices=[(str(value), str(value)) for value in TaxCategory]
    )
    tax_code = serializers.ChoiceField(
        required=False,
        choices=[(str(value), str(value)) for value in RATED],
        help_text="For which products it is; standard unless told.",
    )
    name = TextField(max_length=60, help_text="How the tax is called on documents.")
    percent = QuantityField(allow_negative=False, help_text="19 means 19 %.")
    valid_from = serializers.DateField()
    valid_to = serializers.DateField(
        required=False, allow_null=True, help_text="First day it no longer holds."
    )


class TaxRateOutput(Output):
    """The tax rate of a country in a category between two days."""

    id = TextField(source="public_id")
    country = TextField()
    category = TextField()
    tax_code = TextField()
    name = TextField()
    percent = QuantityField()
    valid_from = serializers.DateField()
    valid_to = serializers.DateField(allow_null=True)


class CodeQuery(Query):
    """Which of them to list."""

    code = TextField(required=False, max_length=60)


class PriceQuery(Query):
    """Which prices to list."""

    plan = TextField(required=False, max_length=60, help_text="Code of a plan.")
    plan_version = TextField(required=False, max_length=36, help_text="Id of a plan version.")
    meter = TextField(required=False, max_length=60, help_text="Code of a meter.")


class TaxRateQuery(Query):
    """Which tax rates to list."""

    country = TextField(required=False, max_length=2)
