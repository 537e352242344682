"""When subscriptions start and end: stubs, month ends, zones, cancellations, and starts in the past and the future."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from billing.core.lifecycles import SubscriptionStatus
from billing.invoices.models import BillRunCustomer, Invoice
from billing.invoices.services import drafts
from billing.subscriptions import services as subscriptions
from billing.subscriptions.models import Subscription
from tests import factories
from tests.scenarios.story import (
    DEC_1,
    FIONA,
    JAN_1,
    NOV_1,
    NOVEMBER,
    Story,
    accruals,
    amounts,
    everything,
    is_sound,
    lines,
    service_days,
    usage,
    utc,
)

pytestmark = pytest.mark.django_db


def local(zone: str, *parts: int) -> datetime:
    return datetime(*parts, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def test_a_start_in_the_middle_of_the_month_pays_for_its_days_and_says_so() -> None:
    story = Story(utc(2023, 11, 11))
    story.subscribe(story.customer(), story.version(factories.fee("100.00")))
    invoice = story.bill_one()
    assert amounts(invoice) == ("66.67", "12.67", "79.34")  # 20 of 30 days; 19 % of 66.67
    assert invoice.lines.get().working["fraction"] == {"days": 20, "of": 30}
    assert service_days(invoice) == [("2023-11-11", "2023-11-30")]
    story.advance(DEC_1)
    assert amounts(story.bill_one())[0] == "100.00"
    assert is_sound()


def test_an_anniversary_on_31_january_clamps_to_short_months_and_comes_back() -> None:
    story = Story(utc(2024, 1, 31))
    story.subscribe(story.customer(), story.version(factories.fee(), anchor="anniversary"))
    issued = story.bill()
    for day in (utc(2024, 2, 29), utc(2024, 3, 31), utc(2024, 4, 30), utc(2024, 5, 31)):
        story.advance(day - timedelta(seconds=1))
        assert story.bill() == []
        story.advance(day)
        issued += story.bill()
    assert [service_days(invoice)[0] for invoice in issued] == [
        ("2024-01-31", "2024-02-28"),
        ("2024-02-29", "2024-03-30"),
        ("2024-03-31", "2024-04-29"),
        ("2024-04-30", "2024-05-30"),
        ("2024-05-31", "2024-06-29"),
    ]
    assert {amounts(invoice)[0] for invoice in issued} == {"99.00"}
    assert is_sound()


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/New_York", "UTC", "Asia/Kolkata"])
def test_periods_start_at_the_customers_midnight_wherever_that_is(zone: str) -> None:
    started, ended = local(zone, 2023, 11, 1), local(zone, 2023, 12, 1)
    story = Story(started)
    buyer = story.customer(time_zone=zone)
    story.subscribe(buyer, story.version(usage(), factories.fee()))
    assert amounts(story.bill_one())[0] == "99.00"  # a whole month: nothing is prorated
    story.advance(ended - timedelta(seconds=1))
    assert story.use(buyer, ended - timedelta(minutes=1), 100) == "accepted"
    assert story.bill() == []
    story.advance(ended)
    assert story.use(buyer, ended, 7) == "accepted"
    invoice = story.bill_one()
    assert lines(invoice)[0] == ("usage", "usage", "100", "1.00")
    assert service_days(invoice) == [("2023-11-01", "2023-11-30"), ("2023-12-01", "2023-12-31")]
    assert invoice.issued_on == ended.astimezone(ZoneInfo("Europe/Berlin")).date()
    story.advance(local(zone, 2024, 1, 1))
    assert lines(story.bill_one())[0] == ("usage", "usage", "7", "0.07")
    assert is_sound()


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/New_York"])
def test_the_last_hours_of_a_customers_month_are_revenue_of_that_month_and_not_late(zone: str) -> None:
    """A month of service is the customer's month, for usage as for fees, so that closing it leaves nothing over."""
    started, ended = local(zone, 2023, 11, 1), local(zone, 2023, 12, 1)
    story = Story(min(started, NOV_1))
    buyer = story.customer(time_zone=zone)
    story.subscribe(buyer, story.version(usage(), factories.fee()), started_at=started)
    story.advance(ended - timedelta(seconds=1))
    story.use(buyer, started, 100)
    story.use(buyer, ended - timedelta(seconds=1), 200)
    story.advance(utc(2023, 12, 2))
    story.close(NOVEMBER)
    assert accruals(buyer) == [("2023-11-30", "3.00", False)]
    story.bill()
    assert accruals(buyer) == [("2023-11-30", "3.00", False)]
    assert story.books(date(2023, 11, 30))["4010"] == "-3.00"
    assert is_sound()


def test_a_month_with_a_change_of_clocks_is_billed_in_whole_days() -> None:
    """New York left summer time on 5 November 2023: the day had 25 hours, and counts as one."""
    started = local("America/New_York", 2023, 11, 5)
    story = Story(started)
    buyer = story.customer(time_zone="America/New_York")
    story.subscribe(buyer, story.version(usage(), factories.fee("90.00")))
    invoice = story.bill_one()
    assert amounts(invoice)[0] == "78.00"  # 26 of 30 days
    story.advance(local("America/New_York", 2023, 11, 6))
    for hour in (5, 6):  # 1:30 comes twice
        assert story.use(buyer, utc(2023, 11, 5, hour, 30), 10) == "accepted"
    story.advance(local("America/New_York", 2023, 12, 1))
    assert lines(story.bill_one())[0] == ("usage", "usage", "20", "0.20")
    assert is_sound()


def test_month_end_in_berlin_is_not_month_end_in_utc() -> None:
    """A seller in Berlin issues on 1 December what its customer's UTC month brings due an hour later than Berlin's."""
    story = Story(NOV_1)
    buyer = story.customer(time_zone="UTC")
    story.subscribe(buyer, story.version(usage(), factories.fee()))
    story.bill()
    story.advance(utc(2023, 11, 30, 23, 30))  # 00:30 on 1 December in Berlin
    story.use(buyer, utc(2023, 11, 30, 23, 15), 100)
    assert story.bill() == []
    result = story.close(NOVEMBER)  # in Berlin, November is over
    assert (result.slices_minor, result.accruals_minor) == (9900, 100)
    story.advance(DEC_1)
    invoice = story.bill_one()
    assert (invoice.issued_on, lines(invoice)[0][3]) == (date(2023, 12, 1), "1.00")
    assert accruals(buyer) == [("2023-11-30", "1.00", False)]
    assert is_sound()


def test_canceled_at_period_end_service_runs_to_the_end_and_nothing_follows() -> None:
    story = Story(NOV_1)
    buyer = story.customer()
    bought = story.subscribe(buyer, story.version(usage(), factories.fee()))
    story.bill()
    story.advance(utc(2023, 11, 20))
    ended = story.cancel_at_period_end(bought)
    assert (ended.status, ended.cancel_at) == (SubscriptionStatus.ACTIVE, DEC_1)
    assert story.cancel_at_period_end(bought).cancel_at == DEC_1  # asking again changes nothing
    story.use(buyer, utc(2023, 11, 20), 300)
    story.advance(DEC_1)
    final = story.bill_one()
    assert lines(final) == [("usage", "usage", "300", "3.00")]
    assert final.billing_reason == "cancel"
    bought.refresh_from_db()
    assert (bought.status, bought.canceled_at, bought.next_billing_at) == ("canceled", DEC_1, None)
    story.advance(JAN_1)
    assert story.bill() == []
    assert is_sound()


def test_canceled_now_the_usage_so_far_is_billed_at_once_and_nothing_after() -> None:
    story = Story(NOV_1)
    buyer = story.customer()
    bought = story.subscribe(buyer, story.version(usage(), factories.fee()))
    story.bill()
    story.advance(utc(2023, 11, 16, 9))
    story.use(buyer, utc(2023, 11, 16, 8), 250)
    story.cancel_now(bought)
    story.use(buyer, utc(2023, 11, 16, 9, 1), 999)  # after the end of service
    final = story.bill_one()
    assert lines(final) == [("usage", "usage", "250", "2.50")]
    assert service_days(final) == [("2023-11-01", "2023-11-16")]
    story.advance(JAN_1)
    assert story.bill() == []
    story.recognize(date(2023, 12, 31))
    assert accruals(buyer) == [("2023-11-16", "2.50", False)]
    assert is_sound()


def test_canceled_now_before_its_due_bills_were_made_pays_for_its_days_only() -> None:
    story = Story(NOV_1)
    buyer = story.customer()
    bought = story.subscribe(buyer, story.version(factories.fee("90.00")))
    story.advance(utc(2023, 11, 11))
    story.cancel_now(bought)
    assert amounts(story.bill_one())[0] == "30.00"  # 10 of 30 days
    assert is_sound()


def test_canceling_now_does_not_put_off_an_end_that_has_passed() -> None:
    """Canceled at period end, 1 December; whoever presses 'now' on 3 December, before the bill, buys no extra days."""
    story = Story(NOV_1)
    buyer = story.customer()
    bought = story.subscribe(buyer, story.version(usage(), factories.fee()))
    story.bill()
    story.cancel_at_period_end(bought)
    story.advance(utc(2023, 12, 3))
    assert story.cancel_now(bought).cancel_at == DEC_1
    assert lines(story.bill_one()) == [("usage", "usage", "0", "0.00")]
    assert is_sound()


def test_canceled_before_it_starts_it_is_never_billed() -> None:
    story = Story(NOV_1)
    bought = story.subscribe(story.customer(), story.version(factories.fee()), started_at=DEC_1)
    before = everything()
    with pytest.raises(subscriptions.SubscriptionNotStarted):
        story.cancel_at_period_end(bought)
    assert everything() == before
    story.cancel_now(bought)
    with pytest.raises(subscriptions.SubscriptionEnded):
        story.cancel_now(bought)
    story.advance(JAN_1)
    assert story.bill() == []
    assert is_sound()


def test_a_scheduled_start_bills_nothing_before_its_day_and_becomes_active_with_its_first_bill() -> None:
    story = Story(NOV_1)
    bought = story.subscribe(story.customer(), story.version(factories.fee()), started_at=utc(2023, 12, 15))
    assert bought.status == SubscriptionStatus.SCHEDULED
    story.advance(utc(2023, 12, 14, 23, 59))
    assert story.bill() == []
    story.advance(utc(2023, 12, 15))
    assert amounts(story.bill_one())[0] == "54.29"  # 17 of 31 days of 99.00
    bought.refresh_from_db()
    assert bought.status == SubscriptionStatus.ACTIVE
    assert is_sound()


def test_a_backdated_start_is_billed_period_by_period_in_one_run() -> None:
    story = Story(utc(2023, 8, 20))
    buyer, version = story.customer(), story.version(usage(), factories.fee("31.00"))
    story.advance(utc(2023, 9, 1))
    story.use(buyer, utc(2023, 8, 31), 400)
    story.advance(utc(2023, 11, 10))
    story.subscribe(buyer, version, started_at=utc(2023, 8, 22))
    issued = story.bill()
    assert [amounts(one)[0] for one in issued] == ["10.00", "35.00", "31.00", "31.00"]
    assert [service_days(one)[-1] for one in issued] == [
        ("2023-08-22", "2023-08-31"),
        ("2023-09-01", "2023-09-30"),
        ("2023-10-01", "2023-10-31"),
        ("2023-11-01", "2023-11-30"),
    ]
    assert {one.issued_on for one in issued} == {date(2023, 11, 10)}
    story.recognize(date(2023, 10, 31))
    assert story.books(date(2023, 8, 31))["4000"] == "-10.00"  # each fee in the month of its service
    assert story.books(date(2023, 8, 31))["4010"] == "-4.00"
    assert is_sound()


@pytest.mark.parametrize("started_at", [utc(2022, 10, 30), utc(2025, 11, 2)])
def test_a_start_far_away_is_refused(started_at: datetime) -> None:
    story = Story(NOV_1)
    buyer, version = story.customer(), story.version(factories.fee())
    before = everything()
    with pytest.raises(subscriptions.StartOutOfRange):
        story.subscribe(buyer, version, started_at=started_at)
    assert everything() == before


def test_what_does_not_fit_is_not_sold() -> None:
    story = Story(NOV_1)
    buyer = story.customer()
    unpublished = story.version(factories.fee(), publish=False)
    foreign = factories.plan_version(prices=[factories.fee()], currency="USD")
    before = everything()
    with pytest.raises(subscriptions.PlanVersionNotPublished):
        story.subscribe(buyer, unpublished)
    with pytest.raises(subscriptions.CurrencyMismatch):
        story.subscribe(buyer, foreign)
    assert everything() == before


def test_an_external_id_names_one_live_subscription_and_is_free_again_after_its_end() -> None:
    story = Story(NOV_1)
    buyer, version = story.customer(), story.version(factories.fee())

    def start() -> Subscription:
        return subscriptions.start_subscription(
            customer=buyer, plan_version=version, external_id="order-1", actor=FIONA, at=story.now_at
        )

    first = start()
    before = everything()
    with pytest.raises(subscriptions.ExternalIdTaken):
        start()
    assert everything() == before
    story.advance(utc(2023, 11, 2))
    story.cancel_now(first)
    assert start().external_id == "order-1"
    story.bill()
    assert is_sound()


def test_a_subscription_with_more_due_than_looks_right_is_parked_for_a_person(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(drafts, "MOMENTS_MAX", 3)
    story = Story(NOV_1)
    version = story.version(factories.fee("1.00"), interval="day")
    story.subscribe(story.customer(), version)
    story.advance(utc(2023, 11, 4))  # the fourth day is due
    assert story.bill() == []
    assert BillRunCustomer.objects.get().error_code == "too_many_moments"
    assert not Invoice.objects.exists()
    story.subscribe(story.customer(), version, started_at=utc(2023, 11, 2))
    assert len(story.bill()) == 3  # as many as look right are billed
    assert is_sound()


def test_two_subscriptions_of_one_customer_are_billed_apart_and_canceled_apart() -> None:
    story = Story(NOV_1)
    buyer = story.customer()
    meters = usage()
    one = story.subscribe(buyer, story.version(meters, factories.fee("10.00")))
    story.subscribe(buyer, story.version(factories.fee("20.00")))
    assert [amounts(invoice)[0] for invoice in story.bill()] == ["10.00", "20.00"]
    story.cancel_at_period_end(one)
    story.advance(DEC_1)
    assert [amounts(invoice)[0] for invoice in story.bill()] == ["0.00", "20.00"]
    assert is_sound()
