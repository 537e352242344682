"""Usage in the back office: to be looked at."""

from typing import Any

from django.contrib import admin

from billing.platform import display
from billing.platform.admin import ReadOnlyAdmin
from billing.usage.models import UsageEvent, UsageImport, UsageRollup


@admin.register(UsageEvent)
class UsageEventAdmin(ReadOnlyAdmin):
    list_display = ("event_id", "customer", "event_type", "at", "received_at")
    list_select_related = ("customer",)
    search_fields = ("=event_id", "=customer__name")
    list_filter = ("event_type",)
    date_hierarchy = None
    empty_state = "No usage yet. Send events to /api/v1/usage/events/batch, or import a file."
    ordering = ("-id",)


@admin.register(UsageRollup)
class UsageRollupAdmin(ReadOnlyAdmin):
    list_display = ("customer", "meter", "bucket_at", "event_figure", "quantity_figure")
    list_select_related = ("customer", "meter")
    list_filter = ("meter",)
    search_fields = ("=customer__name",)
    ordering = ("-bucket_at", "-id")
    empty_state = "No usage yet. Send events to /api/v1/usage/events/batch, or import a file."

    @admin.display(description="Events", ordering="event_count")
    def event_figure(self, row: Any) -> str:
        return f"{row.event_count:,}"

    @admin.display(description="Quantity", ordering="quantity_sum")
    def quantity_figure(self, row: Any) -> str:
        return display.quantity(row.quantity_sum)


@admin.register(UsageImport)
class UsageImportAdmin(ReadOnlyAdmin):
    list_display = (
        "file_name", "started_at", "finished_at", "rows_done", "accepted", "duplicates", "conflicts", "rejected"
    )  # fmt: skip
    ordering = ("-id",)
