"""Back office pages of the catalog: to be read."""

from typing import Any

from django.contrib import admin

from billing.catalog.models import Meter, Plan, PlanVersion, Price, Product, TaxRate
from billing.platform import display
from billing.platform.admin import ReadOnlyAdmin, ReadOnlyInline


class PlanVersionInline(ReadOnlyInline):
    model = PlanVersion
    show_change_link = True


class PriceInline(ReadOnlyInline):
    model = Price


@admin.register(Meter)
class MeterAdmin(ReadOnlyAdmin):
    list_display = ["code", "name", "event_type", "aggregation", "property"]
    search_fields = ["code", "name"]
    empty_state = "No meter yet. A meter says what is counted of the events; create one through the API."


@admin.register(Product)
class ProductAdmin(ReadOnlyAdmin):
    list_display = ["code", "name"]
    search_fields = ["code", "name"]


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
        "published_at",
    ]
    list_filter = ["plan", "currency"]
    list_select_related = ["plan"]
    search_fields = ["plan__code", "plan__name"]
    inlines = [PriceInline]


@admin.register(TaxRate)
class TaxRateAdmin(ReadOnlyAdmin):
    list_display = ["country", "category", "name", "percent_figure", "valid_from", "valid_to"]
    list_filter = ["country"]
    empty_state = "No tax rate yet. Without the seller's own rate, invoices at home cannot be drafted."

    @admin.display(description="Percent", ordering="percent")
    def percent_figure(self, row: Any) -> str:
        return display.percent(row.percent)
