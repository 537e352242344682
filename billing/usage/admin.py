"""Usage in the back office: to be looked at."""

from typing import Any

from django.contrib import admin
from django.utils.safestring import SafeString

from billing.platform import display
from billing.platform.admin import ReadOnlyAdmin
from billing.platform.lists.filters import instant_range, text_is
from billing.usage.models import UsageImport, UsageRollup


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


class UsageCorrectionAdmin(ReadOnlyAdmin):
    list_display = ("kind", "customer", "event_type", "reason", "recorded_at", "actor_label")
    list_select_related = ("customer",)
    list_filter = (text_is("event_type", "Type", "Like llm_request."), instant_range("recorded_at", "Made"))
    search_fields = ("=customer__name",)
    search_help_text = "A customer's exact name"
    list_help = "What was wrong with usage, who put it right and why. Events themselves never change."
    sortable_by = ()
    ordering = ("-id",)
    empty_state = (
        "No usage was corrected yet. Cancel events takes wrong ones out; the API amends and backfills."
    )


class RejectedEventAdmin(ReadOnlyAdmin):
    list_display = (
        "event_label",
        "customer",
        "event_type",
        "reason",
        "message",
        "times",
        "rejected_at",
        "state",
    )
    list_select_related = ("customer",)
    list_filter = (text_is("reason", "Reason", "Like unknown_type."), instant_range("rejected_at", "Refused"))
    search_fields = ("=event_id", "=customer__name")
    search_help_text = "Event id, or a customer's exact name"
    list_help = "Events that were refused, with the reason: repair and replay, or set aside. Kept 30 days."
    sortable_by = ()
    ordering = ("-id",)
    empty_state = "No event was refused in the last 30 days."

    @admin.display(description="Event")
    def event_label(self, row: Any) -> str:
        return row.event_id or "Without an id"

    @admin.display(description="State")
    def state(self, row: Any) -> str:
        return row.resolution.capitalize() if row.resolution else "Open"
