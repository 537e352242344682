"""What was typed into the search box, read every way it can be meant."""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal

from billing.core.money import exponent

LENGTH_MAX = 100
"""Characters that are looked for; no name or number is found by more."""

LENGTH_MIN = 2
WORDS_MAX = 8
DIGITS_MAX = 15

_PUBLIC_ID = re.compile(r"[a-z]{3}_[0-9a-z]{0,32}")
_AMOUNT = re.compile(
    r"(?P<before>[a-z]{3}|[€£$])?\s*[-+\u2212]?\s*(?P<digits>[0-9](?:[0-9.,'\u2019\s]*[0-9])?)\s*(?P<after>[a-z]{3}|[€£$])?",
    re.IGNORECASE,
)
_SIGNS = {"€": "EUR", "£": "GBP", "$": ""}
_INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Cn")


@dataclass(frozen=True, slots=True)
class Term:
    """text: without control characters and surplus blanks, cut to LENGTH_MAX. words: its words, in lower case.

    amounts: what it is as an amount of money, in major units; "1,234" has two readings. currency: named beside it.
    number: what it is as the running number of a document. tail: digits and letters by which an account may end.
    """

    text: str
    words: tuple[str, ...]
    amounts: tuple[Decimal, ...] = ()
    currency: str = ""
    number: int | None = None
    tail: str = ""

    @property
    def lower(self) -> str:
        return self.text.lower()

    @property
    def is_too_short(self) -> bool:
        return len(self.text) < LENGTH_MIN

    @property
    def is_public_id(self) -> bool:
        """Whether it can only be one of our opaque ids, or the beginning of one."""
        return _PUBLIC_ID.fullmatch(self.lower) is not None

    def minors(self, currencies: list[str]) -> list[tuple[str, int]]:
        """The amounts in minor units of every currency that can hold them: 229.69 is 22969 in EUR, nothing in JPY."""
        found = []
        for currency in currencies:
            if self.currency and self.currency != currency:
                continue
            scale = Decimal(10) ** exponent(currency)
            found += [
                (currency, int(amount * scale))
                for amount in self.amounts
                if amount * scale == int(amount * scale)
            ]
        return found


def read_term(typed: str) -> Term:
    """Read what was typed. Anything can be: a byte of nothing, ten thousand characters, another alphabet.

    >>> read_term(" 1,234.00 EUR ").amounts
    (Decimal('1234.00'),)
    """
    # A little more than is kept, since folding and dropping make it shorter; never all of what somebody pasted.
    composed = unicodedata.normalize("NFC", typed[: LENGTH_MAX * 4])
    kept = "".join(
        " " if unicodedata.category(letter) == "Cc" else letter
        for letter in composed
        if unicodedata.category(letter) == "Cc" or unicodedata.category(letter) not in _INVISIBLE
    )
    text = " ".join(kept.split())[:LENGTH_MAX].rstrip()
    amounts, currency = _amounts(text)
    compact = re.sub(r"\W", "", text)
    return Term(
        text=text,
        words=tuple(re.findall(r"\w+", text.lower())[:WORDS_MAX]),
        amounts=amounts,
        currency=currency,
        number=int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else None,
        tail=compact if 4 <= len(compact) <= 34 and compact.isascii() and compact[-4:].isdecimal() else "",
    )


def _amounts(text: str) -> tuple[tuple[Decimal, ...], str]:
    match = _AMOUNT.fullmatch(text)
    if match is None or (match["before"] and match["after"]):
        return (), ""
    named = match["before"] or match["after"] or ""
    readings = _readings(re.sub(r"['\u2019\s]", "", match["digits"]))
    return tuple(sorted(readings)), _SIGNS.get(named, named.upper())


def _readings(digits: str) -> set[Decimal]:
    """The amounts that a row of digits with separators can mean; the last separator may part the decimals."""
    if sum(letter.isdecimal() for letter in digits) > DIGITS_MAX:
        return set()
    separators = [letter for letter in digits if letter in ".,"]
    plain = re.sub(r"[.,]", "", digits)
    if not separators:
        return {Decimal(plain)}
    last = separators[-1]
    whole, _, decimals = digits.rpartition(last)
    with_decimals = Decimal(f"{re.sub(r'[.,]', '', whole) or '0'}.{decimals}") if decimals else Decimal(plain)
    if separators.count(last) > 1:  # a separator that comes twice parts thousands
        return {Decimal(plain)}
    if len(separators) == 1 and len(decimals) == 3:
        return {Decimal(plain), with_decimals}
    return {with_decimals}
