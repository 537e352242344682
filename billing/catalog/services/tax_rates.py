"""Tax rates: dated rows that are added and ended, never overwritten."""

from datetime import date, datetime
from decimal import Decimal

from django.db import transaction

from billing.catalog.models import TaxRate
from billing.catalog.services.making import record
from billing.core.errors import BillingError, InvalidInput, Kind
from billing.core.events import EventName
from billing.core.quantity import format_quantity
from billing.core.tax import TaxCategory, TaxCode, require_rate
from billing.platform.actors import Actor
from billing.platform.validation import require_country, require_fields

RATED = (TaxCode.STANDARD, TaxCode.REDUCED, TaxCode.SUPER_REDUCED)
"""Tax codes whose percentage is a dated rate; the others have none."""


class TaxRateOverlaps(BillingError):
    """There is a rate of this country and category on some of these days already."""

    code = "tax_rate_overlaps"
    kind = Kind.CONFLICT


class TaxRateEnded(BillingError):
    """The rate has an end already."""

    code = "tax_rate_ended"
    kind = Kind.CONFLICT


@transaction.atomic
def create_tax_rate(
    *,
    country: str,
    percent: Decimal,
    name: str,
    valid_from: date,
    valid_to: date | None = None,
    category: str = "S",
    tax_code: str = TaxCode.STANDARD,
    follows: bool = False,
    actor: Actor,
    at: datetime,
) -> TaxRate:
    """Make the tax rate of a country in a category between two days; valid_to is the first day it no longer holds.

    percent: 19 means 19 %. tax_code: for which products it is (standard, reduced, super_reduced).
    follows: a rate in force without an end, that started before, ends on valid_from.
    Emits tax_rate.created, and tax_rate.ended for the one that it follows. Raises InvalidInput, TaxRateOverlaps.
    """
    if category not in list(TaxCategory):
        raise InvalidInput(f"A category is one of {', '.join(TaxCategory)}.", field="category")
    if tax_code not in RATED:
        raise InvalidInput(f"A rate is for the tax code {', '.join(RATED)}.", field="tax_code")
    require_rate(TaxCategory(category), percent)
    if valid_to is not None and valid_to <= valid_from:
        raise InvalidInput("A tax rate ends after it starts.", field="valid_to")
    rate = TaxRate(
        country=require_country(country),
        category=category,
        tax_code=tax_code,
        name=name,
        percent=percent,
        valid_from=valid_from,
        valid_to=valid_to,
    )
    require_fields(rate)
    if follows:
        before = TaxRate.objects.filter(
            country=country, category=category, tax_code=tax_code, valid_to=None, valid_from__lt=valid_from
        ).first()
        if before is not None:
            end_tax_rate(tax_rate=before, valid_to=valid_from, actor=actor, at=at)
    others = TaxRate.objects.filter(country=country, category=category, tax_code=tax_code)
    others = others.exclude(valid_to__lte=valid_from)
    if valid_to is not None:
        others = others.filter(valid_from__lt=valid_to)
    other = others.order_by("valid_from").first()
    if other is not None:
        until = f"to {other.valid_to} (no longer on that day)" if other.valid_to else "on"
        raise TaxRateOverlaps(
            f"There is a rate of {country} in category {category} on some of these days already: "
            f"{format_quantity(other.percent)} % from {other.valid_from} {until}.",
            field="valid_from",
        )
    rate.save()
    data = {
        "country": country,
        "category": category,
        "tax_code": tax_code,
        "percent": format_quantity(percent),
    }
    record(EventName.TAX_RATE_CREATED, "tax_rate", rate.public_id, actor, at, data)
    return rate


@transaction.atomic
def end_tax_rate(*, tax_rate: TaxRate, valid_to: date, actor: Actor, at: datetime) -> TaxRate:
    """Let a rate without an end hold no longer from a day on; documents issued before keep what they say.

    Idempotent: the same day again changes nothing. Locks the rate. Emits tax_rate.ended.
    Raises TaxRateEnded if it ends on another day already, InvalidInput.
    """
    rate = TaxRate.objects.select_for_update().get(pk=tax_rate.pk)
    if rate.valid_to == valid_to:
        return rate
    if rate.valid_to is not None:
        raise TaxRateEnded(
            f"This rate ends already: {rate.valid_to} is the first day without it. Add a rate from a later day on.",
            field="valid_to",
        )
    if valid_to <= rate.valid_from:
        raise InvalidInput(
            f"This rate starts on {rate.valid_from}: it ends on a later day.", field="valid_to"
        )
    rate.valid_to = valid_to
    rate.save(update_fields=["valid_to"])
    data = {"country": rate.country, "category": rate.category, "valid_to": valid_to.isoformat()}
    record(EventName.TAX_RATE_ENDED, "tax_rate", rate.public_id, actor, at, data)
    return rate
