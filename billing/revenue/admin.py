"""Back office pages of this app: to be read."""

from typing import Any

from django.contrib import admin
from django.utils.safestring import SafeString

from billing.platform import display
from billing.platform.admin import ReadOnlyAdmin, ReadOnlyInline
from billing.revenue.models import RevenueSchedule, RevenueSlice, UsageAccrual


class RevenueSliceInline(ReadOnlyInline):
    model = RevenueSlice
    fields = ["month_on", "last_on", "amount_figure", "entry", "canceled_at"]
    readonly_fields = ["amount_figure"]

    @admin.display(description="Amount")
    def amount_figure(self, row: Any) -> SafeString:
        return display.amount_cell(row.amount_minor, row.schedule.currency)


@admin.register(RevenueSchedule)
class RevenueScheduleAdmin(ReadOnlyAdmin):
    list_display = ["line_id", "customer_link", "start_on", "last_on", "amount_figure"]
    list_filter = ["legal_entity"]
    list_select_related = ["customer"]
    search_fields = ["line_id", "invoice_id", "customer__name", "=slices__public_id"]
    exclude = ["amount_minor"]
    readonly_fields = ["amount_figure"]
    inlines = [RevenueSliceInline]
    empty_state = "Nothing is deferred yet. An invoice with a fee billed in advance makes a schedule."

    @admin.display(description="Customer", ordering="customer__name")
    def customer_link(self, row: Any) -> SafeString:
        return display.link(row.customer)

    @admin.display(description="Last day", ordering="end_on")
    def last_on(self, row: Any) -> str:
        return str(display.day(display.last_day(row.end_on)))

    @admin.display(description="Amount", ordering="amount_minor")
    def amount_figure(self, row: Any) -> SafeString:
        return display.amount_cell(row.amount_minor, row.currency)


@admin.register(UsageAccrual)
class UsageAccrualAdmin(ReadOnlyAdmin):
    list_display = ["month_on", "customer_link", "item", "start_at", "end_at", "amount_figure"]
    list_filter = ["legal_entity"]
    list_select_related = ["customer", "item__price"]
    search_fields = ["=public_id", "customer__name"]
    exclude = ["amount_minor"]
    readonly_fields = ["amount_figure"]
    empty_state = "No usage has been accrued yet. Recognizing a month's revenue does it."

    @admin.display(description="Customer", ordering="customer__name")
    def customer_link(self, row: Any) -> SafeString:
        return display.link(row.customer)

    @admin.display(description="Amount", ordering="amount_minor")
    def amount_figure(self, row: Any) -> SafeString:
        return display.amount_cell(row.amount_minor, row.currency)
