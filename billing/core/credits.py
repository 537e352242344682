"""Credits over lines: which lot of a wallet pays how much of which line, in which order, and what expires.

Pure: lots and lines of one currency come in, draws come back. No lot and no line ever goes below zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from billing.core.errors import InvalidInput


class LotKind(StrEnum):
    """granted: given away, a discount. paid: bought, owed to the customer until used (contract liability)."""

    GRANTED = "granted"
    PAID = "paid"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditLot:
    """What is left of one lot, in minor units.

    priority: lower is drawn first, then the older lot (given_at). From expires_at on nothing is drawn.
    meters, prices: codes it may pay for; both empty: everything; else a line of one of them.
    Raises InvalidInput for less than zero or an expiry that is not after the lot was given.
    """

    reference: str
    kind: LotKind
    remaining_minor: int
    given_at: datetime
    priority: int = 0
    expires_at: datetime | None = None
    meters: frozenset[str] = frozenset()
    prices: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.remaining_minor < 0:
            raise InvalidInput("no less than zero is left of a lot", field="remaining")
        if self.expires_at is not None and self.expires_at <= self.given_at:
            raise InvalidInput("a lot expires after it was given", field="expires_at")

    def is_usable(self, at: datetime) -> bool:
        """Whether something can be drawn at this moment."""
        return self.remaining_minor > 0 and self.given_at <= at and not self.is_expired(at)

    def is_expired(self, at: datetime) -> bool:
        """Whether its time has passed; the moment of expiry itself is past."""
        return self.expires_at is not None and self.expires_at <= at

    def reaches(self, line: "CreditLine") -> bool:
        """Whether it may pay for a line."""
        if not self.meters and not self.prices:
            return True
        return line.meter in self.meters or line.price in self.prices


@dataclass(frozen=True, slots=True)
class CreditLine:
    """What credits see of a line: its amount in minor units, its meter and its price code."""

    amount_minor: int
    meter: str = ""
    price: str = ""


@dataclass(frozen=True, slots=True)
class Draw:
    """amount_minor, above zero, of one lot pays for the line with this index."""

    reference: str
    kind: LotKind
    line: int
    amount_minor: int


def draw(lines: Sequence[CreditLine], lots: Sequence[CreditLot], at: datetime) -> tuple[Draw, ...]:
    """What is drawn at a moment: lots by priority, then age; each pays the lines it reaches, the first first.

    The order in which lots are handed in does not matter: equal ones go by the earlier expiry, then by reference.
    Lines that charge nothing or give back are passed over, and what is given back does not lower the others.
    Raises InvalidInput if two lots have the same reference.

    >>> from datetime import UTC
    >>> day = datetime(2024, 1, 1, tzinfo=UTC)
    >>> lot = CreditLot(reference="lot", kind=LotKind.PAID, remaining_minor=12500, given_at=day)
    >>> [one.amount_minor for one in draw([CreditLine(10000), CreditLine(5000)], [lot], day)]
    [10000, 2500]
    """
    if len({lot.reference for lot in lots}) != len(lots):
        raise InvalidInput("every lot is named once", field="lots")
    open_minor = [max(line.amount_minor, 0) for line in lines]
    draws = []
    for lot in sorted((one for one in lots if one.is_usable(at)), key=_turn):
        left = lot.remaining_minor
        for index, line in enumerate(lines):
            amount = min(left, open_minor[index]) if lot.reaches(line) else 0
            if amount:
                draws.append(Draw(lot.reference, lot.kind, index, amount))
                open_minor[index] -= amount
                left -= amount
    return tuple(draws)


def _turn(lot: CreditLot) -> tuple[int, datetime, bool, datetime, str]:
    return (
        lot.priority,
        lot.given_at,
        lot.expires_at is None,
        lot.expires_at or lot.given_at,
        lot.reference,
    )


def breakage_minor(lots: Sequence[CreditLot], at: datetime) -> int:
    """What becomes breakage revenue because it expired: the rest of paid lots; granted ones were never owed."""
    return sum(lot.remaining_minor for lot in lots if lot.kind is LotKind.PAID and lot.is_expired(at))
