"""The invoice: the demo's documents to the cent, proration, late usage, rounding, and its working."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.core.errors import InvalidInput, InvalidMoney, InvalidQuantity
from billing.core.invoice import (
    STEPS,
    Charge,
    ChargeKind,
    InvoiceInput,
    InvoiceResult,
    NegativeTotal,
    Timing,
    calculate,
)
from billing.core.money import Rounding, to_minor
from billing.core.periods import Interval, IntervalUnit, Period, boundary
from billing.core.pricing import Flat, Graduated, PerUnit, PriceModel, Tier, Volume, parse_price, rate
from billing.core.proration import ProrationPolicy, ProrationUnit, Share, share_of
from billing.core.tax import TaxCategory, TaxParty, TaxRounding, TaxTreatment, at_rate, determine, exempt

MODEST = settings(max_examples=100, deadline=None)
HALF = Share(15, 30, ProrationUnit.DAY)
NOVEMBER = Period(datetime(2023, 11, 1, tzinfo=UTC), datetime(2023, 12, 1, tzinfo=UTC))
DECEMBER = Period(datetime(2023, 12, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC))
DOMESTIC = determine(TaxParty("DE", "DE123456789"), TaxParty("DE"), {"DE": Decimal(19)})
OUTSIDE = determine(TaxParty("DE", "DE123456789"), TaxParty("US"), {})

FEE = parse_price("flat", {"amount": "99.00"})
INPUT_TOKENS = parse_price(
    "graduated",
    {
        "tiers": [
            {"up_to": "10000000", "unit_amount": "0.0000025"},
            {"up_to": None, "unit_amount": "0.0000020"},
        ]
    },
)
OUTPUT_TOKENS = parse_price(
    "volume",
    {
        "tiers": [
            {"up_to": "1000000", "unit_amount": "0.000010"},
            {"up_to": "5000000", "unit_amount": "0.000009"},
            {"up_to": None, "unit_amount": "0.000008"},
        ]
    },
)
REQUESTS = parse_price("package", {"size": "1000", "amount": "0.50", "free_units": "5000"})


def charge(code: str, model: PriceModel, quantity: str | int | Decimal, **changes: Any) -> Charge:
    """A usage charge of November; `changes` replace what a case is about."""
    values: dict[str, Any] = {
        "code": code,
        "description": code.replace("_", " "),
        "kind": ChargeKind.USAGE,
        "model": model,
        "price_id": f"price_{code}",
        "price_version": "1",
        "quantity": Decimal(quantity),
        "unit_code": "C62",
        "period": NOVEMBER,
        "timing": Timing.IN_ARREARS,
        "item_id": f"item_{code}",
        "meter_code": code,
    }
    return Charge(**(values | changes))


def fee(model: PriceModel = FEE, **changes: Any) -> Charge:
    return charge(
        "platform_fee",
        model,
        1,
        **{
            "kind": ChargeKind.RECURRING,
            "timing": Timing.IN_ADVANCE,
            "period": DECEMBER,
            "meter_code": None,
            **changes,
        },
    )


def invoice(*charges: Charge, currency: str = "EUR", treatment: TaxTreatment = DOMESTIC) -> InvoiceResult:
    return calculate(InvoiceInput(currency, charges, treatment))


def usage(input_tokens: int, output_tokens: int, requests: int) -> tuple[Charge, ...]:
    return (
        charge("input_tokens", INPUT_TOKENS, input_tokens),
        charge("output_tokens", OUTPUT_TOKENS, output_tokens),
        charge("requests", REQUESTS, requests),
    )


def test_brightchat_pays_229_69_in_december() -> None:
    result = invoice(*usage(22361870, 4088665, 19366), fee())
    assert [(line.code, line.amount_minor) for line in result.lines] == [
        ("input_tokens", 4972),
        ("output_tokens", 3680),
        ("requests", 750),
        ("platform_fee", 9900),
    ]
    assert (result.subtotal_minor, result.tax_minor, result.total_minor) == (19302, 3667, 22969)
    (tax,) = result.taxes
    assert (tax.category, tax.percent, tax.base_minor, tax.tax_minor) == (TaxCategory.S, 19, 19302, 3667)


def test_codewright_pays_144_58_in_december_outside_the_scope_of_vat() -> None:
    result = invoice(*usage(18059974, 245896, 8819), fee(), treatment=OUTSIDE)
    assert [line.amount_minor for line in result.lines] == [4112, 246, 200, 9900]
    assert (result.subtotal_minor, result.tax_minor, result.total_minor) == (14458, 0, 14458)
    (tax,) = result.taxes
    assert (tax.category, tax.percent, tax.base_minor, tax.tax_minor) == (TaxCategory.O, 0, 14458, 0)


def test_fee_in_advance_is_117_81_in_germany_and_99_00_outside() -> None:
    assert (invoice(fee()).tax_minor, invoice(fee()).total_minor) == (1881, 11781)
    assert invoice(fee(), treatment=OUTSIDE).total_minor == 9900


def test_policy_is_the_list_of_steps() -> None:
    assert [name for name, _ in STEPS] == [
        "rate_charges",
        "prorate",
        "round_lines",
        "coupons",
        "tax",
        "totals",
    ]


def test_line_carries_its_whole_working() -> None:
    (line,) = invoice(charge("input_tokens", INPUT_TOKENS, 22361870)).lines
    assert line.working == {
        "rules_version": "1",
        "price_id": "price_input_tokens",
        "price_version": "1",
        "model": "graduated",
        "definition": {
            "tiers": [
                {"up_to": "10000000", "unit_amount": "0.0000025"},
                {"up_to": None, "unit_amount": "0.000002"},
            ]
        },
        "quantity": "22361870",
        "quantity_before": None,
        "billed_quantity": "22361870",
        "steps": [
            {
                "kind": "graduated",
                "label": "up to 10,000,000",
                "quantity": "10000000",
                "unit_amount": "0.0000025",
                "flat_amount": None,
                "from_quantity": "0",
                "up_to": "10000000",
                "block_size": None,
                "amount": "25",
                "amount_minor": 2500,
            },
            {
                "kind": "graduated",
                "label": "above 10,000,000",
                "quantity": "12361870",
                "unit_amount": "0.000002",
                "flat_amount": None,
                "from_quantity": "10000000",
                "up_to": None,
                "block_size": None,
                "amount": "24.72374",
                "amount_minor": 2472,
            },
        ],
        "fraction": None,
        "exact_amount": "49.72374",
        "rounding": "half_up",
        "amount_minor": 4972,
    }


def test_line_keeps_the_facts_of_its_charge() -> None:
    given = charge("requests", REQUESTS, 19366, cutoff=datetime(2023, 12, 1, 6, tzinfo=UTC))
    (line,) = invoice(given).lines
    assert (line.code, line.item_id, line.period, line.timing) == (
        "requests",
        "item_requests",
        NOVEMBER,
        Timing.IN_ARREARS,
    )
    assert (line.quantity, line.cutoff, line.meter_code) == (19366, given.cutoff, "requests")


@pytest.mark.parametrize(
    ("given", "unit_amount"),
    [
        (fee(), "99.00"),
        (charge("output_tokens", OUTPUT_TOKENS, 4088665), "0.000009"),
        (charge("seats", PerUnit(Decimal("2.50")), 3), "2.50"),
        (charge("input_tokens", INPUT_TOKENS, 9000000), "0.0000025"),
        (charge("input_tokens", INPUT_TOKENS, 22361870), None),
        (charge("requests", REQUESTS, 19366), None),
        (charge("requests", REQUESTS, 0), None),
        (charge("with_flat", Volume((Tier(None, Decimal(1), Decimal(5)),)), 3), None),
        (fee(share=HALF), None),
        (
            charge("seats", PerUnit(Decimal(1)), 3, kind=ChargeKind.LATE_USAGE, quantity_before=Decimal(2)),
            None,
        ),
    ],
)
def test_unit_price_is_shown_only_where_quantity_times_price_is_the_line(
    given: Charge, unit_amount: str | None
) -> None:
    (line,) = invoice(given).lines
    assert line.unit_amount == (None if unit_amount is None else Decimal(unit_amount))


def test_shown_tiers_add_up_to_the_line_even_where_each_alone_would_round_up() -> None:
    thirds = Graduated((Tier(Decimal(1), Decimal("0.335")), Tier(None, Decimal("0.335"))))
    (line,) = invoice(charge("units", thirds, 2)).lines
    assert [step["amount_minor"] for step in line.working["steps"]] == [34, 33]
    assert line.amount_minor == 67


def test_line_is_rounded_once_and_not_per_tier() -> None:
    tiers = Graduated(tuple(Tier(bound, Decimal("0.004")) for bound in (Decimal(1), Decimal(2), None)))
    assert invoice(charge("units", tiers, 3)).lines[0].amount_minor == 1


def test_no_usage_is_a_line_of_zero() -> None:
    result = invoice(*usage(0, 0, 0), fee())
    assert [line.amount_minor for line in result.lines] == [0, 0, 0, 9900]
    assert result.lines[0].working["steps"] == []
    assert invoice(*usage(0, 0, 0)).total_minor == 0


@pytest.mark.parametrize(
    ("currency", "amount", "subtotal_minor", "tax_minor"),
    [
        ("JPY", "1499.5", 1500, 285),
        ("KWD", "12.3455", 12346, 2346),
        ("EUR", "0.005", 1, 0),
        ("EUR", "0.03", 3, 1),
    ],
)
def test_currency_decides_the_decimals(
    currency: str, amount: str, subtotal_minor: int, tax_minor: int
) -> None:
    result = invoice(fee(Flat(Decimal(amount))), currency=currency)
    assert (result.subtotal_minor, result.tax_minor) == (subtotal_minor, tax_minor)


def test_fee_from_15_november_is_prorated_by_days_and_says_so() -> None:
    utc = ZoneInfo("UTC")
    stub = Period(datetime(2023, 11, 15, tzinfo=UTC), NOVEMBER.end)
    share = share_of(ProrationPolicy.DAY, stub, NOVEMBER, utc)
    (line,) = invoice(fee(period=stub, share=share)).lines
    assert line.amount_minor == 5280
    assert line.working["fraction"] == {"days": 16, "of": 30}
    assert line.working["exact_amount"] == "52.8"
    (exact,) = invoice(fee(period=stub, share=share_of(ProrationPolicy.SECOND, stub, NOVEMBER, utc))).lines
    assert exact.working["fraction"] == {"seconds": 16 * 86400, "of": 30 * 86400}


def test_late_usage_costs_what_it_would_have_cost_in_time() -> None:
    late = charge(
        "input_tokens", INPUT_TOKENS, 2361870, kind=ChargeKind.LATE_USAGE, quantity_before=Decimal(20000000)
    )
    (line,) = invoice(late).lines
    assert line.amount_minor == 472
    assert line.working["quantity_before"] == "20000000"
    assert [step["amount_minor"] for step in line.working["steps"]] == [2500, 2472, -4500]
    assert line.working["steps"][-1]["label"] == "already billed"


def test_late_usage_that_reaches_a_cheaper_tier_lowers_the_invoice() -> None:
    late = charge(
        "output_tokens", OUTPUT_TOKENS, 1, kind=ChargeKind.LATE_USAGE, quantity_before=Decimal(1000000)
    )
    result = invoice(late, fee())
    assert [line.amount_minor for line in result.lines] == [-100, 9900]
    assert (result.subtotal_minor, result.tax_minor) == (9800, 1862)
    with pytest.raises(NegativeTotal):
        invoice(late)


def test_usage_taken_back_late_is_a_negative_line() -> None:
    seats = PerUnit(Decimal("2.00"))
    late = charge("seats", seats, -2, kind=ChargeKind.LATE_USAGE, quantity_before=Decimal(5))
    assert invoice(late, fee()).lines[0].amount_minor == -400


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": ChargeKind.LATE_USAGE},
        {"quantity_before": Decimal(1)},
        {"share": HALF},
        {"kind": ChargeKind.LATE_USAGE, "quantity_before": Decimal(1), "share": HALF},
    ],
)
def test_charge_that_does_not_fit_together_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        charge("requests", REQUESTS, 1, **changes)


def test_invoice_without_charges_or_with_impossible_ones_is_refused() -> None:
    with pytest.raises(InvalidInput):
        invoice()
    with pytest.raises(InvalidQuantity):
        invoice(charge("requests", REQUESTS, -1))
    with pytest.raises(InvalidMoney):
        invoice(charge("seats", PerUnit(Decimal(1)), 10**20))
    with pytest.raises(InvalidMoney):
        invoice(fee(), currency="XXX")


AMOUNTS = st.decimals(0, 100, places=6)
QUANTITIES = st.decimals(0, 10**6, places=3)


@st.composite
def price_models(draw: st.DrawFn) -> PriceModel:
    bounds = sorted(draw(st.sets(st.integers(1, 10**6), max_size=4)))
    tiers = tuple(
        Tier(None if bound is None else Decimal(bound), draw(AMOUNTS), draw(AMOUNTS))
        for bound in [*bounds, None]
    )
    return draw(
        st.sampled_from(
            [Flat(tiers[0].unit_amount), PerUnit(tiers[0].unit_amount), Graduated(tiers), Volume(tiers)]
        )
    )


@MODEST
@given(
    priced=st.lists(st.tuples(price_models(), QUANTITIES), min_size=1, max_size=5),
    currency=st.sampled_from(["EUR", "JPY", "KWD"]),
)
def test_everything_adds_up(priced: list[tuple[PriceModel, Decimal]], currency: str) -> None:
    result = invoice(*(charge("units", model, quantity) for model, quantity in priced), currency=currency)
    assert sum(line.amount_minor for line in result.lines) == result.subtotal_minor
    assert result.subtotal_minor + result.tax_minor == result.total_minor
    for line, (model, quantity) in zip(result.lines, priced, strict=True):
        assert line.amount_minor == to_minor(rate(model, quantity).amount, currency, Rounding.HALF_UP)
        assert sum(step["amount_minor"] for step in line.working["steps"]) == line.amount_minor
        assert json.loads(json.dumps(line.working)) == line.working
        if line.unit_amount is not None and not isinstance(model, Flat):
            assert line.amount_minor == to_minor(quantity * line.unit_amount, currency, Rounding.HALF_UP)


@MODEST
@given(model=price_models(), parts=st.lists(QUANTITIES, min_size=1, max_size=6))
def test_usage_billed_in_any_portions_costs_what_it_costs_at_once(
    model: PriceModel, parts: list[Decimal]
) -> None:
    before, billed = parts[0], invoice(charge("units", model, parts[0])).subtotal_minor
    padding = fee(Flat(Decimal(10) ** 12))  # keeps the total positive where a volume tier lowers the price
    for part in parts[1:]:
        late = charge("units", model, part, kind=ChargeKind.LATE_USAGE, quantity_before=before)
        billed += invoice(late, padding).lines[0].amount_minor
        before += part
    assert billed == invoice(charge("units", model, before)).subtotal_minor


@MODEST
@given(amount=st.integers(0, 10**9), cut=st.integers(1, 30))
def test_prorated_parts_of_a_period_differ_from_the_whole_by_a_rounding_at_most(
    amount: int, cut: int
) -> None:
    utc = ZoneInfo("UTC")
    at = boundary(date(2023, 12, 1), Interval(IntervalUnit.DAY), cut, utc)
    whole = fee(Flat(Decimal(amount).scaleb(-2)))
    parts = [Period(DECEMBER.start, at), Period(at, DECEMBER.end)]
    lines = invoice(
        *(
            replace(whole, period=part, share=share_of(ProrationPolicy.DAY, part, DECEMBER, utc))
            for part in parts
        )
    ).lines
    assert sum(line.working["fraction"]["days"] for line in lines) == 31
    assert abs(sum(line.amount_minor for line in lines) - amount) <= 1


REDUCED = at_rate("DE", Decimal(7))


def test_charges_with_treatments_of_their_own_make_a_tax_row_per_rate() -> None:
    result = invoice(fee(), fee(treatment=REDUCED), fee(treatment=exempt("DE")))
    assert [(row.category, row.percent, row.base_minor, row.tax_minor) for row in result.taxes] == [
        (TaxCategory.E, 0, 9900, 0),
        (TaxCategory.S, 7, 9900, 693),
        (TaxCategory.S, 19, 9900, 1881),
    ]
    assert (result.subtotal_minor, result.tax_minor, result.total_minor) == (29700, 2574, 32274)
    assert [result.treatment_of(row).label for row in result.taxes] == ["DE E 0", "DE S 7", "DE S 19"]
    assert [line.treatment for line in result.lines] == [DOMESTIC, REDUCED, exempt("DE")]


def test_one_rate_of_two_countries_is_two_invoices() -> None:
    with pytest.raises(InvalidInput) as refused:
        invoice(fee(), fee(treatment=at_rate("CY", Decimal(19))))
    assert list(refused.value.fields) == ["charges"]


def test_tax_is_rounded_line_by_line_where_the_seller_does() -> None:
    cent = parse_price("flat", {"amount": "0.03"})
    given = InvoiceInput("EUR", (fee(cent), fee(cent), fee(cent)), DOMESTIC, TaxRounding.LINE)
    assert (calculate(given).tax_minor, invoice(fee(cent), fee(cent), fee(cent)).tax_minor) == (3, 2)
