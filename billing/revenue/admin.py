"""Back office pages of this app: to be read."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import F
from django.utils.safestring import SafeString

from billing.platform import display
from billing.platform.admin import ReadOnlyAdmin, ReadOnlyInline
from billing.platform.lists.filters import CurrencyFilter, amount_range, date_range
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
    list_filter = [
        "legal_entity",
        CurrencyFilter,
        date_range("start_on", "Starts"),
        amount_range("amount_minor", "Amount", "amount"),
    ]
    list_amounts: ClassVar = {"amount_figure": F("amount_minor")}
    list_select_related = ["customer", "legal_entity"]
    list_help = "Fees billed in advance, released month by month."
    search_fields = ["=line_id", "=invoice_id", "customer__name", "=slices__public_id"]
    search_help_text = "Customer, or id of an invoice"
    sortable_by = ["start_on", "amount_figure"]
    exclude = ["amount_minor"]
    readonly_fields = ["amount_figure"]
    inlines = [RevenueSliceInline]
    empty_state = "Nothing is deferred yet. An invoice with a fee billed in advance makes a schedule."

    @admin.display(description="Customer", ordering="customer__name")
    def customer_link(self, row: Any) -> SafeString:
        return display.link(row.customer)

    @admin.display(description="Last day", ordering="end_on")
    def last_on(self, row: Any) -> SafeString:
        return display.day(display.last_day(row.end_on))

    @admin.display(description="Amount", ordering="amount_minor")
    def amount_figure(self, row: Any) -> SafeString:
        return display.amount_cell(row.amount_minor, row.currency)


@admin.register(UsageAccrual)
class UsageAccrualAdmin(ReadOnlyAdmin):
    list_display = ["month_on", "customer_link", "item", "start_at", "end_at", "amount_figure"]
    list_filter = [
        "legal_entity",
        CurrencyFilter,
        date_range("month_on", "Month"),
        amount_range("amount_minor", "Amount", "amount"),
    ]
    list_amounts: ClassVar = {"amount_figure": F("amount_minor")}
    list_select_related = ["customer", "item__price", "legal_entity"]
    list_help = "Usage delivered in a month and not invoiced in it."
    search_fields = ["=public_id", "customer__name"]
    search_help_text = "Customer"
    sortable_by = ["month_on", "amount_figure"]
    exclude = ["amount_minor"]
    readonly_fields = ["amount_figure"]
    empty_state = "No usage has been accrued yet. Recognizing a month's revenue does it."

    @admin.display(description="Customer", ordering="customer__name")
    def customer_link(self, row: Any) -> SafeString:
        return display.link(row.customer)

    @admin.display(description="Amount", ordering="amount_minor")
    def amount_figure(self, row: Any) -> SafeString:
        return display.amount_cell(row.amount_minor, row.currency)
