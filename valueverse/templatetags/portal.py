"""Words and figures in the templates of the portal, in the page's language."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import template
from django.utils import timezone

from billing.core.periods import Period
from billing.invoices.documents import formatting
from billing.platform.clock import now
from valueverse.portal import words

register = template.Library()


def _language(context: Mapping[str, Any]) -> str:
    return str(context["language"])


@register.simple_tag(takes_context=True)
def say(context: Mapping[str, Any], key: str, **values: object) -> str:
    return words.say(_language(context), key, **values)


@register.simple_tag(takes_context=True)
def counted(context: Mapping[str, Any], key: str, count: int, **values: object) -> str:
    return words.counted(_language(context), key, count, **values)


@register.simple_tag(takes_context=True)
def money(context: Mapping[str, Any], minor: int, currency: str) -> str:
    """An amount with its ISO code."""
    return formatting.format_money(minor, currency, _language(context))


@register.simple_tag(takes_context=True)
def figure(context: Mapping[str, Any], minor: int, currency: str) -> str:
    """An amount under a header that names the currency."""
    return formatting.format_figure(minor, currency, _language(context))


@register.simple_tag(takes_context=True)
def quantity(context: Mapping[str, Any], value: Decimal) -> str:
    return formatting.format_quantity(value, _language(context))


@register.simple_tag(takes_context=True)
def period(context: Mapping[str, Any], value: Period, time_zone: str) -> str:
    """A period as its first and last day in a time zone."""
    zone = ZoneInfo(time_zone)
    return formatting.format_period(value.start_on(zone), value.last_on(zone), _language(context))


@register.simple_tag
def read_at() -> str:
    """When the page's figures were read, by the wall clock of the customer's time zone."""
    return f"{timezone.localtime(now()):%H:%M}"


@register.simple_tag(takes_context=True)
def day(context: Mapping[str, Any], value: date | datetime | None) -> str:
    """A day as the customer reads it; an instant is a day in the customer's time zone."""
    if value is None:
        return formatting.EN_DASH
    if isinstance(value, datetime):
        value = timezone.localtime(value).date()
    return formatting.format_date(value, _language(context))
