"""Totals of documents: prices with tax, allowances and charges, split payment, what is left to pay."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.core.tax import TaxCategory, TaxRounding
from billing.core.tax_documents import (
    DocumentAmount,
    IncludedRounding,
    breakdown,
    document_totals,
    included_tax,
)

S, K, B, E = TaxCategory.S, TaxCategory.K, TaxCategory.B, TaxCategory.E


def net(amount: int, percent: int | str = 19, category: TaxCategory = S) -> DocumentAmount:
    return DocumentAmount(amount, category, Decimal(percent))


def gross(amount: int, percent: int | str = 19) -> DocumentAmount:
    return DocumentAmount(amount, S, Decimal(percent), includes_tax=True)


@pytest.mark.parametrize(
    ("amount", "percent", "rounding", "tax"),
    [
        (299, "4", IncludedRounding.TAX, 12),
        (299, "4", IncludedRounding.NET, 11),
        (-299, "4", IncludedRounding.TAX, -12),
        (11900, "19", IncludedRounding.TAX, 1900),
        (11900, "19", IncludedRounding.NET, 1900),
        (100, "0", IncludedRounding.TAX, 0),
    ],
)
def test_tax_within_a_price(amount: int, percent: str, rounding: IncludedRounding, tax: int) -> None:
    assert included_tax(amount, Decimal(percent), rounding) == tax


def test_peppol_invoice_with_allowance_and_charge() -> None:
    totals = document_totals(
        [net(400000, 25), net(200000, 0, E), net(90000, 25)], [net(20000, 25), net(-10000, 25)], "EUR"
    )
    assert (totals.line_total_minor, totals.allowance_total_minor, totals.charge_total_minor) == (
        690000,
        10000,
        20000,
    )
    assert (totals.net_minor, totals.tax_minor, totals.payable_minor) == (700000, 125000, 825000)
    assert [(row.category, row.base_minor, row.tax_minor) for row in totals.breakdown] == [
        (E, 200000, 0),
        (S, 500000, 125000),
    ]


def test_prepaid_and_rounding_change_what_is_left_to_pay_only() -> None:
    totals = document_totals([net(10000)], [], "EUR", prepaid_minor=5000, rounding_minor=-1)
    assert (totals.gross_minor, totals.payable_minor) == (11900, 6899)


def test_under_split_payment_the_state_gets_the_tax_from_the_buyer() -> None:
    totals = document_totals([net(124600, 22, B)], [], "EUR")
    assert (totals.gross_minor, totals.prepaid_minor, totals.payable_minor) == (152012, 27412, 124600)


def test_one_rate_may_hold_prices_with_and_without_tax() -> None:
    (row,) = breakdown([net(10000), gross(11900)], "EUR")
    assert (row.base_minor, row.tax_minor) == (20000, 3800)


def test_tax_that_is_included_is_rounded_line_by_line_where_the_seller_does() -> None:
    prices = [gross(3), gross(3), gross(3), gross(3)]
    assert [row.tax_minor for row in breakdown(prices, "EUR")] == [2]
    assert [row.tax_minor for row in breakdown(prices, "EUR", TaxRounding.LINE)] == [0]


@settings(max_examples=150, deadline=None)
@given(
    prices=st.lists(st.tuples(st.integers(-10_000, 1_000_000), st.sampled_from(["4", "7", "19", "25.5"]))),
    tax_rounding=st.sampled_from(list(TaxRounding)),
    included=st.sampled_from(list(IncludedRounding)),
)
def test_prices_with_tax_are_kept_to_the_cent(
    prices: list[tuple[int, str]], tax_rounding: TaxRounding, included: IncludedRounding
) -> None:
    lines = [gross(amount, percent) for amount, percent in prices]
    totals = document_totals(lines, [], "EUR", tax_rounding=tax_rounding, included_rounding=included)
    assert totals.net_minor + totals.tax_minor == totals.gross_minor == sum(amount for amount, _ in prices)
    if tax_rounding is TaxRounding.DOCUMENT:
        for row in totals.breakdown:
            off = abs(Decimal(row.base_minor) * row.percent / 100 - row.tax_minor)
            assert off <= 1, "BR-CO-17 is held within a cent"
