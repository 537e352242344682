"""Changing the prices of a plan version that is not published yet."""

from datetime import datetime

from django.db import transaction

from billing.activity import services as activity
from billing.catalog.models import PlanVersion, Price
from billing.catalog.services.making import PriceInput, open_version, price_data, put_price, record
from billing.core.events import EventName
from billing.platform.actors import Actor


def price_inputs(plan_version: PlanVersion) -> list[PriceInput]:
    """The prices of a version as they are given to a new one, in the order of the invoice."""
    return [
        PriceInput(
            code=row.code,
            name=row.name,
            model=row.model,
            definition=row.definition,
            meter=row.meter,
            unit_code=row.unit_code,
            filters=row.filters,
            tax_code=row.tax_code,
            tax_percent=row.tax_percent,
        )
        for row in plan_version.prices.select_related("meter").order_by("position")
    ]


@transaction.atomic
def update_price(*, price: Price, given: PriceInput, actor: Actor, at: datetime) -> Price:
    """Replace what a price of a version that is not published says; its place on the invoice stays.

    Idempotent: nothing new changes nothing. Locks the version. Emits price.updated. Raises as `add_price`.
    """
    version = open_version(price.plan_version)
    row = Price.objects.select_related("meter").get(pk=price.pk)
    row.plan_version = version
    before = _shown(row)
    put_price(row, given)
    if _shown(row) != before:
        row.save()
        record(EventName.PRICE_UPDATED, "price", row.public_id, actor, at, price_data(row))
    return row


@transaction.atomic
def remove_price(*, price: Price, actor: Actor, at: datetime) -> PlanVersion:
    """Take a price out of a version that is not published; returns the version.

    Idempotent: a price that is gone already changes nothing. Locks the version. Emits price.removed.
    Raises PlanVersionPublished.
    """
    version = open_version(price.plan_version)
    if Price.objects.filter(pk=price.pk).delete()[0]:
        record(EventName.PRICE_REMOVED, "price", price.public_id, actor, at, price_data(price))
    return version


@transaction.atomic
def discard_plan_version(*, plan_version: PlanVersion, actor: Actor, at: datetime) -> None:
    """Delete a version that was never published, with its prices. Locks it. Emits plan_version.discarded.

    Raises PlanVersionPublished.
    """
    version = open_version(plan_version)
    version.prices.all().delete()
    version.delete()
    activity.record(
        name=EventName.PLAN_VERSION_DISCARDED,
        object_kind="plan_version",
        object_id=plan_version.public_id,
        actor=actor,
        at=at,
        data={"plan": plan_version.plan.code, "version": plan_version.version},
    )


def _shown(row: Price) -> tuple[object, ...]:
    return (
        *(row.code, row.name, row.model, row.definition, row.meter_id, row.unit_code, row.filters),
        *(row.tax_code, row.tax_percent),
    )
