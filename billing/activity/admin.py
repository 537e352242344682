"""Back office pages of this app: to be read."""

from django.contrib import admin

from billing.activity.models import Activity
from billing.platform.admin import ReadOnlyAdmin
from billing.platform.lists.filters import instant_range, text_is


@admin.register(Activity)
class ActivityAdmin(ReadOnlyAdmin):
    list_display = ["happened_at", "name", "object_kind", "object_id", "actor_label", "customer_id"]
    list_filter = [
        text_is("name", "What happened", "Like invoice.finalized."),
        text_is("object_kind", "Kind", "Like invoice."),
        text_is("actor_label", "Who", "The name as the list shows it."),
        instant_range("happened_at", "Happened"),
    ]
    search_fields = ["=object_id", "=customer_id", "=public_id"]
    search_help_text = "Id of an object or customer"
    sortable_by = ()
    list_help = "Who did what, newest first. Nothing in it changes or disappears."
    empty_state = "Nothing has happened yet. Whatever people, programs and tasks change is recorded here."
