"""The lists of the catalog; their pages and verbs are in `valueverse.backoffice`."""

from decimal import Decimal
from typing import Any

from django.contrib import admin

from billing.platform import display
from billing.platform.admin import ReadOnlyAdmin


def price_lines(definition: dict[str, Any]) -> list[str]:
    """A price's definition in words: one line per tier, or one per value."""
    if "tiers" not in definition:
        return [
            f"{name.replace('_', ' ')} {display.quantity(Decimal(value))}"
            for name, value in definition.items()
        ]
    lines = []
    for tier in definition["tiers"]:
        reach = f"up to {display.quantity(Decimal(tier['up_to']))}" if tier["up_to"] else "above"
        flat = tier.get("flat_amount", "0")
        extra = f" + {display.quantity(Decimal(flat))} flat" if Decimal(flat) else ""
        lines.append(f"{reach}: {display.quantity(Decimal(tier['unit_amount']))}{extra}")
    return lines


class MeterAdmin(ReadOnlyAdmin):
    list_display = ["code", "name", "event_type", "aggregation", "property"]
    search_fields = ["code", "name"]
    empty_state = "No meter yet. A meter says what is counted of the events: New meter makes one."


class ProductAdmin(ReadOnlyAdmin):
    list_display = ["code", "name"]
    search_fields = ["code", "name"]
    empty_state = "No product yet. Revenue is reported by product: New product makes one."


class PlanAdmin(ReadOnlyAdmin):
    list_display = ["code", "name", "product"]
    list_select_related = ["product"]
    search_fields = ["code", "name"]
    empty_state = (
        "No plan yet. A plan holds the prices that customers subscribe to: make a product, then New plan."
    )


class PlanVersionAdmin(ReadOnlyAdmin):
    list_display = [
        "plan",
        "version",
        "currency",
        "interval_unit",
        "interval_count",
        "anchor",
        "proration",
        "published_at",
    ]
    list_filter = ["plan", "currency"]
    list_select_related = ["plan"]
    search_fields = ["plan__code", "plan__name"]
    empty_state = "No version yet. Open a plan and press New version."


class TaxRateAdmin(ReadOnlyAdmin):
    list_display = ["country", "category", "name", "percent_figure", "valid_from", "valid_to"]
    list_filter = ["country"]
    empty_state = "No tax rate yet. Without that of the seller's country, customers at home are not billed."

    @admin.display(description="Percent", ordering="percent")
    def percent_figure(self, row: Any) -> str:
        return display.percent(row.percent)
