"""What can be done to the catalog: make what is sold, change drafts, publish, date tax rates."""

from billing.catalog.services.drafts import (
    discard_plan_version,
    price_inputs,
    remove_price,
    update_price,
)
from billing.catalog.services.making import (
    PRICES_MAX,
    CodeTaken,
    PlanVersionEmpty,
    PlanVersionPublished,
    PriceInput,
    add_price,
    create_meter,
    create_plan,
    create_plan_version,
    create_product,
    publish_plan_version,
    set_product_tax_code,
)
from billing.catalog.services.tax_rates import TaxRateEnded, TaxRateOverlaps, create_tax_rate, end_tax_rate

__all__ = [
    "PRICES_MAX",
    "CodeTaken",
    "PlanVersionEmpty",
    "PlanVersionPublished",
    "PriceInput",
    "TaxRateEnded",
    "TaxRateOverlaps",
    "add_price",
    "create_meter",
    "create_plan",
    "create_plan_version",
    "create_product",
    "create_tax_rate",
    "discard_plan_version",
    "end_tax_rate",
    "price_inputs",
    "publish_plan_version",
    "remove_price",
    "set_product_tax_code",
    "update_price",
]
