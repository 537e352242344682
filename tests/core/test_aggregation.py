"""Meters: the units of every aggregation, what merges and what replays, days and seconds across a clock change."""

from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.core.aggregation import (
    MERGEABLE,
    Aggregation,
    MeterEvent,
    MeterRule,
    Operation,
    Partial,
    Window,
    aggregate,
    measure,
    measure_groups,
    merges,
    meter_rule,
    property_text,
    rounded_units,
)
from billing.core.errors import BillingError

BERLIN = ZoneInfo("Europe/Berlin")
NOVEMBER = Window(datetime(2023, 11, 1, tzinfo=UTC), datetime(2023, 12, 1, tzinfo=UTC), UTC)
MODEST = settings(max_examples=25, deadline=None)


def event(day: float, value: object = None, **properties: object) -> MeterEvent:
    """An event so many days into November 2023, at midnight or after it."""
    if value is not None:
        properties["v"] = value
    return MeterEvent(NOVEMBER.start + timedelta(days=day - 1), properties)


def units(aggregation: str, events: list[MeterEvent], **settings: Any) -> Decimal:
    if aggregation not in ("count", "expression"):
        settings.setdefault("property", "v")
    return measure(meter_rule(aggregation, **settings), events, NOVEMBER).units


EVENTS = [event(3, 4), event(1, "10.5"), event(20, Decimal("-2")), event(9, 4), event(0, 100), event(31, 100)]


@pytest.mark.parametrize(
    ("aggregation", "settings", "expected"),
    [
        ("count", {}, "4"),
        ("sum", {}, "16.5"),
        ("min", {}, "-2"),
        ("max", {}, "10.5"),
        ("average", {}, "4.125"),
        ("average", {"rounding": "ceil", "rounding_decimals": 1}, "4.2"),
        ("latest", {}, "-2"),
        ("unique_count", {}, "3"),
        ("percentile", {"percentile": Decimal(50)}, "4"),
        ("percentile", {"percentile": Decimal(75)}, "4"),
        ("percentile", {"percentile": Decimal("75.1")}, "10.5"),
        ("percentile", {"percentile": Decimal(100)}, "10.5"),
        ("sum_with_multiplier", {"multiplier": Decimal("0.001")}, "0.0165"),
        ("expression", {"expression": "v * 2 + 1"}, "37"),
        ("sum", {"recurring": True}, "116.5"),
        ("count", {"recurring": True}, "5"),
        ("sum", {"rounding": "floor", "rounding_decimals": -1}, "10"),
        ("sum", {"rounding": "round"}, "17"),
    ],
)
def test_units_of_a_month(aggregation: str, settings: dict[str, Any], expected: str) -> None:
    assert units(aggregation, EVENTS, **settings) == Decimal(expected)


@pytest.mark.parametrize("aggregation", list(Aggregation))
def test_no_usage_is_zero(aggregation: Aggregation) -> None:
    special: dict[str, Any] = {
        "percentile": {"percentile": Decimal(95)},
        "sum_with_multiplier": {"multiplier": Decimal(2)},
        "expression": {"expression": "v"},
    }.get(aggregation, {})
    assert units(aggregation, [], **special) == 0


def test_weighted_sum_weighs_by_the_second_through_a_clock_change() -> None:
    """The night of 29 October 2023 has 25 hours in Berlin: 10 held over it weigh 25 of the month's 745 hours."""
    october = Window(datetime(2023, 10, 1, tzinfo=BERLIN), datetime(2023, 11, 1, tzinfo=BERLIN), BERLIN)
    held = [
        MeterEvent(datetime(2023, 10, 29, tzinfo=BERLIN), {"v": 10}),
        MeterEvent(datetime(2023, 10, 30, tzinfo=BERLIN), {"v": -10}),
    ]
    # Aware datetimes of one zone subtract by the wall clock, which would lose the hour: instants are compared in UTC.
    in_utc = [MeterEvent(one.at.astimezone(UTC), one.properties) for one in held]
    window = Window(october.start.astimezone(UTC), october.end.astimezone(UTC), BERLIN)
    found = measure(meter_rule("weighted_sum", property="v"), in_utc, window)
    assert rounded_units(meter_rule("count", rounding="round", rounding_decimals=9), found.units) == Decimal(
        "0.335570470"
    )  # 10 x 25 / 745
    assert measure(meter_rule("weighted_sum", property="v"), held, october).units == found.units


def test_days_are_local_days_and_the_clock_change_is_one_of_them() -> None:
    """A seat added late on 29 October in Berlin counts 3 of 31 days, though it is still the 28th elsewhere."""
    october = Window(datetime(2023, 10, 1, tzinfo=BERLIN), datetime(2023, 11, 1, tzinfo=BERLIN), BERLIN)
    added = [MeterEvent(datetime(2023, 10, 28, 22, 30, tzinfo=UTC), {"v": "ada"})]
    found = measure(meter_rule("unique_count", property="v", prorated=True), added, october)
    assert (found.units, found.full_units) == (Decimal("0.09678"), 1)


def test_carried_values_are_removed_once_and_may_come_back() -> None:
    def change(day: float, value: str, operation: str) -> MeterEvent:
        at = NOVEMBER.start + timedelta(days=day - 1)
        return MeterEvent(at, {"v": value}, f"{day}", Operation(operation))

    seats = [
        change(-30, "ada", "add"),
        change(-20, "bob", "add"),
        change(-10, "bob", "remove"),
        change(2, "bob", "remove"),
        change(3, "ada", "add"),
        change(11, "bob", "add"),
        change(16, "ada", "remove"),
    ]
    rule = meter_rule("unique_count", property="v", recurring=True, prorated=True)
    found = measure(rule, seats, NOVEMBER)
    assert found.full_units == found.closing == 1
    assert found.units == Decimal("1.2")  # ada 16 days and bob 20, of 30


def test_groups_part_the_events_and_their_sum_is_the_whole() -> None:
    events = [
        event(2, 5, model="a", region="eu"),
        event(3, 1, model="b", region="eu"),
        event(4, 7, model="a", region="us"),
        event(5, 2, region="eu"),
    ]
    rule = meter_rule("sum", property="v", group_by=["model"])
    found = {key: one.units for key, one in measure_groups(rule, events, NOVEMBER).items()}
    assert found == {("a",): 12, ("b",): 1, (None,): 2}
    assert sum(found.values()) == measure(rule, events, NOVEMBER).units
    europe = meter_rule("sum", property="v", group_by=["model"], filters={"region": ["eu"]})
    assert {k: o.units for k, o in measure_groups(europe, events, NOVEMBER).items()} == {
        ("a",): 5,
        ("b",): 1,
        (None,): 2,
    }


@pytest.mark.parametrize(
    ("aggregation", "last"), [("sum", "3"), ("count", "1"), ("max", "2"), ("unique_count", "1")]
)
def test_last_event_adds_what_is_above_all_before(aggregation: str, last: str) -> None:
    """A sum that fell from 10 to 6 and rises by 7 newly reaches 3 units."""
    values = {"sum": (10, -4, 7), "count": (1, 1, 1), "max": (4, 3, 6), "unique_count": (1, 2, 3)}[
        aggregation
    ]
    events = [event(day, value) for day, value in enumerate(values, start=2)]
    settings = {} if aggregation == "count" else {"property": "v"}
    found = measure(meter_rule(aggregation, **settings), events, NOVEMBER)
    assert found.last_event_units == Decimal(last)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"aggregation": "total"}, "aggregation"),
        ({"aggregation": "sum"}, "property"),
        ({"aggregation": "count", "property": "v"}, "property"),
        ({"aggregation": "max", "property": "v", "recurring": True}, "recurring"),
        ({"aggregation": "max", "property": "v", "prorated": True}, "prorated"),
        ({"aggregation": "percentile", "property": "v"}, "percentile"),
        ({"aggregation": "percentile", "property": "v", "percentile": Decimal(101)}, "percentile"),
        ({"aggregation": "sum", "property": "v", "percentile": Decimal(5)}, "percentile"),
        ({"aggregation": "sum_with_multiplier", "property": "v"}, "multiplier"),
        ({"aggregation": "sum_with_multiplier", "property": "v", "multiplier": Decimal(0)}, "multiplier"),
        ({"aggregation": "expression"}, "expression"),
        ({"aggregation": "expression", "expression": "1 + 1"}, "expression"),
        ({"aggregation": "expression", "expression": "v / 0"}, "expression"),
        ({"aggregation": "count", "rounding": "up"}, "rounding"),
        ({"aggregation": "count", "rounding": "ceil", "rounding_decimals": 13}, "rounding"),
        ({"aggregation": "count", "group_by": ["a", "a"]}, "group_by"),
        ({"aggregation": "count", "group_by": list("abcde")}, "group_by"),
        ({"aggregation": "count", "filters": {"region": []}}, "filters"),
        ({"aggregation": "count", "filters": {"region": ["eu", "eu"]}}, "filters"),
        ({"aggregation": "count", "filters": {"": ["eu"]}}, "filters"),
    ],
)
def test_meter_that_cannot_measure_is_refused(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(BillingError) as refused:
        meter_rule(**settings)
    assert field in refused.value.fields
    assert refused.value.code in ("invalid_input", "invalid_expression")


def test_texts_are_those_of_the_database() -> None:
    values = ("eu", True, False, None, 7, Decimal("1.50"), Decimal("1E+3"), Decimal("-0.0"))
    assert [property_text(one) for one in values] == ["eu", "true", "false", None, "7", "1.50", "1000", "0.0"]


def test_every_aggregation_declares_whether_it_merges() -> None:
    assert set(MERGEABLE) == set(Aggregation)
    assert not merges(meter_rule("count", group_by=["model"]))
    assert not merges(meter_rule("sum", property="v", prorated=True))


NUMBERS = st.decimals(-(10**9), 10**9, places=6)
MERGED = sorted(kind for kind, merged in MERGEABLE.items() if merged)


@given(st.lists(st.tuples(NUMBERS, st.integers(0, 3)), max_size=12), st.randoms(use_true_random=False))
@MODEST
def test_merging_any_split_in_any_order_is_the_replay(
    numbers: list[tuple[Decimal, int]], shuffle: Any
) -> None:
    events = [event(2 + place, number) for place, (number, _) in enumerate(numbers)]
    buckets = [Partial() for _ in range(4)]
    for number, bucket in numbers:
        buckets[bucket] += Partial(1, number, number, number)
    shuffle.shuffle(buckets)
    merged = (buckets[0] + buckets[1]) + (buckets[2] + buckets[3])
    assert merged == buckets[3] + (buckets[1] + (buckets[0] + buckets[2]))
    for kind in MERGED:
        rule = MeterRule(kind, "" if kind == "count" else "v", multiplier=Decimal("1.5"))
        assert rounded_units(rule, aggregate(rule, merged)) == measure(_plain(rule), events, NOVEMBER).units


def _plain(rule: MeterRule) -> MeterRule:
    """The multiplier is of one aggregation only."""
    return (
        rule if rule.aggregation is Aggregation.SUM_WITH_MULTIPLIER else replace(rule, multiplier=Decimal(1))
    )


@pytest.mark.parametrize("kind", sorted(Aggregation))
@given(
    st.lists(st.tuples(st.integers(0, 45), st.integers(-3, 5), st.booleans()), max_size=10),
    st.randoms(use_true_random=False),
)
@MODEST
def test_order_and_repetition_of_events_do_not_matter(
    kind: str, drawn: list[tuple[int, int, bool]], shuffle: Any
) -> None:
    events = [
        MeterEvent(
            NOVEMBER.start + timedelta(days=day - 10),
            {"v": value},
            f"e{place}",
            Operation.REMOVE if removed else Operation.ADD,
        )
        for place, (day, value, removed) in enumerate(drawn)
    ]
    special: dict[str, Any] = {
        "percentile": {"percentile": Decimal(95)},
        "sum_with_multiplier": {"multiplier": Decimal(2)},
        "expression": {"expression": "v * v"},
    }.get(kind, {})
    if kind not in ("count", "expression"):
        special["property"] = "v"
    rule = meter_rule(kind, **special)
    sent = [*events, *events]
    shuffle.shuffle(sent)
    assert measure(rule, sent, NOVEMBER) == measure(rule, events, NOVEMBER)
    with pytest.raises(ValueError, match="replays") if not MERGEABLE[rule.aggregation] else nullcontext():
        aggregate(rule, Partial())


@given(st.lists(st.tuples(st.integers(0, 29), NUMBERS), max_size=10), st.integers(1, 29))
@MODEST
def test_split_period_adds_up_where_the_aggregation_promises_it(
    drawn: list[tuple[int, Decimal]], cut: int
) -> None:
    """Counts and sums of two parts are those of the whole; a recurring total closes where the next one opens."""
    events = [event(1 + day, number) for day, number in drawn]
    middle = NOVEMBER.start + timedelta(days=cut)
    parts = [Window(NOVEMBER.start, middle, UTC), Window(middle, NOVEMBER.end, UTC)]
    for rule in (meter_rule("count"), meter_rule("sum", property="v")):
        whole = measure(rule, events, NOVEMBER).units
        assert sum(measure(rule, events, part).units for part in parts) == whole
    recurring = meter_rule("sum", property="v", recurring=True)
    assert measure(recurring, events, parts[1]).closing == measure(recurring, events, NOVEMBER).closing
