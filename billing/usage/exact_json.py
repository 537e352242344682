"""JSON whose numbers are what was sent: int or Decimal, never binary floating point."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

_DIGITS_MAX = 400  # a longer number is absurd, and Python takes quadratic time to read it
_NOT_A_NUMBER = Decimal("NaN")


def decode(text: bytes) -> Any:
    """The value in a JSON text. Raises ValueError for what is no JSON, not UTF-8, or nested too deeply.

    What some senders write although it is not JSON (NaN, Infinity, half a surrogate pair, numbers without end) is
    read too, so that it costs the event that holds it and not the whole batch. What no Decimal can hold is NaN.

    >>> decode(b'[1.50, 1e400, NaN, 12345678901234567890123]')
    [Decimal('1.50'), Decimal('1E+400'), Decimal('NaN'), 12345678901234567890123]
    """
    try:
        return _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _decode_leniently(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _decode_leniently(text: bytes) -> Any:
    try:
        return json.loads(
            text.decode(), parse_float=_decimal, parse_int=_integer, parse_constant=lambda _: _NOT_A_NUMBER
        )
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text) if len(text) <= _DIGITS_MAX else _NOT_A_NUMBER
    except InvalidOperation:  # an exponent beyond any measure
        return _NOT_A_NUMBER


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) <= _DIGITS_MAX else _NOT_A_NUMBER


_decode = msgspec.json.Decoder(float_hook=_decimal).decode
