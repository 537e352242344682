"""The credit for unused time to the cent, whose it is, and that its parts always add up to it."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.core.errors import InvalidInput
from billing.core.unused_credit import (
    BilledFee,
    UnusedCredit,
    UnusedPolicy,
    first_unused_on,
    unused_credit,
)

OCTOBER = BilledFee(Decimal(31), date(2022, 10, 1), date(2022, 11, 1), Decimal(20))


def credit(
    fee: BilledFee,
    day: int = 16,
    policy: UnusedPolicy = UnusedPolicy.CREDIT,
    used_from: date = OCTOBER.start_on,
) -> UnusedCredit | None:
    return unused_credit(
        fee, used_from=used_from, unused_from=date(2022, 10, day), currency="EUR", policy=policy
    )


def test_sixteen_unused_days_of_october() -> None:
    assert credit(OCTOBER) == UnusedCredit(1600, 320, 1920, 1920, 0, 0)


def test_a_day_is_used_by_who_cancels_and_belongs_to_the_new_plan_on_a_change() -> None:
    assert first_unused_on(date(2022, 10, 15), is_replaced=False) == date(2022, 10, 16)
    assert first_unused_on(date(2022, 10, 15), is_replaced=True) == date(2022, 10, 15)
    assert credit(OCTOBER, day=15) == UnusedCredit(1700, 340, 2040, 2040, 0, 0)


def test_a_third_of_a_cent_is_rounded_once() -> None:
    found = credit(replace(OCTOBER, price=Decimal(100)))
    # 100 / 31 x 16 = 51.6129; with 20 % tax 61.9355
    assert found == UnusedCredit(5161, 1032, 6194, 6194, 0, 0)
    assert found.net_minor == 5162


def test_the_coupon_takes_its_share_of_the_credit_and_of_what_was_used() -> None:
    fee = replace(OCTOBER, coupon=Decimal("15.50"), paid=Decimal("18.60"))
    assert credit(fee, policy=UnusedPolicy.REFUND) == UnusedCredit(1600, 160, 960, 0, 960, 0)


@pytest.mark.parametrize(
    "fee",
    [
        replace(OCTOBER, price=Decimal(0)),
        replace(OCTOBER, credited=Decimal(16)),
        replace(OCTOBER, credited=Decimal(31)),
    ],
)
def test_nothing_is_left_to_credit(fee: BilledFee) -> None:
    assert credit(fee) is None


def test_no_credit_when_the_last_day_was_used_or_the_trial_outlasts_the_period() -> None:
    after = date(2022, 11, 1)
    for used_from, unused_from in ((OCTOBER.start_on, after), (after, date(2022, 10, 16))):
        found = unused_credit(
            OCTOBER,
            used_from=used_from,
            unused_from=unused_from,
            currency="EUR",
            policy=UnusedPolicy.CREDIT,
        )
        assert found is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"price": Decimal(-1)}, "price"),
        ({"paid": Decimal(-1)}, "paid"),
        ({"credited": Decimal(-1)}, "credited"),
        ({"coupon": Decimal(32)}, "coupon"),
        ({"end_on": date(2022, 10, 1)}, "end_on"),
    ],
)
def test_amounts_that_cannot_be_are_refused(change: dict[str, Decimal], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        replace(OCTOBER, **change)  # type: ignore[arg-type]
    assert field in refused.value.fields


@settings(max_examples=60)
@given(
    price=st.decimals(0, 10**6, places=2),
    paid=st.decimals(0, 10**6, places=2),
    used=st.integers(0, 31),
    percent=st.decimals(0, 30, places=1),
    policy=st.sampled_from(UnusedPolicy),
)
def test_the_parts_add_up_and_no_more_is_refunded_than_was_paid(
    price: Decimal, paid: Decimal, used: int, percent: Decimal, policy: UnusedPolicy
) -> None:
    fee = replace(OCTOBER, price=price, paid=paid, tax_percent=percent)
    found = unused_credit(
        fee,
        used_from=fee.start_on,
        unused_from=fee.start_on + timedelta(days=used),
        currency="EUR",
        policy=policy,
    )
    if found is None:
        return
    parts = (found.credit_minor, found.refund_minor, found.offset_minor)
    assert sum(parts) == found.total_minor
    assert min(parts) >= 0
    assert found.refund_minor <= paid * 100
    assert found.item_minor <= price * 100
