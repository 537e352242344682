"""check_books finds what it is there to find.

Each damage is done by the tables' owner past the guards of the database, which is what these checks are the detector
for; it is rolled back with the block. A check that finds nothing wrong with its own damage would be no check.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection, connections, transaction

from billing.activity import services as activity
from billing.invoices import services as invoices
from billing.invoices.models import CreditReason
from billing.reports.books import CHECKS, check_books
from payments import services as payments
from tests import factories
from tests.scenarios.story import DEC_1, FIONA, NOV_1, Story, euros, is_sound, usage

ON_ACCOUNT = "WHERE account_id IN (SELECT id FROM ledger_account WHERE role = '{}')"
DAMAGES = {
    "I1 I2 entries balance": "UPDATE ledger_posting SET amount_minor = 2 WHERE id = 1",
    "I5 every fact is posted once": "UPDATE ledger_journalentry SET purpose = 'issued' WHERE purpose = 'issue'",
    "I6 documents add up": "UPDATE invoices_invoiceline SET amount_minor = amount_minor + 1",
    "I7 stored documents are untouched": "UPDATE invoices_storeddocument SET content = 'x'",
    "I8 numbers have no gaps": "UPDATE customers_numbercounter SET last_number = last_number + 1",
    "I11 billed periods tile time": (
        "UPDATE subscriptions_billedperiod SET end_at = end_at - interval '1 hour' WHERE reason = 'recurring'"
    ),
    "I13 rollups equal their events": "UPDATE usage_usagerollup SET quantity_sum = quantity_sum + 1",
    "I17 settlement counters equal their facts": "UPDATE invoices_invoice SET allocated_minor = 0",
    "I18 I19 payment counters equal their facts": "UPDATE payments_payment SET allocated_minor = 0",
    "control accounts receivable": f"UPDATE ledger_posting SET amount_minor = 1 {ON_ACCOUNT.format(1100)}",
    "control unbilled receivable": "UPDATE revenue_usageaccrual SET amount_minor = amount_minor + 1",
    "I22 billed usage was accrued once": "UPDATE revenue_usageaccrual SET amount_minor = amount_minor + 1",
    "control unapplied cash": "UPDATE payments_payment SET amount_minor = amount_minor + 1",
    "control refunds payable": "UPDATE payments_refund SET amount_minor = amount_minor + 1",
    "control VAT payable": f"UPDATE ledger_posting SET amount_minor = 1 {ON_ACCOUNT.format(2200)}",
    "I22 control deferred revenue": "UPDATE revenue_revenueslice SET amount_minor = amount_minor + 1",
    "control gateway clearing": "UPDATE payments_payment SET status = 'failed'",
    "I29 issues are recorded": "UPDATE activity_activity SET name = 'other' WHERE name = 'invoice.finalized'",
    "I29 the outbox is relayed": (
        "UPDATE activity_activity SET dispatched_at = NULL, recorded_at = now() - interval '2 hours'"
    ),
    "I33 the activity chain holds": "UPDATE activity_activity SET data = '{}' WHERE name = 'invoice.finalized'",
}


@contextmanager
def as_owner() -> Iterator[None]:
    """The application's connection as the owner of the tables, for the block."""
    mine, owner = connections["default"].settings_dict, connections["owner"].settings_dict
    before = {name: mine[name] for name in ("USER", "PASSWORD")}
    connections["default"].close()
    mine.update({name: owner[name] for name in before})
    try:
        yield
    finally:
        connections["default"].close()
        mine.update(before)


def full_books() -> None:
    """Books with something of everything: open, paid and credited invoices, usage, a refund, documents."""
    story = Story(NOV_1)
    buyer = story.customer()
    story.subscribe(buyer, story.version(usage(), factories.fee()))
    paid = story.bill_one()
    story.follow_up()
    story.use(buyer, NOV_1, 100)
    story.advance(DEC_1)
    story.bill()
    payments.record_manual_payment(
        customer=buyer,
        amount_minor=euros("20.31"),
        currency="EUR",
        received_on=DEC_1.date(),
        reference="too much",
        actor=FIONA,
        at=DEC_1,
    )
    note = invoices.credit_invoice(
        invoice_id=paid.public_id, reason=CreditReason.OTHER, actor=FIONA, at=DEC_1
    )
    payments.refund_payment(
        payment_id=paid.payment_attempts.get().public_id,
        amount_minor=euros("50.00"),
        reason="part of it",
        credit_note_id=note.public_id,
        actor=FIONA,
        at=DEC_1,
    )
    while activity.chain():
        pass


def test_every_check_finds_the_damage_it_is_named_for(committed_db: str) -> None:
    full_books()
    assert is_sound()
    assert {check.name for check in CHECKS} == set(DAMAGES)
    blind = []
    with as_owner():
        for name, damage in DAMAGES.items():
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"ALTER TABLE {damage.split()[1]} DISABLE TRIGGER USER")
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                cursor.execute(damage)
                if name not in {finding.name for finding in check_books()}:
                    blind.append(name)
                transaction.set_rollback(True)
    assert blind == []
    assert is_sound()


@pytest.mark.django_db
def test_an_empty_installation_has_nothing_to_find() -> None:
    assert check_books() == []


@pytest.mark.django_db
def test_a_finding_says_what_should_be_true_and_shows_the_rows_that_break_it() -> None:
    story = Story(NOV_1)
    buyer = story.customer()
    story.subscribe(buyer, story.version(usage(), factories.fee()))
    story.bill()
    story.use(buyer, NOV_1, 100)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE usage_usagerollup SET quantity_sum = quantity_sum + 1")
    (finding,) = check_books()
    assert finding.name == "I13 rollups equal their events"
    assert finding.statement.startswith("Every rollup has the count and sum")
    assert buyer.public_id in finding.rows[0]
