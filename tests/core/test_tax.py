"""Value added tax: who owes it, how much per rate, and what a credit note gives back."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.core.errors import InvalidInput, InvalidMoney, TaxUndetermined
from billing.core.money import Money, allocate
from billing.core.tax import (
    EU_COUNTRIES,
    CustomerKind,
    TaxableLine,
    TaxCategory,
    TaxCode,
    TaxParty,
    TaxRounding,
    TaxSubtotal,
    TaxTreatment,
    credited_tax,
    determine,
    summarize,
)

MODEST = settings(max_examples=100, deadline=None)
RATES = {"DE": Decimal(19), "FR": Decimal(20), "US": Decimal(0)}
SELLER = TaxParty("DE", "DE123456789")


def test_german_customer_of_a_german_seller_pays_19_percent() -> None:
    treatment = determine(SELLER, TaxParty("DE"), RATES)
    assert (treatment.category, treatment.percent) == (TaxCategory.S, 19)
    assert (treatment.exemption_code, treatment.exemption_text) == (None, None)
    assert (treatment.name, treatment.label) == ("VAT 19 %", "DE S 19")


def test_business_in_another_member_state_owes_the_tax_itself() -> None:
    treatment = determine(SELLER, TaxParty("FR", "FR83404833048"), RATES)
    assert (treatment.category, treatment.percent) == (TaxCategory.AE, 0)
    assert (treatment.exemption_code, treatment.exemption_text) == ("VATEX-EU-AE", "reverse_charge")
    assert treatment.label == "FR AE 0"


@pytest.mark.parametrize(
    ("seller", "buyer"), [("DE", "US"), ("DE", "CH"), ("DE", "GB"), ("US", "DE"), ("US", "CH")]
)
def test_service_across_the_border_of_the_eu_is_outside_the_scope(seller: str, buyer: str) -> None:
    treatment = determine(TaxParty(seller, "DE123456789"), TaxParty(buyer), RATES)
    assert (treatment.category, treatment.percent) == (TaxCategory.O, 0)
    assert (treatment.exemption_code, treatment.exemption_text) == ("VATEX-EU-O", "outside_scope")


def test_domestic_rate_of_zero_is_zero_rated() -> None:
    assert determine(TaxParty("US"), TaxParty("US"), RATES).category is TaxCategory.Z


@pytest.mark.parametrize(
    ("seller", "buyer", "rates", "field"),
    [
        (SELLER, TaxParty("DE"), {}, "tax_rate"),
        (SELLER, TaxParty("FR"), RATES, "tax_ids"),
        (SELLER, TaxParty("FR", ""), RATES, "tax_ids"),
        (TaxParty("DE"), TaxParty("FR", "FR83404833048"), RATES, "legal_entity.tax_registrations"),
    ],
)
def test_tax_that_the_facts_do_not_decide_is_refused_not_guessed(
    seller: TaxParty, buyer: TaxParty, rates: dict[str, Decimal], field: str
) -> None:
    with pytest.raises(TaxUndetermined) as refused:
        determine(seller, buyer, rates)
    assert list(refused.value.fields) == [field]


def test_missing_rate_names_the_country() -> None:
    with pytest.raises(TaxUndetermined) as refused:
        determine(SELLER, TaxParty("DE"), {})
    assert refused.value.details == {"country": "DE"}
    assert "DE" in refused.value.message


@pytest.mark.parametrize("country", ["", "D", "de", "DEU", "ÄÖ"])
def test_country_is_a_two_letter_code(country: str) -> None:
    with pytest.raises(InvalidInput):
        TaxParty(country)


def test_union_has_27_members() -> None:
    assert len(EU_COUNTRIES) == 27
    assert "GB" not in EU_COUNTRIES
    assert {"DE", "GR", "HR", "IE"} <= EU_COUNTRIES


@pytest.mark.parametrize(
    ("category", "percent"),
    [
        (TaxCategory.S, Decimal(0)),
        (TaxCategory.O, Decimal(19)),
        (TaxCategory.AE, Decimal(1)),
        (TaxCategory.S, Decimal(-1)),
        (TaxCategory.S, Decimal(101)),
        (TaxCategory.S, Decimal("NaN")),
    ],
)
def test_rate_that_its_category_excludes_is_refused(category: TaxCategory, percent: Decimal) -> None:
    with pytest.raises(InvalidInput):
        TaxTreatment(category, percent, "DE", None, None, "")
    with pytest.raises(InvalidInput):
        summarize([TaxableLine(100, category, percent)], "EUR")


def lines(*amounts: int, percent: int = 19) -> list[TaxableLine]:
    return [TaxableLine(amount, TaxCategory.S, Decimal(percent)) for amount in amounts]


def test_tax_of_the_december_invoice_is_36_67() -> None:
    (subtotal,) = summarize(lines(4972, 3680, 750, 9900), "EUR")
    assert (subtotal.base_minor, subtotal.tax_minor) == (19302, 3667)


def test_tax_is_rounded_once_per_rate_and_not_per_line() -> None:
    assert summarize(lines(4972, 3680, 750, 9900), "EUR")[0].tax_minor == 3667
    assert sum(summarize(lines(amount), "EUR")[0].tax_minor for amount in (4972, 3680, 750, 9900)) == 3668


def test_rates_are_summed_apart_and_sorted() -> None:
    mixed = [*lines(1000), *lines(500, percent=7), TaxableLine(300, TaxCategory.E, Decimal(0)), *lines(50)]
    assert [(s.category, s.percent, s.base_minor, s.tax_minor) for s in summarize(mixed, "EUR")] == [
        (TaxCategory.E, 0, 300, 0),
        (TaxCategory.S, 7, 500, 35),
        (TaxCategory.S, 19, 1050, 200),
    ]


def test_equal_rates_are_one_rate_however_they_are_written() -> None:
    both = [TaxableLine(100, TaxCategory.S, Decimal("19")), TaxableLine(100, TaxCategory.S, Decimal("19.00"))]
    assert len(summarize(both, "EUR")) == 1


def test_half_a_cent_of_tax_rounds_up_and_mirrors_for_credits() -> None:
    assert summarize(lines(50, percent=1), "EUR")[0].tax_minor == 1
    assert summarize(lines(-50, percent=1), "EUR")[0].tax_minor == -1
    assert summarize(lines(), "EUR") == ()
    with pytest.raises(InvalidMoney):
        summarize(lines(1), "XXX")


DECEMBER = TaxSubtotal(TaxCategory.S, Decimal(19), 19302, 3667)


def test_crediting_the_december_invoice_line_by_line_returns_its_tax_to_the_cent() -> None:
    base, given_back, taxes = 0, 0, []
    for amount in (750, 4972, 3680, 9900):
        tax = credited_tax(DECEMBER, base, amount, given_back)
        base, given_back = base + amount, given_back + tax
        taxes.append(tax)
    assert taxes == [143, 944, 699, 1881]
    assert given_back == 3667


def test_full_credit_returns_the_tax_that_was_charged_whatever_rule_charged_it() -> None:
    rounded_per_line = TaxSubtotal(TaxCategory.S, Decimal(19), 19302, 3668)
    assert credited_tax(rounded_per_line, 0, 19302, 0) == 3668
    assert credited_tax(rounded_per_line, 9402, 9900, 1786) == 1882


def test_tax_of_21_unused_days_of_december_is_12_74() -> None:
    assert credited_tax(DECEMBER, 0, 6706, 0) == 1274


@pytest.mark.parametrize(("before", "now"), [(0, 19303), (19302, 1), (0, -1), (100, -50)])
def test_more_than_was_invoiced_cannot_be_credited(before: int, now: int) -> None:
    with pytest.raises(InvalidInput):
        credited_tax(DECEMBER, before, now, 0)


@MODEST
@given(
    base=st.integers(-(10**12), 10**12),
    weights=st.lists(st.integers(0, 100), min_size=1, max_size=8).filter(lambda w: sum(w) > 0),
    percent=st.decimals("0.1", 100, places=3),
)
def test_full_credit_in_any_parts_leaves_no_tax(base: int, weights: list[int], percent: Decimal) -> None:
    (invoice,) = summarize([TaxableLine(base, TaxCategory.S, percent)], "EUR")
    credited, given_back = 0, 0
    for part in allocate(Money(base, "EUR"), weights):
        tax = credited_tax(invoice, credited, part.minor, given_back)
        assert tax * (1 if base >= 0 else -1) >= 0, "a credit note never charges tax"
        credited, given_back = credited + part.minor, given_back + tax
    assert (invoice.base_minor - credited, invoice.tax_minor - given_back) == (0, 0)


@MODEST
@given(amounts=st.lists(st.integers(-(10**9), 10**9), max_size=10), percent=st.integers(1, 100))
def test_order_of_the_lines_does_not_matter(amounts: list[int], percent: int) -> None:
    forward = summarize(lines(*amounts, percent=percent), "EUR")
    assert forward == summarize(lines(*reversed(amounts), percent=percent), "EUR")
    assert sum(subtotal.base_minor for subtotal in forward) == sum(amounts)


CONSUMER = TaxParty("FR", kind=CustomerKind.CONSUMER)


@pytest.mark.parametrize(
    ("registered_in", "label"), [(frozenset(), "DE S 19"), (frozenset({"FR"}), "FR S 20")]
)
def test_consumer_pays_the_rate_of_its_country_where_the_seller_accounts_for_tax_there(
    registered_in: frozenset[str], label: str
) -> None:
    seller = TaxParty("DE", "DE123456789", registered_in=registered_in)
    assert determine(seller, CONSUMER, RATES).label == label


def test_seller_outside_the_union_taxes_where_it_is_registered() -> None:
    assert determine(TaxParty("US", registered_in=EU_COUNTRIES), CONSUMER, RATES).label == "FR S 20"
    assert determine(TaxParty("US"), CONSUMER, RATES).category is TaxCategory.O


@pytest.mark.parametrize(
    ("code", "label"),
    [
        (TaxCode.EXEMPT, "DE E 0"),
        (TaxCode.ZERO, "DE Z 0"),
        (TaxCode.OUTSIDE_SCOPE, "DE O 0"),
        (TaxCode.REDUCED, "DE S 19"),
    ],
)
def test_tax_code_of_the_product_decides_the_category(code: TaxCode, label: str) -> None:
    assert determine(SELLER, TaxParty("DE"), RATES, tax_code=code).label == label


def test_rate_of_the_price_comes_before_exemption_and_that_before_the_buyers_rate() -> None:
    embassy = TaxParty("DE", exemption_code="VATEX-EU-151", percent=Decimal(5))
    assert determine(SELLER, embassy, {}, own_percent=Decimal(7)).label == "DE S 7"
    exempted = determine(SELLER, embassy, {})
    assert (exempted.label, exempted.exemption_code) == ("DE E 0", "VATEX-EU-151")
    assert determine(SELLER, TaxParty("FR", percent=Decimal(5)), {}).label == "DE S 5"


def test_tax_per_line_may_differ_from_tax_per_document_by_cents_and_both_are_exact() -> None:
    pennies = lines(3, 3, 3)
    (per_document,) = summarize(pennies, "EUR")
    (per_line,) = summarize(pennies, "EUR", TaxRounding.LINE)
    assert (per_document.base_minor, per_document.tax_minor) == (9, 2)
    assert (per_line.base_minor, per_line.tax_minor) == (9, 3)


@pytest.mark.parametrize("category", [TaxCategory.L, TaxCategory.M])
def test_taxes_of_the_islands_may_be_zero_or_above(category: TaxCategory) -> None:
    rows = summarize(
        [TaxableLine(1000, category, Decimal(0)), TaxableLine(1000, category, Decimal(7))], "EUR"
    )
    assert [row.tax_minor for row in rows] == [0, 70]


@pytest.mark.parametrize(("category", "percent"), [(TaxCategory.K, Decimal(1)), (TaxCategory.B, Decimal(0))])
def test_rates_that_goods_in_the_union_and_split_payment_exclude(
    category: TaxCategory, percent: Decimal
) -> None:
    with pytest.raises(InvalidInput):
        summarize([TaxableLine(100, category, percent)], "EUR")
