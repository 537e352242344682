"""Conventions of revenue recognition: whose practice gives which months, and that none of them loses a cent."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.core.errors import InvalidPeriod
from billing.core.recognition import Convention, spread, spread_time

BY_DAYS = [one for one in Convention if one is not Convention.MILLISECOND]


def months(*args: object, **kwargs: object) -> list[tuple[str, int]]:
    return [(one.month, one.amount_minor) for one in spread(*args, **kwargs)]  # type: ignore[arg-type]


def test_erpnext_counts_two_and_a_half_months_from_mid_january() -> None:
    assert months(5_000_000, date(2019, 1, 16), date(2019, 4, 1), Convention.MONTHLY_PRORATED_ENDS) == [
        ("2019-01", 1_000_000),
        ("2019-02", 2_000_000),
        ("2019-03", 2_000_000),
    ]


def test_oca_weighs_months_by_days_and_the_invoice_month_takes_the_rest() -> None:
    booked_on = date(2023, 1, 15)
    weighted = Convention.MONTHLY_WEIGHTED_DAYS
    assert months(480000, date(2023, 1, 7), date(2023, 4, 1), weighted, booked_on)[1:] == [
        ("2023-02", 171034),
        ("2023-03", 171034),
    ]
    assert months(77700, date(2022, 12, 1), date(2023, 3, 1), weighted, booked_on) == [
        ("2023-01", 51800),
        ("2023-02", 25900),
    ]
    assert months(25500, date(2023, 5, 1), date(2023, 6, 1), weighted, booked_on) == [("2023-05", 25500)]


def test_every_touched_month_counts_alike() -> None:
    assert months(10000, date(2023, 1, 31), date(2023, 3, 2), Convention.MONTHLY) == [
        ("2023-01", 3334),
        ("2023-02", 3333),
        ("2023-03", 3333),
    ]


def test_time_itself_counts_half_days() -> None:
    noon = datetime(2024, 6, 15, 12, tzinfo=UTC)
    found = spread_time(12000, noon, datetime(2024, 10, 13, 12, tzinfo=UTC))
    assert [one.amount_minor for one in found] == [1550, 3100, 3100, 3000, 1250]


@pytest.mark.parametrize("convention", BY_DAYS)
def test_service_that_ends_before_it_starts_is_refused(convention: Convention) -> None:
    with pytest.raises(InvalidPeriod):
        spread(100, date(2023, 1, 2), date(2023, 1, 2), convention)


def test_time_itself_needs_instants() -> None:
    with pytest.raises(InvalidPeriod):
        spread(100, date(2023, 1, 1), date(2023, 1, 2), Convention.MILLISECOND)
    with pytest.raises(InvalidPeriod):
        spread_time(100, datetime(2023, 1, 2, tzinfo=UTC), datetime(2023, 1, 2, tzinfo=UTC))


@settings(max_examples=150, deadline=None)
@given(
    amount=st.integers(-10_000_000, 10_000_000),
    start_on=st.dates(date(2020, 1, 1), date(2026, 1, 1)),
    days=st.integers(1, 900),
    booked_after=st.none() | st.integers(-100, 900),
    convention=st.sampled_from(BY_DAYS),
)
def test_months_sum_to_the_amount_and_come_in_order(
    amount: int, start_on: date, days: int, booked_after: int | None, convention: Convention
) -> None:
    booked_on = None if booked_after is None else start_on + timedelta(days=booked_after)
    found = months(amount, start_on, start_on + timedelta(days=days), convention, booked_on)
    assert sum(value for _, value in found) == amount
    names = [name for name, _ in found]
    assert names == sorted(set(names))
    if booked_on is not None:
        assert names[0] >= min(booked_on, start_on).strftime("%Y-%m")
    time = spread_time(
        amount,
        datetime(2020, 1, 31, 5, tzinfo=UTC),
        datetime(2020, 1, 31, 5, tzinfo=UTC) + timedelta(days=days),
    )
    assert sum(one.amount_minor for one in time) == amount
