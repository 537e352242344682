"""The credit for service that was billed in advance and will not be used, and who gets it how.

Days are local dates. The credit is the price that was billed for the period, by days left over days of the whole
period, less what earlier credit notes took, less its share of the coupon. Tax and total are rounded once, half up.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from billing.core.errors import InvalidInput
from billing.core.money import Rounding, to_minor
from billing.core.proration import prorate

_DAY = timedelta(days=1)


class UnusedPolicy(StrEnum):
    """What becomes of unused service: customer credit, a refund of what was paid for it, or first off the invoice."""

    CREDIT = "credit"
    REFUND = "refund"
    OFFSET = "offset"


@dataclass(frozen=True, slots=True)
class BilledFee:
    """A fee billed in advance for the days from `start_on` to before `end_on`; amounts in major units before tax.

    `coupon` and `credited` are what a coupon and earlier credit notes took off it; `other_lines` the other lines of its
    invoice, which share in `paid` (with tax) by their part. Raises InvalidInput for amounts below zero, a coupon above
    the fee, or an empty period.
    """

    price: Decimal
    start_on: date
    end_on: date
    tax_percent: Decimal
    coupon: Decimal = Decimal(0)
    credited: Decimal = Decimal(0)
    other_lines: Decimal = Decimal(0)
    paid: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        if self.start_on >= self.end_on:
            raise InvalidInput("must be after the start of the period", field="end_on")
        for name in ("price", "tax_percent", "coupon", "credited", "other_lines", "paid"):
            if getattr(self, name) < 0:
                raise InvalidInput("must not be below zero", field=name)
        if self.coupon > self.price:
            raise InvalidInput("must not be above the price", field="coupon")


@dataclass(frozen=True, slots=True)
class UnusedCredit:
    """In minor units: the item before its coupon's share, tax, total, and the total's parts, which add up to it."""

    item_minor: int
    tax_minor: int
    total_minor: int
    credit_minor: int
    refund_minor: int
    offset_minor: int

    @property
    def net_minor(self) -> int:
        """What the credit note takes out of revenue or deferred revenue."""
        return self.total_minor - self.tax_minor


def unused_credit(
    fee: BilledFee, *, used_from: date, unused_from: date, currency: str, policy: UnusedPolicy
) -> UnusedCredit | None:
    """The credit for the days from `unused_from` to the end of the fee's period; None if nothing is left to credit.

    `used_from` is the first day that is paid for: the period's first one, or a later start or end of a trial. A refund
    is what was paid for this fee above the days used; the rest is credit (REFUND) or comes off the invoice (OFFSET).

    >>> fee = BilledFee(Decimal(31), date(2022, 10, 1), date(2022, 11, 1), Decimal(20), paid=Decimal("27.90"))
    >>> unused_credit(fee, used_from=date(2022, 10, 1), unused_from=date(2022, 10, 16), currency="EUR",
    ...     policy=UnusedPolicy.OFFSET)
    UnusedCredit(item_minor=1600, tax_minor=320, total_minor=1920, credit_minor=0, refund_minor=990, offset_minor=930)
    """
    paid_from = max(fee.start_on, used_from)
    first_on = max(paid_from, unused_from)
    item = _share(fee, first_on, fee.end_on, fee.price) - fee.credited
    if item <= 0:
        return None
    net = item - (prorate(item, Fraction(fee.coupon) / Fraction(fee.price)) if fee.coupon else 0)
    tax = _rounded(net * fee.tax_percent / 100, currency)
    total = _rounded(_with_tax(net, fee), currency)
    refund = 0
    if policy is not UnusedPolicy.CREDIT:
        used = _with_tax(_share(fee, paid_from, first_on, fee.price - fee.coupon), fee)
        refund = min(total, max(0, _rounded(_paid_for(fee) - used, currency)))
    rest = total - refund
    is_offset = policy is UnusedPolicy.OFFSET
    return UnusedCredit(
        item_minor=_rounded(item, currency),
        tax_minor=tax,
        total_minor=total,
        credit_minor=0 if is_offset else rest,
        refund_minor=refund,
        offset_minor=rest if is_offset else 0,
    )


def first_unused_on(end_on: date, *, is_replaced: bool) -> date:
    """The first unused day when service ends on a day: that day is used, unless another plan takes over on it."""
    return end_on if is_replaced else end_on + _DAY


def _share(fee: BilledFee, from_on: date, to_on: date, amount: Decimal) -> Decimal:
    days = max(0, (min(to_on, fee.end_on) - from_on).days)
    return prorate(amount, Fraction(days, (fee.end_on - fee.start_on).days))


def _with_tax(net: Decimal, fee: BilledFee) -> Decimal:
    return net + net * fee.tax_percent / 100


def _paid_for(fee: BilledFee) -> Decimal:
    """The part of the invoice's payments that is this fee's."""
    net = fee.price - fee.coupon
    whole = net + fee.other_lines
    return prorate(fee.paid, Fraction(net) / Fraction(whole)) if whole else Decimal(0)


def _rounded(exact: Decimal, currency: str) -> int:
    return to_minor(exact, currency, Rounding.HALF_UP)
