"""Prices of single events, of peaks and of parts of a period: exact figures, and parts that add up to the whole."""

from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.core.errors import InvalidPrice, InvalidQuantity
from billing.core.pricing import (
    Capacity,
    Flat,
    Graduated,
    Modified,
    Modifiers,
    PerUnit,
    PriceModel,
    Tier,
    rate,
)
from billing.core.pricing.by_event import (
    Dynamic,
    EventPercentage,
    fees_of_events,
    rate_dynamic,
    rate_event_percentage,
    rate_weighted,
)
from billing.core.pricing.capacity import PeakTier, rate_peaks
from billing.core.pricing.parts import Part, rate_part
from billing.core.pricing.usage import PricedEvent, Usage, usage_of_events
from billing.core.pricing.volume import Volume

TIERS = (Tier(D(5), D(10), D(100)), Tier(None, D(5), D(50)))
STEPPED = Graduated(TIERS)
AT_ZERO = Graduated(TIERS, flat_at_zero=True)


def events(*values: str) -> Usage:
    return usage_of_events(PricedEvent(D(value)) for value in values)


@pytest.mark.parametrize(
    ("terms", "values", "amount"),
    [
        ({"fixed_amount": D("0.30")}, ("4", "6"), "0.89"),
        ({"fixed_amount": D(2), "free_events": 1}, ("100", "50"), "3.45"),
        ({"fixed_amount": D(2), "free_amount": D(120)}, ("100", "50"), "2.87"),
        ({"fixed_amount": D(2), "free_amount": D(100)}, ("100", "50"), "5.45"),  # used up to the last cent
        ({"fixed_amount": D(2), "free_events": 2, "free_amount": D(80)}, ("100", "50"), "6.03"),
        ({"minimum": D(1)}, ("4", "100"), "3.9"),
        ({"maximum": D(2)}, ("4", "100"), "2.116"),
        ({"fixed_amount": D(3)}, ("0",), "0"),
        ({"fixed_amount": D(3), "charges_zero": True}, ("0",), "3"),
    ],
)
def test_percentage_of_events(terms: dict[str, object], values: tuple[str, ...], amount: str) -> None:
    rated = rate_event_percentage(EventPercentage(D("2.9"), **terms), events(*values))  # type: ignore[arg-type]
    assert rated.amount == D(amount) == sum((step.amount for step in rated.steps), D(0))


def test_quantity_without_its_events_is_one_event() -> None:
    model = EventPercentage(D("2.9"), fixed_amount=D("0.30"))
    assert rate_event_percentage(model, Usage(D(4))).amount == D("0.416")


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"percent": D(101)}, "percent"),
        ({"percent": D(1), "free_events": -1}, "free_events"),
        ({"percent": D(1), "fixed_amount": D(-1)}, "fixed_amount"),
        ({"percent": D(1), "minimum": D(2), "maximum": D(1)}, "maximum"),
    ],
)
def test_event_percentage_that_makes_no_sense_is_refused(terms: dict[str, D], field: str) -> None:
    with pytest.raises(InvalidPrice) as refused:
        EventPercentage(**terms)  # type: ignore[arg-type]
    assert set(refused.value.fields) == {field}


def test_dynamic_takes_what_events_carry() -> None:
    carried = usage_of_events([PricedEvent(D(5), D("12.3456")), PricedEvent(D(1), D("0.021"))])
    assert rate_dynamic(Dynamic(), carried).amount == D("12.3666")
    assert rate_dynamic(Dynamic(D("1.5")), carried).amount == D("18.5499")
    assert rate_dynamic(Dynamic(), usage_of_events([PricedEvent(D(0), D(7))])).amount == 0
    assert rate_dynamic(Dynamic(D(2)), Usage(D(10))).amount == 20
    with pytest.raises(InvalidQuantity):
        rate_dynamic(Dynamic(), usage_of_events([PricedEvent(D(5))]))
    with pytest.raises(InvalidPrice):
        Dynamic(D(0))


@pytest.mark.parametrize(
    ("pairs", "amount"),
    [
        ((("2", "1.4"), ("5", "2.66667"), ("10", "2"), ("-6", "-2.2")), "184.33336"),
        ((("5", "3.5"), ("-2", "-1")), "125"),  # the second tier is not entered, nor its fixed amount due
        ((("4", "1.6"), ("-100", "-33.33")), "0"),
        ((), "0"),
    ],
)
def test_tiers_over_weighted_events(pairs: tuple[tuple[str, str], ...], amount: str) -> None:
    rows = [PricedEvent(D(value), weight=D(weight)) for value, weight in pairs]
    assert rate_weighted(STEPPED, rows).amount == D(amount)


def test_fees_of_events_add_up_to_the_price_of_all() -> None:
    fees = fees_of_events(AT_ZERO, [D(2), D(4), D(1)])
    assert fees == [D(120), D(85), D(5)]
    assert sum(fees) == rate(AT_ZERO, D(7)).amount


def test_capacity_includes_units_and_prices_those_above() -> None:
    model = Capacity(D(100), D(1000), D("0.05"))
    assert [rate(model, D(units)).amount for units in (0, 1000, 1001, 1200)] == [100, 100, D("100.05"), 110]


def test_peaks_find_the_first_tier_that_holds_them() -> None:
    tiers = [PeakTier(D(10), {"a": D(100), "b": D(5)}), PeakTier(D(20), {"a": D(200), "b": None})]
    assert rate_peaks(tiers, {"a": D(100), "b": D(5)}).amount == 10
    assert rate_peaks(tiers, {"a": D(1), "b": D(6)}).amount == 20
    with pytest.raises(InvalidQuantity):
        rate_peaks(tiers, {"a": D(201)})
    with pytest.raises(InvalidPrice):
        rate_peaks([], {"a": D(1)})


MODELS: list[PriceModel] = [
    PerUnit(D(10)),
    STEPPED,
    AT_ZERO,
    Modified(PerUnit(D(10)), Modifiers(maximum=D(100))),
    Modified(PerUnit(D(10)), Modifiers(minimum=D(300), discount_percent=D(50))),
    Modified(AT_ZERO, Modifiers(free_units=D(3), maximum=D(180))),
    Capacity(D(100), D(10), D(2)),
]


@given(model=st.sampled_from(MODELS), first=st.integers(0, 40), second=st.integers(0, 40))
def test_parts_of_a_period_add_up_to_the_whole(model: PriceModel, first: int, second: int) -> None:
    start = rate_part(model, D(first), Part(is_last=False))
    rest = rate_part(model, D(second), Part(before=D(first)))
    assert start.amount + rest.amount == rate(model, D(first + second)).amount
    for rated in (start, rest):
        assert sum((step.amount for step in rated.steps), D(0)) == rated.amount


def test_flat_fee_is_billed_once_in_its_period() -> None:
    fee = Flat(D(100))
    for in_advance, wanted in ((True, [100, 0, 0]), (False, [0, 0, 100])):
        parts = [Part(is_last=False), Part(D(1), is_last=False), Part(D(2))]
        assert [rate_part(fee, D(1), part, in_advance=in_advance).amount for part in parts] == wanted


def test_volume_is_not_billed_in_parts() -> None:
    model = Volume(TIERS)
    assert rate_part(model, D(7), Part()).amount == rate(model, D(7)).amount
    with pytest.raises(InvalidQuantity):
        rate_part(model, D(7), Part(is_last=False))
    with pytest.raises(InvalidQuantity):
        Part(before=D(-1))


def test_what_is_no_number_is_refused() -> None:
    for wrong in (D("NaN"), 1.5, "2"):
        with pytest.raises(InvalidQuantity):
            PricedEvent(wrong)  # type: ignore[arg-type]
        with pytest.raises(InvalidQuantity):
            Usage(wrong)  # type: ignore[arg-type]
