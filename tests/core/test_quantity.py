"""Quantities: what is accepted, what is refused, how they print; count and sum."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.core.aggregation import Aggregation, MeterRule, Partial, aggregate
from billing.core.errors import InvalidQuantity
from billing.core.quantity import format_quantity, parse_quantity

MODEST = settings(max_examples=100, deadline=None)
QUANTITIES = st.decimals(-(10**26) + 1, 10**26 - 1, places=12)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (22361870, "22361870"),
        ("22361870", "22361870"),
        ("0.500", "0.5"),
        (Decimal("1E+3"), "1000"),
        (Decimal("0E+999"), "0"),
        ("-0", "0"),
        ("-1.5", "-1.5"),
        ("0.000000000001", "0.000000000001"),
        ("1.0000000000000000", "1"),
        ("9" * 26, "9" * 26),
        (10**26 - 1, "9" * 26),
    ],
)
def test_quantity_is_read_exactly(value: object, text: str) -> None:
    assert format_quantity(parse_quantity(value)) == text


@pytest.mark.parametrize(
    "value",
    [
        True,
        1.5,
        None,
        [1],
        "NaN",
        "Infinity",
        "1e400",
        "1e3",
        "",
        " 1",
        "1\n",
        "+1",
        "1,5",
        "1_000",
        ".5",
        "٣",
        "0x10",
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("-Infinity"),
        Decimal("1E+400"),
        Decimal("1E-400"),
        Decimal("0.0000000000001"),
        "0.0000000000001",
        10**26,
        10**4000,
        "1" + "0" * 26,
        "9" * 100_000,
    ],
)
def test_absurd_quantity_is_refused_naming_the_field(value: object) -> None:
    with pytest.raises(InvalidQuantity) as refused:
        parse_quantity(value, field="input_tokens")
    assert list(refused.value.fields) == ["input_tokens"]


def test_negative_quantity_is_refused_where_the_meter_forbids_it() -> None:
    assert parse_quantity("-3") == -3
    with pytest.raises(InvalidQuantity):
        parse_quantity("-3", allow_negative=False)


@MODEST
@given(value=QUANTITIES)
def test_printing_and_reading_are_inverse(value: Decimal) -> None:
    text = format_quantity(value)
    assert parse_quantity(text) == parse_quantity(value) == value
    assert "E" not in text
    assert "." not in text or not text.endswith("0")


def test_requests_are_counted_and_tokens_summed() -> None:
    day = Partial(2, Decimal("374")) + Partial(1, Decimal("0.5"))
    assert aggregate(MeterRule(Aggregation.COUNT), day) == 3
    assert aggregate(MeterRule(Aggregation.SUM, "tokens"), day) == Decimal("374.5")
    assert aggregate(MeterRule(Aggregation.SUM, "tokens"), Partial()) == 0


PARTIALS = st.builds(Partial, st.integers(0, 10**9), QUANTITIES)


@MODEST
@given(a=PARTIALS, b=PARTIALS, c=PARTIALS)
def test_buckets_may_be_merged_in_any_order(a: Partial, b: Partial, c: Partial) -> None:
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a
    assert a + Partial() == a
