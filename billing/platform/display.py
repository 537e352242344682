"""How figures, days and states read in the back office: one spelling each, so that columns line up and compare.

Amounts are never shown in minor units; the minus is U+2212; days are ISO; half-open periods print inclusive days.
A state is a word with a shape and a color, so that it reads without the color too.
"""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Model
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from billing.core.money import exponent, format_major
from billing.core.quantity import format_quantity

MINUS = "\u2212"
NONE = mark_safe(  # constant text
    '<span class="fin-none"><span aria-hidden="true">–</span><span class="fin-sr">none</span></span>'
)
"""Does not apply; a blank would leave open whether something is missing."""

TONES: dict[str, str] = {
    "draft": "neutral",
    "scheduled": "neutral",
    "previewed": "neutral",
    "canceled": "neutral",
    "closed": "neutral",
    "voided": "neutral",
    "detached": "neutral",
    "queued": "info",
    "pending": "info",
    "generating": "info",
    "finalizing": "info",
    "initiated": "info",
    "processing": "info",
    "requested": "caution",
    "advancing": "info",
    "drafted": "info",
    "in_review": "caution",
    "open": "info",
    "partially_settled": "info",
    "soft_closed": "caution",
    "requires_action": "caution",
    "unknown": "caution",
    "partially_refunded": "caution",
    "refunded": "neutral",
    "approved": "good",
    "completed": "good",
    "finalized": "good",
    "active": "good",
    "published": "good",
    "added": "good",
    "removed": "bad",
    "changed": "caution",
    "same": "neutral",
    "revoked": "neutral",
    "expired": "neutral",
    "settled": "good",
    "succeeded": "good",
    "sent": "good",
    "ready": "good",
    "failed": "bad",
    "rejected": "bad",
    "returned": "bad",
    "overdue": "bad",
    "parked": "held",
    "held": "held",
    "excluded": "neutral",
    "to_review": "neutral",
}
WORDS: dict[str, str] = {
    "partially_settled": "Partly settled",
    "in_review": "In review",
    "soft_closed": "Soft closed",
    "requires_action": "Needs the customer",
    "unknown": "Being checked",
    "partially_refunded": "Partly refunded",
    "succeeded": "Received",
    "requested": "Waiting",
    "to_review": "To review",
}


def figure(minor: int, currency: str) -> str:
    """An amount in major units with thousands separated, like 12,430.00 or −79.80; without its currency.

    >>> figure(-1243000, "EUR")
    '−12,430.00'
    """
    text = format_major(abs(minor), currency)
    whole, point, decimals = text.partition(".")
    return f"{MINUS if minor < 0 else ''}{int(whole):,}{point}{decimals}"


def amount(minor: int | None, currency: str) -> str:
    """An amount with its ISO currency, like 229.69 EUR; an en dash where none applies."""
    return "–" if minor is None else f"{figure(minor, currency)} {currency}"


def amount_cell(minor: int | None, currency: str) -> SafeString:
    """An amount for a column: right-aligned, tabular figures, with its currency."""
    if minor is None:
        return format_html('<span class="fin-amount">{}</span>', NONE)
    return format_html(
        '<span class="fin-amount">{} <span class="fin-currency">{}</span></span>',
        figure(minor, currency),
        currency,
    )


def count_cell(count: int | None) -> SafeString:
    """A count for a column: right-aligned, thousands separated; an en dash where it is not known."""
    return format_html('<span class="fin-amount">{}</span>', NONE if count is None else f"{count:,}")


def exact(value: Decimal, currency: str) -> str:
    """An amount or unit price that is not rounded: all its decimals, and those of the currency at least.

    >>> exact(Decimal("25"), "EUR"), exact(Decimal("24.72374"), "EUR")
    ('25.00', '24.72374')
    """
    text = quantity(value)
    whole, _, decimals = text.partition(".")
    padded = decimals.ljust(exponent(currency), "0")
    return f"{whole}.{padded}" if padded else whole


def quantity(value: Decimal) -> str:
    """A quantity with thousands separated and no trailing zeros.

    >>> quantity(Decimal("22361870.500"))
    '22,361,870.5'
    """
    text = format_quantity(value.copy_abs())  # abs() would round to 28 digits
    whole, point, decimals = text.partition(".")
    return f"{MINUS if value < 0 else ''}{int(whole):,}{point}{decimals}"


def percent(value: Decimal) -> str:
    """A percentage such as 19 %."""
    return f"{format_quantity(value)} %"


def day(value: date | None) -> str | SafeString:
    """An ISO day, or an en dash."""
    return NONE if value is None else value.isoformat()


def instant(value: datetime | None) -> str | SafeString:
    """An instant in UTC to the minute; the column or page names the zone."""
    return NONE if value is None else f"{value:%Y-%m-%d %H:%M}"


def days(start_on: date, last_on: date) -> str:
    """A period by its first and last day, both inclusive."""
    return start_on.isoformat() if start_on == last_on else f"{start_on} to {last_on}"


def month(start_on: date) -> str:
    """A month in words, like November 2023."""
    return f"{start_on:%B %Y}"


def last_day(end_on: date) -> date:
    """The inclusive last day of a half-open period."""
    return end_on - timedelta(days=1)


def pill(state: str, *, word: str = "", tone: str = "") -> SafeString:
    """A state as word, shape and color."""
    return format_html(
        '<span class="fin-pill fin-{}">{}</span>',
        tone or TONES.get(state, "neutral"),
        word or WORDS.get(state) or state.replace("_", " ").capitalize(),
    )


def page_of(row: Model) -> str:
    """The address of a row's page; "" if it has none."""
    try:
        return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    except NoReverseMatch:
        return ""


def link(row: Model | None, text: Any = "") -> SafeString:
    """The row's name as a link to its page; an en dash for none."""
    if row is None:
        return NONE
    address = page_of(row)
    if not address:
        return format_html("{}", text or row)
    return format_html('<a class="fin-link" href="{}">{}</a>', address, text or row)
