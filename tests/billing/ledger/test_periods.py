"""Accounting periods: they close in order, for good, and nothing is dated in or before a closed one."""

from datetime import date
from typing import Any

import pytest

from billing.activity.models import Activity
from billing.core.postings import Role, payment_receipt
from billing.ledger import services as ledger
from billing.ledger.models import Account, AccountingPeriod, JournalEntry
from billing.ledger.selectors import JOURNAL_COLUMNS, balance_minor, journal_rows, trial_balance
from customers.models import LegalEntity
from tests import factories
from tests.scenarios.story import (
    DEC_1,
    DECEMBER,
    FIONA,
    JAN_1,
    NOV_1,
    NOVEMBER,
    Story,
    commit,
    everything,
    is_sound,
    usage,
    utc,
)
from valueverse.closing import BooksDoNotAgree, MonthNotOver

pytestmark = pytest.mark.django_db

JULY = date(2023, 7, 1)


def period(entity: LegalEntity, on: date = JULY) -> AccountingPeriod:
    return ledger.ensure_period(legal_entity=entity, on=on)


def close(entity: LegalEntity, on: date = JULY) -> AccountingPeriod:
    return ledger.close_period(period_id=period(entity, on).public_id, actor=FIONA, at=NOV_1)


def soft_close(entity: LegalEntity, on: date = JULY) -> AccountingPeriod:
    return ledger.soft_close_period(period_id=period(entity, on).public_id, actor=FIONA, at=NOV_1)


def post(entity: LegalEntity, on: date, source_type: str = "payment", **changes: Any) -> JournalEntry:
    given: dict[str, Any] = {
        "draft": payment_receipt(100, Role.BANK),
        "legal_entity": entity,
        "customer": None,
        "currency": "EUR",
        "accounting_on": on,
        "source_type": source_type,
        "source_id": f"{source_type}-{on}",
        "actor": FIONA,
    }
    return ledger.post_entry(**{**given, **changes})


def where(entity: LegalEntity, on: date, source_type: str = "payment") -> tuple[str, bool]:
    day, is_late = ledger.open_day(legal_entity=entity, on=on, source_type=source_type)
    return day.isoformat(), is_late


def test_a_period_is_a_calendar_month() -> None:
    entity = factories.legal_entity()
    found = period(entity, date(2024, 2, 29))
    assert (found.start_on, found.end_on) == (date(2024, 2, 1), date(2024, 3, 1))
    assert period(entity, date(2024, 2, 1)) == found


@pytest.mark.parametrize(
    ("on", "source_type", "expected"),
    [
        (date(2023, 6, 15), "payment", ("2023-08-01", True)),  # before the closed month
        (date(2023, 7, 31), "payment", ("2023-08-01", True)),
        (date(2023, 7, 31), "revenue_schedule_line", ("2023-08-01", True)),
        (date(2023, 8, 1), "payment", ("2023-08-01", False)),
    ],
)
def test_what_belongs_to_a_closed_month_is_dated_on_the_first_open_day(
    on: date, source_type: str, expected: tuple[str, bool]
) -> None:
    entity = factories.legal_entity()
    close(entity)
    assert where(entity, on, source_type) == expected


def test_a_soft_closed_month_takes_recognition_and_accrual_only() -> None:
    entity = factories.legal_entity()
    soft_close(entity)
    assert where(entity, JULY) == ("2023-08-01", True)
    assert where(entity, JULY, "usage_accrual") == ("2023-07-01", False)
    post(entity, JULY, "usage_accrual")
    before = everything()
    with pytest.raises(ledger.PeriodClosed):
        post(entity, JULY, "payment")
    assert everything() == before
    commit()


@pytest.mark.parametrize("on", [date(2023, 6, 30), date(2023, 7, 31)])
def test_nothing_is_posted_in_a_closed_month_or_before_it(on: date) -> None:
    entity = factories.legal_entity()
    period(entity, date(2023, 6, 1))
    close(entity)
    before = everything()
    with pytest.raises(ledger.PeriodClosed):
        post(entity, on)
    assert everything() == before


def test_months_close_in_order() -> None:
    entity = factories.legal_entity()
    post(entity, JULY)
    before = everything()
    august = period(entity, date(2023, 8, 1))
    with pytest.raises(ledger.PeriodNotOpenYet):
        close(entity, date(2023, 8, 1))
    assert AccountingPeriod.objects.exclude(pk=august.pk).count() == len(before["AccountingPeriod"])
    close(entity)
    assert close(entity, date(2023, 8, 1)).status == "closed"


def test_closing_again_changes_nothing_and_a_closed_month_is_not_opened_softly() -> None:
    entity = factories.legal_entity()
    soft_close(entity)
    soft_close(entity)
    close(entity)
    before = everything()
    assert close(entity).status == "closed"
    with pytest.raises(ledger.PeriodClosed):
        soft_close(entity)
    assert everything() == before
    names = Activity.objects.filter(object_kind="accounting_period").order_by("pk")
    assert [one.name for one in names] == ["accounting_period.soft_closed", "accounting_period.closed"]


def test_one_sellers_closed_month_is_another_sellers_open_one() -> None:
    one, other = factories.legal_entity(), factories.legal_entity()
    close(one)
    assert where(other, JULY) == ("2023-07-01", False)


def test_a_fact_is_posted_once_and_only_in_the_currency_of_the_books() -> None:
    entity = factories.legal_entity()
    post(entity, JULY)
    before = everything()
    with pytest.raises(ledger.AlreadyPosted):
        post(entity, JULY)
    with pytest.raises(ledger.ForeignCurrency):
        post(entity, JULY, source_id="other", currency="USD")
    assert everything() == before


def test_the_trial_balance_is_as_of_the_end_of_any_day() -> None:
    entity = factories.legal_entity()
    post(entity, date(2023, 7, 10))
    post(entity, date(2023, 7, 20))
    as_of = {day: trial_balance(legal_entity=entity, as_of=date(2023, 7, day)) for day in (9, 10, 19, 20)}
    assert {day: [row.balance_minor for row in rows] for day, rows in as_of.items()} == {
        9: [], 10: [100, -100], 19: [100, -100], 20: [200, -200]
    }  # fmt: skip
    assert balance_minor(legal_entity=entity, role=Role.BANK) == 200
    assert balance_minor(legal_entity=entity, role=Role.BANK, as_of=date(2023, 7, 10)) == 100
    commit()


def test_the_journal_export_bears_the_firms_own_account_numbers() -> None:
    entity = factories.legal_entity()
    post(entity, JULY)
    ledger.set_gl_code(account_id=Account.objects.get(role="1000").pk, gl_code="1200")
    rows = list(journal_rows(legal_entity=entity, start_on=JULY, end_on=date(2023, 8, 1)))
    shown = [dict(zip(JOURNAL_COLUMNS, row, strict=True)) for row in rows]
    assert [(row["gl_code"], row["role"], row["currency"], row["amount"]) for row in shown] == [
        ("1200", "1000", "EUR", "1.00"),
        ("2050", "2050", "EUR", "-1.00"),
    ]
    assert list(journal_rows(legal_entity=entity, start_on=date(2023, 8, 1), end_on=date(2023, 9, 1))) == []


def test_a_month_is_closed_when_it_is_over_where_the_books_are_kept() -> None:
    """At 21:00 on 30 November in New York it is December in UTC, and November goes on."""
    story = Story(NOV_1, zone="America/New_York")
    story.advance(utc(2023, 12, 1, 2))
    before = everything()
    with pytest.raises(MonthNotOver):
        story.close(NOVEMBER)
    assert everything() == before
    story.advance(utc(2023, 12, 1, 5))
    story.close(NOVEMBER)
    assert is_sound()


def test_in_berlin_a_month_is_over_before_it_is_in_utc() -> None:
    story = Story(NOV_1)
    story.advance(utc(2023, 11, 30, 23))
    story.close(NOVEMBER)
    assert period(story.seller, NOVEMBER).status == "closed"
    assert is_sound()


def test_closing_a_month_twice_recognizes_nothing_twice() -> None:
    story = Story(NOV_1)
    buyer = story.customer()
    story.subscribe(buyer, story.version(usage(), factories.fee()))
    story.bill()
    story.use(buyer, NOV_1, 100)
    story.advance(DEC_1)
    assert (story.close(NOVEMBER).slices, story.close(NOVEMBER).slices) == (1, 0)
    story.bill()
    story.advance(JAN_1)
    story.close(DECEMBER)
    assert story.books(date(2023, 12, 31)).keys() == {"1100", "2200", "4000", "4010"}
    assert is_sound()


def test_a_month_is_not_closed_on_books_that_do_not_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(NOV_1)
    story.subscribe(story.customer(), story.version(factories.fee()))
    story.bill()
    story.advance(DEC_1)
    post(story.seller, DECEMBER, source_type="planted")  # money that no payment knows of
    with pytest.raises(BooksDoNotAgree) as refused:
        story.close(NOVEMBER)
    assert "unapplied cash" in refused.value.message
    assert period(story.seller, NOVEMBER).status == "open"
