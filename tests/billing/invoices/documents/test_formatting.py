"""Figures and dates as the customer reads them; the text of foreign names made safe."""

import doctest
from datetime import date
from decimal import Decimal
from types import ModuleType

import pytest

from billing.invoices.documents import canonical, formatting, page, text, wording
from billing.invoices.documents.text import ZERO_WIDTH_SPACE, printable, wrapping


@pytest.mark.parametrize(
    "module", [canonical, formatting, page, text, wording], ids=lambda module: module.__name__
)
def test_the_examples_in_the_documentation_are_true(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("minor", "currency", "language", "shown"),
    [
        (123456, "EUR", "en", "1,234.56\u00a0EUR"),
        (123456, "EUR", "de", "1.234,56\u00a0EUR"),
        (-5, "EUR", "en", "\u22120.05\u00a0EUR"),
        (0, "EUR", "de", "0,00\u00a0EUR"),
        (123456, "JPY", "en", "123,456\u00a0JPY"),
        (1234567, "KWD", "de", "1.234,567\u00a0KWD"),
        (10**17 + 1, "EUR", "en", "1,000,000,000,000,000.01\u00a0EUR"),
    ],
)
def test_money_shows_every_decimal_of_its_currency(
    minor: int, currency: str, language: str, shown: str
) -> None:
    assert formatting.format_money(minor, currency, language) == shown


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        ("0.0000025", "EUR", "0.0000025"),
        ("0.000000000001", "EUR", "0.000000000001"),
        ("99", "EUR", "99.00"),
        ("0.5", "JPY", "0.5"),
    ],
)
def test_unit_prices_show_as_stored(amount: str, currency: str, shown: str) -> None:
    assert formatting.format_unit_amount(Decimal(amount), currency, "en") == shown


def test_a_quantity_of_38_digits_is_shown_whole() -> None:
    quantity = Decimal("12345678901234567890123456.123456789012")
    assert formatting.format_quantity(quantity, "en") == "12,345,678,901,234,567,890,123,456.123456789012"


def test_a_period_across_the_year_names_both_years() -> None:
    days = date(2023, 12, 16), date(2024, 1, 15)
    assert formatting.format_period(*days, "en") == "Dec 16, 2023 to Jan 15, 2024"
    assert formatting.format_period(*days, "de") == "16.12.2023 bis 15.01.2024"


def test_a_date_beside_another_year_keeps_its_year() -> None:
    assert formatting.format_short_date(date(2024, 1, 15), "en", beside=date(2023, 12, 31)) == "Jan 15, 2024"
    assert formatting.format_short_date(date(2023, 12, 1), "de", beside=date(2023, 12, 1)) == "1. Dez."


def test_both_languages_have_the_same_words() -> None:
    assert wording.WORDS["en"].keys() == wording.WORDS["de"].keys()
    for key, english in wording.WORDS["en"].items():
        placeholders = {part.split("}")[0] for part in english.split("{")[1:]}
        german = {part.split("}")[0] for part in wording.WORDS["de"][key].split("{")[1:]}
        assert placeholders == german, key


def test_invisible_and_control_characters_do_not_reach_the_page() -> None:
    assert printable("A\x00B\tC\r\nD\u202eE\u2066F\ue000G\ufffdH") == "A B C DEF?G?H"


def test_the_blank_between_a_figure_and_its_currency_stays_unbreakable() -> None:
    assert printable("49.72\u00a0EUR") == "49.72\u00a0EUR"


def test_an_endless_word_may_break_and_loses_nothing() -> None:
    word = "x" * 300
    shown = wrapping(word)
    assert shown.replace(ZERO_WIDTH_SPACE, "") == word
    assert max(map(len, shown.split(ZERO_WIDTH_SPACE))) <= 12
