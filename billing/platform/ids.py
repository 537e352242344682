"""Opaque public ids: prefixed by kind, time-ordered, safe to show."""

import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: no i, l, o, u to misread
_CHARACTERS = 26


def new_public_id(prefix: str) -> str:
    """A new id such as `inv_01hf3x...`: 48 bits of milliseconds, then 80 random bits, 26 characters.

    Ids of one kind sort by creation time to the millisecond, which keeps unique indexes append-mostly.
    Layout after the ULID specification (https://github.com/ulid/spec).
    """
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    digits = []
    for _ in range(_CHARACTERS):
        value, index = divmod(value, 32)
        digits.append(_ALPHABET[index])
    return f"{prefix}_{''.join(reversed(digits))}"
