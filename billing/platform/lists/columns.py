"""The columns of a list: what a cell shows, and the plain value that an export writes for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from html import unescape
from typing import Any

from django.contrib.admin.utils import label_for_field, lookup_field
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import BooleanField, DateTimeField, Field, ForeignKey, IntegerField, Model
from django.utils.html import conditional_escape, format_html, strip_tags
from django.utils.safestring import SafeString

from billing.platform import display


@dataclass(frozen=True, slots=True)
class Column:
    """One column. is_amount: money; is_multi: of several currencies in one row; order: what it sorts by, "" if not."""

    name: str
    title: str
    is_figure: bool
    is_amount: bool
    is_multi: bool
    order: Any

    def cell(self, row: Model, admin: Any) -> display.Cell:
        """What stands in a row's cell."""
        try:
            field, attribute, value = lookup_field(self.name, row, admin)
        except ObjectDoesNotExist:
            return display.NONE
        if field is not None:
            return _of_field(field, row, value)
        if isinstance(value, display.Cell):
            return value
        if getattr(attribute, "boolean", False):
            return display.Cell.of("Yes" if value else "No", bool(value))
        return _of_value(value)


def _of_field(field: Field[Any, Any], row: Model, value: Any) -> display.Cell:
    if isinstance(field, ForeignKey):
        value = getattr(row, field.name)
        return display.NONE if value is None else _of_value(str(value))
    if getattr(field, "choices", None):
        return _of_value(str(dict(field.flatchoices).get(value, value)))
    if isinstance(field, BooleanField):
        return display.NONE if value is None else display.Cell.of("Yes" if value else "No", value)
    return _of_value(value)


def _of_value(value: Any) -> display.Cell:
    if value is None or value == "":
        return display.NONE
    if isinstance(value, datetime):
        return display.instant(value)
    if isinstance(value, date):
        return display.day(value)
    if isinstance(value, Decimal):
        return display.quantity_cell(value)
    if isinstance(value, bool):
        return display.Cell.of("Yes" if value else "No", value)
    if isinstance(value, int):
        return display.Cell.of(str(value), value)
    if isinstance(value, SafeString):
        return display.Cell.of(conditional_escape(value), unescape(strip_tags(value)))
    return display.Cell.of(format_html("<bdi>{}</bdi>", str(value)), str(value))


def columns_of(admin: Any, names: Sequence[str]) -> list[Column]:
    """The columns of these names, in their order."""
    return [_column(admin, name) for name in names]


def _column(admin: Any, name: str) -> Column:
    title, attribute = label_for_field(name, admin.model, model_admin=admin, return_attr=True)
    title = str(title)[:1].upper() + str(title)[1:]
    field = None
    if attribute is None:
        field = admin.model._meta.get_field(name)
        if str(field.verbose_name) == name.replace("_", " "):  # not named for people: is late, actor label
            title = title.removeprefix("Is ").removesuffix(" label")
            title = title[:1].upper() + title[1:]
        if isinstance(field, DateTimeField):
            title += " (UTC)"
    is_figure = name.endswith("_figure") or (isinstance(field, IntegerField) and not field.choices)
    order = field.name if field is not None else getattr(attribute, "admin_order_field", None) or ""
    allowed = admin.sortable_by
    return Column(
        name=name,
        title=title,
        is_figure=is_figure,
        is_amount=name in admin.list_amounts,
        is_multi=bool(getattr(attribute, "is_multi", False)),
        order=order if allowed is None or name in allowed else "",
    )
