"""The usage of a period: whole quarters of an hour from the rollups, the edges from the events, and cut-offs."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import reduce
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.catalog.models import Meter
from billing.catalog.selectors import rule_of
from billing.core.aggregation import Partial
from billing.core.errors import InvalidPeriod, InvalidQuantity
from billing.core.periods import Interval, IntervalUnit, boundary
from billing.core.quantity import EXACT
from billing.usage.models import UsageEvent, UsageRollup
from billing.usage.readings import reading
from billing.usage.selectors import (
    has_events_received_after,
    late_totals,
    receipt_cutoff,
    rollup_mismatches,
    usage_totals,
)
from billing.usage.services import count_past_events
from customers.models import Customer, TestClock
from tests.billing.usage.builders import NOVEMBER, clock, customer, event, meter, rollups, send

pytestmark = pytest.mark.django_db


@dataclass(slots=True)
class Story:
    """A customer on a clock that shows the evening of 16 November 2023, with a sum and a count."""

    buyer: Customer
    clock: TestClock
    tokens: Meter
    requests: Meter

    def send(self, event_id: str, at: datetime, quantity: object = 1) -> None:
        sent = event(self.buyer, event_id, at=at, properties={"input_tokens": quantity})
        assert send(sent) == ["accepted"]

    def set_clock(self, to: datetime) -> None:
        TestClock.objects.filter(pk=self.clock.pk).update(now_at=to)

    def total(self, start_at: datetime, end_at: datetime, until: datetime | None = None) -> Decimal:
        found = usage_totals(
            customer=self.buyer,
            meters=[self.tokens, self.requests],
            start_at=start_at,
            end_at=end_at,
            received_until=until,
        )
        assert set(found) == {self.tokens.pk, self.requests.pk}
        return found[self.tokens.pk].sum


@pytest.fixture
def story(db: None) -> Iterator[Story]:
    on = clock()
    return Story(customer(on=on), on, meter(), meter(code="requests", reads=None))


def test_a_period_without_usage_is_zero_for_every_meter(story: Story) -> None:
    assert usage_totals(
        customer=story.buyer,
        meters=[story.tokens],
        start_at=NOVEMBER,
        end_at=NOVEMBER + timedelta(hours=1),
        received_until=None,
    ) == {story.tokens.pk: Partial()}


def test_bounds_inside_a_quarter_of_an_hour_count_that_quarters_events_only(story: Story) -> None:
    for minute in range(0, 60, 4):
        story.send(
            f"m{minute}", NOVEMBER - timedelta(hours=1) + timedelta(minutes=minute), 10**minute % 7 + 1
        )
    base = NOVEMBER - timedelta(hours=1)
    for start in (0, 3, 4, 7, 15, 16, 20):
        for end in (start + 1, start + 4, 29, 30, 31, 44, 45, 60):
            if end > start:
                expected = sum(10**minute % 7 + 1 for minute in range(0, 60, 4) if start <= minute < end)
                found = story.total(base + timedelta(minutes=start), base + timedelta(minutes=end))
                assert found == expected, (start, end)


def test_the_start_is_in_the_period_and_the_end_is_not(story: Story) -> None:
    tick = timedelta(microseconds=1)
    story.send("start", NOVEMBER, 1)
    story.send("last", NOVEMBER - tick, 10)
    hour = timedelta(hours=1)
    assert story.total(NOVEMBER, NOVEMBER + hour) == 1
    assert story.total(NOVEMBER - hour, NOVEMBER) == 10
    assert story.total(NOVEMBER - tick, NOVEMBER) == 10
    assert story.total(NOVEMBER - tick, NOVEMBER + tick) == 11


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"]
)
def test_local_months_split_usage_without_losing_any(zone: str) -> None:
    """October has 745 hours in Berlin, and midnight in Kathmandu is at 18:15 UTC."""
    on = clock(now_at=datetime(2023, 11, 3, tzinfo=UTC))
    buyer, tokens = customer(on=on), meter()
    bounds = [boundary(date(2023, 10, 1), Interval(IntervalUnit.MONTH), n, ZoneInfo(zone)) for n in range(3)]
    tick = timedelta(microseconds=1)
    last_of_october = event(buyer, "october", at=bounds[1] - tick, properties={"input_tokens": 1})
    first_of_november = event(buyer, "november", at=bounds[1], properties={"input_tokens": 2})
    assert send(last_of_october, first_of_november) == ["accepted", "accepted"]
    with CaptureQueriesContext(connection) as queries:
        months = [
            usage_totals(customer=buyer, meters=[tokens], start_at=start, end_at=end, received_until=None)
            for start, end in pairwise(bounds)
        ]
    assert [month[tokens.pk].sum for month in months] == [1, 2]
    assert not any("usage_usageevent" in query["sql"] for query in queries), (
        "midnight falls on a bucket everywhere"
    )


def test_a_frozen_cutoff_gives_the_same_answer_after_late_events(story: Story) -> None:
    hour = timedelta(hours=1)
    start, end = NOVEMBER - hour, NOVEMBER + timedelta(minutes=2)
    story.send("on time", NOVEMBER - timedelta(minutes=50), 5)
    story.send("at the edge", NOVEMBER + timedelta(minutes=1), 7)
    cutoff = receipt_cutoff(customer=story.buyer, at=NOVEMBER)
    assert story.total(start, end, cutoff) == 12
    story.send("late, though the clock stands still", NOVEMBER - timedelta(minutes=40), 100)
    story.set_clock(NOVEMBER + hour)
    story.send("late", NOVEMBER - timedelta(minutes=30), 1000)
    story.send("late at the edge", NOVEMBER + timedelta(minutes=1), 10_000)
    assert story.total(start, end, cutoff) == 12
    assert story.total(start, end) == 11_112


def test_late_usage_is_what_the_next_cutoff_adds(story: Story) -> None:
    start, end = NOVEMBER - timedelta(hours=1), NOVEMBER + timedelta(minutes=2)
    story.send("on time", NOVEMBER - timedelta(minutes=50), 5)
    first = receipt_cutoff(customer=story.buyer, at=NOVEMBER)
    story.set_clock(NOVEMBER + timedelta(hours=1))
    story.send("late", NOVEMBER - timedelta(minutes=30), 70)
    story.send("of the next period", NOVEMBER + timedelta(minutes=3), 800)
    second = receipt_cutoff(customer=story.buyer, at=NOVEMBER + timedelta(hours=1))
    story.send("too late for the second", NOVEMBER - timedelta(minutes=20), 9000)
    late = late_totals(
        customer=story.buyer,
        meters=[story.tokens, story.requests],
        start_at=start,
        end_at=end,
        received_after=first,
        received_until=second,
    )
    assert late == {story.tokens.pk: Partial(1, Decimal(70)), story.requests.pk: Partial(1, Decimal(0))}
    assert story.total(start, end, second) == story.total(start, end, first) + late[story.tokens.pk].sum


def test_whether_anything_came_late_is_known(story: Story) -> None:
    period = {"start_at": NOVEMBER - timedelta(hours=1), "end_at": NOVEMBER}
    story.send("on time", NOVEMBER - timedelta(minutes=50))
    cutoff = receipt_cutoff(customer=story.buyer, at=NOVEMBER)
    story.send("of the next period", NOVEMBER)
    assert not has_events_received_after(customer=story.buyer, received_after=cutoff, **period)
    story.send("late", NOVEMBER - timedelta(minutes=50))
    assert has_events_received_after(customer=story.buyer, received_after=cutoff, **period)


def test_a_cutoff_lies_before_whatever_arrives_next(story: Story) -> None:
    for n in range(3):
        cutoff = receipt_cutoff(customer=story.buyer, at=NOVEMBER)
        story.send(f"e{n}", NOVEMBER)
        assert UsageEvent.objects.get(event_id=f"e{n}").received_at > cutoff


def test_a_period_that_ends_before_it_starts_is_refused(story: Story) -> None:
    with pytest.raises(InvalidPeriod):
        story.total(NOVEMBER, NOVEMBER)
    with pytest.raises(InvalidPeriod):
        story.total(NOVEMBER.replace(tzinfo=None), NOVEMBER)


def test_a_total_is_one_statement_whatever_its_bounds(story: Story) -> None:
    with CaptureQueriesContext(connection) as queries:
        story.total(NOVEMBER - timedelta(hours=3, seconds=7), NOVEMBER + timedelta(seconds=7), NOVEMBER)
    assert len(queries) == 1


def test_a_batch_costs_the_same_number_of_statements_whatever_its_size(story: Story) -> None:
    def statements(size: int, name: str) -> int:
        events = [event(story.buyer, f"{name}{n}", at=NOVEMBER) for n in range(size)]
        with CaptureQueriesContext(connection) as queries:
            assert set(send(*events)) == {"accepted"}
        return len(queries)

    assert statements(200, "many") == statements(2, "few") <= 8


def test_a_meter_made_later_counts_what_came_before_it(story: Story) -> None:
    sent = {"input_tokens": 1, "output_tokens": "2.5"}
    story_events = [
        event(story.buyer, "number", at=NOVEMBER, properties=sent),
        event(story.buyer, "missing", at=NOVEMBER, properties={"input_tokens": 1}),
        event(story.buyer, "text", at=NOVEMBER, properties={"input_tokens": 1, "output_tokens": "many"}),
        event(story.buyer, "negative", at=NOVEMBER, properties={"input_tokens": 1, "output_tokens": -7}),
        event(story.buyer, "absurd", at=NOVEMBER, properties={"input_tokens": 1, "output_tokens": 10**50}),
    ]
    assert set(send(*story_events)) == {"accepted"}
    output = meter(code="output_tokens", reads="output_tokens")
    assert [row.meter_code for row in rollup_mismatches()] == ["output_tokens"]
    for _ in range(2):
        assert count_past_events(meter_id=output.public_id) == 1
        assert rollups()[("output_tokens", NOVEMBER)] == (1, Decimal("2.5"))
        assert rollup_mismatches() == []


def test_a_wrong_rollup_is_found(story: Story) -> None:
    story.send("e1", NOVEMBER, 5)
    story.send("e2", NOVEMBER - timedelta(hours=1), 5)
    UsageRollup.objects.filter(meter=story.tokens, bucket_at=NOVEMBER).update(quantity_sum=6)
    (row,) = rollup_mismatches()
    assert (row.customer_id, row.meter_code, row.bucket_at) == (
        story.buyer.public_id,
        "input_tokens",
        NOVEMBER,
    )
    assert (row.stored, row.recounted) == (Partial(1, Decimal(6)), Partial(1, Decimal(5)))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sent=st.lists(
        st.tuples(
            st.integers(0, 6),
            st.integers(0, 7200),
            st.one_of(
                st.decimals(-(10**18), 10**18, places=12),
                st.integers(-(10**19), 10**19),
                st.sampled_from(
                    ["1.5", "007", "-0", "x", "1e3", "", None, True, Decimal("1E+5"), Decimal("-0.0")]
                ),
            ),
        ),
        max_size=30,
    ),
    cut=st.integers(1, 29),
    start=st.integers(0, 3600),
)
def test_rollups_equal_a_recount_whatever_is_sent_in_whatever_batches(
    story: Story, sent: list[tuple[int, int, object]], cut: int, start: int
) -> None:
    """Ids repeat, batches are cut anywhere; the total of any period equals the sum of the stored events."""
    buyer = customer(on=story.clock)
    base = NOVEMBER - timedelta(hours=2)
    events = [
        event(buyer, str(name), at=base + timedelta(seconds=second), properties={"input_tokens": quantity})
        for name, second, quantity in sent
    ]
    send(*events[:cut])
    send(*events[cut:])
    first: dict[int, tuple[int, Decimal]] = {}
    for name, second, quantity in sent:
        with suppress(InvalidQuantity):
            first.setdefault(name, (second, _read(story.tokens, quantity)))
    counted = [quantity for second, quantity in first.values() if start <= second < start + 3601]
    found = usage_totals(
        customer=buyer,
        meters=[story.tokens],
        start_at=base + timedelta(seconds=start),
        end_at=base + timedelta(seconds=start + 3601),
        received_until=None,
    )
    assert found[story.tokens.pk].sum == reduce(EXACT.add, counted, Decimal(0))
    assert rollup_mismatches() == []


def _read(meter: Meter, quantity: object) -> Decimal:
    found = reading(meter, rule_of(meter), {"input_tokens": quantity})
    assert found is not None, "no filter leaves it out"
    return found
