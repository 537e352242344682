"""Periods and usage are billed once: I10, I12, I13, I32."""

from datetime import UTC, datetime
from typing import Any

import pytest

from billing.reports.books import check_books
from billing.subscriptions.models import SubscriptionItem
from billing.usage.models import UsageEvent, UsageRollup, UsageSign
from billing.usage.services import IncomingEvent, cancel_events, ingest
from customers.models import Customer
from customers.selectors import now_for
from tests import factories
from tests.billing_factories import billed_customer, subscription_of, version_with_fee
from tests.factories import ACTOR
from tests.invariants.hostile import (
    EXCLUSION,
    UNIQUE,
    accepted,
    copy_row,
    not_permitted,
    refused,
    sql,
    tampering,
)

pytestmark = pytest.mark.django_db


def november(day: int, hour: int = 0) -> datetime:
    return datetime(2023, 11, day, hour, tzinfo=UTC)


@pytest.fixture
def item() -> SubscriptionItem:
    return SubscriptionItem.objects.get(subscription=subscription_of(billed_customer()))


def bill(item: SubscriptionItem, start_at: datetime, end_at: datetime, **changes: Any) -> int:
    columns: dict[str, Any] = {
        "item_id": item.pk,
        "reason": "recurring",
        "start_at": start_at,
        "end_at": end_at,
        "received_after": None,
        "received_until": None,
        "invoice_id": "inv_1",
        "line_id": "lin_1",
        **changes,
    }
    ((row_id,),) = sql(
        f"INSERT INTO subscriptions_billedperiod ({', '.join(columns)})"
        f" VALUES ({', '.join(['%s'] * len(columns))}) RETURNING id",
        *columns.values(),
    )
    return int(row_id)


@pytest.mark.parametrize(
    ("start", "end"),
    [(1, 10), (5, 6), (9, 20), (1, 30)],
    ids=["the same", "within", "its last day", "around it"],
)
def test_i10_periods_of_one_item_never_overlap(item: SubscriptionItem, start: int, end: int) -> None:
    bill(item, november(1), november(10))
    with accepted():
        bill(
            item, november(10), november(20)
        )  # the next period starts at the instant at which the last one ends
    with refused("i10_period_is_billed_once", EXCLUSION):
        bill(item, november(start), november(end))


def test_i10_another_item_and_another_reason_have_slots_of_their_own(item: SubscriptionItem) -> None:
    bill(item, november(1), november(10))
    with accepted():
        bill(item, november(1), november(10), reason="usage")
        other = SubscriptionItem.objects.get(subscription=subscription_of(billed_customer()))
        bill(other, november(1), november(10))


def test_i10_a_released_period_frees_its_slot_once_and_for_all(item: SubscriptionItem) -> None:
    first = bill(item, november(1), november(10))
    sql("UPDATE subscriptions_billedperiod SET released_at = now() WHERE id = %s", first)
    bill(item, november(1), november(10))
    for undone in ("NULL", "now() + interval '1 day'"):
        with refused("i10_billed_period_never_changes"):
            sql(f"UPDATE subscriptions_billedperiod SET released_at = {undone} WHERE id = %s", first)


def test_i10_billed_periods_are_neither_changed_nor_deleted(item: SubscriptionItem) -> None:
    bill(item, november(1), november(10))
    for column, change in tampering("subscriptions_billedperiod").items():
        if column != "released_at":
            with refused("i10_billed_period_never_changes"):
                sql(f"UPDATE subscriptions_billedperiod SET {change}")
    for statement in ("DELETE FROM subscriptions_billedperiod", "TRUNCATE subscriptions_billedperiod"):
        with not_permitted():
            sql(statement)


def test_i13_late_usage_is_billed_beside_what_was_billed_and_never_across_it(item: SubscriptionItem) -> None:
    """The rectangle of service and receipt: the same service may be billed for later receipts only."""
    period = {"start_at": november(1), "end_at": november(10), "reason": "usage"}
    bill(item, **period, received_until=november(10))
    with accepted():
        bill(item, **period, received_after=november(10), received_until=november(12))
    for received_after in (None, november(9), november(9, 23)):
        with refused("i10_period_is_billed_once", EXCLUSION):
            bill(item, **period, received_after=received_after, received_until=november(12))
    with refused("receipt_range_ends_after_it_starts"):
        bill(item, **period, received_after=november(12), received_until=november(12))


def test_i10_period_ends_after_it_starts(item: SubscriptionItem) -> None:
    with refused("billed_period_ends_after_it_starts"):
        bill(item, november(10), november(10))


@pytest.fixture
def metered() -> Customer:
    """A customer with one event, of which the rollup says one."""
    meter = factories.meter("requests", aggregation="count", property="")
    customer = billed_customer(version=version_with_fee(meters=[meter]))
    ingest(events=[IncomingEvent("e1", customer.public_id, meter.event_type, now_for(customer), {})])
    return customer


def test_i12_an_event_is_stored_once_per_customer(metered: Customer) -> None:
    stored = UsageEvent.objects.get()
    with accepted():
        copy_row("usage_usageevent", stored.pk, event_id="e2")
        copy_row("usage_usageevent", stored.pk, customer_id=billed_customer().pk)
    with refused("i12_event_is_stored_once", UNIQUE):
        copy_row("usage_usageevent", stored.pk, at="2023-11-02T00:00:00Z", content_hash="another")


def test_i12_a_stored_event_is_neither_changed_nor_deleted(metered: Customer) -> None:
    statements = [
        f"UPDATE usage_usageevent SET {change}" for change in tampering("usage_usageevent").values()
    ]
    for statement in [*statements, "DELETE FROM usage_usageevent", "TRUNCATE usage_usageevent"]:
        with not_permitted():
            sql(statement)


def test_i13_one_rollup_per_customer_meter_and_quarter_of_an_hour(metered: Customer) -> None:
    rollup = UsageRollup.objects.get()
    with accepted():
        copy_row("usage_usagerollup", rollup.pk, bucket_at="2023-11-02T00:15:00Z")
    with refused("i13_one_rollup_per_meter_and_bucket", UNIQUE):
        copy_row("usage_usagerollup", rollup.pk)
    for odd in ("2023-11-02T00:01:00Z", "2023-11-02T00:15:01Z", "2023-11-02T00:15:00.000001Z"):
        with refused("rollup_bucket_is_a_quarter_of_an_hour"):
            copy_row("usage_usagerollup", rollup.pk, bucket_at=odd)


@pytest.mark.parametrize(
    "tampered", ["event_count = event_count + 1", "quantity_sum = quantity_sum + 0.000000000001"]
)
def test_i13_a_rollup_that_is_not_the_sum_of_its_events_is_found(metered: Customer, tampered: str) -> None:
    assert check_books() == []
    sql(f"UPDATE usage_usagerollup SET {tampered}")
    assert [finding.name for finding in check_books()] == ["I13 rollups equal their events"]


def test_i13_a_lost_rollup_is_found(metered: Customer) -> None:
    sql("DELETE FROM usage_usagerollup")
    assert [finding.name for finding in check_books()] == ["I13 rollups equal their events"]


def test_i32_one_live_subscription_per_external_id(item: SubscriptionItem) -> None:
    subscription = item.subscription
    sql("UPDATE subscriptions_subscription SET external_id = 'contract-7' WHERE id = %s", subscription.pk)
    with refused("i32_one_live_subscription_per_external_id", UNIQUE):
        copy_row("subscriptions_subscription", subscription.pk)
    with accepted():
        end = {"status": "canceled", "cancel_at": november(2), "canceled_at": november(2)}
        copy_row("subscriptions_subscription", subscription.pk, **end)


def test_subscription_terms_never_move(item: SubscriptionItem) -> None:
    movable = {"external_id", "status", "cancel_at", "canceled_at", "next_billing_at"}
    for column, change in tampering("subscriptions_subscription").items():
        if column not in movable:
            with refused("subscription_terms_never_move"):
                sql(f"UPDATE subscriptions_subscription SET {change} WHERE id = %s", item.subscription_id)


@pytest.fixture
def corrected(metered: Customer) -> UsageSign:
    """The sign by which the customer's event no longer counts."""
    cancel_events(
        customer_id=metered.public_id, event_ids=["e1"], reason="wrong", actor=ACTOR, at=now_for(metered)
    )
    return UsageSign.objects.get()


def test_i13_an_event_counts_once_or_not_at_all(corrected: UsageSign) -> None:
    customer = corrected.customer
    back = {"correction_id": _copy_of(corrected), "sign": 1}
    with accepted():
        copy_row("usage_usagesign", corrected.pk, **back)
    with refused("i13_event_counts_once_or_not"):
        copy_row("usage_usagesign", corrected.pk, **{**back, "sign": -1})
    with refused("usage_sign_repeats_its_event"):
        copy_row("usage_usagesign", corrected.pk, **back, properties={"other": 1})
    with refused("usage_sign_repeats_its_event"):
        copy_row("usage_usagesign", corrected.pk, **back, customer_id=billed_customer().pk)
    with refused("usage_sign_repeats_its_event"):
        copy_row("usage_usagesign", corrected.pk, **back, received_at="2000-01-01T00:00:00Z")
    with refused("correction_names_an_event_once", UNIQUE):
        copy_row("usage_usagesign", corrected.pk, sign=1)
    assert usage_total_is_nothing(customer)


def _copy_of(sign: UsageSign) -> int:
    return copy_row("usage_usagecorrection", sign.correction_id)


def usage_total_is_nothing(customer: Customer) -> bool:
    """Whether the rollups of the customer say that nothing counts."""
    return not UsageRollup.objects.filter(customer=customer, event_count__gt=0).exists()


def test_a_correction_says_why_and_what_it_takes_back(corrected: UsageSign) -> None:
    correction = corrected.correction_id
    with refused("usage_correction_has_a_reason"):
        copy_row("usage_usagecorrection", correction, reason="")
    with refused("usage_correction_reverts_another"):
        copy_row("usage_usagecorrection", correction, kind="revert")
    with refused("usage_correction_spans_time"):
        copy_row("usage_usagecorrection", correction, end_at="2000-01-01T00:00:00Z")
