"""Amounts of money: minor units, rounding, reading and printing, splitting without loss."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.core.errors import InvalidMoney
from billing.core.money import (
    EXPONENTS,
    MAX_MINOR,
    Money,
    Rounding,
    allocate,
    exponent,
    format_major,
    parse_major,
    round_shares,
    to_major,
    to_minor,
)

MODEST = settings(max_examples=100, deadline=None)
CURRENCIES = st.sampled_from(["EUR", "USD", "JPY", "KWD", "CLF"])
MINOR = st.integers(-MAX_MINOR, MAX_MINOR)


@pytest.mark.parametrize(
    ("currency", "places"),
    [
        ("EUR", 2),
        ("USD", 2),
        ("GBP", 2),
        ("JPY", 0),
        ("KRW", 0),
        ("KWD", 3),
        ("BHD", 3),
        ("CLF", 4),
        ("HUF", 2),
    ],
)
def test_currency_has_the_decimal_places_of_iso_4217(currency: str, places: int) -> None:
    assert exponent(currency) == places


@pytest.mark.parametrize("currency", ["XAU", "XXX", "eur", "EURO", "", "E R"])
def test_what_is_no_billable_currency_is_refused(currency: str) -> None:
    with pytest.raises(InvalidMoney) as refused:
        exponent(currency)
    assert "currency" in refused.value.fields


def test_currency_is_refused_on_a_day_it_is_not_in_use() -> None:
    assert exponent("HRK", date(2022, 12, 31)) == 2
    with pytest.raises(InvalidMoney):
        exponent("HRK", date(2023, 1, 1))
    assert exponent("HRK") == 2, "old documents can still be read"


def test_exponent_follows_the_date() -> None:
    assert [exponent("ISK", on) for on in (date(2006, 12, 31), date(2007, 1, 1))] == [2, 0]


def test_rows_of_one_currency_do_not_overlap_and_stand_in_order() -> None:
    seen: dict[str, date | None] = {}
    for row in EXPONENTS:
        assert len(row.code) == 3
        assert 0 <= row.exponent <= 4
        if row.code in seen:
            ended = seen[row.code]
            assert ended is not None
            assert row.valid_from is not None
            assert ended <= row.valid_from
        seen[row.code] = row.valid_to


@pytest.mark.parametrize(
    ("amount", "currency", "rounding", "minor"),
    [
        ("49.72374", "EUR", Rounding.HALF_UP, 4972),
        ("36.797985", "EUR", Rounding.HALF_UP, 3680),
        ("0.005", "EUR", Rounding.HALF_UP, 1),
        ("-0.005", "EUR", Rounding.HALF_UP, -1),
        ("0.005", "EUR", Rounding.HALF_EVEN, 0),
        ("0.015", "EUR", Rounding.HALF_EVEN, 2),
        ("0.001", "EUR", Rounding.UP, 1),
        ("-0.001", "EUR", Rounding.UP, -1),
        ("0.009", "EUR", Rounding.DOWN, 0),
        ("-0.009", "EUR", Rounding.DOWN, 0),
        ("149.5", "JPY", Rounding.HALF_UP, 150),
        ("1.2345", "KWD", Rounding.HALF_UP, 1235),
        ("1E+3", "EUR", Rounding.HALF_UP, 100000),
        ("0.00499999999999999999999999999999999999999", "EUR", Rounding.HALF_UP, 0),
        ("9999999999999999.99", "EUR", Rounding.HALF_UP, MAX_MINOR),
    ],
)
def test_exact_amount_is_rounded_as_its_caller_says(
    amount: str, currency: str, rounding: Rounding, minor: int
) -> None:
    assert to_minor(Decimal(amount), currency, rounding) == minor


@pytest.mark.parametrize("amount", ["NaN", "sNaN", "Infinity", "1E+400", "10000000000000000"])
def test_amount_that_no_ledger_can_hold_is_refused(amount: str) -> None:
    with pytest.raises(InvalidMoney):
        to_minor(Decimal(amount), "EUR", Rounding.HALF_UP)


@pytest.mark.parametrize("amount", [1.5, 3, "1.50"])
def test_only_a_decimal_crosses_into_minor_units(amount: object) -> None:
    with pytest.raises(TypeError):
        to_minor(amount, "EUR", Rounding.HALF_UP)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("193.02", "EUR", 19302),
        ("0", "EUR", 0),
        ("-0.05", "EUR", -5),
        ("5.5", "EUR", 550),
        ("229", "JPY", 229),
        ("1.234", "KWD", 1234),
        ("9999999999999999.99", "EUR", MAX_MINOR),
    ],
)
def test_decimal_string_is_read_to_the_minor_unit(text: str, currency: str, minor: int) -> None:
    assert parse_major(text, currency) == minor


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("1.005", "EUR"),
        ("1.000", "EUR"),
        ("1.0", "JPY"),
        ("1.2345", "KWD"),
        ("1e2", "EUR"),
        ("NaN", "EUR"),
        ("Infinity", "EUR"),
        ("", "EUR"),
        (" 1", "EUR"),
        ("1\n", "EUR"),
        ("+1", "EUR"),
        ("1,50", "EUR"),
        ("1_000", "EUR"),
        (".5", "EUR"),
        ("5.", "EUR"),
        ("٣", "EUR"),
        ("10000000000000000.00", "EUR"),
        ("9" * 10_000, "EUR"),
    ],
)
def test_text_that_is_no_amount_is_refused_naming_the_field(text: str, currency: str) -> None:
    with pytest.raises(InvalidMoney) as refused:
        parse_major(text, currency, field="total")
    assert list(refused.value.fields) == ["total"]


@pytest.mark.parametrize("value", [1.5, 193, None, Decimal("1.00"), True])
def test_amount_that_is_no_string_is_refused(value: object) -> None:
    with pytest.raises(InvalidMoney):
        parse_major(value, "EUR")  # type: ignore[arg-type]


def test_different_currencies_do_not_mix() -> None:
    euro, dollar = Money(100, "EUR"), Money(100, "USD")
    with pytest.raises(TypeError):
        euro + dollar
    with pytest.raises(TypeError):
        euro - dollar
    with pytest.raises(TypeError):
        _ = euro < dollar
    with pytest.raises(TypeError):
        euro + 100  # type: ignore[operator]
    assert euro != dollar


@pytest.mark.parametrize("minor", [1.0, Decimal(1), True, "1"])
def test_minor_units_are_integers_and_nothing_else(minor: object) -> None:
    with pytest.raises(TypeError):
        Money(minor, "EUR")  # type: ignore[arg-type]


def test_money_compares_and_knows_zero() -> None:
    assert Money(1, "EUR") < Money(2, "EUR") <= Money(2, "EUR")
    assert Money(3, "EUR") > Money(2, "EUR") >= Money(2, "EUR")
    assert not Money(0, "EUR")
    assert Money(-1, "EUR")
    assert abs(Money(-5, "EUR")) == -Money(-5, "EUR") == Money(5, "EUR")
    assert Money(1234, "KWD").decimal == Decimal("1.234")


@pytest.mark.parametrize(
    ("total", "weights", "shares"),
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (-100, [1, 1, 1], [-34, -33, -33]),
        (9900, [10, 21], [3194, 6706]),
        (5, [0, 1, 0], [0, 5, 0]),
        (0, [3, 4], [0, 0]),
        (2, [1, 1, 1, 1], [1, 1, 0, 0]),
        (1000, [2, 3, 4], [222, 333, 445]),
    ],
)
def test_amount_is_split_by_largest_remainder(total: int, weights: list[int], shares: list[int]) -> None:
    assert [share.minor for share in allocate(Money(total, "EUR"), weights)] == shares


@pytest.mark.parametrize("weights", [[], [0, 0], [1, -1, 1]])
def test_split_without_usable_weights_is_refused(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="weight"):
        allocate(Money(100, "EUR"), weights)


def test_shares_that_cannot_add_up_are_refused() -> None:
    with pytest.raises(ValueError, match="rounded sum"):
        round_shares([Decimal("1.00")], 200, "EUR")
    assert round_shares([], 0, "EUR") == ()


@MODEST
@given(
    total=MINOR,
    weights=st.lists(st.integers(0, 10**12), min_size=1, max_size=20).filter(lambda w: sum(w) > 0),
)
def test_allocation_loses_nothing_and_is_fair_to_one_unit(total: int, weights: list[int]) -> None:
    shares = allocate(Money(total, "EUR"), weights)
    assert sum(share.minor for share in shares) == total
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share.minor * sum(weights) - total * weight) < sum(weights)
    assert tuple(-share for share in shares) == allocate(Money(-total, "EUR"), weights)


@MODEST
@given(a=MINOR, b=MINOR, c=MINOR, currency=CURRENCIES)
def test_money_adds_like_integers(a: int, b: int, c: int, currency: str) -> None:
    x, y, z = Money(a, currency), Money(b, currency), Money(c, currency)
    assert (x + y) + z == x + (y + z)
    assert x + y == y + x
    assert x - y == x + (-y)
    assert x + Money(0, currency) == x
    assert (x < y) == (a < b)
    assert (x >= y) == (a >= b)


@MODEST
@given(minor=MINOR, currency=CURRENCIES, rounding=st.sampled_from(Rounding))
def test_printing_reading_and_crossing_are_inverse(minor: int, currency: str, rounding: Rounding) -> None:
    assert parse_major(format_major(minor, currency), currency) == minor
    assert to_minor(to_major(minor, currency), currency, rounding) == minor


@MODEST
@given(parts=st.lists(st.decimals(0, 10**6, places=7), max_size=8), currency=CURRENCIES)
def test_rounded_parts_add_up_to_the_rounded_sum(parts: list[Decimal], currency: str) -> None:
    total = to_minor(sum(parts, Decimal(0)), currency, Rounding.HALF_UP)
    shares = round_shares(parts, total, currency)
    assert sum(shares) == total
    for share, part in zip(shares, parts, strict=True):
        assert abs(to_major(share, currency) - part) < to_major(1, currency) + Decimal("1e-9")
