"""Figures and dates as printed on documents and mails, in the document's language.

Never floats, never rounds: what is printed is what is stored. The minus is U+2212 before the figure.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal, localcontext

from babel import Locale
from babel.dates import format_date as babel_date
from babel.dates import format_skeleton
from babel.numbers import format_decimal

from billing.core.money import exponent, to_major
from billing.core.quantity import format_quantity as plain_quantity

LANGUAGES = ("en", "de")
DEFAULT_LANGUAGE = "en"
MINUS = "\u2212"
EN_DASH = "\u2013"
NO_BREAK_SPACE = "\u00a0"
UNIT_DECIMALS_MAX = 12
PERIOD_WORD = {"en": "to", "de": "bis"}


def supported_language(language: str) -> str:
    """The language in which a document for `language` is written: its base if we have it, else English.

    >>> supported_language("de-AT"), supported_language("fr")
    ('de', 'en')
    """
    base = language.replace("_", "-").split("-")[0].lower()
    return base if base in LANGUAGES else DEFAULT_LANGUAGE


def format_figure(minor: int, currency: str, language: str) -> str:
    """An amount without its currency, with all decimals of the currency.

    >>> format_figure(-123456, "EUR", "de")
    '−1.234,56'
    """
    digits = exponent(currency)
    pattern = "#,##0" + ("." + "0" * digits if digits else "")
    return _decimal(to_major(minor, currency), pattern, language)


def format_money(minor: int, currency: str, language: str) -> str:
    """An amount and its ISO code, kept together by a no-break space.

    >>> format_money(123456, "EUR", "en").replace(NO_BREAK_SPACE, " ")
    '1,234.56 EUR'
    """
    return f"{format_figure(minor, currency, language)}{NO_BREAK_SPACE}{currency}"


def format_unit_amount(amount: Decimal, currency: str, language: str, *, decimals: int = 0) -> str:
    """A unit price as stored: at least the currency's decimals (or `decimals`, if more), up to 12 if it has them.

    >>> format_unit_amount(Decimal("0.0000025"), "EUR", "en"), format_unit_amount(Decimal("0.5"), "EUR", "de")
    ('0.0000025', '0,50')
    """
    digits = max(exponent(currency), decimals)
    pattern = "#,##0." + "0" * digits + "#" * (UNIT_DECIMALS_MAX - digits)
    return _decimal(amount, pattern, language)


def decimals_of(amount: Decimal) -> int:
    """How many decimals a stored figure has, trailing zeros aside.

    >>> decimals_of(Decimal("0.00000250")), decimals_of(Decimal("1E+3"))
    (7, 0)
    """
    return len(plain_quantity(amount).partition(".")[2])


def format_quantity(quantity: Decimal, language: str) -> str:
    """A quantity with grouping and the decimals it has, up to 12.

    >>> format_quantity(Decimal("22361870"), "de")
    '22.361.870'
    """
    return _decimal(quantity, "#,##0.############", language)


def format_percent(percent: Decimal, language: str) -> str:
    """A rate in percent with the decimals it has.

    >>> format_percent(Decimal("5.50"), "de").replace(NO_BREAK_SPACE, " ")
    '5,5 %'
    """
    return f"{_decimal(percent, '#,##0.####', language)}{NO_BREAK_SPACE}%"


def format_date(day: date, language: str) -> str:
    """A date as the customer reads it.

    >>> format_date(date(2023, 12, 1), "en"), format_date(date(2023, 12, 29), "de")
    ('Dec 1, 2023', '29.12.2023')
    """
    return babel_date(day, "medium", locale=_locale(language))


def format_short_date(day: date, language: str, *, beside: date) -> str:
    """A date without its year if that is the year of `beside`, as in mail subjects.

    >>> format_short_date(date(2023, 12, 1), "en", beside=date(2023, 12, 1))
    'Dec 1'
    """
    if day.year != beside.year:
        return format_date(day, language)
    return format_skeleton("MMMd", day, locale=_locale(language))


def format_period(start_on: date, last_on: date, language: str) -> str:
    """Inclusive days; the year is written once if both days share it.

    >>> format_period(date(2023, 11, 1), date(2023, 11, 30), "en")
    'Nov 1 to Nov 30, 2023'
    >>> format_period(date(2023, 11, 1), date(2023, 11, 30), "de")
    '01.11. bis 30.11.2023'
    """
    language = supported_language(language)
    if start_on == last_on:
        return format_date(start_on, language)
    start = format_date(start_on, language)
    if start_on.year == last_on.year:
        start = babel_date(start_on, {"en": "MMM d", "de": "dd.MM."}[language], locale=_locale(language))
    return f"{start} {PERIOD_WORD[language]} {format_date(last_on, language)}"


def format_month(day: date, language: str, *, beside: date) -> str:
    """The name of the month of `day`, with its year unless `beside` lies in the same.

    >>> format_month(date(2023, 11, 1), "de", beside=date(2023, 12, 1))
    'November'
    """
    pattern = "LLLL" if day.year == beside.year else "LLLL y"
    return babel_date(day, pattern, locale=_locale(language))


def format_iban(iban: str) -> str:
    """An IBAN in groups of four.

    >>> format_iban("de02120300000000202051")
    'DE02 1203 0000 0000 2020 51'
    """
    compact = "".join(iban.split()).upper()
    return " ".join(compact[start : start + 4] for start in range(0, len(compact), 4))


def country_name(code: str, language: str) -> str:
    """The country in the document's language, or the code itself if the standard does not know it.

    >>> country_name("US", "de")
    'Vereinigte Staaten'
    """
    return str(_locale(language).territories.get(code, code))


def join_present(parts: Sequence[str], separator: str) -> str:
    """The non-empty parts joined.

    >>> join_present(["a", "", "b"], ", ")
    'a, b'
    """
    return separator.join(part for part in parts if part)


def _locale(language: str) -> Locale:
    return Locale.parse(supported_language(language))


def _decimal(value: Decimal, pattern: str, language: str) -> str:
    # Quantities have up to 38 digits; babel quantizes in the current context, whose default is 28.
    with localcontext(prec=60):
        text = format_decimal(value, format=pattern, locale=_locale(language), decimal_quantization=False)
    return text.replace("-", MINUS)
