"""Revenue by days of service, and proration of amounts."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.core.errors import InvalidPeriod
from billing.core.money import Rounding, to_minor
from billing.core.proration import prorate
from billing.core.revenue import cut, delivered_minor, remaining_minor, slices

MODEST = settings(max_examples=100, deadline=None)
NOVEMBER_FEE = slices(9900, date(2023, 11, 1), date(2023, 12, 1))
DECEMBER_FEE = slices(9900, date(2023, 12, 1), date(2024, 1, 1))


def test_monthly_fee_is_one_slice() -> None:
    (only,) = NOVEMBER_FEE
    assert (only.month, only.days, only.amount_minor) == ("2023-11", 30, 9900)
    assert (only.start_on, only.end_on) == (date(2023, 11, 1), date(2023, 12, 1))


def test_yearly_fee_is_spread_by_days_and_the_last_slice_takes_the_remainder() -> None:
    year = slices(120000, date(2023, 11, 15), date(2024, 11, 15))
    assert [one.days for one in year] == [16, 31, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 14]
    assert year[0].amount_minor == 5246
    assert sum(one.amount_minor for one in year) == 120000
    assert (year[3].month, year[3].start_on, year[3].end_on) == (
        "2024-02",
        date(2024, 2, 1),
        date(2024, 3, 1),
    )


def test_negative_amount_mirrors() -> None:
    start_on, end_on = date(2023, 11, 15), date(2024, 1, 15)
    assert [one.amount_minor for one in slices(-10000, start_on, end_on)] == [-2623, -5082, -2295]


def test_cancellation_on_11_december_leaves_31_94_earned_and_67_06_to_give_back() -> None:
    last_day = date(2023, 12, 10)
    assert delivered_minor(DECEMBER_FEE, last_day) == 3194
    assert remaining_minor(DECEMBER_FEE, last_day) == 6706
    (only,) = cut(DECEMBER_FEE, last_day)
    assert (only.days, only.end_on, only.amount_minor) == (10, date(2023, 12, 11), 3194)


def test_nothing_is_delivered_before_and_everything_after_the_service() -> None:
    assert delivered_minor(DECEMBER_FEE, date(2023, 11, 30)) == 0
    assert delivered_minor(DECEMBER_FEE, date(2023, 12, 31)) == 9900
    assert delivered_minor(DECEMBER_FEE, date(2030, 1, 1)) == 9900
    assert cut(DECEMBER_FEE, date(2023, 11, 30)) == ()
    assert cut(DECEMBER_FEE, date(2030, 1, 1)) == DECEMBER_FEE
    assert delivered_minor((), date(2023, 12, 1)) == 0


@pytest.mark.parametrize("end_on", [date(2023, 11, 1), date(2023, 10, 31)])
def test_service_without_days_is_refused(end_on: date) -> None:
    with pytest.raises(InvalidPeriod):
        slices(9900, date(2023, 11, 1), end_on)


@pytest.mark.parametrize(
    ("fraction", "minor"),
    [
        (Fraction(21, 31), 6706),
        (Fraction(10, 31), 3194),
        (Fraction(1, 2), 4950),
        (Fraction(0), 0),
        (Fraction(1), 9900),
    ],
)
def test_prorated_fee_of_99(fraction: Fraction, minor: int) -> None:
    assert to_minor(prorate(Decimal("99.00"), fraction), "EUR", Rounding.HALF_UP) == minor


def test_proration_keeps_28_digits() -> None:
    assert prorate(Decimal(1), Fraction(1, 3)) == Decimal("0.3333333333333333333333333333")


AMOUNTS = st.integers(-(10**12), 10**12)
STARTS = st.dates(date(2020, 1, 1), date(2030, 1, 1))
LENGTHS = st.integers(1, 800)


@MODEST
@given(amount=AMOUNTS, start_on=STARTS, length=LENGTHS)
def test_slices_sum_to_the_amount_and_tile_the_service(amount: int, start_on: date, length: int) -> None:
    end_on = start_on + timedelta(days=length)
    result = slices(amount, start_on, end_on)
    assert sum(one.amount_minor for one in result) == amount
    assert sum(one.days for one in result) == length
    assert (result[0].start_on, result[-1].end_on) == (start_on, end_on)
    for one, following in pairwise(result):
        assert one.end_on == following.start_on
    for one in result:
        assert one.month == f"{one.start_on:%Y-%m}" == f"{one.end_on - timedelta(days=1):%Y-%m}"
        assert abs(Fraction(one.amount_minor) - Fraction(amount * one.days, length)) <= 1
        assert one.amount_minor * amount >= 0


@MODEST
@given(amount=AMOUNTS, start_on=STARTS, length=LENGTHS, after=st.integers(-5, 810))
def test_delivered_and_remaining_are_the_whole_and_the_cut_keeps_the_delivered(
    amount: int, start_on: date, length: int, after: int
) -> None:
    schedule = slices(amount, start_on, start_on + timedelta(days=length))
    through_on = start_on + timedelta(days=after)
    delivered = delivered_minor(schedule, through_on)
    assert delivered + remaining_minor(schedule, through_on) == amount
    assert sum(one.amount_minor for one in cut(schedule, through_on)) == delivered
    months_over = [one for one in schedule if one.end_on <= through_on + timedelta(days=1)]
    assert cut(schedule, through_on)[: len(months_over)] == tuple(months_over)
    assert abs(delivered) >= abs(sum(one.amount_minor for one in months_over))
