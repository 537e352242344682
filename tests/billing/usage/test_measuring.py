"""Stored meters: what rollups answer equals what the events say, at every cut-off; groups, filters, carried values."""

from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.catalog.models import Meter
from billing.catalog.selectors import rule_of
from billing.core.aggregation import (
    Aggregation,
    Measured,
    MeterEvent,
    Window,
    measure,
    measure_groups,
    narrowed,
)
from billing.usage.breakdown import Question, measured_total, usage_by_property, usage_by_time
from billing.usage.measuring import Asked, measure_usage
from billing.usage.models import UsageRollup
from billing.usage.selectors import receipt_cutoff, rollup_mismatches
from billing.usage.services import cancel_events, count_past_events
from customers.models import Customer
from tests import factories
from tests.billing.usage.builders import NOVEMBER, clock, customer, event, send
from tests.factories import ACTOR

pytestmark = pytest.mark.django_db

BERLIN = ZoneInfo("Europe/Berlin")
START, END = datetime(2023, 11, 1, tzinfo=UTC), datetime(2023, 12, 1, tzinfo=UTC)
SPECIAL: dict[str, dict[str, Any]] = {
    "count": {"property": ""},
    "percentile": {"percentile": Decimal(95)},
    "sum_with_multiplier": {"multiplier": Decimal("0.5")},
    "expression": {"property": "", "expression": "input_tokens * 2"},
}


def meter(aggregation: str, **changes: Any) -> Meter:
    return factories.meter(
        aggregation=aggregation, **{"allow_negative": True, **SPECIAL.get(aggregation, {}), **changes}
    )


def measured(
    buyer: Customer,
    of: Meter,
    start_at: datetime = START,
    end_at: datetime = END,
    received_until: datetime | None = None,
    zone: tzinfo = BERLIN,
    **narrow: Any,
) -> dict[tuple[str | None, ...], Measured]:
    rule = narrowed(rule_of(of), **narrow) if narrow else rule_of(of)
    (found,) = measure_usage(
        customer=buyer,
        asked=[Asked(of, rule)],
        window=Window(start_at, end_at, zone),
        received_until=received_until,
    )
    return found


def units(*args: Any, **kwargs: Any) -> Decimal:
    return measured(*args, **kwargs)[()].units


@pytest.mark.parametrize("aggregation", sorted(Aggregation))
def test_every_aggregation_is_stored_and_read_at_every_cut_off(aggregation: str) -> None:
    """Three events, one that comes after the cut-off, one that is canceled after it: then and now both hold."""
    of, buyer = meter(aggregation), customer(on=clock())
    values = [4, 10, 4]
    for place, value in enumerate(values):
        send(
            event(
                buyer,
                f"e{place}",
                at=NOVEMBER - timedelta(days=3 - place),
                properties={"input_tokens": value},
            )
        )
    cutoff = receipt_cutoff(customer=buyer, at=NOVEMBER)
    send(event(buyer, "late", at=NOVEMBER - timedelta(days=2, hours=1), properties={"input_tokens": 25}))
    cancel_events(customer_id=buyer.public_id, event_ids=["e1"], reason="twice", actor=ACTOR, at=NOVEMBER)

    def replayed(*kept: tuple[int, timedelta]) -> Decimal:
        events = [
            MeterEvent(NOVEMBER - before, {"input_tokens": value}, f"r{place}")
            for place, (value, before) in enumerate(kept)
        ]
        return measure(rule_of(of), events, Window(START, END, BERLIN)).units

    day = timedelta(days=1)
    late = (25, 2 * day + timedelta(hours=1))
    assert units(buyer, of, received_until=cutoff) == replayed((4, 3 * day), (10, 2 * day), (4, day))
    assert units(buyer, of) == replayed((4, 3 * day), late, (4, day))
    assert rollup_mismatches() == []


@pytest.mark.parametrize(
    ("aggregation", "carried", "anew"),
    [
        ("sum", "37", "7"),
        ("count", "3", "1"),
        ("latest", "7", "7"),
        ("unique_count", "3", "1"),
        ("sum_with_multiplier", "18.5", "3.5"),
        ("expression", "74", "14"),
    ],
)
def test_recurring_meter_carries_over(aggregation: str, carried: str, anew: str) -> None:
    buyer = customer(on=clock(now_at=START - timedelta(days=10)))
    meters = [meter(aggregation, recurring=True), meter(aggregation)]
    for place, value in enumerate([10, 20]):
        send(
            event(
                buyer,
                f"old{place}",
                at=START - timedelta(days=20 - place),
                properties={"input_tokens": value},
            )
        )
    send(event(buyer, "new", at=START - timedelta(days=11), properties={"input_tokens": 7}))
    start = START - timedelta(days=12)
    assert [units(buyer, one, start_at=start) for one in meters] == [Decimal(carried), Decimal(anew)]


def test_weighted_and_prorated_meters_carry_over_from_their_rollups() -> None:
    """1000 carried in from the month before; 100 more from 16 November: 15 of 30 days."""
    buyer = customer(on=clock(now_at=NOVEMBER + timedelta(days=1)))
    weighted = meter("weighted_sum", recurring=True)
    prorated = meter("sum", recurring=True, prorated=True)
    send(event(buyer, "old", at=datetime(2023, 10, 20, tzinfo=UTC), properties={"input_tokens": 1000}))
    send(event(buyer, "new", at=datetime(2023, 11, 16, tzinfo=UTC), properties={"input_tokens": 100}))
    assert units(buyer, weighted) == units(buyer, prorated, zone=UTC) == 1050
    found = measured(buyer, weighted)[()]
    assert (found.closing, found.event_count) == (1100, 1)


def test_groups_and_filters_part_the_events() -> None:
    buyer = customer(on=clock())
    grouped = meter("sum", group_by=["model"])
    europe = meter("count", filters={"region": ["eu", "uk"]})
    for name, model, region, value in (
        ("a", "large", "eu", 5),
        ("b", "small", "us", 7),
        ("c", "large", "us", 1),
    ):
        properties = {"input_tokens": value, "model": model, "region": region}
        send(event(buyer, name, at=NOVEMBER, properties=properties))
    send(event(buyer, "d", at=NOVEMBER, properties={"input_tokens": 2}))
    assert {key: one.units for key, one in measured(buyer, grouped).items()} == {
        ("large",): 6,
        ("small",): 7,
        (None,): 2,
    }
    assert units(buyer, europe) == 1
    total = meter("sum")
    count_past_events(meter_id=total.public_id)
    large = {"model": ["large"]}
    assert units(buyer, total, filters=large) == 6
    assert units(buyer, total, excluded=[large, {"model": ["small"]}]) == 2
    assert units(buyer, total) == 15
    assert rollup_mismatches() == []


def test_meter_made_later_counts_what_was_there_with_its_bounds() -> None:
    meter("count")
    buyer = customer(on=clock())
    for place, value in enumerate([3, -8, 12]):
        send(
            event(
                buyer, f"e{place}", at=NOVEMBER, properties={"input_tokens": value, "host": f"h{place % 2}"}
            )
        )
    send(event(buyer, "none", at=NOVEMBER, properties={"host": ""}))
    later = {
        kind: meter(kind, **changes)
        for kind, changes in (
            ("min", {}),
            ("max", {}),
            ("average", {}),
            ("unique_count", {"property": "host"}),
        )
    }
    for one in later.values():
        count_past_events(meter_id=one.public_id)
    found = {kind: units(buyer, one) for kind, one in later.items()}
    assert found == {"min": -8, "max": 12, "average": Decimal("2.333333333333"), "unique_count": 2}
    rollup = UsageRollup.objects.get(meter=later["max"])
    assert (rollup.event_count, rollup.quantity_min, rollup.quantity_max) == (3, -8, 12)
    assert rollup_mismatches() == []


@pytest.mark.parametrize(
    ("changes", "properties", "verdict"),
    [
        ({"aggregation": "unique_count"}, {}, "invalid_quantity"),
        ({"aggregation": "unique_count"}, {"input_tokens": "ada", "operation": "move"}, "invalid_quantity"),
        ({"aggregation": "unique_count"}, {"input_tokens": "ada", "operation": "remove"}, "accepted"),
        ({"aggregation": "expression"}, {"output": 1}, "invalid_quantity"),
        (
            {"aggregation": "expression", "expression": "1 / input_tokens"},
            {"input_tokens": 0},
            "invalid_quantity",
        ),
        ({"aggregation": "expression"}, {"input_tokens": 3}, "accepted"),
        ({"aggregation": "max"}, {"input_tokens": "many"}, "invalid_quantity"),
        ({"aggregation": "sum", "filters": {"region": ["eu"]}}, {"region": "us"}, "accepted"),
        ({"aggregation": "sum", "filters": {"region": ["eu"]}}, {"region": "eu"}, "invalid_quantity"),
    ],
)
def test_event_that_its_meter_cannot_read_is_rejected(
    changes: dict[str, Any], properties: dict[str, object], verdict: str
) -> None:
    meter(**changes)
    buyer = customer(on=clock())
    assert send(event(buyer, at=NOVEMBER, properties=properties)) == [verdict]
    assert rollup_mismatches() == []


def test_reading_costs_the_rollups_and_finds_events_by_index() -> None:
    """A month of a merging meter reads no event; a replay walks the index by customer, type and time."""
    total, peak, seats = meter("sum"), meter("max"), meter("unique_count")
    buyer = customer(on=clock())
    send(event(buyer, at=NOVEMBER))
    with CaptureQueriesContext(
        connection,
    ) as merged:
        units(buyer, total)
    assert len(merged) == 1
    assert "usage_usageevent" not in merged[0]["sql"]
    with CaptureQueriesContext(connection) as bounds:
        units(buyer, peak)
    assert [("usage_usageevent" in query["sql"]) for query in bounds] == [False, False]
    with connection.cursor() as cursor:  # among a handful of rows every index serves alike
        cursor.execute(
            "INSERT INTO usage_usageevent"
            " (customer_id, event_id, event_type, at, received_at, properties, content_hash)"
            " SELECT customer_id, 'copy-' || n, event_type, at - n * interval '1 hour', received_at, properties,"
            " content_hash FROM usage_usageevent, generate_series(1, 5000) n"
        )
        cursor.execute("SET LOCAL enable_seqscan = off")
    with CaptureQueriesContext(connection) as replayed:
        units(buyer, seats)
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + replayed[-1]["sql"])
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "usage_event_by_time" in plan


def test_explorer_measures_each_part_by_itself_and_the_whole_apart() -> None:
    seats = meter("unique_count", property="user")
    buyer = customer(on=clock())
    for place, (user, model, days) in enumerate((("ada", "a", 3), ("ada", "a", 2), ("bob", "b", 2))):
        at = NOVEMBER - timedelta(days=days)
        send(event(buyer, f"e{place}", at=at, properties={"user": user, "model": model}))
    question = Question(buyer, seats, START, END, BERLIN)
    assert [(part.quantity, part.events) for part in usage_by_time(question, unit="day")] == [(1, 1), (2, 2)]
    assert [part.quantity for part in usage_by_time(question, unit="hour")] == [1, 2]
    by_model = {part.value: part.quantity for part in usage_by_property(question, name="model")}
    assert by_model == {"a": 1, "b": 1}
    assert measured_total(question).units == 2


SENT = st.lists(
    st.tuples(st.integers(0, 3 * 3600), st.integers(-5, 9), st.sampled_from(["x", "y", None])),
    min_size=1,
    max_size=8,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=SENT, start=st.integers(0, 4000), length=st.integers(1, 9000), canceled=st.integers(0, 7))
def test_stored_units_are_those_of_the_replay_at_any_bounds(
    meters_of_all_kinds: list[Meter],
    sent: list[tuple[int, int, str | None]],
    start: int,
    length: int,
    canceled: int,
) -> None:
    """Bounds cut buckets, an event is canceled; merged, replayed and grouped units are those of the events."""
    buyer = customer(on=clock())
    base = NOVEMBER - timedelta(hours=4)
    kept = []
    for place, (second, value, model) in enumerate(sent):
        properties = {"input_tokens": value, **({"model": model} if model else {})}
        at = base + timedelta(seconds=second)
        send(event(buyer, f"e{place}", at=at, properties=properties))
        kept.append(MeterEvent(at, properties, f"e{place}"))
    gone = canceled % len(sent)
    cancel_events(
        customer_id=buyer.public_id, event_ids=[f"e{gone}"], reason="wrong", actor=ACTOR, at=NOVEMBER
    )
    del kept[gone]
    window = Window(base + timedelta(seconds=start), base + timedelta(seconds=start + length), BERLIN)
    for of in meters_of_all_kinds:
        rule = rule_of(of)
        expected = measure_groups(rule, kept, window) if rule.group_by else {(): measure(rule, kept, window)}
        found = measured(buyer, of, window.start, window.end)
        assert {key: one.units for key, one in found.items()} == {
            key: one.units for key, one in expected.items()
        }, of.aggregation
    assert rollup_mismatches() == []


@pytest.fixture
def meters_of_all_kinds() -> list[Meter]:
    recurring = ("sum", "weighted_sum", "unique_count")
    return [
        *(meter(kind) for kind in sorted(Aggregation)),
        *(meter(kind, recurring=True) for kind in recurring),
        meter("sum", group_by=["model"]),
        meter("sum", prorated=True, recurring=True, rounding="ceil"),
    ]
