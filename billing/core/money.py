"""Money: integer minor units beside a currency, and the one crossing between Decimal and minor units.

Booked amounts are integers; rates and exact results are Decimal. `to_minor` is the only place where an exact
amount is rounded, and its caller names the rounding. No float, no conversion between currencies.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Context, Decimal
from enum import StrEnum

from billing.core.currencies import EXPONENTS, CurrencyExponent
from billing.core.errors import InvalidMoney, require_invariant

__all__ = [
    "EXPONENTS",
    "MAX_MINOR",
    "CurrencyExponent",
    "Money",
    "Rounding",
    "allocate",
    "exponent",
    "format_major",
    "parse_major",
    "round_shares",
    "to_major",
    "to_minor",
]

MAX_MINOR = 10**18 - 1
"""Largest amount that is read or rounded to: 18 digits, so that sums of several fit a 64-bit column."""

_WIDE = Context(prec=120)
_PLAIN = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?")


class Rounding(StrEnum):
    """HALF_UP and UP go away from zero, DOWN towards zero, HALF_EVEN to the even neighbor on a tie."""

    HALF_UP = "half_up"
    HALF_EVEN = "half_even"
    UP = "up"
    DOWN = "down"


_DECIMAL_ROUNDING = {
    Rounding.HALF_UP: ROUND_HALF_UP,
    Rounding.HALF_EVEN: ROUND_HALF_EVEN,
    Rounding.UP: ROUND_UP,
    Rounding.DOWN: ROUND_DOWN,
}


def _index() -> dict[str, tuple[CurrencyExponent, ...]]:
    rows: dict[str, tuple[CurrencyExponent, ...]] = {}
    for row in EXPONENTS:
        rows[row.code] = (*rows.get(row.code, ()), row)
    return rows


_BY_CODE = _index()


def exponent(currency: str, on: date | None = None) -> int:
    """Decimal places of `currency` on a day; without a day, of its newest row, even if withdrawn since.

    Raises InvalidMoney for a code ISO 4217 does not list, or not on that day.
    Source: ISO 4217, see billing/core/currencies.py.

    >>> exponent("EUR"), exponent("JPY"), exponent("KWD")
    (2, 0, 3)
    >>> exponent("ISK", date(2006, 12, 31)), exponent("ISK", date(2007, 1, 1))
    (2, 0)
    """
    rows = _BY_CODE.get(currency) if isinstance(currency, str) else None
    if rows is None:
        raise InvalidMoney(f"unknown currency {str(currency)[:20]!r}", field="currency")
    if on is None:
        return rows[-1].exponent
    for row in rows:
        if (row.valid_from is None or row.valid_from <= on) and (row.valid_to is None or on < row.valid_to):
            return row.exponent
    raise InvalidMoney(f"{currency} is not in use on {on.isoformat()}", field="currency")


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (cents, yen, fils) of one currency; two currencies do not add or compare.

    Raises TypeError for a `minor` that is not an int, InvalidMoney for an unknown currency.

    >>> Money(9900, "EUR") + Money(1881, "EUR")
    Money(minor=11781, currency='EUR')
    >>> Money(9900, "EUR").decimal
    Decimal('99.00')
    """

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise TypeError(f"minor units are an int, not {type(self.minor).__name__}")
        exponent(self.currency)

    def _same(self, other: object) -> "Money":
        if not isinstance(other, Money):
            raise TypeError(f"money and {type(other).__name__} do not go together")
        if other.currency != self.currency:
            raise TypeError(f"{self.currency} and {other.currency} do not go together: convert first")
        return other

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor + self._same(other).minor, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor - self._same(other).minor, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)

    def __abs__(self) -> "Money":
        return Money(abs(self.minor), self.currency)

    def __bool__(self) -> bool:
        return self.minor != 0

    def __lt__(self, other: "Money") -> bool:
        return self.minor < self._same(other).minor

    def __le__(self, other: "Money") -> bool:
        return self.minor <= self._same(other).minor

    def __gt__(self, other: "Money") -> bool:
        return self.minor > self._same(other).minor

    def __ge__(self, other: "Money") -> bool:
        return self.minor >= self._same(other).minor

    @property
    def decimal(self) -> Decimal:
        """The amount in major units, exact, with all decimal places of the currency."""
        return to_major(self.minor, self.currency)


def to_minor(amount: Decimal, currency: str, rounding: Rounding) -> int:
    """Round an exact amount in major units to minor units: the only crossing; the caller says how.

    Raises TypeError for anything but a Decimal; InvalidMoney for NaN, infinity, more than 18 digits or an
    unknown currency.

    >>> to_minor(Decimal("49.72374"), "EUR", Rounding.HALF_UP)
    4972
    >>> to_minor(Decimal("-1.425"), "EUR", Rounding.HALF_UP)
    -143
    >>> to_minor(Decimal("0.5"), "JPY", Rounding.HALF_EVEN)
    0
    """
    if not isinstance(amount, Decimal):
        raise TypeError(f"an exact amount is a Decimal, not {type(amount).__name__}")
    places = exponent(currency)
    if not amount.is_finite() or amount.adjusted() > 18:
        raise InvalidMoney("the amount is not a number of at most 18 digits", field="amount")
    sign, digits, power = amount.as_tuple()
    shifted = Decimal((sign, digits, int(power) + places))  # exact: no context rounds here
    minor = int(shifted.to_integral_value(rounding=_DECIMAL_ROUNDING[rounding]))
    if abs(minor) > MAX_MINOR:
        raise InvalidMoney("the amount has more than 18 digits", field="amount")
    return minor


def to_major(minor: int, currency: str) -> Decimal:
    """Minor units as an exact Decimal of major units.

    >>> to_major(-5, "EUR"), to_major(229, "JPY"), to_major(1234, "KWD")
    (Decimal('-0.05'), Decimal('229'), Decimal('1.234'))
    """
    return _WIDE.scaleb(Decimal(minor), -exponent(currency))


def format_major(minor: int, currency: str) -> str:
    """Minor units as a decimal string in major units, as the API and the documents' data carry it.

    >>> format_major(19302, "EUR"), format_major(-5, "EUR"), format_major(229, "JPY"), format_major(0, "KWD")
    ('193.02', '-0.05', '229', '0.000')
    """
    return f"{to_major(minor, currency):f}"


def parse_major(text: str, currency: str, field: str = "amount") -> int:
    """Read a decimal string in major units and return minor units; nothing is rounded.

    Accepts an optional minus, digits, and at most as many decimals as the currency has.
    Raises InvalidMoney (naming `field`) for surplus decimals, exponent notation, signs or blanks around the
    number, NaN, more than 18 digits, or a value that is not a string.

    >>> parse_major("193.02", "EUR"), parse_major("99", "EUR"), parse_major("-1.5", "KWD")
    (19302, 9900, -1500)
    """
    places = exponent(currency)
    match = _PLAIN.fullmatch(text) if isinstance(text, str) and len(text) <= 40 else None
    if match is None:
        raise InvalidMoney('an amount is a decimal string such as "193.02"', field=field)
    sign, whole, decimals = match.group(1), match.group(2), match.group(3) or ""
    if len(decimals) > places:
        raise InvalidMoney(f"{currency} has {places} decimal places", field=field)
    digits = whole + decimals.ljust(places, "0")
    if len(digits) > 18:
        raise InvalidMoney("the amount has more than 18 digits", field=field)
    return -int(digits) if sign else int(digits)


def allocate(total: Money, weights: Sequence[int]) -> tuple[Money, ...]:
    """Split `total` in proportion to `weights`, losing nothing.

    weights: one non-negative integer per share, not all zero; order is kept.
    Returns as many shares as weights, in minor units of the same currency; they sum to `total` exactly.
    Left-over units go to the largest remainders, ties to the earlier share, so a rerun gives the same answer.
    Works for negative totals (credit notes) by mirroring.
    Raises ValueError if the weights are empty, negative or all zero.
    Source: largest remainder method (Hamilton).

    >>> [m.minor for m in allocate(Money(100, "EUR"), [1, 1, 1])]
    [34, 33, 33]
    """
    if not weights or any(weight < 0 for weight in weights):
        raise ValueError("weights are non-negative integers, at least one")
    whole = sum(weights)
    if whole == 0:
        raise ValueError("at least one weight is above zero")
    sign = -1 if total.minor < 0 else 1
    quotients = [divmod(abs(total.minor) * weight, whole) for weight in weights]
    shares = [floor for floor, _ in quotients]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-quotients[i][1], i))
    for i in by_remainder[: abs(total.minor) - sum(shares)]:
        shares[i] += 1
    require_invariant(sum(shares) == abs(total.minor), "allocation lost money")
    return tuple(Money(sign * share, total.currency) for share in shares)


def round_shares(exact: Sequence[Decimal], total_minor: int, currency: str) -> tuple[int, ...]:
    """Round exact, non-negative parts to minor units so that they sum to `total_minor`, their rounded sum.

    Each part is rounded down or up, never further; the units missing go to the largest remainders, ties to
    the earlier part. Raises ValueError if `total_minor` is not within one unit per part of the exact sum.
    Source: largest remainder method (Hamilton).

    >>> round_shares([Decimal("0.335"), Decimal("0.335")], 67, "EUR")
    (34, 33)
    """
    places = exponent(currency)
    scaled = [_WIDE.scaleb(part, places) for part in exact]
    shares = [int(part.to_integral_value(rounding=ROUND_FLOOR)) for part in scaled]
    missing = total_minor - sum(shares)
    if not 0 <= missing <= len(shares):
        raise ValueError("the total is not the rounded sum of the parts")
    by_remainder = sorted(range(len(shares)), key=lambda i: (shares[i] - scaled[i], i))
    for i in by_remainder[:missing]:
        shares[i] += 1
    require_invariant(sum(shares) == total_minor, "shares lost money")
    return tuple(shares)
