"""Template filters: `billing.platform.display` for templates."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import template
from django.utils.safestring import SafeString

from billing.invoices.models import ReviewFlag
from billing.platform import display
from valueverse.backoffice import reading

register = template.Library()


@register.filter
def money(minor: int | None, currency: str) -> str:
    """229.69 EUR"""
    return display.amount(minor, currency)


@register.filter
def figure(minor: int | None, currency: str) -> str:
    """229.69"""
    return "–" if minor is None else display.figure(minor, currency)


@register.filter
def side(minor: int, currency: str) -> str:
    """One side of a posting: an en dash where it is empty."""
    return display.figure(minor, currency) if minor else "–"


@register.filter
def quantity(value: Any) -> str:
    """22,361,870"""
    return "–" if value is None else display.quantity(Decimal(str(value)))


@register.filter
def exact(value: Any, currency: str) -> str:
    """24.72374"""
    return "–" if value is None else display.exact(Decimal(str(value)), currency)


@register.filter
def signed(value: int) -> str:
    """+95 or −49"""
    return f"{display.MINUS if value < 0 else '+'}{abs(value)}"


@register.filter
def words(code: str) -> str:
    """half up"""
    return str(code).replace("_", " ")


@register.filter
def percent(value: Decimal) -> str:
    """19 %"""
    return display.percent(value)


@register.filter
def day(value: Any) -> Any:
    """2023-12-01"""
    return display.day(value)


@register.filter
def instant(value: Any) -> Any:
    """2023-12-01 14:03, UTC"""
    return display.instant(value)


@register.filter
def pill(state: str) -> SafeString:
    """A state as word, shape and color."""
    return display.pill(str(state)) if state else display.NONE


@register.filter
def page(row: Any) -> SafeString:
    """The row's name, linked to its page."""
    return display.link(row)


@register.filter
def what(name: str) -> str:
    """An event's name in words: invoice.mail_sent reads Invoice: mail sent."""
    kind, _, event = name.partition(".")
    return f"{kind.replace('_', ' ').capitalize()}: {event.replace('_', ' ')}"


@register.simple_tag(takes_context=True)
def query_without(context: Any, *names: str) -> str:
    """The page's own query without some parameters, to go on with."""
    return reading.query_without(context["request"], *names)


@register.filter
def local_instant(value: Any, zone: Any) -> str:
    """2023-12-01 14:03, in a zone that the text around it names."""
    return display.NONE if value is None else f"{value.astimezone(zone):%Y-%m-%d %H:%M}"


@register.filter
def seconds(value: Any) -> str:
    """2023-12-01 14:03:07, UTC"""
    return display.NONE if value is None else f"{value:%Y-%m-%d %H:%M:%S}"


@register.filter
def dimension(by: Any) -> str:
    """What usage is split by: property:model reads model."""
    return str(by).removeprefix("property:")


@register.filter
def day_of(value: Any, zone: str) -> str:
    """The day of an instant in a time zone: 2023-12-01."""
    return display.NONE if value is None else f"{value.astimezone(ZoneInfo(zone)):%Y-%m-%d}"


@register.filter
def kind(code: str) -> str:
    """Credit note"""
    return str(code).replace("_", " ").capitalize()


@register.filter
def number(value: int | None) -> str:
    """12,430"""
    return "–" if value is None else f"{value:,}"


@register.filter
def of(values: Any, key: Any) -> Any:
    """What a mapping holds under a key that the template knows by a variable."""
    return values.get(key, "") if values else ""


@register.filter
def flag_word(flag: str) -> str:
    """A reason to look at a draft, in words."""
    return str(ReviewFlag(flag).label)


@register.filter(name="is")
def is_same(value: Any, other: Any) -> bool:
    """Whether two keys are the same row's."""
    return value == other and value is not None and value != ""


@register.filter
def day_in(value: datetime, zone: str) -> str:
    """The day of an instant in a time zone."""
    return value.astimezone(ZoneInfo(zone)).date().isoformat()


@register.simple_tag
def change(minor: int, earlier: int | None, currency: str) -> str:
    """+111.88 (+95 %); "new" where the base is nothing."""
    if not earlier:
        return "new" if minor else "–"
    difference = minor - earlier
    percent = round(difference * 100 / earlier)
    sign = "+" if difference > 0 else ""
    return f"{sign}{display.figure(difference, currency)} ({signed(percent) if percent else '0'} %)"


@register.simple_tag
def difference(minor: int, earlier: int, currency: str) -> str:
    """+111.88"""
    return f"{'+' if minor > earlier else ''}{display.figure(minor - earlier, currency)}"


@register.simple_tag
def address(review: Any, row_pk: int) -> str:
    """The address of a review with a row chosen."""
    return str(review.address(row=row_pk))


@register.simple_tag
def page_address(review: Any, step: int) -> str:
    """The address of the page before or after."""
    return str(review.address(p=review.page + step, row=None))
