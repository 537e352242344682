"""Usage in the back office: to be looked at."""

from typing import Any

from django.contrib import admin
from django.utils.safestring import SafeString

from billing.platform import display
from billing.platform.admin import ReadOnlyAdmin
from billing.platform.lists.filters import instant_range, text_is
from billing.usage.models import UsageEvent, UsageImport, UsageRollup


@admin.register(UsageEvent)
class UsageEventAdmin(ReadOnlyAdmin):
    list_display = ("event_id", "customer", "event_type", "at", "received_at")
    list_select_related = ("customer",)
    search_fields = ("=event_id", "=customer__name")
    search_help_text = "Event id, or a customer's exact name"
    list_filter = (
        text_is("event_type", "Type", "Like llm_request."),
        instant_range("received_at", "Received"),
    )
    list_help = "As they were sent. What they cost stands on the invoice's lines."
    sortable_by = ()
    empty_state = "No usage yet. Send events to /api/v1/usage/events/batch, or import a file."
    ordering = ("-id",)


@admin.register(UsageRollup)
class UsageRollupAdmin(ReadOnlyAdmin):
    list_display = ("customer", "meter", "bucket_at", "event_figure", "quantity_figure")
    list_select_related = ("customer", "meter")
    list_filter = ("meter", instant_range("bucket_at", "Day"))
    search_fields = ("=customer__name",)
    search_help_text = "A customer's exact name"
    sortable_by = ()
    ordering = ("-bucket_at", "-id")
    empty_state = "No usage yet. Send events to /api/v1/usage/events/batch, or import a file."

    @admin.display(description="Events")
    def event_figure(self, row: Any) -> SafeString:
        return display.count_cell(row.event_count)

    @admin.display(description="Quantity")
    def quantity_figure(self, row: Any) -> SafeString:
        return display.quantity_cell(row.quantity_sum)


@admin.register(UsageImport)
class UsageImportAdmin(ReadOnlyAdmin):
    list_display = (
        "file_name", "started_at", "finished_at", "rows_done", "accepted", "duplicates", "conflicts", "rejected"
    )  # fmt: skip
    ordering = ("-id",)
    empty_state = "No file was imported yet. manage.py import_usage reads CSV and CloudEvents."
