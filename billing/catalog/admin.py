"""Back office pages of the catalog: to be read."""

from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe

from billing.catalog.models import Meter, Plan, PlanVersion, Price, Product, TaxRate
from billing.platform import display
from billing.platform.admin import ReadOnlyAdmin, ReadOnlyInline
from billing.platform.lists.filters import CurrencyFilter, text_is


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


class PlanVersionInline(ReadOnlyInline):
    model = PlanVersion
    show_change_link = True


class PriceInline(ReadOnlyInline):
    model = Price
    fields = ["position", "code", "name", "meter", "model", "in_words", "timing", "unit_code"]
    readonly_fields = ["in_words"]

    @admin.display(description="Price")
    def in_words(self, row: Any) -> SafeString:
        """The definition line by line: each tier with what it costs."""
        return format_html_join(mark_safe("<br>"), "{}", ((line,) for line in price_lines(row.definition)))


@admin.register(Meter)
class MeterAdmin(ReadOnlyAdmin):
    list_display = ["code", "name", "event_type", "aggregation", "property"]
    search_fields = ["code", "name"]
    empty_state = "No meter yet. A meter says what is counted of the events; create one through the API."


@admin.register(Product)
class ProductAdmin(ReadOnlyAdmin):
    list_display = ["code", "name"]
    search_fields = ["code", "name"]
    empty_state = "No product yet. A product groups plans; create one through the API."


@admin.register(Plan)
class PlanAdmin(ReadOnlyAdmin):
    list_display = ["code", "name", "product"]
    list_select_related = ["product"]
    search_fields = ["code", "name"]
    inlines = [PlanVersionInline]
    empty_state = (
        "No plan yet. A plan holds the prices that customers subscribe to; create one through the API."
    )


@admin.register(PlanVersion)
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
    empty_state = "No version yet. A version holds the prices of a plan and is fixed once it is published."
    inlines = [PriceInline]


@admin.register(TaxRate)
class TaxRateAdmin(ReadOnlyAdmin):
    list_display = ["country", "category", "name", "percent_figure", "valid_from", "valid_to"]
    list_filter = [text_is("country", "Country", "Like DE.")]
    empty_state = "No tax rate yet. Without the seller's own rate, invoices at home cannot be drafted."

    @admin.display(description="Percent", ordering="percent")
    def percent_figure(self, row: Any) -> SafeString:
        return display.quantity_cell(row.percent)
