"""Back office pages of this app: to be read."""

from django.contrib import admin

from billing.activity.models import Activity
from billing.platform.admin import ReadOnlyAdmin


@admin.register(Activity)
class ActivityAdmin(ReadOnlyAdmin):
    list_display = ["happened_at", "name", "object_kind", "object_id", "actor_label", "customer_id"]
    list_filter = ["object_kind"]
    search_fields = ["object_id", "customer_id", "name"]
    show_facets = admin.ShowFacets.NEVER
