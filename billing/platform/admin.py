"""The base of back office pages: rows are read here, and change only through services."""

from typing import Any

from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from billing.platform.actors import Actor, ActorKind


def staff_actor(request: HttpRequest) -> Actor:
    """The signed-in person as the actor of what a page does."""
    return Actor(ActorKind.USER, str(getattr(request.user, "public_id", "")), str(request.user))


class ReadOnly:
    """No adding, changing or deleting, whatever the permissions: rows change through services."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]  # Unfold has no types
    """A page per row and a list, to be read.

    empty_state: what stands where a list without a filter is empty: what would be here, and the next step.
    """

    show_full_result_count = False
    list_per_page = 50
    list_fullwidth = True
    list_filter_sheet = True
    actions = None
    empty_value_display = "–"
    empty_state = "Nothing has been recorded here yet."


class ReadOnlyInline(ReadOnly, TabularInline):  # type: ignore[misc]  # Unfold has no types
    """Rows that belong to another, shown on its page."""

    extra = 0
    show_change_link = False
    hide_title = True
