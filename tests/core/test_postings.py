"""Journal entries: the figures of the reference entries, and that every builder balances."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.core.errors import InvalidInput, Unbalanced
from billing.core.invoice import Timing
from billing.core.postings import (
    NORMAL_SIDE,
    ROLE_NAMES,
    CreditedLine,
    EntryDraft,
    IssuedLine,
    IssuedTax,
    PostingDraft,
    Role,
    Side,
    accrue_usage,
    allocation,
    allocation_reversal,
    cancellation,
    credit_note,
    invoice_issue,
    payment_receipt,
    recognize_fee,
    refund,
    reversed_postings,
)

MODEST = settings(max_examples=100, deadline=None)
NOVEMBER = {"service_start_on": date(2023, 11, 1), "service_end_on": date(2023, 11, 30)}
DECEMBER = {"service_start_on": date(2023, 12, 1), "service_end_on": date(2023, 12, 31)}
DE_19 = "DE S 19"

FEE_NOVEMBER = IssuedLine("1", 9900, Timing.IN_ADVANCE, "platform", **NOVEMBER)
DECEMBER_LINES = (
    IssuedLine("1", 4972, Timing.IN_ARREARS, "tokens", **NOVEMBER),
    IssuedLine("2", 3680, Timing.IN_ARREARS, "tokens", **NOVEMBER),
    IssuedLine("3", 750, Timing.IN_ARREARS, "requests", **NOVEMBER),
    IssuedLine("4", 9900, Timing.IN_ADVANCE, "platform", **DECEMBER),
)


def by_role(entry: EntryDraft | None) -> dict[str, int]:
    """The entry as the reference prints it: one signed amount per account."""
    assert entry is not None
    result: dict[str, int] = {}
    for posting in entry.postings:
        result[posting.role.value] = result.get(posting.role.value, 0) + posting.amount_minor
    return result


ENTRIES: list[tuple[str, EntryDraft | None, str, dict[str, int]]] = [
    (
        "1a fee in advance invoiced",
        invoice_issue([FEE_NOVEMBER], [IssuedTax(DE_19, 1881)]),
        "issue",
        {"1100": 11781, "2100": -9900, "2200": -1881},
    ),
    (
        "2a card payment confirmed",
        payment_receipt(11781, Role.GATEWAY_CLEARING, "test"),
        "succeed",
        {"1050": 11781, "2050": -11781},
    ),
    ("2b payment allocated", allocation(11781), "apply", {"2050": 11781, "1100": -11781}),
    (
        "3 November fee earned",
        recognize_fee(9900, month="2023-11", line_id="1", **NOVEMBER),
        "recognize 2023-11",
        {"2100": 9900, "4000": -9900},
    ),
    (
        "4 November usage accrued",
        accrue_usage(9402, month="2023-11", **NOVEMBER),
        "recognize 2023-11",
        {"1150": 9402, "4010": -9402},
    ),
    (
        "5a December invoice",
        invoice_issue(DECEMBER_LINES, [IssuedTax(DE_19, 3667)]),
        "issue",
        {"1100": 22969, "1150": -9402, "2100": -9900, "2200": -3667},
    ),
    (
        "5b December fee earned",
        recognize_fee(9900, month="2023-12", line_id="4", **DECEMBER),
        "recognize 2023-12",
        {"2100": 9900, "4000": -9900},
    ),
    (
        "6a unused service credited, invoice paid",
        credit_note([CreditedLine("4", 6706, **DECEMBER)], [IssuedTax(DE_19, 1274)], credit_minor=7980),
        "issue",
        {"2100": 6706, "2200": 1274, "2060": -7980},
    ),
    (
        "6b unused service credited, invoice unpaid",
        credit_note([CreditedLine("4", 6706, **DECEMBER)], [IssuedTax(DE_19, 1274)], offset_minor=7980),
        "issue",
        {"2100": 6706, "2200": 1274, "1100": -7980},
    ),
    (
        "6c billing error in delivered usage, refunded",
        credit_note(
            [CreditedLine("3", from_usage_revenue_minor=750, **NOVEMBER)],
            [IssuedTax(DE_19, 143)],
            refund_minor=893,
        ),
        "issue",
        {"4010": 750, "2200": 143, "2070": -893},
    ),
    (
        "6d refund paid out",
        refund(893, Role.GATEWAY_CLEARING, "test"),
        "succeed",
        {"2070": 893, "1050": -893},
    ),
    (
        "7 whole invoice canceled",
        cancellation(DECEMBER_LINES, [IssuedTax(DE_19, 3667)]),
        "issue",
        {"1100": -22969, "1150": 9402, "2100": 9900, "2200": 3667},
    ),
    (
        "8a bank transfer received",
        payment_receipt(25000, Role.BANK),
        "succeed",
        {"1000": 25000, "2050": -25000},
    ),
    ("8b part of it allocated", allocation(22969), "apply", {"2050": 22969, "1100": -22969}),
    ("9e allocation reversed", allocation_reversal(22969), "reverse", {"1100": 22969, "2050": -22969}),
]


@pytest.mark.parametrize(
    ("entry", "purpose", "amounts"), [e[1:] for e in ENTRIES], ids=[e[0] for e in ENTRIES]
)
def test_reference_entry(entry: EntryDraft | None, purpose: str, amounts: dict[str, int]) -> None:
    assert by_role(entry) == amounts
    assert entry is not None
    assert entry.purpose == purpose


def test_demo_books_end_as_the_reference_says() -> None:
    """Brightchat and Codewright: trial balances after each step, in minor units."""
    codewright = (
        IssuedLine("5", 4112, Timing.IN_ARREARS, "tokens", **NOVEMBER),
        IssuedLine("6", 246, Timing.IN_ARREARS, "tokens", **NOVEMBER),
        IssuedLine("7", 200, Timing.IN_ARREARS, "requests", **NOVEMBER),
        IssuedLine("8", 9900, Timing.IN_ADVANCE, "platform", **DECEMBER),
    )
    balance: dict[str, int] = {}

    def post(*entries: EntryDraft | None) -> dict[str, int]:
        for entry in entries:
            for role, amount in by_role(entry).items():
                balance[role] = balance.get(role, 0) + amount
        assert sum(balance.values()) == 0
        return {role: amount for role, amount in sorted(balance.items()) if amount}

    def paid(amount_minor: int) -> tuple[EntryDraft, EntryDraft]:
        return payment_receipt(amount_minor, Role.GATEWAY_CLEARING, "test"), allocation(amount_minor)

    november = post(
        invoice_issue([FEE_NOVEMBER], [IssuedTax(DE_19, 1881)]),
        invoice_issue([FEE_NOVEMBER], [IssuedTax("US O 0", 0)]),
        *paid(11781),
        *paid(9900),
    )
    assert november == {"1050": 21681, "2100": -19800, "2200": -1881}
    closed = post(
        recognize_fee(9900, month="2023-11"),
        recognize_fee(9900, month="2023-11"),
        accrue_usage(9402, month="2023-11"),
        accrue_usage(4558, month="2023-11"),
    )
    assert closed == {"1050": 21681, "1150": 13960, "2200": -1881, "4000": -19800, "4010": -13960}
    december = post(
        invoice_issue(DECEMBER_LINES, [IssuedTax(DE_19, 3667)]),
        invoice_issue(codewright, []),
        *paid(22969),
        *paid(14458),
    )
    assert december == {"1050": 59108, "2100": -19800, "2200": -5548, "4000": -19800, "4010": -13960}
    year_end = post(recognize_fee(9900, month="2023-12"), recognize_fee(9900, month="2023-12"))
    assert year_end == {"1050": 59108, "2200": -5548, "4000": -39600, "4010": -13960}


def test_postings_carry_line_product_service_period_and_rate() -> None:
    entry = invoice_issue(DECEMBER_LINES, [IssuedTax(DE_19, 3667)])
    assert entry is not None
    receivable, *_, fee, tax = entry.postings
    assert receivable == PostingDraft(Role.RECEIVABLE, 22969)
    assert fee == PostingDraft(Role.DEFERRED, -9900, "4", "platform", date(2023, 12, 1), date(2023, 12, 31))
    assert tax == PostingDraft(Role.VAT, -3667, tax_rate=DE_19)
    earned = recognize_fee(9900, month="2023-12", line_id="4", product_code="platform", **DECEMBER)
    assert [posting.line_id for posting in earned.postings] == ["4", "4"]
    assert payment_receipt(1, Role.GATEWAY_CLEARING, "test").postings[0].detail == "test"


def test_zero_amounts_are_not_posted_and_an_invoice_over_nothing_has_no_entry() -> None:
    nothing = IssuedLine("1", 0, Timing.IN_ARREARS)
    entry = invoice_issue([nothing, FEE_NOVEMBER], [IssuedTax("US O 0", 0)])
    assert by_role(entry) == {"1100": 9900, "2100": -9900}
    assert invoice_issue([nothing], []) is None
    assert cancellation([nothing], []) is None
    assert credit_note([CreditedLine("1")], []) is None


@pytest.mark.parametrize(
    "amounts",
    [(), (100,), (100, -99), (0, 0), (100, -100, 0)],
)
def test_entry_that_does_not_balance_is_refused(amounts: tuple[int, ...]) -> None:
    with pytest.raises(Unbalanced):
        EntryDraft("issue", tuple(PostingDraft(Role.BANK, amount) for amount in amounts))


def test_credit_note_whose_settlement_is_not_its_total_is_refused() -> None:
    with pytest.raises(Unbalanced):
        credit_note([CreditedLine("4", 6706)], [IssuedTax(DE_19, 1274)], credit_minor=7979)
    with pytest.raises(InvalidInput):
        credit_note([CreditedLine("4", 100)], [], credit_minor=200, refund_minor=-100)


@pytest.mark.parametrize("amount", [0, -1])
@pytest.mark.parametrize(
    "build",
    [
        lambda amount: payment_receipt(amount, Role.BANK),
        lambda amount: refund(amount, Role.BANK),
        allocation,
        allocation_reversal,
    ],
)
def test_money_moves_by_amounts_above_zero(build: Callable[[int], EntryDraft], amount: int) -> None:
    with pytest.raises(InvalidInput):
        build(amount)


@pytest.mark.parametrize("build", [payment_receipt, refund])
def test_money_moves_through_bank_or_gateway_only(build: Callable[..., EntryDraft]) -> None:
    with pytest.raises(InvalidInput):
        build(100, Role.RECEIVABLE)


def test_every_role_has_a_name_and_a_side() -> None:
    assert set(ROLE_NAMES) == set(NORMAL_SIDE) == set(Role)
    assert NORMAL_SIDE[Role.RECEIVABLE] is NORMAL_SIDE[Role.FEES] is Side.DEBIT
    assert NORMAL_SIDE[Role.DEFERRED] is NORMAL_SIDE[Role.USAGE_REVENUE] is Side.CREDIT


AMOUNTS = st.integers(-(10**12), 10**12)
LINES = st.lists(
    st.builds(IssuedLine, st.just("1"), AMOUNTS, st.sampled_from(Timing)), min_size=1, max_size=8
)
TAXES = st.lists(st.builds(IssuedTax, st.just(DE_19), AMOUNTS), max_size=3)
REVENUE = {Role.SUBSCRIPTION_REVENUE, Role.USAGE_REVENUE}


@MODEST
@given(lines=LINES, taxes=TAXES)
def test_invoice_balances_touches_no_revenue_and_its_cancellation_mirrors_it(
    lines: list[IssuedLine], taxes: list[IssuedTax]
) -> None:
    issued, canceled = invoice_issue(lines, taxes), cancellation(lines, taxes)
    if issued is None:
        assert canceled is None
        return
    assert canceled is not None
    assert sum(posting.amount_minor for posting in issued.postings) == 0
    assert not REVENUE & {posting.role for posting in issued.postings}
    assert canceled.postings == reversed_postings(issued.postings)
    assert reversed_postings(canceled.postings) == issued.postings


@MODEST
@given(
    parts=st.lists(st.tuples(*[st.integers(0, 10**9)] * 3), min_size=1, max_size=5),
    tax=st.integers(0, 10**9),
    share=st.fractions(0, 1),
)
def test_credit_note_balances_however_it_is_settled(parts: list[Any], tax: int, share: Any) -> None:
    lines = [CreditedLine(str(n), *amounts) for n, amounts in enumerate(parts)]
    total = sum(sum(amounts) for amounts in parts) + tax
    offset = int(total * share)
    entry = credit_note(lines, [IssuedTax(DE_19, tax)], offset_minor=offset, credit_minor=total - offset)
    assert (entry is None) == (total == 0)
    if entry is not None:
        assert sum(posting.amount_minor for posting in entry.postings) == 0


@MODEST
@given(amount=st.integers(1, 10**15))
def test_every_transfer_balances(amount: int) -> None:
    entries = [
        payment_receipt(amount, Role.BANK),
        allocation(amount),
        allocation_reversal(amount),
        refund(amount, Role.GATEWAY_CLEARING),
        recognize_fee(amount, month="2023-11"),
        recognize_fee(-amount, month="2023-11"),
        accrue_usage(amount, month="2023-11"),
    ]
    for entry in entries:
        assert sum(posting.amount_minor for posting in entry.postings) == 0
    receipt, applied = by_role(entries[0]), by_role(entries[1])
    assert receipt["2050"] + applied["2050"] == 0, "what was received is what was allocated"
