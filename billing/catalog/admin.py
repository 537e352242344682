"""Back office pages of the catalog: to be read."""

from django.contrib import admin

from billing.catalog.models import Meter, Plan, PlanVersion, Price, Product, TaxRate
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


@admin.register(Product)
class ProductAdmin(ReadOnlyAdmin):
    list_display = ["code", "name"]


@admin.register(Plan)
class PlanAdmin(ReadOnlyAdmin):
    list_display = ["code", "name", "product"]
    list_select_related = ["product"]
    inlines = [PlanVersionInline]


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
    list_select_related = ["plan"]
    inlines = [PriceInline]


@admin.register(TaxRate)
class TaxRateAdmin(ReadOnlyAdmin):
    list_display = ["country", "category", "name", "percent", "valid_from", "valid_to"]
    list_filter = ["country"]
