"""The base of admin pages that only show: verbs come as actions that call services."""

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

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


class ReadOnlyAdmin(ReadOnly, admin.ModelAdmin[Model]):
    """A page per row and a list, to be read."""

    show_full_result_count = False
    list_per_page = 50


class ReadOnlyInline(ReadOnly, admin.TabularInline[Model, Model]):
    """Rows that belong to another, shown on its page."""

    extra = 0
    show_change_link = False
