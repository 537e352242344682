"""How figures, days and states read in the back office: one spelling each, so that columns line up and compare.

Amounts are never shown in minor units; the minus is U+2212; days are ISO; half-open periods print inclusive days.
A state is a word with a shape and a color, so that it reads without the color too.

Figures are separated as the legal entity writes them. Whoever shows rows of an entity says so once, around them
(`number_format`, `use_number_format`), so that no call of `figure` has to carry it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Model
from django.urls import NoReverseMatch, reverse
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from billing.core.money import exponent, format_major
from billing.core.quantity import format_quantity

MINUS = "\u2212"

DEFAULT_FORMAT = "1,234.56"
SEPARATORS: dict[str, tuple[str, str]] = {
    "1,234.56": (",", "."),
    "1.234,56": (".", ","),
    "1 234,56": ("\u202f", ","),
    "1'234.56": ("\u2019", "."),
}
"""How a legal entity writes numbers: between thousands, before decimals. A format is named by its sample."""

_format: ContextVar[str | Callable[[], str]] = ContextVar("number_format", default=DEFAULT_FORMAT)


@dataclass(frozen=True, slots=True)
class Amount:
    """A figure as an export has it: minor units and their currency."""

    minor: int
    currency: str


class Cell(SafeString):
    """What stands in a list's cell, and beside it the plain value that an export writes.

    plain: an Amount, several of them, a number, a day, an instant or a text; None where nothing applies.
    """

    plain: Any = None

    @classmethod
    def of(cls, shown: str, plain: Any) -> "Cell":
        """A cell. shown: as HTML; escaped unless it is marked safe."""
        made = cls(conditional_escape(shown))
        made.plain = plain
        return made


NONE = Cell.of(
    mark_safe(  # constant text
        '<span class="fin-none"><span aria-hidden="true">–</span><span class="fin-sr">none</span></span>'
    ),
    None,
)
"""Does not apply; a blank would leave open whether something is missing."""


@contextmanager
def number_format(name: str) -> Iterator[None]:
    """Within it, figures are separated in this format; an unknown name or "" leaves it as it is."""
    if name not in SEPARATORS:
        yield
        return
    token = _format.set(name)
    try:
        yield
    finally:
        _format.reset(token)


def use_number_format(found: str | Callable[[], str]) -> None:
    """From here to the end of the request, figures are in this format; a callable is asked when a figure is shown."""
    if callable(found) or found in SEPARATORS:
        _format.set(found)


def current_format() -> str:
    """The number format that holds here."""
    found = _format.get()
    if callable(found):
        found = found()
        _format.set(found)
    return found if found in SEPARATORS else DEFAULT_FORMAT


def separated(sign: str, whole: str, decimals: str) -> str:
    """Digits as the format that holds here separates them."""
    thousands, point = SEPARATORS[current_format()]
    grouped = f"{int(whole):,}".replace(",", thousands)
    return f"{sign}{grouped}{point if decimals else ''}{decimals}"


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
    whole, _, decimals = format_major(abs(minor), currency).partition(".")
    return separated(MINUS if minor < 0 else "", whole, decimals)


def amount(minor: int | None, currency: str) -> str:
    """An amount with its ISO currency, like 229.69 EUR; an en dash where none applies."""
    return "–" if minor is None else f"{figure(minor, currency)} {currency}"


def amount_cell(minor: int | None, currency: str) -> Cell:
    """An amount for a column: right-aligned, tabular figures, with its currency."""
    if minor is None:
        return Cell.of(format_html('<span class="fin-amount">{}</span>', NONE), None)
    return amounts_cell([Amount(minor, currency)])


def amounts_cell(amounts: list[Amount]) -> Cell:
    """Amounts in several currencies, one below the other and never added; the first is the row's own."""
    shown = format_html_join(
        "",
        '<span class="fin-amount">{} <span class="fin-currency">{}</span></span>',
        ((figure(one.minor, one.currency), one.currency) for one in amounts),
    )
    return Cell.of(shown, amounts[0] if len(amounts) == 1 else tuple(amounts))


def count_cell(count: int | None) -> Cell:
    """A count for a column: right-aligned, thousands separated; an en dash where it is not known."""
    shown = NONE if count is None else quantity(Decimal(count))
    return Cell.of(format_html('<span class="fin-amount">{}</span>', shown), count)


def quantity_cell(value: Decimal) -> Cell:
    """A quantity for a column."""
    return Cell.of(format_html('<span class="fin-amount">{}</span>', quantity(value)), value)


def exact(value: Decimal, currency: str) -> str:
    """An amount or unit price that is not rounded: all its decimals, and those of the currency at least.

    >>> exact(Decimal("25"), "EUR"), exact(Decimal("24.72374"), "EUR")
    ('25.00', '24.72374')
    """
    whole, _, decimals = format_quantity(abs(value)).partition(".")
    return separated(MINUS if value < 0 else "", whole, decimals.ljust(exponent(currency), "0"))


def quantity(value: Decimal) -> str:
    """A quantity with thousands separated and no trailing zeros.

    >>> quantity(Decimal("22361870.500"))
    '22,361,870.5'
    """
    whole, _, decimals = format_quantity(value.copy_abs()).partition(".")  # abs() would round to 28 digits
    return separated(MINUS if value < 0 else "", whole, decimals)


def percent(value: Decimal) -> str:
    """A percentage such as 19 %."""
    return f"{quantity(value)} %"


def day(value: date | None) -> Cell:
    """An ISO day, or an en dash."""
    return NONE if value is None else Cell.of(value.isoformat(), value)


def instant(value: datetime | None) -> Cell:
    """An instant in UTC to the minute; the column or page names the zone."""
    return NONE if value is None else Cell.of(f"{value:%Y-%m-%d %H:%M}", value)


def days(start_on: date, last_on: date) -> str:
    """A period by its first and last day, both inclusive."""
    return start_on.isoformat() if start_on == last_on else f"{start_on} to {last_on}"


def month(start_on: date) -> str:
    """A month in words, like November 2023."""
    return f"{start_on:%B %Y}"


def last_day(end_on: date) -> date:
    """The inclusive last day of a half-open period."""
    return end_on - timedelta(days=1)


def word_of(state: str) -> str:
    """A state in words.

    >>> word_of("partially_settled"), word_of("draft")
    ('Partly settled', 'Draft')
    """
    return WORDS.get(state) or state.replace("_", " ").capitalize()


def pill(state: str, *, word: str = "", tone: str = "") -> Cell:
    """A state as word, shape and color."""
    text = word or word_of(state)
    shown = format_html('<span class="fin-pill fin-{}">{}</span>', tone or TONES.get(state, "neutral"), text)
    return Cell.of(shown, text)


def page_of(row: Model) -> str:
    """The address of a row's page; "" if it has none."""
    try:
        return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    except NoReverseMatch:
        return ""


def link(row: Model | None, text: Any = "") -> Cell:
    """The row's name as a link to its page; an en dash for none."""
    if row is None:
        return NONE
    address, name = page_of(row), str(text or row)
    if not address:
        return Cell.of(format_html("<bdi>{}</bdi>", name), name)
    shown = format_html('<a class="fin-link" href="{}"><bdi>{}</bdi></a>', address, name)
    return Cell.of(shown, name)
