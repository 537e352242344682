"""Price models: from a quantity to an exact amount with its working. One model per file.

`rate` is the one door; amounts are exact Decimals in major units, rounding is the invoice's business.
"""

from decimal import Decimal
from typing import assert_never

from billing.core.pricing.capacity import Capacity, rate_capacity
from billing.core.pricing.definitions import (
    MODEL_CODES,
    Modified,
    PriceModel,
    definition_of,
    model_code,
    parse_price,
)
from billing.core.pricing.flat import Flat, rate_flat
from billing.core.pricing.graduated import Graduated, rate_graduated
from billing.core.pricing.modified import (
    Conversion,
    ConversionRounding,
    Modifiers,
    modified,
    modified_quantity,
)
from billing.core.pricing.package import Package, rate_package
from billing.core.pricing.per_unit import PerUnit, rate_per_unit
from billing.core.pricing.percentage import (
    GraduatedPercentage,
    Percentage,
    rate_graduated_percentage,
    rate_percentage,
)
from billing.core.pricing.rated import Rated, Step, StepKind, require_quantity
from billing.core.pricing.stairstep import Stairstep, rate_stairstep
from billing.core.pricing.tiers import FlatTier, PercentTier, Tier
from billing.core.pricing.volume import Volume, rate_volume

__all__ = [
    "MODEL_CODES",
    "Capacity",
    "Conversion",
    "ConversionRounding",
    "Flat",
    "FlatTier",
    "Graduated",
    "GraduatedPercentage",
    "Modified",
    "Modifiers",
    "Package",
    "PerUnit",
    "PercentTier",
    "Percentage",
    "PriceModel",
    "Rated",
    "Stairstep",
    "Step",
    "StepKind",
    "Tier",
    "Volume",
    "definition_of",
    "model_code",
    "parse_price",
    "rate",
]


def rate(model: PriceModel, quantity: Decimal) -> Rated:
    """Price a quantity. Exact: nothing is rounded here but what a conversion of units says.

    Raises InvalidQuantity for a negative quantity or one that is no finite Decimal.

    >>> rate(Package(Decimal(1000), Decimal("0.50"), Decimal(5000)), Decimal(19366)).amount
    Decimal('7.50')
    """
    require_quantity(quantity)
    match model:
        case Flat():
            return rate_flat(model, quantity)
        case PerUnit():
            return rate_per_unit(model, quantity)
        case Graduated():
            return rate_graduated(model, quantity)
        case Volume():
            return rate_volume(model, quantity)
        case Stairstep():
            return rate_stairstep(model, quantity)
        case Package():
            return rate_package(model, quantity)
        case Percentage():
            return rate_percentage(model, quantity)
        case GraduatedPercentage():
            return rate_graduated_percentage(model, quantity)
        case Capacity():
            return rate_capacity(model, quantity)
        case Modified():
            priced = rate(model.base, modified_quantity(model.modifiers, quantity))
            return modified(model.modifiers, priced, quantity)
        case _:
            assert_never(model)
