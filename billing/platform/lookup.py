"""Finding one object by what a caller named, with a typed error for what is not there."""

from typing import TypeVar

from django.db.models import Model, QuerySet

from billing.core.errors import BillingError, Kind

M = TypeVar("M", bound=Model)


class NotFound(BillingError):
    """There is no such object, or the caller may not see it: both look the same from outside.

    Named by a field of the input, it makes the input invalid; as the object of the call, it is not found.
    """

    def __init__(self, object_kind: str, *, field: str | None = None) -> None:
        super().__init__(f"There is no such {object_kind.replace('_', ' ')}.", field=field)
        self.code = f"{object_kind}_not_found"
        self.kind = Kind.INVALID if field else Kind.NOT_FOUND


def get_or_not_found(queryset: QuerySet[M], *, kind: str, field: str | None = None, **lookup: object) -> M:
    """The one row of `queryset` that matches; raises NotFound with the code `<kind>_not_found` otherwise.

    kind: the object's name in snake case, for example plan_version. field: the input that named it, where the
    object is a part of the request (and not its address). A NUL character, which PostgreSQL cannot hold, matches
    nothing.
    """
    if any(isinstance(value, str) and "\0" in value for value in lookup.values()):
        raise NotFound(kind, field=field)
    found = queryset.filter(**lookup).first()
    if found is None:
        raise NotFound(kind, field=field)
    return found
