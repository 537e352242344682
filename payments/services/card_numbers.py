"""Card numbers have no place here: who stores one falls under the rules of the card schemes (PCI DSS)."""

import re

from billing.core.errors import BillingError

_DIGITS = re.compile(r"\d+(?:[\s-]+\d+)*")
_LENGTHS = range(13, 20)  # ISO/IEC 7812-1; no scheme issues shorter ones


class CardNumberRefused(BillingError):
    """A text contains what can be a card number."""

    code = "card_number_refused"


def refuse_card_number(text: str, *, field: str) -> None:
    """Raise CardNumberRefused, naming the field, if a text contains 13 to 19 digits with a card's check digit.

    Spaces and dashes between the digits are looked over. The message does not repeat the number.
    """
    for run in _DIGITS.findall(text):
        groups = re.findall(r"\d+", run)
        for first in range(len(groups)):
            for last in range(first, len(groups)):
                digits = "".join(groups[first : last + 1])
                if len(digits) in _LENGTHS and _passes_luhn(digits):
                    raise CardNumberRefused(
                        "This looks like a card number. Keep it with the gateway; give its reference and, as a "
                        "label, the last four digits.",
                        field=field,
                    )


def _passes_luhn(digits: str) -> bool:
    """The check digit of ISO/IEC 7812-1, annex B."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
