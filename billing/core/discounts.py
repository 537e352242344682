"""Coupons over the lines of an invoice: what each takes off, how it is spread, and what is left of it.

Pure: the lines of one invoice and the coupons that a customer redeemed come in. Nothing goes below zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from billing.core.errors import InvalidInput
from billing.core.money import Money, Rounding, allocate, exponent, to_major, to_minor
from billing.core.quantity import EXACT

PERCENT_MAX = Decimal(100)


class Duration(StrEnum):
    """How many invoices a coupon is good for: one, `periods_left` of them, or all."""

    ONCE = "once"
    REPEATING = "repeating"
    FOREVER = "forever"


class CouponPolicy(StrEnum):
    """Which coupon comes first, and who gets the odd cent.

    narrow_first: limited to meters, to plans, unlimited, else in the order redeemed; shares by largest remainder.
    percent_first: percentages, then amounts; every share is rounded half up and the last line takes the rest.
    Either way each coupon works on what the ones before it left.
    """

    NARROW_FIRST = "narrow_first"
    PERCENT_FIRST = "percent_first"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coupon:
    """A redeemed coupon as it stands: an amount in minor units of `currency`, or a percentage of 0 to 100.

    plans, meters: codes it is limited to, empty for all. used_minor: what earlier invoices took of an amount that
    is good once. carries_over: whether the rest of such an amount waits for the next invoice, or is lost.
    Raises InvalidInput naming the field that does not fit.
    """

    reference: str
    label: str
    duration: Duration
    amount_minor: int | None = None
    currency: str = ""
    percent: Decimal | None = None
    plans: frozenset[str] = frozenset()
    meters: frozenset[str] = frozenset()
    periods_left: int | None = None
    used_minor: int = 0
    carries_over: bool = True

    def __post_init__(self) -> None:
        if (self.amount_minor is None) == (self.percent is None):
            raise InvalidInput("a coupon takes off an amount or a percentage", field="amount")
        if self.amount_minor is not None:
            exponent(self.currency)
            if self.amount_minor <= 0:
                raise InvalidInput("the amount of a coupon is above zero", field="amount")
            if not 0 <= self.used_minor <= self.amount_minor:
                raise InvalidInput("between nothing and all of a coupon is used", field="used")
        if self.percent is not None and not 0 < self.percent <= PERCENT_MAX:
            raise InvalidInput("a percentage is above 0 and at most 100", field="percent")
        if (self.duration is Duration.REPEATING) != (self.periods_left is not None):
            raise InvalidInput("a repeating coupon, and only it, counts its periods", field="periods")
        if self.periods_left is not None and self.periods_left < 0:
            raise InvalidInput("no less than zero periods are left", field="periods")

    @property
    def is_ended(self) -> bool:
        """Whether nothing is left of it."""
        if self.duration is Duration.REPEATING:
            return self.periods_left == 0
        return self.amount_minor is not None and self.used_minor >= self.amount_minor


@dataclass(frozen=True, slots=True)
class DiscountLine:
    """What a coupon sees of a line: its amount in minor units before coupons, its plan and its meter."""

    amount_minor: int
    plan: str = ""
    meter: str = ""


@dataclass(frozen=True, slots=True)
class CouponUse:
    """What one coupon took off: altogether and per line, in minor units, and the coupon as it stands afterwards.

    is_ended: nothing is left of it for a later invoice.
    """

    coupon: Coupon
    amount_minor: int
    shares_minor: tuple[int, ...]
    after: Coupon
    is_ended: bool


def apply_coupons(
    lines: Sequence[DiscountLine], coupons: Sequence[Coupon], currency: str, policy: CouponPolicy
) -> tuple[CouponUse, ...]:
    """The coupons that take something off, in the order in which they do.

    A coupon in another currency, for other plans or meters, or with nothing left is passed over and stays as it is.

    >>> line, coupon = DiscountLine(300), Coupon(reference="c", label="c", duration=Duration.ONCE, percent=Decimal(10))
    >>> apply_coupons([line], [coupon], "EUR", CouponPolicy.NARROW_FIRST)[0].amount_minor
    30
    """
    left = [line.amount_minor for line in lines]
    uses = []
    for coupon in sorted(coupons, key=lambda one: _rank(one, policy)):
        if coupon.is_ended or (coupon.amount_minor is not None and coupon.currency != currency):
            continue
        reached = [_reaches(coupon, line) for line in lines]
        amount_minor = _amount(coupon, left, reached, currency)
        if amount_minor == 0:
            continue
        weights = [max(rest, 0) if hit else 0 for rest, hit in zip(left, reached, strict=True)]
        shares = spread(amount_minor, weights, currency, policy)
        left = [rest - share for rest, share in zip(left, shares, strict=True)]
        after, ended = _used(coupon, amount_minor)
        uses.append(CouponUse(coupon, amount_minor, shares, after, ended))
    return tuple(uses)


def _rank(coupon: Coupon, policy: CouponPolicy) -> int:
    if policy is CouponPolicy.PERCENT_FIRST:
        return 0 if coupon.percent is not None else 1
    return 0 if coupon.meters else 1 if coupon.plans else 2


def _reaches(coupon: Coupon, line: DiscountLine) -> bool:
    return (not coupon.plans or line.plan in coupon.plans) and (
        not coupon.meters or line.meter in coupon.meters
    )


def _amount(coupon: Coupon, left: Sequence[int], reached: Sequence[bool], currency: str) -> int:
    """Of the lines it reaches, corrections included; never more than the whole invoice still charges."""
    base = max(sum(rest for rest, hit in zip(left, reached, strict=True) if hit), 0)
    most = min(base, max(sum(left), 0))
    if coupon.percent is not None:
        exact = EXACT.divide(EXACT.multiply(to_major(base, currency), coupon.percent), PERCENT_MAX)
        return min(to_minor(exact, currency, Rounding.HALF_UP), most)
    assert coupon.amount_minor is not None, "a coupon takes off an amount or a percentage"
    return min(coupon.amount_minor - coupon.used_minor, most)


def _used(coupon: Coupon, amount_minor: int) -> tuple[Coupon, bool]:
    if coupon.duration is Duration.FOREVER:
        return coupon, False
    if coupon.periods_left is not None:
        after = replace(coupon, periods_left=coupon.periods_left - 1)
        return after, after.is_ended
    if coupon.amount_minor is None:
        return coupon, True
    after = replace(coupon, used_minor=coupon.used_minor + amount_minor)
    return after, after.is_ended or not coupon.carries_over


def spread(amount_minor: int, weights: Sequence[int], currency: str, policy: CouponPolicy) -> tuple[int, ...]:
    """Split an amount over lines in proportion to what they charge; no line takes more than it charges.

    amount_minor: at most the sum of the weights, both in minor units. Raises InvalidInput if it is more.

    >>> spread(10, [33, 33, 34], "EUR", CouponPolicy.PERCENT_FIRST)
    (3, 3, 4)
    """
    whole = sum(weights)
    if not 0 <= amount_minor <= whole:
        raise InvalidInput("a discount is no more than what it is taken off", field="discount")
    if amount_minor == 0:
        return (0,) * len(weights)
    if policy is CouponPolicy.NARROW_FIRST:
        return tuple(share.minor for share in allocate(Money(amount_minor, currency), weights))
    shares, rest = [], amount_minor
    for weight in weights:
        half_up = (2 * amount_minor * weight + whole) // (2 * whole)
        share = min(half_up, weight, rest)
        shares.append(share)
        rest -= share
    for index in reversed(
        range(len(weights))
    ):  # to the last line, and what it cannot take to those before it
        more = min(rest, weights[index] - shares[index])
        shares[index] += more
        rest -= more
    return tuple(shares)
