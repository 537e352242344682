"""Making what is sold. Published plan versions never change: new terms are a new version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max, Model

from billing.activity import services as activity
from billing.catalog.models import Meter, Plan, PlanVersion, Price, Product
from billing.catalog.selectors import filters_beside
from billing.core.aggregation import meter_filters, meter_rule, require_disjoint
from billing.core.errors import BillingError, InvalidInput, InvalidPrice, Kind
from billing.core.events import EventName
from billing.core.invoice import Timing
from billing.core.late_usage import LateUsagePolicy
from billing.core.money import exponent, parse_major
from billing.core.periods import Anchor, Interval, IntervalUnit
from billing.core.pricing import Flat, definition_of, parse_price
from billing.core.proration import ProrationPolicy, require_policy
from billing.core.tax import TaxCode
from billing.platform.actors import Actor
from billing.platform.validation import (
    require_code,
    require_currency,
    require_fields,
    require_unit_code,
    within,
)

PRICES_MAX = 100
"""Most prices of one plan version: each becomes a line of the invoice."""


class CodeTaken(BillingError):
    """Another object of this kind bears this code."""

    code = "code_taken"
    kind = Kind.CONFLICT


class PlanVersionPublished(BillingError):
    """A published plan version never changes; make a new version."""

    code = "plan_version_published"
    kind = Kind.CONFLICT


class PlanVersionEmpty(BillingError):
    """A plan version without a price cannot be published."""

    code = "plan_version_empty"
    kind = Kind.CONFLICT


@dataclass(frozen=True, slots=True)
class PriceInput:
    """One component of a plan version. meter: for usage; without one it is a fee. definition: see core.pricing.

    tax_code: empty for that of the product. tax_percent: a rate of its own, whoever buys.
    """

    code: str
    name: str
    model: str
    definition: Mapping[str, object]
    meter: Meter | None = None
    unit_code: str = ""
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    tax_code: str = ""
    tax_percent: Decimal | None = None


@transaction.atomic
def create_meter(
    *,
    code: str,
    name: str,
    event_type: str,
    aggregation: str,
    property: str = "",
    filters: Mapping[str, Sequence[str]] | None = None,
    group_by: Sequence[str] = (),
    rounding: str = "none",
    rounding_decimals: int = 0,
    recurring: bool = False,
    prorated: bool = False,
    percentile: Decimal | None = None,
    multiplier: Decimal | None = None,
    expression: str = "",
    unit_code: str = "C62",
    allow_negative: bool = False,
    actor: Actor,
    at: datetime,
) -> Meter:
    """Make a meter: what it makes of the events of a type is told by `core.aggregation.meter_rule`.

    It reads the events of its type, those stored before too: they are counted after the event. Emits
    meter.created. Raises InvalidInput, InvalidMeter, InvalidExpression, CodeTaken.
    """
    rule = meter_rule(
        aggregation,
        property=property,
        filters=filters,
        group_by=group_by,
        rounding=rounding,
        rounding_decimals=rounding_decimals,
        recurring=recurring,
        prorated=prorated,
        percentile=percentile,
        multiplier=multiplier,
        expression=expression,
    )
    meter = Meter(
        code=require_code(code),
        name=name,
        event_type=event_type,
        aggregation=rule.aggregation.value,
        property=property,
        filters={name: list(values) for name, values in rule.filters},
        group_by=list(rule.group_by),
        rounding=rule.rounding.value,
        rounding_decimals=rule.rounding_decimals,
        recurring=rule.recurring,
        prorated=rule.prorated,
        percentile=rule.percentile,
        multiplier=multiplier,
        expression=rule.expression.text if rule.expression else "",
        unit_code=require_unit_code(unit_code),
        allow_negative=allow_negative,
        created_at=at,
    )
    require_fields(meter)
    _require_free_code(Meter, code)
    meter.save()
    data = {"code": code, "event_type": event_type, "aggregation": aggregation}
    record(EventName.METER_CREATED, "meter", meter.public_id, actor, at, data)
    return meter


@transaction.atomic
def create_product(
    *, code: str, name: str, tax_code: str = TaxCode.STANDARD, actor: Actor, at: datetime
) -> Product:
    """Make a product, what revenue is reported by. tax_code: what tax law sees in it (core.tax.TaxCode).

    Emits product.created. Raises InvalidInput, CodeTaken.
    """
    product = Product(code=require_code(code), name=name, tax_code=require_tax_code(tax_code), created_at=at)
    require_fields(product)
    _require_free_code(Product, code)
    product.save()
    record(EventName.PRODUCT_CREATED, "product", product.public_id, actor, at, {"code": code})
    return product


@transaction.atomic
def set_product_tax_code(*, product: Product, tax_code: str, actor: Actor, at: datetime) -> Product:
    """Tax a product otherwise from now on: drafts made from here on follow, older ones are refused at issue.

    Idempotent. Locks the product. Emits product.updated with the old and the new code. Raises InvalidInput.
    """
    row = Product.objects.select_for_update().get(pk=product.pk)
    before = row.tax_code
    if before != require_tax_code(tax_code):
        row.tax_code = tax_code
        row.save(update_fields=["tax_code"])
        data = {"code": row.code, "tax_code": [before, tax_code]}
        record(EventName.PRODUCT_UPDATED, "product", row.public_id, actor, at, data)
    return row


def require_tax_code(tax_code: str) -> str:
    """The tax code, if it is one. Raises InvalidInput naming `tax_code`."""
    if tax_code not in list(TaxCode):
        raise InvalidInput(f"A tax code is one of {', '.join(TaxCode)}.", field="tax_code")
    return tax_code


@transaction.atomic
def create_plan(*, code: str, name: str, product: Product, actor: Actor, at: datetime) -> Plan:
    """Make a plan without versions yet. Emits plan.created. Raises InvalidInput, CodeTaken."""
    plan = Plan(code=require_code(code), name=name, product=product, created_at=at)
    require_fields(plan)
    _require_free_code(Plan, code)
    plan.save()
    record(EventName.PLAN_CREATED, "plan", plan.public_id, actor, at, {"code": code, "product": product.code})
    return plan


@transaction.atomic
def create_plan_version(
    *,
    plan: Plan,
    currency: str,
    interval_unit: str,
    interval_count: int = 1,
    anchor: str,
    proration: str = "",
    late_usage: str = "bill",
    late_usage_up_to: str = "",
    prices: Sequence[PriceInput] = (),
    actor: Actor,
    at: datetime,
) -> PlanVersion:
    """Make the next version of a plan, open for changes until it is published.

    interval_unit: day, week, month, year; anchor: calendar or anniversary; proration: how the fee of a short period
    is cut (ProrationPolicy), the installation's policy unless told; late_usage: what happens to usage found after its
    period was billed (LateUsagePolicy), late_usage_up_to: for forgive, an amount in major units. Locks the plan.
    Emits plan_version.created and price.created for each price. Raises InvalidInput, InvalidPrice naming
    `prices[2].definition.tiers[0].up_to`, CodeTaken.
    """
    if interval_unit not in list(IntervalUnit):
        raise InvalidInput(f"An interval is one of {', '.join(IntervalUnit)}.", field="interval_unit")
    if not 1 <= interval_count <= 120:
        raise InvalidInput("An interval has 1 to 120 units.", field="interval_count")
    if anchor not in list(Anchor):
        raise InvalidInput(f"An anchor is one of {', '.join(Anchor)}.", field="anchor")
    interval = Interval(IntervalUnit(interval_unit), interval_count)
    policy = proration or settings.DEFAULT_PRORATION
    if policy not in list(ProrationPolicy):
        raise InvalidInput(f"A proration is one of {', '.join(ProrationPolicy)}.", field="proration")
    require_policy(ProrationPolicy(policy), interval)
    up_to_minor = _forgiven_up_to(late_usage, late_usage_up_to, require_currency(currency))
    Plan.objects.select_for_update(no_key=True).get(pk=plan.pk)
    last = plan.versions.aggregate(last=Max("version"))["last"] or 0
    version = PlanVersion.objects.create(
        plan=plan,
        version=last + 1,
        currency=require_currency(currency),
        interval_unit=interval.unit.value,
        interval_count=interval.count,
        anchor=anchor,
        proration=policy,
        late_usage=late_usage,
        late_usage_up_to_minor=up_to_minor,
        created_at=at,
    )
    data = {"plan": plan.code, "version": version.version, "currency": currency}
    record(EventName.PLAN_VERSION_CREATED, "plan_version", version.public_id, actor, at, data)
    for index, given in enumerate(prices):
        with within(f"prices[{index}]."):
            add_price(plan_version=version, price=given, actor=actor, at=at)
    return version


def _forgiven_up_to(policy: str, amount: str, currency: str) -> int:
    """The largest difference that a plan lets go, in minor units; 0 where it lets nothing go."""
    if policy not in list(LateUsagePolicy):
        raise InvalidInput(f"Late usage is one of {', '.join(LateUsagePolicy)}.", field="late_usage")
    up_to_minor = parse_major(amount, currency) if amount else 0
    if (policy == LateUsagePolicy.FORGIVE) != (up_to_minor > 0):
        raise InvalidInput(
            "A plan that forgives late usage, and no other, says up to which amount.",
            field="late_usage_up_to",
        )
    return up_to_minor


@transaction.atomic
def add_price(*, plan_version: PlanVersion, price: PriceInput, actor: Actor, at: datetime) -> Price:
    """Add a price to a version that is not published; it comes last on the invoice.

    Usage is billed in arrears and needs a model with a quantity; a fee is billed in advance. The definition is stored
    in its canonical form. Locks the version. Emits price.created.
    Raises InvalidInput, InvalidPrice naming `definition.tiers[1].up_to`, CodeTaken, PlanVersionPublished.
    """
    version = open_version(plan_version)
    row = Price(
        plan_version=version, position=(version.prices.aggregate(last=Max("position"))["last"] or 0) + 1
    )
    if version.prices.count() >= PRICES_MAX:
        raise InvalidInput(f"A plan version has at most {PRICES_MAX} prices.", field="code")
    put_price(row, price)
    row.save()
    record(EventName.PRICE_CREATED, "price", row.public_id, actor, at, price_data(row))
    return row


def put_price(row: Price, price: PriceInput) -> None:
    """Put what was given into an unsaved or changed row of an open version, and check it as a whole.

    Raises InvalidInput, InvalidPrice naming `definition.tiers[1].up_to`, CodeTaken.
    """
    version = row.plan_version
    try:
        model = parse_price(price.model, price.definition)
    except InvalidPrice as error:
        error.rename_fields(lambda name: name if name in ("model", "definition") else f"definition.{name}")
        raise
    if price.filters and price.meter is None:
        raise InvalidInput("Only a price on a meter has filters.", field="filters")
    if isinstance(model, Flat):
        _require_fee(model, price, version.currency)
    row.code, row.name, row.meter = require_code(price.code), price.name, price.meter
    row.model, row.definition = price.model, definition_of(model)
    row.filters = {name: list(values) for name, values in meter_filters(price.filters)}
    row.timing = (Timing.IN_ARREARS if price.meter else Timing.IN_ADVANCE).value
    row.unit_code = require_unit_code(price.unit_code or (price.meter.unit_code if price.meter else "C62"))
    row.tax_code, row.tax_percent = price.tax_code, price.tax_percent
    if price.tax_code:
        require_tax_code(price.tax_code)
    if price.tax_percent is not None and not 0 <= price.tax_percent <= 100:
        raise InvalidInput("A tax rate is a percentage from 0 to 100.", field="tax_percent")
    require_fields(row)
    if version.prices.filter(code=price.code).exclude(pk=row.pk).exists():
        raise CodeTaken("Another price of this version bears this code.", field="code")


def price_data(row: Price) -> dict[str, Any]:
    """A price as the audit trail keeps it."""
    return {
        "plan_version": row.plan_version.public_id,
        "code": row.code,
        "model": row.model,
        "definition": row.definition,
        "filters": row.filters,
    }


@transaction.atomic
def publish_plan_version(*, plan_version: PlanVersion, actor: Actor, at: datetime) -> PlanVersion:
    """Close a version for changes and open it for subscriptions.

    Idempotent: a published version is returned unchanged. Locks the version. Emits plan_version.published.
    Raises PlanVersionEmpty, OverlappingFilters.
    """
    version = (
        PlanVersion.objects.select_for_update(of=("self",)).select_related("plan").get(pk=plan_version.pk)
    )
    if version.published_at is not None:
        return version
    if not version.prices.exists():
        raise PlanVersionEmpty("A plan version needs at least one price.", field="prices")
    _require_one_bucket_each(version)
    version.published_at = at
    version.save(update_fields=["published_at"])
    data = {"plan": version.plan.code, "version": version.version}
    record(EventName.PLAN_VERSION_PUBLISHED, "plan_version", version.public_id, actor, at, data)
    return version


def _require_one_bucket_each(version: PlanVersion) -> None:
    """Each event of a meter falls to one price of a version whose prices part it by filters (I14)."""
    by_meter: dict[int, list[Price]] = {}
    for row in version.prices.filter(meter__isnull=False).order_by("position"):
        assert row.meter_id is not None
        by_meter.setdefault(row.meter_id, []).append(row)
    for rows in by_meter.values():
        if any(row.filters for row in rows):
            require_disjoint({row.code: row.filters for row in rows})
        for row in rows:
            if not row.filters and len(rows) > 1:
                row.excluded = filters_beside(row)
                row.save(update_fields=["excluded"])


def open_version(plan_version: PlanVersion) -> PlanVersion:
    """The version, locked, if it may still change."""
    version = PlanVersion.objects.select_for_update(of=("self",)).get(pk=plan_version.pk)
    if version.published_at is not None:
        raise PlanVersionPublished("A published plan version never changes; make a new version.")
    return version


def _require_fee(model: Flat, price: PriceInput, currency: str) -> None:
    """A flat price has no quantity, so it is for fees; and it is an amount of its currency as it stands."""
    if price.meter is not None:
        raise InvalidInput("A flat price has no quantity: leave the meter out.", field="meter")
    places = exponent(currency)
    if -int(model.amount.as_tuple().exponent) > places and model.amount != round(model.amount, places):
        raise InvalidPrice(f"has more than the {places} decimals of {currency}", field="definition.amount")


def _require_free_code(model: type[Model], code: str) -> None:
    if model._default_manager.filter(code=code).exists():
        raise CodeTaken(f"Another {model._meta.verbose_name} bears this code.", field="code")


def record(
    name: EventName, object_kind: str, object_id: str, actor: Actor, at: datetime, data: Mapping[str, Any]
) -> None:
    """Record, in the transaction of the change, what happened to an object of the catalog."""
    activity.record(name=name, object_kind=object_kind, object_id=object_id, actor=actor, at=at, data=data)
