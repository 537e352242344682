"""Back office pages of this app: to be read."""

from django.contrib import admin

from billing.platform.admin import ReadOnlyAdmin, ReadOnlyInline
from billing.revenue.models import RevenueSchedule, RevenueSlice, UsageAccrual


class RevenueSliceInline(ReadOnlyInline):
    model = RevenueSlice


@admin.register(RevenueSchedule)
class RevenueScheduleAdmin(ReadOnlyAdmin):
    list_display = ["line_id", "customer", "amount_minor", "currency", "start_on", "end_on"]
    list_filter = ["legal_entity"]
    list_select_related = ["customer"]
    search_fields = ["line_id", "invoice_id"]
    inlines = [RevenueSliceInline]


@admin.register(UsageAccrual)
class UsageAccrualAdmin(ReadOnlyAdmin):
    list_display = ["month_on", "customer", "item", "amount_minor", "currency", "start_at", "end_at"]
    list_filter = ["legal_entity"]
    list_select_related = ["customer", "item__price"]
