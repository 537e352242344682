"""Revenue schedules and accounting periods: I22, I23."""

from datetime import date
from typing import Any

import pytest

from billing.ledger.models import AccountingPeriod
from billing.ledger.services import close_period, ensure_period, soft_close_period
from billing.platform.ids import new_public_id
from billing.revenue.models import RevenueSchedule, RevenueSlice
from tests.billing_factories import finalized_invoice
from tests.factories import ACTOR, START
from tests.invariants.hostile import (
    EXCLUSION,
    accepted,
    check_deferred,
    copy_row,
    not_permitted,
    refused,
    sql,
    tampering,
)
from tests.invariants.raw_books import Books

pytestmark = pytest.mark.django_db
OCTOBER, NOVEMBER, DECEMBER = date(2023, 10, 1), date(2023, 11, 1), date(2023, 12, 1)


@pytest.fixture
def schedule() -> RevenueSchedule:
    """The fee of November, deferred: one slice of 99.00, delivered on 30 November."""
    return RevenueSchedule.objects.get(invoice_id=finalized_invoice().public_id)


@pytest.fixture
def books() -> Books:
    return Books()


# I22


def test_i22_slices_sum_to_their_line_at_commit(schedule: RevenueSchedule) -> None:
    part = schedule.slices.get()
    ours = {"line_id": new_public_id("lin")}

    def copy(*amounts: int) -> None:
        copied = copy_row("revenue_revenueschedule", schedule.pk, **ours)
        for month, amount in enumerate(amounts, start=1):
            later = {"schedule_id": copied, "amount_minor": amount, "month_on": f"2024-{month:02}-01"}
            copy_row("revenue_revenueslice", part.pk, **later)

    with accepted():
        copy(9900)
    with accepted():
        copy(9901, -1)
    for amounts in ((), (9899,), (9900, 1)):
        with refused("i22_slices_sum_to_the_line"):
            copy(*amounts)


def test_i22_no_slice_is_added_to_a_schedule_later(schedule: RevenueSchedule) -> None:
    with refused("i22_slices_sum_to_the_line"):
        copy_row("revenue_revenueslice", schedule.slices.get().pk, month_on="2024-01-01", amount_minor=1)


def test_i22_a_schedule_and_its_slices_never_change(schedule: RevenueSchedule) -> None:
    for change in tampering("revenue_revenueschedule").values():
        with not_permitted():
            sql(f"UPDATE revenue_revenueschedule SET {change}")
    for column, change in tampering("revenue_revenueslice").items():
        if column not in {"entry_id", "reversal_entry_id", "canceled_at"}:
            with refused("i22_slice_is_released_once"):
                sql(f"UPDATE revenue_revenueslice SET {change}")
    with refused("i22_slice_is_released_once"):
        sql("DELETE FROM revenue_revenueslice")


def release(part: RevenueSlice, books: Books, on: date) -> None:
    period = ensure_period(legal_entity=books.entity, on=on)
    entry_id = books.balanced(accounting_on=on, period_id=period.pk)
    sql("UPDATE revenue_revenueslice SET entry_id = %s WHERE id = %s", entry_id, part.pk)


def test_i22_revenue_is_not_recognized_before_it_is_delivered(
    schedule: RevenueSchedule, books: Books
) -> None:
    part = schedule.slices.get()
    assert part.last_on == date(2023, 11, 30)
    for delivered in (part.last_on, DECEMBER):
        with accepted():
            release(part, books, delivered)
    for early in (NOVEMBER, date(2023, 11, 29)):
        with refused("i22_revenue_follows_delivery"):
            release(part, books, early)


def test_i22_a_slice_is_released_once(schedule: RevenueSchedule, books: Books) -> None:
    part = schedule.slices.get()
    release(part, books, part.last_on)
    with refused("i22_slice_is_released_once"):
        release(part, books, part.last_on)
    with refused("i22_slice_is_released_once"):
        sql("UPDATE revenue_revenueslice SET entry_id = NULL WHERE id = %s", part.pk)


def test_i22_only_a_released_slice_is_reversed(schedule: RevenueSchedule, books: Books) -> None:
    entry_id = books.balanced()
    with refused("only_released_slices_are_reversed"):
        sql("UPDATE revenue_revenueslice SET reversal_entry_id = %s", entry_id)


# I23


def close(period: AccountingPeriod) -> None:
    close_period(period_id=period.public_id, actor=ACTOR, at=START)


def test_i23_nothing_is_posted_into_a_closed_period(books: Books) -> None:
    with accepted():
        books.balanced()
    close(books.period)
    for source in ("payment", "revenue_schedule_line", "usage_accrual"):
        with refused("i23_closed_period_does_not_move"):
            books.balanced(source_type=source)


def test_i23_a_soft_closed_period_takes_only_what_closing_needs(books: Books) -> None:
    soft_close_period(period_id=books.period.public_id, actor=ACTOR, at=START)
    for source in ("revenue_schedule_line", "usage_accrual"):
        with accepted():
            books.balanced(source_type=source)
    for source in ("payment", "invoice", "credit_note", "allocation", "refund"):
        with refused("i23_closed_period_does_not_move"):
            books.balanced(source_type=source)


def test_i23_an_entry_is_dated_in_its_period(books: Books) -> None:
    for first_or_last in (NOVEMBER, date(2023, 11, 30)):
        with accepted():
            books.balanced(accounting_on=first_or_last)
    for outside in (date(2023, 10, 31), DECEMBER):
        with refused("i23_entry_is_dated_in_its_period"):
            books.balanced(accounting_on=outside)


def test_i23_a_closed_period_is_neither_reopened_nor_changed_nor_deleted(books: Books) -> None:
    with accepted():
        sql("UPDATE ledger_accountingperiod SET status = 'soft_closed' WHERE id = %s", books.period.pk)
        sql("UPDATE ledger_accountingperiod SET status = 'open' WHERE id = %s", books.period.pk)
    close(books.period)
    for change in tampering("ledger_accountingperiod").values():
        with refused("i23_closed_period_never_changes"):
            sql(f"UPDATE ledger_accountingperiod SET {change} WHERE id = %s", books.period.pk)
    for status in ("open", "soft_closed"):
        with refused("i23_closed_period_never_changes"):
            sql("UPDATE ledger_accountingperiod SET status = %s, closed_at = NULL", status)
    with refused("i23_closed_period_never_changes"):
        sql("DELETE FROM ledger_accountingperiod WHERE id = %s", books.period.pk)


def test_i23_a_period_keeps_its_days(books: Books) -> None:
    """A period that moved away from under its entries could be closed without them."""
    books.balanced()
    check_deferred()
    for change in (f"start_on = '{OCTOBER}'", "end_on = '2023-11-10'"):
        with refused("i23_period_keeps_its_days"):
            sql(f"UPDATE ledger_accountingperiod SET {change} WHERE id = %s", books.period.pk)


def test_i23_periods_of_one_entity_do_not_overlap(books: Books) -> None:
    def copy(**days: Any) -> None:
        copy_row("ledger_accountingperiod", books.period.pk, **days)

    with accepted():
        copy(start_on=DECEMBER, end_on="2024-01-01")
    with refused("accounting_periods_do_not_overlap", EXCLUSION):
        copy(start_on="2023-11-15", end_on="2023-12-15")
