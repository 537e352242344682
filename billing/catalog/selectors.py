"""Questions about what is sold."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from django.db.models import Prefetch, Q, QuerySet

from billing.catalog.models import Meter, Plan, PlanVersion, Price, Product, TaxRate
from billing.core.aggregation import MeterRule, meter_rule, narrowed
from billing.core.pricing import PriceModel, parse_price
from billing.core.tax import TaxCategory, TaxCode


def meters() -> QuerySet[Meter]:
    """All meters."""
    return Meter.objects.all()


def rule_of(meter: Meter) -> MeterRule:
    """The stored meter as the value that core measures by."""
    return meter_rule(
        meter.aggregation,
        property=meter.property,
        filters=meter.filters,
        group_by=meter.group_by,
        rounding=meter.rounding,
        rounding_decimals=meter.rounding_decimals,
        recurring=meter.recurring,
        prorated=meter.prorated,
        percentile=meter.percentile,
        multiplier=meter.multiplier,
        expression=meter.expression,
    )


def rule_of_price(price: Price) -> MeterRule:
    """What a price on a meter reads: its meter's rule, narrowed to the events that fall to this price (I14).

    Beside prices with filters on the same meter, a price without them takes what they leave.
    """
    assert price.meter is not None, "only prices of usage read a meter"
    rule = rule_of(price.meter)
    if price.filters or price.excluded:
        return narrowed(rule, filters=price.filters, excluded=price.excluded)
    if price.plan_version.published_at is not None:
        return rule
    return narrowed(rule, excluded=filters_beside(price))


def filters_beside(price: Price) -> list[dict[str, list[str]]]:
    """The filters of the other prices of a version on a price's meter, in the order of the invoice."""
    siblings = price.plan_version.prices.filter(meter=price.meter_id).exclude(pk=price.pk)
    return [row.filters for row in siblings.order_by("position") if row.filters]


def products() -> QuerySet[Product]:
    """All products."""
    return Product.objects.all()


def plans() -> QuerySet[Plan]:
    """All plans, with their versions and prices."""
    versions = PlanVersion.objects.order_by("version").prefetch_related(
        Prefetch("prices", Price.objects.select_related("meter").order_by("position"))
    )
    return Plan.objects.select_related("product").prefetch_related(Prefetch("versions", versions))


def plan_versions() -> QuerySet[PlanVersion]:
    """All plan versions, published or not, with their plan and prices."""
    return PlanVersion.objects.select_related("plan__product").prefetch_related(
        Prefetch("prices", Price.objects.select_related("meter").order_by("position"))
    )


def latest_published_version(*, plan_code: str) -> PlanVersion | None:
    """The newest version of a plan that can be subscribed to; None if there is none."""
    published = plan_versions().filter(plan__code=plan_code, published_at__isnull=False)
    return published.order_by("-version").first()


def prices() -> QuerySet[Price]:
    """All prices, with their version, plan and meter."""
    return Price.objects.select_related("plan_version__plan", "meter")


def price_model(price: Price) -> PriceModel:
    """The stored definition as the value that core calculates with."""
    return parse_price(price.model, price.definition)


def tax_rates() -> QuerySet[TaxRate]:
    """All tax rates, past and future ones too."""
    return TaxRate.objects.all()


def standard_rates(*, on: date) -> Mapping[str, Decimal]:
    """Percent of the standard rate per country on a day."""
    return rates_of(TaxCode.STANDARD, on=on)


def rates_of(tax_code: TaxCode, *, on: date) -> Mapping[str, Decimal]:
    """Percent per country on a day for products of a tax code, for `billing.core.tax.determine`.

    A country without such a rate taxes them at its next higher one: super reduced at reduced, reduced at standard.
    """
    in_force = TaxRate.objects.filter(Q(valid_to=None) | Q(valid_to__gt=on), valid_from__lte=on)
    wanted: tuple[TaxCode, ...] = _RATES_FROM_HIGH_TO_LOW
    if tax_code in wanted:
        wanted = wanted[: wanted.index(tax_code) + 1]
    rows = in_force.filter(category=TaxCategory.S.value, tax_code__in=wanted)
    by_code = sorted(
        rows.values_list("tax_code", "country", "percent"), key=lambda row: wanted.index(TaxCode(row[0]))
    )
    return {country: percent for _, country, percent in by_code}


_RATES_FROM_HIGH_TO_LOW = (TaxCode.STANDARD, TaxCode.REDUCED, TaxCode.SUPER_REDUCED)
