"""Usage in the back office: to be looked at."""

from django.contrib import admin

from billing.platform.admin import ReadOnlyAdmin
from billing.usage.models import UsageEvent, UsageImport, UsageRollup


@admin.register(UsageEvent)
class UsageEventAdmin(ReadOnlyAdmin):
    list_display = ("event_id", "customer", "event_type", "at", "received_at")
    list_select_related = ("customer",)
    search_fields = ("=event_id",)
    ordering = ("-id",)


@admin.register(UsageRollup)
class UsageRollupAdmin(ReadOnlyAdmin):
    list_display = ("customer", "meter", "bucket_at", "event_count", "quantity_sum")
    list_select_related = ("customer", "meter")
    list_filter = ("meter",)
    ordering = ("-id",)


@admin.register(UsageImport)
class UsageImportAdmin(ReadOnlyAdmin):
    list_display = (
        "file_name", "started_at", "finished_at", "rows_done", "accepted", "duplicates", "conflicts", "rejected"
    )  # fmt: skip
    ordering = ("-id",)
