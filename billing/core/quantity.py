"""Quantities and rates: Decimals with stated limits, read strictly and printed plainly.

Limits (26 integer digits, 12 decimals) are those of the numeric(38, 12) columns that store them.
"""

import re
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow

from billing.core.errors import InvalidQuantity

INTEGER_DIGITS_MAX = 26
DECIMALS_MAX = 12

DECIMAL = Context(prec=60, traps=[InvalidOperation, DivisionByZero, Overflow])
"""For divisions: 60 significant digits, far beyond any rounding to minor units."""

EXACT = Context(prec=200, traps=[InvalidOperation, DivisionByZero, Overflow, Inexact])
"""For sums and products: wide enough for any two values within the limits, and it raises rather than
round.
"""

_PLAIN = re.compile(r"-?[0-9]{1,120}(\.[0-9]{1,120})?")


def parse_quantity(value: object, *, field: str = "quantity", allow_negative: bool = True) -> Decimal:
    """Read a quantity: an int, a Decimal or a plain decimal string; returned without trailing zeros.

    Raises InvalidQuantity (naming `field`) for bool, float, NaN, infinity, exponent notation in a string,
    more than 26 integer digits or 12 decimals, and for negative values where they are not allowed.

    >>> parse_quantity("22361870"), parse_quantity(Decimal("1E+3")), parse_quantity("0.500")
    (Decimal('22361870'), Decimal('1000'), Decimal('0.5'))
    """
    number = _number(value, field)
    if not number.is_finite():
        raise InvalidQuantity("a quantity is a finite number", field=field)
    if number and not -120 <= number.adjusted() < INTEGER_DIGITS_MAX:
        raise InvalidQuantity(f"a quantity has at most {INTEGER_DIGITS_MAX} integer digits", field=field)
    plain = format_quantity(number)
    if len(plain.partition(".")[2]) > DECIMALS_MAX:
        raise InvalidQuantity(f"a quantity has at most {DECIMALS_MAX} decimals", field=field)
    result = Decimal(plain)
    if result < 0 and not allow_negative:
        raise InvalidQuantity("must not be negative", field=field)
    return result


def _number(value: object, field: str) -> Decimal:
    """Turn the accepted types into a Decimal, exactly; a huge int is refused before it is converted."""
    match value:
        case bool() | float():
            raise InvalidQuantity("a quantity is an integer or a decimal string", field=field)
        case int():
            if abs(value) >= 10**INTEGER_DIGITS_MAX:
                raise InvalidQuantity(
                    f"a quantity has at most {INTEGER_DIGITS_MAX} integer digits", field=field
                )
            return Decimal(value)
        case Decimal():
            return value
        case str() if _PLAIN.fullmatch(value):
            return Decimal(value)
        case _:
            raise InvalidQuantity('a quantity is a plain decimal such as "12.5"', field=field)


def format_quantity(value: Decimal) -> str:
    """A finite Decimal as a plain string: no exponent, no trailing zeros, no negative zero.

    >>> format_quantity(Decimal("2.50E-6")), format_quantity(Decimal("-0.0"))
    ('0.0000025', '0')
    """
    if not value:
        return "0"
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
