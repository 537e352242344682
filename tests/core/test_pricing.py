"""Price models: exact amounts by hand, bounds, and what a definition may say."""

import json
import re
from decimal import Decimal
from functools import reduce
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.core.errors import InvalidPrice, InvalidQuantity
from billing.core.pricing import (
    MODEL_CODES,
    Conversion,
    ConversionRounding,
    Flat,
    FlatTier,
    Graduated,
    GraduatedPercentage,
    Modified,
    Modifiers,
    Package,
    Percentage,
    PercentTier,
    PerUnit,
    PriceModel,
    Stairstep,
    StepKind,
    Tier,
    Volume,
    definition_of,
    model_code,
    parse_price,
    rate,
)
from billing.core.quantity import EXACT

TIER = {"up_to": "10", "unit_amount": "1"}
LAST = {"up_to": None, "unit_amount": "1"}
MODEST = settings(max_examples=100, deadline=None)

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


@pytest.mark.parametrize(
    ("price", "quantity", "amount"),
    [
        (INPUT_TOKENS, "22361870", "49.72374"),
        (INPUT_TOKENS, "18059974", "41.119948"),
        (INPUT_TOKENS, "10000000", "25"),
        (INPUT_TOKENS, "10000001", "25.000002"),
        (INPUT_TOKENS, "0", "0"),
        (OUTPUT_TOKENS, "4088665", "36.797985"),
        (OUTPUT_TOKENS, "245896", "2.45896"),
        (OUTPUT_TOKENS, "1000000", "10"),
        (OUTPUT_TOKENS, "1000001", "9.000009"),
        (OUTPUT_TOKENS, "5000000", "45"),
        (OUTPUT_TOKENS, "5000001", "40.000008"),
        (OUTPUT_TOKENS, "0", "0"),
        (REQUESTS, "19366", "7.50"),
        (REQUESTS, "8819", "2.00"),
        (REQUESTS, "5000", "0"),
        (REQUESTS, "5000.000000000001", "0.50"),
        (REQUESTS, "6000", "0.50"),
        (REQUESTS, "6001", "1.00"),
        (REQUESTS, "0", "0"),
        (Flat(Decimal("99.00")), "1", "99.00"),
        (Flat(Decimal("99.00")), "0", "99.00"),
        (PerUnit(Decimal("0.000000000001")), "99999999999999999999999999", "99999999999999.999999999999"),
        (PerUnit(Decimal("0.10")), "3", "0.30"),
        (Package(Decimal("0.000000000001"), Decimal(1)), "99999999999999999999999999", "9" * 26 + "0" * 12),
    ],
)
def test_quantity_costs_exactly(price: PriceModel, quantity: str, amount: str) -> None:
    rated = rate(price, Decimal(quantity))
    assert rated.amount == Decimal(amount)
    assert rated.quantity == Decimal(quantity)


def tiers(*rows: tuple[str | None, str, str]) -> dict[str, Any]:
    return {"tiers": [{"up_to": up, "unit_amount": unit, "flat_amount": flat} for up, unit, flat in rows]}


LAGO = tiers(("10", "10", "2"), ("20", "5", "3"), (None, "5", "3"))
BLOCKS = {
    "tiers": [
        {"up_to": "1000", "unit_amount": "1", "block_size": "100"},
        {"up_to": "101000", "unit_amount": "1", "block_size": "1000"},
        {"up_to": None, "unit_amount": "0.5", "block_size": "1000"},
    ]
}
STAIRS = {
    "tiers": [
        {"up_to": "10", "amount": "50"},
        {"up_to": "20", "amount": "100"},
        {"up_to": None, "amount": "150"},
    ]
}
SHARES = {
    "tiers": [
        {"up_to": "10", "percent": "1", "flat_amount": "200"},
        {"up_to": "20", "percent": "2", "flat_amount": "300"},
        {"up_to": None, "percent": "3", "flat_amount": "400"},
    ],
    "flat_at_zero": True,
}
THOUSANDS_UP = {"units_per": "1000", "decimals": 0, "rounding": "up"}


@pytest.mark.parametrize(
    ("model", "definition", "quantity", "amount"),
    [
        # Recurly, stairstep
        ("stairstep", STAIRS, "0", "0"),
        ("stairstep", {**STAIRS, "flat_at_zero": True}, "0", "50"),
        ("stairstep", STAIRS, "10", "50"),
        ("stairstep", STAIRS, "11", "100"),
        ("stairstep", STAIRS, "21", "150"),
        # Lago: graduated with fixed amounts, due without usage too
        ("graduated", LAGO, "0", "0"),
        ("graduated", {**LAGO, "flat_at_zero": True}, "0", "2"),
        ("graduated", {**LAGO, "flat_at_zero": True}, "12", "115"),
        ("volume", {**tiers(("5", "0", "100"), (None, "5", "0")), "flat_at_zero": True}, "0", "100"),
        # Kill Bill: a started block is billed whole
        ("graduated", BLOCKS, "5325", "15"),
        ("volume", BLOCKS, "101000", "101"),
        ("volume", BLOCKS, "101001", "51"),
        ("volume", BLOCKS, "300000", "150"),
        # Meteroid: a tier with a largest amount
        ("graduated", {"tiers": [{"up_to": None, "unit_amount": "1", "max_amount": "3"}]}, "5", "3"),
        ("graduated", {"tiers": [{"up_to": None, "unit_amount": "1", "max_amount": "3"}]}, "2", "2"),
        # Lago: percentage and graduated percentage
        ("percentage", {"percent": "2.9"}, "4", "0.116"),
        ("percentage", {"percent": "2.9", "free_amount": "4"}, "4", "0"),
        ("percentage", {"percent": "2.9", "free_amount": "1"}, "4", "0.087"),
        ("graduated_percentage", SHARES, "0", "200"),
        ("graduated_percentage", SHARES, "1", "200.01"),
        ("graduated_percentage", SHARES, "12", "500.14"),
        # OpenMeter: minimum and maximum spend, discount before maximum, conversion before free units
        ("per_unit", {"unit_amount": "10", "modifiers": {"minimum": "100"}}, "0", "100"),
        ("per_unit", {"unit_amount": "10", "modifiers": {"minimum": "100"}}, "11", "110"),
        ("per_unit", {"unit_amount": "10", "modifiers": {"maximum": "100"}}, "11", "100"),
        (
            "per_unit",
            {"unit_amount": "10", "modifiers": {"discount_percent": "50", "maximum": "65"}},
            "20",
            "65",
        ),
        (
            "per_unit",
            {"unit_amount": "10", "modifiers": {"discount_percent": "50", "maximum": "65"}},
            "12",
            "60",
        ),
        (
            "per_unit",
            {"unit_amount": "10", "modifiers": {"conversion": THOUSANDS_UP, "free_units": "0.5"}},
            "1400",
            "15",
        ),
        # Zuora: the quantity of seats is rounded down
        (
            "per_unit",
            {
                "unit_amount": "59.99",
                "modifiers": {"conversion": {"units_per": "1", "decimals": 0, "rounding": "down"}},
            },
            "4.6",
            "239.96",
        ),
        (
            "per_unit",
            {
                "unit_amount": "1",
                "modifiers": {"conversion": {"units_per": "3", "decimals": 2, "rounding": "nearest"}},
            },
            "5",
            "1.67",
        ),
    ],
)
def test_published_figures(model: str, definition: dict[str, Any], quantity: str, amount: str) -> None:
    """Worked examples that other systems publish for the same price."""
    assert rate(parse_price(model, definition), Decimal(quantity)).amount == Decimal(amount)


def test_modifiers_stand_as_steps_of_their_own() -> None:
    price = parse_price(
        "per_unit",
        {"unit_amount": "10", "modifiers": {"discount_percent": "50", "maximum": "65", "free_units": "2"}},
    )
    steps = rate(price, Decimal(22)).steps
    assert [(step.kind, step.amount) for step in steps] == [
        (StepKind.UNIT, 200),
        (StepKind.DISCOUNT, -100),
        (StepKind.MAXIMUM, -35),
    ]
    assert model_code(price) == "per_unit"


def test_graduated_price_shows_one_step_per_tier_entered() -> None:
    first, second = rate(INPUT_TOKENS, Decimal(22361870)).steps
    assert (first.quantity, first.unit_amount, first.amount) == (10000000, Decimal("0.0000025"), 25)
    assert (first.label, first.from_quantity, first.up_to) == ("up to 10,000,000", 0, 10000000)
    assert (second.quantity, second.amount) == (12361870, Decimal("24.723740"))
    assert (second.label, second.from_quantity, second.up_to) == ("above 10,000,000", 10000000, None)
    assert len(rate(INPUT_TOKENS, Decimal(10000000)).steps) == 1
    assert rate(INPUT_TOKENS, Decimal(0)).steps == ()


def test_volume_price_shows_the_tier_of_the_total() -> None:
    (only,) = rate(OUTPUT_TOKENS, Decimal(4088665)).steps
    assert (only.quantity, only.unit_amount) == (4088665, Decimal("0.000009"))
    assert (only.from_quantity, only.up_to) == (1000000, 5000000)


def test_package_price_shows_the_packages_started() -> None:
    rated = rate(REQUESTS, Decimal(19366))
    assert [(step.quantity, step.unit_amount) for step in rated.steps] == [(15, Decimal("0.50"))]
    assert rated.steps[0].label == "packages of 1,000 after 5,000 free"
    assert rated.billed_quantity == 15000
    assert rate(REQUESTS, Decimal(4999)).billed_quantity == 0


def test_flat_amount_of_a_tier_is_charged_once_when_the_tier_is_entered() -> None:
    tiers = (Tier(Decimal(10), Decimal(1), Decimal(5)), Tier(None, Decimal("0.5"), Decimal(7)))
    assert [rate(Graduated(tiers), Decimal(q)).amount for q in (0, 1, 10, 11)] == [0, 6, 15, Decimal("22.5")]
    assert [rate(Volume(tiers), Decimal(q)).amount for q in (0, 1, 10, 11)] == [0, 6, 15, Decimal("12.5")]


@pytest.mark.parametrize("quantity", [Decimal(-1), Decimal("NaN"), Decimal("Infinity"), 5, 1.5])
def test_quantity_without_a_price_is_refused(quantity: Any) -> None:
    for price in (INPUT_TOKENS, OUTPUT_TOKENS, REQUESTS, Flat(Decimal(1)), PerUnit(Decimal(1))):
        with pytest.raises(InvalidQuantity):
            rate(price, quantity)


@pytest.mark.parametrize(
    ("model", "definition", "field"),
    [
        ("matrix", {}, "model"),
        ("stairstep", {"tiers": [{"up_to": None, "unit_amount": "1"}]}, "tiers[0].amount"),
        ("stairstep", {"tiers": [{"up_to": None, "amount": "-1"}]}, "tiers[0].amount"),
        ("stairstep", {"tiers": [{"up_to": None, "amount": "1"}], "flat_at_zero": "yes"}, "flat_at_zero"),
        ("graduated", {"tiers": [{**LAST, "block_size": "0"}]}, "tiers[0].block_size"),
        ("graduated", {"tiers": [{**LAST, "max_amount": 3}]}, "tiers[0].max_amount"),
        ("percentage", {"percent": "100.1"}, "percent"),
        ("percentage", {"percent": "1", "rate": "1"}, "rate"),
        ("graduated_percentage", {"tiers": [{"up_to": None, "percent": "101"}]}, "tiers[0].percent"),
        ("flat", {"amount": "1", "modifiers": {"minimum": "5"}}, "modifiers"),
        ("per_unit", {"unit_amount": "1", "modifiers": {}}, "modifiers"),
        ("per_unit", {"unit_amount": "1", "modifiers": []}, "modifiers"),
        ("per_unit", {"unit_amount": "1", "modifiers": {"cap": "5"}}, "modifiers.cap"),
        ("per_unit", {"unit_amount": "1", "modifiers": {"minimum": "-5"}}, "modifiers.minimum"),
        (
            "per_unit",
            {"unit_amount": "1", "modifiers": {"minimum": "5", "maximum": "4"}},
            "modifiers.maximum",
        ),
        (
            "per_unit",
            {"unit_amount": "1", "modifiers": {"discount_percent": "101"}},
            "modifiers.discount_percent",
        ),
        ("per_unit", {"unit_amount": "1", "modifiers": {"conversion": "x"}}, "modifiers.conversion"),
        (
            "per_unit",
            {
                "unit_amount": "1",
                "modifiers": {"conversion": {"units_per": "0", "decimals": 0, "rounding": "up"}},
            },
            "modifiers.conversion.units_per",
        ),
        (
            "per_unit",
            {
                "unit_amount": "1",
                "modifiers": {"conversion": {"units_per": "1", "decimals": 13, "rounding": "up"}},
            },
            "modifiers.conversion.decimals",
        ),
        (
            "per_unit",
            {
                "unit_amount": "1",
                "modifiers": {"conversion": {"units_per": "1", "decimals": 0, "rounding": "x"}},
            },
            "modifiers.conversion.rounding",
        ),
        ("flat", [], "definition"),
        ("flat", {}, "amount"),
        ("flat", {"amount": 99}, "amount"),
        ("flat", {"amount": 99.0}, "amount"),
        ("flat", {"amount": None}, "amount"),
        ("flat", {"amount": "-1"}, "amount"),
        ("flat", {"amount": "1e3"}, "amount"),
        ("flat", {"amount": "NaN"}, "amount"),
        ("flat", {"amount": "1000000000000000000"}, "amount"),
        ("flat", {"amount": "1", "unit_amount": "1"}, "unit_amount"),
        ("per_unit", {"unit_amount": "0.0000000000001"}, "unit_amount"),
        ("package", {"size": "0", "amount": "1", "free_units": "0"}, "size"),
        ("package", {"amount": "1"}, "size"),
        ("package", {"size": "1", "amount": "1", "free_units": "-1"}, "free_units"),
        ("graduated", {}, "tiers"),
        ("graduated", {"tiers": []}, "tiers"),
        ("graduated", {"tiers": "x"}, "tiers"),
        ("graduated", {"tiers": [LAST] * 101}, "tiers"),
        ("graduated", {"tiers": ["x"]}, "tiers[0]"),
        ("graduated", {"tiers": [TIER]}, "tiers[0].up_to"),
        ("graduated", {"tiers": [LAST, LAST]}, "tiers[0].up_to"),
        ("volume", {"tiers": [TIER, TIER, LAST]}, "tiers[1].up_to"),
        ("volume", {"tiers": [TIER, {**TIER, "up_to": "9"}, LAST]}, "tiers[1].up_to"),
        ("volume", {"tiers": [TIER, {**TIER, "up_to": 20}, LAST]}, "tiers[1].up_to"),
        ("volume", {"tiers": [{**TIER, "up_to": "0"}, LAST]}, "tiers[0].up_to"),
        ("volume", {"tiers": [TIER, {"up_to": None}]}, "tiers[1].unit_amount"),
        ("volume", {"tiers": [TIER, {**LAST, "flat_amount": "-1"}]}, "tiers[1].flat_amount"),
        ("volume", {"tiers": [TIER, {**LAST, "flat_fee": "1"}]}, "tiers[1].flat_fee"),
    ],
)
def test_definition_that_is_no_price_is_refused_naming_the_place(
    model: str, definition: Any, field: str
) -> None:
    with pytest.raises(InvalidPrice) as refused:
        parse_price(model, definition)
    assert list(refused.value.fields) == [field]


def test_price_built_in_code_is_checked_like_one_that_was_read() -> None:
    with pytest.raises(InvalidPrice):
        PerUnit(Decimal("-0.01"))
    with pytest.raises(InvalidPrice):
        PerUnit(0.01)  # type: ignore[arg-type]
    with pytest.raises(InvalidPrice):
        PerUnit(Decimal("1E-400"))


def test_definition_is_canonical() -> None:
    assert definition_of(INPUT_TOKENS) == {
        "tiers": [
            {"up_to": "10000000", "unit_amount": "0.0000025"},
            {"up_to": None, "unit_amount": "0.000002"},
        ]
    }
    assert definition_of(REQUESTS) == {"size": "1000", "amount": "0.5", "free_units": "5000"}
    assert definition_of(Flat(Decimal("99.00"))) == {"amount": "99"}
    with_flat = {"tiers": [{"up_to": None, "unit_amount": "1", "flat_amount": "2.5"}]}
    assert definition_of(parse_price("volume", with_flat)) == with_flat


AMOUNTS = st.decimals(0, 1000, places=9)
BOUNDS = st.lists(st.decimals("0.001", 10**6, places=3), max_size=5, unique=True).map(sorted)
QUANTITIES = st.decimals(0, 2 * 10**6, places=6)


@st.composite
def tier_tables(draw: st.DrawFn, flat_amounts: bool = True) -> tuple[Tier, ...]:
    flat = AMOUNTS if flat_amounts else st.just(Decimal(0))
    bounds = [*draw(BOUNDS), None]
    return tuple(Tier(bound, draw(AMOUNTS), draw(flat)) for bound in bounds)


@st.composite
def blocks_and_caps(draw: st.DrawFn) -> tuple[Tier, ...]:
    sizes, caps = st.none() | st.decimals("0.5", 10**4, places=1), st.none() | AMOUNTS
    return tuple(
        Tier(bound, draw(AMOUNTS), draw(AMOUNTS), draw(sizes), draw(caps)) for bound in [*draw(BOUNDS), None]
    )


PERCENTS = st.decimals(0, 100, places=4)


@st.composite
def other_tiers(draw: st.DrawFn, tier: type[FlatTier] | type[PercentTier]) -> tuple[Any, ...]:
    bounds = [*draw(BOUNDS), None]
    if tier is FlatTier:
        return tuple(FlatTier(bound, draw(AMOUNTS)) for bound in bounds)
    return tuple(PercentTier(bound, draw(PERCENTS), draw(AMOUNTS)) for bound in bounds)


METERED = st.one_of(
    st.builds(PerUnit, AMOUNTS),
    st.builds(Graduated, tier_tables(), st.booleans()),
    st.builds(Volume, tier_tables(), st.booleans()),
    st.builds(Stairstep, other_tiers(FlatTier), st.booleans()),
    st.builds(Package, st.decimals("0.001", 10**4, places=3), AMOUNTS, AMOUNTS),
    st.builds(Percentage, PERCENTS, AMOUNTS),
    st.builds(GraduatedPercentage, other_tiers(PercentTier), st.booleans()),
)
CONVERSIONS = st.builds(
    Conversion, st.decimals("0.001", 10**4, places=3), st.integers(0, 12), st.sampled_from(ConversionRounding)
)
MODIFIERS = st.builds(
    Modifiers,
    st.none() | CONVERSIONS,
    AMOUNTS,
    PERCENTS,
    st.none() | st.decimals(0, 500, places=2),
    st.none() | st.decimals(500, 1000, places=2),
).filter(lambda modifiers: modifiers != Modifiers())
PRICES = st.one_of(st.builds(Flat, AMOUNTS), METERED, st.builds(Modified, METERED, MODIFIERS))
ONLY_AMOUNT = {StepKind.CAP, StepKind.DISCOUNT, StepKind.MINIMUM, StepKind.MAXIMUM}


@MODEST
@given(tiers=tier_tables(), quantities=st.tuples(QUANTITIES, QUANTITIES).map(sorted))
def test_graduated_price_never_falls_when_more_is_used(
    tiers: tuple[Tier, ...], quantities: list[Decimal]
) -> None:
    less, more = (rate(Graduated(tiers), quantity).amount for quantity in quantities)
    assert less <= more


@MODEST
@given(tiers=tier_tables(flat_amounts=False))
def test_graduated_price_is_continuous_at_its_bounds(tiers: tuple[Tier, ...]) -> None:
    price, tick = Graduated(tiers), Decimal("0.000000000001")
    for tier in tiers[:-1]:
        assert tier.up_to is not None
        at, beyond = rate(price, tier.up_to).amount, rate(price, tier.up_to + tick).amount
        assert 0 <= EXACT.subtract(beyond, at) <= 1000 * tick


@MODEST
@given(price=PRICES, quantity=QUANTITIES)
def test_steps_explain_the_amount(price: PriceModel, quantity: Decimal) -> None:
    rated = rate(price, quantity)
    # sum() would round to 28 digits, which a price of twelve decimals can need more than.
    assert reduce(EXACT.add, (step.amount for step in rated.steps), Decimal(0)) == rated.amount
    for step in rated.steps:
        if step.kind in ONLY_AMOUNT:
            continue
        expected = EXACT.multiply(step.quantity, step.unit_amount or Decimal(0))
        assert step.amount == EXACT.add(expected, step.flat_amount or Decimal(0))
    if isinstance(price, Graduated | Volume | PerUnit):
        assert sum((step.quantity for step in rated.steps), Decimal(0)) == quantity


@MODEST
@given(price=PRICES)
def test_definition_and_price_are_inverse(price: PriceModel) -> None:
    assert parse_price(model_code(price), definition_of(price)) == price


@MODEST
@given(price=st.builds(Package, st.decimals("0.001", 10**4, places=3), AMOUNTS, AMOUNTS), quantity=QUANTITIES)
def test_packages_cover_the_units_with_less_than_one_to_spare(price: Package, quantity: Decimal) -> None:
    spare = rate(price, quantity).billed_quantity - max(Decimal(0), quantity - price.free_units)
    assert 0 <= spare < price.size


@MODEST
@given(price=METERED, modifiers=MODIFIERS, quantity=QUANTITIES)
def test_modified_price_keeps_its_minimum_and_its_maximum(
    price: Any, modifiers: Modifiers, quantity: Decimal
) -> None:
    amount = rate(Modified(price, modifiers), quantity).amount
    assert modifiers.minimum is None or amount >= modifiers.minimum
    assert modifiers.maximum is None or amount <= modifiers.maximum


@MODEST
@given(tiers=blocks_and_caps(), quantity=QUANTITIES)
def test_capped_tier_never_costs_more_than_its_cap(tiers: tuple[Tier, ...], quantity: Decimal) -> None:
    price = Graduated(tiers)
    rated = rate(price, quantity)
    assert sum((step.amount for step in rated.steps), Decimal(0)) == rated.amount
    largest = {tier.up_to: tier.max_amount for tier in tiers}
    for priced, cap in pairwise(rated.steps):
        if cap.kind is StepKind.CAP:
            assert EXACT.add(priced.amount, cap.amount) == largest[priced.up_to] < priced.amount
    assert parse_price("graduated", definition_of(price)) == price


def documented() -> list[tuple[str, dict[str, Any], str, str]]:
    """The rows of the documentation page: model, definition, quantity, amount."""
    page = (Path(__file__).parents[2] / "billing/catalog/price_models.md").read_text()
    rows = re.findall(r"^\| (\w+) \| [^|]+ \| `(\{.+\})` \| ([0-9.]+) \| ([0-9.]+) \|$", page, re.MULTILINE)
    return [
        (code if code in MODEL_CODES else "per_unit", json.loads(definition), quantity, amount)
        for code, definition, quantity, amount in rows
    ]


@pytest.mark.parametrize(("model", "definition", "quantity", "amount"), documented())
def test_documentation_says_what_is_charged(
    model: str, definition: dict[str, Any], quantity: str, amount: str
) -> None:
    assert rate(parse_price(model, definition), Decimal(quantity)).amount == Decimal(amount)


def test_documentation_names_every_model() -> None:
    assert {model for model, *_ in documented()} == set(MODEL_CODES)
