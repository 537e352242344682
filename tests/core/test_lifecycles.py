"""States: which moves are allowed, and everything else refused; settlement; errors; names of events."""

import re
from enum import StrEnum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.core.errors import BillingError, InvalidInput, InvalidTransition, Kind, require_invariant
from billing.core.events import EventName
from billing.core.lifecycles import (
    APPROVAL_MOVES,
    BILL_RUN_MOVES,
    CREDIT_NOTE_MOVES,
    INVOICE_MOVES,
    LIVE_PAYMENT_STATUSES,
    MAIL_MOVES,
    PAYMENT_MOVES,
    PERIOD_MOVES,
    REFUND_MOVES,
    SUBSCRIPTION_MOVES,
    TEST_CLOCK_MOVES,
    ApprovalStatus,
    BillRunStatus,
    CreditNoteStatus,
    InvoiceStatus,
    MailStatus,
    Moves,
    PaymentStatus,
    PeriodStatus,
    RefundStatus,
    Settlement,
    SubscriptionStatus,
    TestClockStatus,
    check_move,
    settlement,
)

ALLOWED: list[tuple[Moves, type[StrEnum], set[tuple[str, str]]]] = [
    (INVOICE_MOVES, InvoiceStatus, {("draft", "finalized"), ("finalized", "voided")}),
    (CREDIT_NOTE_MOVES, CreditNoteStatus, {("draft", "finalized"), ("finalized", "voided")}),
    (
        BILL_RUN_MOVES,
        BillRunStatus,
        {
            ("previewed", "generating"),
            ("previewed", "canceled"),
            ("generating", "in_review"),
            ("generating", "canceled"),
            ("in_review", "approved"),
            ("in_review", "canceled"),
            ("approved", "finalizing"),
            ("approved", "in_review"),
            ("approved", "canceled"),
            ("finalizing", "completed"),
        },
    ),
    (
        SUBSCRIPTION_MOVES,
        SubscriptionStatus,
        {("scheduled", "active"), ("scheduled", "canceled"), ("active", "canceled")},
    ),
    (REFUND_MOVES, RefundStatus, {("pending", "succeeded"), ("pending", "failed"), ("pending", "canceled")}),
    (
        PERIOD_MOVES,
        PeriodStatus,
        {("open", "soft_closed"), ("open", "closed"), ("soft_closed", "open"), ("soft_closed", "closed")},
    ),
    (MAIL_MOVES, MailStatus, {("queued", "sent"), ("queued", "failed"), ("failed", "queued")}),
    (APPROVAL_MOVES, ApprovalStatus, {("requested", "approved"), ("requested", "rejected")}),
    (TEST_CLOCK_MOVES, TestClockStatus, {("ready", "advancing"), ("advancing", "ready")}),
]


@pytest.mark.parametrize(("table", "states", "allowed"), ALLOWED, ids=[row[1].__name__ for row in ALLOWED])
def test_only_the_listed_moves_are_allowed(
    table: Moves, states: type[StrEnum], allowed: set[tuple[str, str]]
) -> None:
    for old in states:
        for new in states:
            if (old.value, new.value) in allowed:
                check_move(table, old, new)
            else:
                with pytest.raises(InvalidTransition) as refused:
                    check_move(table, old, new)
                assert refused.value.kind is Kind.CONFLICT
                assert refused.value.details == {"old": old.value, "new": new.value}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("initiated", "succeeded"),
        ("initiated", "unknown"),
        ("unknown", "succeeded"),
        ("unknown", "failed"),
        ("requires_action", "processing"),
        ("processing", "failed"),
        ("succeeded", "partially_refunded"),
        ("partially_refunded", "refunded"),
        ("succeeded", "returned"),
    ],
)
def test_payment_may_move(old: str, new: str) -> None:
    check_move(PAYMENT_MOVES, old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("succeeded", "failed"),
        ("succeeded", "succeeded"),
        ("failed", "succeeded"),
        ("canceled", "succeeded"),
        ("initiated", "refunded"),
        ("pending", "initiated"),
        ("refunded", "succeeded"),
        ("returned", "succeeded"),
        ("nonsense", "succeeded"),
    ],
)
def test_payment_may_not_move(old: str, new: str) -> None:
    with pytest.raises(InvalidTransition):
        check_move(PAYMENT_MOVES, old, new)


def test_exactly_the_live_payments_may_still_succeed() -> None:
    may_succeed = {state for state in PaymentStatus if "succeeded" in PAYMENT_MOVES.get(state, frozenset())}
    assert may_succeed == LIVE_PAYMENT_STATUSES


@pytest.mark.parametrize(
    ("total", "settled", "state"),
    [(22969, 0, "open"), (22969, 1, "partially_settled"), (22969, 22969, "settled"), (0, 0, "settled")],
)
def test_settlement_follows_from_the_amounts(total: int, settled: int, state: str) -> None:
    assert settlement(total, settled).value == state


@pytest.mark.parametrize(("total", "settled"), [(100, 101), (100, -1), (-1, 0)])
def test_settlement_of_impossible_amounts_is_refused(total: int, settled: int) -> None:
    with pytest.raises(InvalidInput):
        settlement(total, settled)


@settings(max_examples=100, deadline=None)
@given(total=st.integers(1, 10**12), data=st.data())
def test_document_is_settled_when_and_only_when_nothing_is_left(total: int, data: st.DataObject) -> None:
    settled = data.draw(st.integers(0, total))
    state = settlement(total, settled)
    assert (state is Settlement.SETTLED) == (settled == total)
    assert (state is Settlement.OPEN) == (settled == 0)


def test_error_tells_people_and_programs_what_is_wrong() -> None:
    error = BillingError("no", field="a", fields={"b": ["x"]}, limit=5)
    assert (str(error), error.message, error.code, error.kind) == ("no", "no", "billing_error", Kind.INVALID)
    assert error.fields == {"b": ["x"], "a": ["no"]}
    assert error.details == {"limit": 5}


def test_codes_of_errors_are_unique() -> None:
    codes = [BillingError.code, *(kind.code for kind in BillingError.__subclasses__())]
    own = [c for c in BillingError.__subclasses__() if c.__module__.startswith("billing.core")]
    assert len({c.code for c in own}) == len(own) > 8
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in codes)


def test_broken_promise_of_the_code_stops_it() -> None:
    require_invariant(True, "fine")
    with pytest.raises(AssertionError, match="lost"):
        require_invariant(False, "lost")


def test_event_is_named_object_dot_fact_after_its_member() -> None:
    for name in EventName:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*", name.value)
        assert name.name == name.value.replace(".", "_").upper()
