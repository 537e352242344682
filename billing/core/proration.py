"""Proration: the share of a period by whole local days, as an exact fraction.

Days and not seconds, so that the figures can be checked by hand and a change of clocks costs nobody an hour.
"""

from decimal import Context, Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from billing.core.errors import InvalidPeriod
from billing.core.periods import Period, local_days
from billing.core.quantity import EXACT

_DIGITS_28 = Context(prec=28)


def day_fraction(part: Period, whole: Period, zone: ZoneInfo) -> Fraction:
    """Local days of `part` over local days of `whole`; the fractions of the parts of any split add up to 1.

    Raises InvalidPeriod if the part is not within the whole, or the whole has no local day.
    Source: rules of this product, checked against its reference entries (21 of 31 days of December unused).

    >>> from datetime import UTC, datetime
    >>> december = Period(datetime(2023, 12, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC))
    >>> day_fraction(Period(datetime(2023, 12, 11, tzinfo=UTC), december.end), december, ZoneInfo("UTC"))
    Fraction(21, 31)
    """
    if part.start < whole.start or part.end > whole.end:
        raise InvalidPeriod("the part lies within the whole", field="period")
    days = local_days(whole, zone)
    if days < 1:
        raise InvalidPeriod("a period to prorate has at least one local day", field="period")
    return Fraction(local_days(part, zone), days)


def prorate(amount: Decimal, fraction: Fraction) -> Decimal:
    """The share of an amount, to 28 significant digits (half even); not yet rounded to minor units.

    >>> prorate(Decimal("99.00"), Fraction(1, 3)), prorate(Decimal("99.00"), Fraction(1))
    (Decimal('33.00'), Decimal('99.00'))
    """
    return _DIGITS_28.divide(
        EXACT.multiply(amount, Decimal(fraction.numerator)), Decimal(fraction.denominator)
    )
