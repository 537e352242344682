"""Coupons: order, percentages of what is left, spreading, limits, what is left of them, and nothing below zero."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.core.allowances import Allowance, AllowanceKind, allowances_json, read_allowances
from billing.core.discounts import Coupon, CouponPolicy, DiscountLine, Duration, apply_coupons, spread
from billing.core.errors import BillingError, InvalidInput
from billing.core.invoice import InvoiceInput, calculate
from billing.core.money import Rounding, to_minor
from billing.core.pricing import parse_price
from billing.core.proration import ProrationUnit, Share
from tests.core.test_invoice import DOMESTIC, charge, fee

NARROW, PERCENT = CouponPolicy.NARROW_FIRST, CouponPolicy.PERCENT_FIRST
MODEST = settings(max_examples=100, deadline=None)


def amount(minor: int, reference: str = "amount", **changes: Any) -> Coupon:
    return Coupon(
        **{
            "reference": reference,
            "label": reference,
            "duration": Duration.ONCE,
            "amount_minor": minor,
            "currency": "EUR",
            **changes,
        }
    )


def percent(of: str, reference: str = "percent", **changes: Any) -> Coupon:
    return Coupon(
        **{
            "reference": reference,
            "label": reference,
            "duration": Duration.FOREVER,
            "percent": Decimal(of),
            **changes,
        }
    )


def taken(*coupons: Coupon, policy: CouponPolicy = NARROW, lines: tuple[int, ...] = (10000,)) -> list[int]:
    uses = apply_coupons([DiscountLine(minor) for minor in lines], coupons, "EUR", policy)
    return [use.amount_minor for use in uses]


def test_a_percentage_is_of_what_the_coupon_before_it_left() -> None:
    assert taken(amount(1000), percent("20")) == [1000, 1800]
    assert taken(percent("20"), amount(1000)) == [2000, 1000]


def test_percentages_come_first_where_the_policy_says_so() -> None:
    assert taken(amount(1000), percent("20"), policy=PERCENT) == [2000, 1000]
    assert taken(percent("10"), percent("25"), policy=PERCENT) == [1000, 2250]


def test_the_narrowest_coupon_comes_first() -> None:
    lines = [DiscountLine(10000, "pro"), DiscountLine(5000, "pro", "calls")]
    coupons = [
        percent("10", "all"),
        percent("10", "plan", plans=frozenset({"pro"})),
        percent("50", "meter", meters=frozenset({"calls"})),
    ]
    uses = apply_coupons(lines, coupons, "EUR", NARROW)
    assert [(use.coupon.reference, use.shares_minor) for use in uses] == [
        ("meter", (0, 2500)),
        ("plan", (1000, 250)),
        ("all", (900, 225)),
    ]


def test_a_coupon_takes_no_more_than_there_is_and_keeps_the_rest() -> None:
    (use,) = apply_coupons([DiscountLine(3000)], [amount(5000)], "EUR", NARROW)
    assert (use.amount_minor, use.after.used_minor, use.is_ended) == (3000, 3000, False)
    (rest,) = apply_coupons([DiscountLine(3000)], [use.after], "EUR", NARROW)
    assert (rest.amount_minor, rest.is_ended) == (2000, True)
    (lost,) = apply_coupons([DiscountLine(3000)], [amount(5000, carries_over=False)], "EUR", NARROW)
    assert lost.is_ended


def test_a_repeating_coupon_counts_the_invoices_it_was_used_on() -> None:
    coupon = amount(1000, duration=Duration.REPEATING, periods_left=2)
    (first,) = apply_coupons([DiscountLine(3000)], [coupon], "EUR", NARROW)
    assert (first.amount_minor, first.after.periods_left, first.is_ended) == (1000, 1, False)
    (second,) = apply_coupons([DiscountLine(3000)], [first.after], "EUR", NARROW)
    assert (second.amount_minor, second.is_ended) == (1000, True)
    assert apply_coupons([DiscountLine(3000)], [second.after], "EUR", NARROW) == ()


def test_other_currencies_other_plans_and_empty_invoices_leave_a_coupon_alone() -> None:
    assert taken(amount(1000, currency="USD")) == []
    assert taken(amount(1000, plans=frozenset({"other"}))) == []
    assert taken(amount(1000), lines=(0, 0)) == []


def test_a_correction_lowers_what_a_percentage_is_of() -> None:
    assert taken(percent("50"), lines=(10000, -4000)) == [3000]
    assert taken(amount(9000), lines=(10000, -4000)) == [6000]
    assert taken(amount(9000), lines=(1000, -4000)) == []


def test_the_odd_cent_goes_by_largest_remainder_or_to_the_last_line() -> None:
    assert spread(100, [1000, 1000, 1000], "EUR", NARROW) == (34, 33, 33)
    assert spread(100, [1000, 1000, 1000], "EUR", PERCENT) == (33, 33, 34)
    assert spread(6, [3, 3, 1], "EUR", PERCENT) == (3, 3, 0)
    with pytest.raises(InvalidInput):
        spread(8, [3, 3, 1], "EUR", PERCENT)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"percent": Decimal(10)}, "amount"),
        ({"amount_minor": 0}, "amount"),
        ({"used_minor": 1001}, "used"),
        ({"currency": "XXY"}, "currency"),
        ({"amount_minor": None, "percent": Decimal("100.01")}, "percent"),
        ({"duration": Duration.REPEATING}, "periods"),
        ({"duration": Duration.REPEATING, "periods_left": -1}, "periods"),
    ],
)
def test_a_coupon_that_does_not_fit_together_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(BillingError) as refused:
        amount(1000, **changes)
    assert list(refused.value.fields) == [field]


@MODEST
@given(
    lines=st.lists(st.integers(0, 10**7), min_size=1, max_size=6),
    coupons=st.lists(
        st.one_of(
            st.integers(1, 10**7).map(amount), st.integers(1, 100).map(lambda rate: percent(str(rate)))
        ),
        max_size=5,
    ),
    policy=st.sampled_from(CouponPolicy),
)
def test_nothing_is_lost_and_nothing_goes_below_zero(
    lines: list[int], coupons: list[Coupon], policy: CouponPolicy
) -> None:
    uses = apply_coupons([DiscountLine(minor) for minor in lines], coupons, "EUR", policy)
    for use in uses:
        assert sum(use.shares_minor) == use.amount_minor > 0
    for index, minor in enumerate(lines):
        assert 0 <= sum(use.shares_minor[index] for use in uses) <= minor


def test_an_invoice_taxes_what_its_coupons_leave() -> None:
    """99.00 of fee and 150 calls at 0.10: 10 % off everything, 5.00 off the calls first."""
    calls = charge("calls", parse_price("per_unit", {"unit_amount": "0.10"}), 150)
    only_calls = amount(500, "calls", meters=frozenset({"calls"}))
    given_ = InvoiceInput("EUR", (fee(), calls), DOMESTIC, coupons=(percent("10", "all"), only_calls))
    result = calculate(given_)
    platform, used = result.lines
    assert (platform.gross_minor, platform.amount_minor) == (9900, 8910)
    assert (used.gross_minor, used.amount_minor) == (1500, 900)
    assert [(one.reference, one.amount_minor) for one in used.allowances] == [("calls", 500), ("all", 100)]
    assert (result.subtotal_minor, result.tax_minor, result.total_minor) == (9810, 1864, 11674)
    assert [use.amount_minor for use in result.coupons] == [500, 1090]
    assert used.working["amount_minor"] == 1500
    assert calculate(replace(given_, coupons=())).subtotal_minor == 11400


def test_a_coupon_on_a_share_of_a_fee_is_of_the_share() -> None:
    half = fee(share=Share(15, 30, ProrationUnit.DAY))
    result = calculate(InvoiceInput("EUR", (half,), DOMESTIC, coupons=(percent("10"),)))
    assert result.subtotal_minor == 4950 - to_minor(Decimal("4.95"), "EUR", Rounding.HALF_UP)


def test_allowances_come_back_from_what_is_stored() -> None:
    one = Allowance(kind=AllowanceKind.COUPON, reference="cpn_1", label="Launch", amount_minor=5)
    assert read_allowances(allowances_json([one])) == (one,)
    for wrong in ({"amount_minor": 0}, {"label": " "}):
        with pytest.raises(InvalidInput):
            replace(one, **wrong)  # type: ignore[arg-type]
