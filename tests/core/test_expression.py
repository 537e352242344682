"""Expressions: what they compute, and what is refused when they are saved or evaluated."""

from decimal import Decimal

import pytest

from billing.core.expression import DEPTH_MAX, InvalidExpression, evaluate, parse_expression

VALUES = {"a": Decimal(7), "b": Decimal("2.5"), "nothing": Decimal(0), "disk.gb": Decimal(4)}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a + b * 2", "12"),
        ("(a + b) * 2", "19"),
        ("-a - -b", "-4.5"),
        ("a - b - 1", "3.5"),
        ("a / b", "2.8"),
        ("disk.gb * 0.000000000001", "0.000000000004"),
        ("min(a, b, 3)", "2.5"),
        ("max(a, b, 3)", "7"),
        ("abs(b - a)", "4.5"),
        ("round(b)", "3"),
        ("round(-b)", "-3"),
        ("ceil(a / b, 0)", "3"),
        ("floor(a / b)", "2"),
        ("round(1234.567, 1)", "1234.6"),
        ("round(1234.567, -2)", "1200"),
        ("a > b", "1"),
        ("a <= b", "0"),
        ("(a == 7) + (a != 7) + (b >= 2.5) + (b < 2)", "2"),
        ("if(a > 5, a * 80, 400)", "560"),
        ("if(nothing == 0, 0, a / nothing)", "0"),
    ],
)
def test_value_of_an_expression(text: str, value: str) -> None:
    assert evaluate(parse_expression(text, names=VALUES), VALUES) == Decimal(value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "must be an expression"),
        (3, "must be an expression"),
        ("a +", "ends too early"),
        ("a b", "cannot be read at 'b'"),
        ("a ** 2", "cannot be read at '*'"),
        ("a; b", "cannot be read at '; b'"),
        ("__import__('os')", "cannot be read at"),
        ("(a", "needs ')'"),
        ("c + 1", "names 'c'; the inputs here are: a, b, disk.gb, nothing"),
        ("eval(a)", "has no function 'eval'"),
        ("if(a, b)", "gives if 2 operands"),
        ("a / 0", "divides by zero"),
        ("a / (2 - 2)", "divides by zero"),
        ("max(1, 2 / 0)", "divides by zero"),
        ("round(1, 40)", "has no value"),
        ("9" * 60, "a number of more than 40 digits"),
        ("a + " * 200 + "a", "has at most 500 characters"),
        ("+".join("1" * 210), "has more than 200 parts"),
        ("(" * (DEPTH_MAX + 2) + "a" + ")" * (DEPTH_MAX + 2), "is nested deeper"),
        ("-" * (DEPTH_MAX + 2) + "a", "is nested deeper"),
    ],
)
def test_expression_that_cannot_be_is_refused_with_its_field(text: object, says: str) -> None:
    with pytest.raises(InvalidExpression) as refused:
        parse_expression(text, names=VALUES, field="definition.expression")
    assert says in refused.value.fields["definition.expression"][0]


@pytest.mark.parametrize(
    ("text", "values", "says"),
    [
        ("a / b", {"a": Decimal(1), "b": Decimal(0)}, "divides by zero"),
        ("a * 2", {}, "needs a number for 'a'"),
        ("a * a * a", {"a": Decimal(10) ** 20}, "grows beyond 40 digits"),
        ("round(a, b)", {"a": Decimal(1), "b": Decimal("0.5")}, "has no value"),
    ],
)
def test_expression_without_a_value_says_why(text: str, values: dict[str, Decimal], says: str) -> None:
    with pytest.raises(InvalidExpression) as refused:
        evaluate(parse_expression(text, names=None), values)
    assert says in refused.value.message
