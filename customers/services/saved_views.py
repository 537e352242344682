"""Lists as people keep and export them: saving a view, deleting one, and noting that a list left the house."""

from datetime import datetime

from django.db import transaction

from billing.activity import services as activity
from billing.core.errors import BillingError, InvalidInput, Kind
from billing.core.events import EventName
from billing.platform.actors import Actor
from billing.platform.validation import require_fields
from customers.models import SavedView, User

VIEWS_MAX = 50
"""Most views that one person keeps of one list."""


class SharedViewNameTaken(BillingError):
    """Somebody else shares a view of this list under the name."""

    code = "shared_view_name_taken"
    kind = Kind.CONFLICT


@transaction.atomic
def save_view(
    *, owner: User, list_name: str, name: str, query: str, is_shared: bool, actor: Actor, at: datetime
) -> SavedView:
    """Keep a view of a list; under a name that the person uses already, it takes that view's place.

    query: filter, columns and order as the address has them, without page. Idempotent. Emits saved_view.saved.
    Raises InvalidInput naming the field, SharedViewNameTaken.
    """
    User.objects.select_for_update(no_key=True).get(pk=owner.pk)
    name = name.strip()
    require_fields(SavedView(owner=owner, list_name=list_name, name=name, query=query, created_at=at))
    kept = SavedView.objects.filter(owner=owner, list_name=list_name)
    view = kept.filter(name__iexact=name).first()
    if view is None:
        if kept.count() >= VIEWS_MAX:
            raise InvalidInput(
                f"You keep {VIEWS_MAX} views of this list. Delete one that is no longer used.", field="name"
            )
        view = SavedView(owner=owner, list_name=list_name, created_at=at)
    elif (view.name, view.query, view.is_shared) == (name, query, is_shared):
        return view
    view.name, view.query, view.is_shared = name, query, is_shared
    others = SavedView.objects.filter(list_name=list_name, is_shared=True, name__iexact=name)
    if is_shared and others.exclude(pk=view.pk).exists():
        raise SharedViewNameTaken(
            f"There is a shared view “{name}” of this list already. Choose another name.", field="name"
        )
    view.save()
    _record(EventName.SAVED_VIEW_SAVED, view, actor, at)
    return view


@transaction.atomic
def delete_view(*, view_id: str, owner: User, actor: Actor, at: datetime) -> bool:
    """Delete one's own view; False if there is none of that id (any more). Emits saved_view.deleted."""
    view = SavedView.objects.select_for_update().filter(public_id=view_id, owner=owner).first()
    if view is None:
        return False
    _record(EventName.SAVED_VIEW_DELETED, view, actor, at)
    view.delete()
    return True


@transaction.atomic
def note_list_export(
    *, list_name: str, query: str, file_format: str, rows: int, actor: Actor, at: datetime
) -> None:
    """Record who exported which rows of a list, how many, and as what. Emits list.exported."""
    activity.record(
        name=EventName.LIST_EXPORTED,
        object_kind="list",
        object_id=list_name[:36],
        actor=actor,
        at=at,
        data={"query": query[:2000], "format": file_format, "rows": rows},
    )


def _record(name: EventName, view: SavedView, actor: Actor, at: datetime) -> None:
    activity.record(
        name=name,
        object_kind="saved_view",
        object_id=view.public_id,
        actor=actor,
        at=at,
        data={"list": view.list_name, "name": view.name, "query": view.query, "is_shared": view.is_shared},
    )
