"""The lists of the catalog; their pages and verbs are in `valueverse.backoffice`."""

from decimal import Decimal
from typing import Any

from django.contrib import admin

from billing.platform import display
from billing.platform.admin import ReadOnlyAdmin
from billing.platform.lists.filters import CurrencyFilter, text_is

TIER_VALUES = ("unit_amount", "amount", "percent")


def price_lines(definition: dict[str, Any]) -> list[str]:
    """A price's definition in words: one line per tier or value, then one per modifier."""
    lines = [_tier_line(tier) for tier in definition.get("tiers", ())]
    for name, value in definition.items():
        if name == "modifiers":
            lines += [_value_line(modifier, one) for modifier, one in value.items()]
        elif name != "tiers":
            lines.append(_value_line(name, value))
    return lines


def _tier_line(tier: dict[str, Any]) -> str:
    reach = f"up to {display.quantity(Decimal(tier['up_to']))}" if tier["up_to"] else "above"
    name = next(one for one in TIER_VALUES if one in tier)
    line = f"{reach}: {display.quantity(Decimal(tier[name]))}{' %' if name == 'percent' else ''}"
    if tier.get("block_size"):
        line += f" per block of {display.quantity(Decimal(tier['block_size']))}"
    if tier.get("flat_amount"):
        line += f" + {display.quantity(Decimal(tier['flat_amount']))} flat"
    if tier.get("max_amount"):
        line += f", at most {display.quantity(Decimal(tier['max_amount']))}"
    return line


def _value_line(name: str, value: Any) -> str:
    words = name.replace("_", " ")
    if isinstance(value, dict):
        decimals = f" to {value['decimals']} decimals" if value["decimals"] else ""
        units = display.quantity(Decimal(value["units_per"]))
        return f"{words}: {units} units to one, rounded {value['rounding']}{decimals}"
    return words if value is True else f"{words} {display.quantity(Decimal(value))}"


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
    list_filter = ["plan", CurrencyFilter]
    list_select_related = ["plan"]
    search_fields = ["plan__code", "plan__name"]
    search_help_text = "Plan"
    empty_state = "No version yet. Open a plan and press New version."


class TaxRateAdmin(ReadOnlyAdmin):
    list_display = ["country", "category", "name", "percent_figure", "valid_from", "valid_to"]
    list_filter = [text_is("country", "Country", "Like DE.")]
    empty_state = "No tax rate yet. Without that of the seller's country, customers at home are not billed."

    @admin.display(description="Percent", ordering="percent")
    def percent_figure(self, row: Any) -> display.Cell:
        return display.quantity_cell(row.percent)
