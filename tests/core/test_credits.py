"""Credits: order of lots, scope, expiry, breakage of paid lots only, and nothing below zero."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.core.credits import CreditLine, CreditLot, Draw, LotKind, breakage_minor, draw
from billing.core.errors import InvalidInput

START = datetime(2023, 12, 1, tzinfo=UTC)
MODEST = settings(max_examples=50, deadline=None)


def lot(reference: str, minor: int, days: int = 0, **changes: Any) -> CreditLot:
    given_at = START + timedelta(days=days)
    fields = {"reference": reference, "kind": LotKind.PAID, "remaining_minor": minor, "given_at": given_at}
    return CreditLot(**fields | changes)


def drawn(
    *lots: CreditLot, lines: tuple[CreditLine, ...], at: datetime = START
) -> list[tuple[str, int, int]]:
    return [(one.reference, one.line, one.amount_minor) for one in draw(lines, lots, at)]


def test_the_lower_priority_comes_first_then_the_older_lot() -> None:
    lots = (lot("new", 100, 2), lot("old", 100, 1), lot("first", 100, 3, priority=-1))
    assert drawn(*lots, lines=(CreditLine(250),), at=START + timedelta(days=3)) == [
        ("first", 0, 100),
        ("old", 0, 100),
        ("new", 0, 50),
    ]


def test_of_equal_lots_the_one_that_expires_earlier_comes_first() -> None:
    lots = (lot("never", 10), lot("late", 10, expires_at=START + timedelta(2)))
    soon = lot("soon", 10, expires_at=START + timedelta(1))
    assert [name for name, _, _ in drawn(*lots, soon, lines=(CreditLine(30),))] == ["soon", "late", "never"]


def test_a_lot_pays_only_what_it_reaches() -> None:
    lines = (
        CreditLine(100, price="fee"),
        CreditLine(100, "calls", "usage"),
        CreditLine(100, "mails", "usage"),
    )
    assert drawn(lot("calls", 500, meters=frozenset({"calls"})), lines=lines) == [("calls", 1, 100)]
    assert drawn(lot("usage", 150, prices=frozenset({"usage"})), lines=lines) == [
        ("usage", 1, 100),
        ("usage", 2, 50),
    ]
    either = lot("either", 500, meters=frozenset({"mails"}), prices=frozenset({"fee"}))
    assert drawn(either, lines=lines) == [("either", 0, 100), ("either", 2, 100)]


def test_lines_that_give_back_are_passed_over() -> None:
    lines = (CreditLine(-500), CreditLine(0), CreditLine(70))
    assert draw(lines, [lot("one", 100)], START) == (Draw("one", LotKind.PAID, 2, 70),)


def test_a_lot_is_usable_from_when_it_is_given_until_it_expires() -> None:
    end = START + timedelta(days=1)
    one = lot("one", 100, expires_at=end)
    moments = (START - timedelta(microseconds=1), START, end - timedelta(microseconds=1), end)
    assert [bool(draw([CreditLine(1)], [one], at)) for at in moments] == [False, True, True, False]


def test_the_wallet_of_the_reference_entries_is_drawn_and_breaks_at_expiry() -> None:
    """journal_entries.md 11: 500.00 paid, 119.00 used, 381.00 break; a granted lot beside it never does."""
    year = START + timedelta(days=366)
    paid = lot("paid", 50000, expires_at=year)
    (use,) = draw([CreditLine(11900)], [paid], datetime(2024, 1, 1, tzinfo=UTC))
    rest = lot("paid", 50000 - use.amount_minor, expires_at=year)
    granted = lot("granted", 1000, kind=LotKind.GRANTED, expires_at=year)
    assert breakage_minor([rest, granted], year - timedelta(seconds=1)) == 0
    assert breakage_minor([rest, granted], year) == 38100


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"remaining_minor": -1}, "remaining"), ({"expires_at": START}, "expires_at")],
)
def test_a_lot_that_does_not_fit_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        lot("one", 1, **changes)
    assert list(refused.value.fields) == [field]


def test_a_lot_named_twice_is_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        draw([CreditLine(1)], [lot("one", 1), lot("one", 2)], START)
    assert list(refused.value.fields) == ["lots"]


METERS = st.sampled_from(["", "calls", "mails"])
LINES = st.lists(st.builds(CreditLine, st.integers(-500, 500), METERS), max_size=5)
ROWS = st.lists(
    st.tuples(st.integers(0, 500), st.integers(0, 2), st.integers(-1, 1), st.frozensets(METERS, max_size=2)),
    max_size=5,
)


@MODEST
@given(LINES, ROWS, st.randoms(use_true_random=False))
def test_nothing_goes_below_zero_and_the_order_of_lots_is_irrelevant(
    lines: list[CreditLine], rows: list[tuple[int, int, int, frozenset[str]]], random: Any
) -> None:
    lots = [
        lot(str(number), minor, days, priority=priority, meters=meters)
        for number, (minor, days, priority, meters) in enumerate(rows)
    ]
    at = START + timedelta(days=2)
    draws = draw(lines, lots, at)
    for index, line in enumerate(lines):
        paid = sum(one.amount_minor for one in draws if one.line == index)
        assert 0 <= paid <= max(line.amount_minor, 0)
        reaching = [one for one in lots if one.reaches(line)]
        used_up = all(
            sum(use.amount_minor for use in draws if use.reference == one.reference) == one.remaining_minor
            for one in reaching
        )
        assert paid == max(line.amount_minor, 0) or used_up, (
            "a line stays open only when no lot is left for it"
        )
    for one in lots:
        assert sum(use.amount_minor for use in draws if use.reference == one.reference) <= one.remaining_minor
    shuffled = list(lots)
    random.shuffle(shuffled)
    assert draw(lines, shuffled, at) == draws
