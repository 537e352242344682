"""The books: I1 to I5, I26."""

from typing import Any

import pytest
from django.db import transaction

from billing.ledger.services import ensure_period
from billing.platform.ids import new_public_id
from tests import factories
from tests.invariants.hostile import (
    FOREIGN_KEY,
    UNIQUE,
    accepted,
    check_deferred,
    not_permitted,
    refused,
    sql,
)
from tests.invariants.raw_books import DAY, Books


@pytest.fixture
def books(db: None) -> Books:
    return Books()


@pytest.mark.parametrize(
    ("minor", "accounting_minor"),
    [(-99, -100), (-100, -99)],
    ids=["document currency", "accounting currency"],
)
def test_i01_entry_that_does_not_balance_is_refused_at_commit(
    books: Books, minor: int, accounting_minor: int
) -> None:
    with accepted():
        books.balanced()
    with refused("i1_entry_balances"):
        entry_id = books.entry()
        books.post(entry_id, books.bank, 100, 100)
        books.post(entry_id, books.receivable, minor, accounting_minor)


def test_i02_entry_with_one_posting_or_none_is_refused(books: Books) -> None:
    with refused("i1_entry_balances"):
        books.post(books.entry(), books.bank, 100, 100)
    with refused("i2_entry_has_two_postings"):
        books.entry()


def test_i02_posting_of_zero_is_refused_unless_it_revalues(books: Books) -> None:
    with accepted():  # a revaluation moves the accounting currency only
        entry_id = books.entry()
        books.post(entry_id, books.bank, 0, 5)
        books.post(entry_id, books.receivable, 0, -5)
    with refused("i2_posting_is_not_zero_in_both_currencies"):
        books.post(books.balanced(), books.bank, 0, 0)


def test_i03_posting_has_the_currency_of_its_account_and_of_its_entry(books: Books) -> None:
    dollars = books.account("1000", "USD")
    with refused("i3_posting_has_the_currency_of_its_account", FOREIGN_KEY):
        books.post(books.entry(), dollars, 100, 100)
    with refused("i3_posting_has_the_currency_of_its_entry", FOREIGN_KEY):
        books.post(books.entry(), dollars, 100, 100, currency="USD")


def test_i03_posting_stays_within_the_legal_entity_of_its_entry(books: Books) -> None:
    other = factories.legal_entity()
    foreign = books.account("1000", entity=other)
    with refused("i3_posting_has_the_currency_of_its_account", FOREIGN_KEY):
        books.post(books.entry(), foreign, 100, 100)
    with refused("i3_posting_has_the_currency_of_its_entry", FOREIGN_KEY):
        books.post(books.entry(), foreign, 100, 100, legal_entity_id=other.pk)
    with refused("entry_lies_in_a_period_of_its_entity", FOREIGN_KEY):
        books.balanced(period_id=ensure_period(legal_entity=other, on=DAY).pk)


@pytest.mark.parametrize("table", ["ledger_journalentry", "ledger_posting"])
def test_i04_the_application_may_neither_change_nor_delete_nor_empty_the_books(
    books: Books, table: str
) -> None:
    books.balanced()
    for statement in (f"UPDATE {table} SET currency = 'USD'", f"DELETE FROM {table}", f"TRUNCATE {table}"):
        with not_permitted():
            sql(statement)


def test_i04_nothing_is_added_to_an_entry_after_its_transaction(committed_db: str) -> None:
    books = Books()
    with transaction.atomic():  # in the transaction that writes the entry it may have any number of postings
        entry_id = books.balanced()
        books.post(entry_id, books.bank, 7, 7)
        books.post(entry_id, books.receivable, -7, -7)
    with refused("i4_entry_is_written_at_once"):
        books.post(entry_id, books.bank, 5, 5)
        books.post(entry_id, books.receivable, -5, -5)


def test_i04_entry_is_reversed_once(books: Books) -> None:
    original = books.balanced()
    books.balanced(-100, reverses_id=original, purpose="reverse")
    check_deferred()
    with refused("ledger_journalentry_reverses_id_key", UNIQUE):
        books.balanced(-100, reverses_id=original, purpose="reverse again")


def test_i05_one_fact_posts_once_per_purpose(books: Books) -> None:
    fact = new_public_id("inv")
    books.balanced(source_id=fact, purpose="issue")
    with accepted():
        books.balanced(-100, source_id=fact, purpose="reverse")
    with refused("i5_one_fact_posts_once", UNIQUE):
        books.balanced(source_id=fact, purpose="issue")


def test_i26_entry_in_foreign_currency_names_its_rate(books: Books) -> None:
    foreign = {"currency": "USD", "exchange_rate": "0.9"}
    books.bank, books.receivable = books.account("1000", "USD"), books.account("1100", "USD")

    def write(**changes: Any) -> None:
        entry_id = books.entry(**foreign, **changes)
        books.post(entry_id, books.bank, 100, 90, currency="USD")
        books.post(entry_id, books.receivable, -100, -90, currency="USD")

    with accepted():
        write(exchange_rate_source="ECB", exchange_rate_on=DAY)
    with refused("i26_foreign_entry_names_its_rate"):
        write()


def test_account_keeps_its_role_and_owner_and_may_be_mapped_anew(books: Books) -> None:
    with accepted():
        sql("UPDATE ledger_account SET gl_code = '1800' WHERE id = %s", books.bank.pk)
    with refused("account_keeps_its_identity"):
        sql("UPDATE ledger_account SET role = '4000' WHERE id = %s", books.bank.pk)
