"""What the database itself holds about holds, reviews and the sending of runs."""

import pytest

from billing.invoices import services
from billing.invoices.models import BillingHold, DocumentMail, Invoice
from customers.selectors import now_for
from tests.billing_factories import billed_customer, draft_invoice, finalized_invoice
from tests.factories import ACTOR
from tests.invariants.hostile import UNIQUE, accepted, not_permitted, refused, sql
from tests.invariants.raw_documents import issue_next
from tests.valueverse.backoffice.runs import give_contact, run_in_review

pytestmark = pytest.mark.django_db


def hold() -> BillingHold:
    customer = billed_customer()
    return services.place_hold(customer=customer, reason="Wait", actor=ACTOR, at=now_for(customer))


def test_nothing_is_issued_to_a_customer_on_hold() -> None:
    held = hold()
    draft = draft_invoice(held.customer)
    with refused("no_issue_on_hold"):
        issue_next(draft)
    services.release_hold(hold_id=held.public_id, actor=ACTOR, at=now_for(held.customer))
    with accepted():
        issue_next(draft)


def test_a_hold_never_changes_and_is_not_deleted() -> None:
    hold()
    for change in ("reason = 'x'", "until_at = now()", "customer_id = customer_id + 1", "held_at = now()"):
        with refused("hold_never_changes"):
            sql(f"UPDATE invoices_billinghold SET {change}")
    with not_permitted():
        sql("DELETE FROM invoices_billinghold")


def test_a_released_hold_stays_released() -> None:
    held = hold()
    services.release_hold(hold_id=held.public_id, actor=ACTOR, at=now_for(held.customer))
    with refused("hold_never_changes"):
        sql("UPDATE invoices_billinghold SET released_at = NULL")


def test_a_finalized_customer_of_a_run_stays_so() -> None:
    run = run_in_review(1)
    run = services.approve_bill_run(run=run, actor=ACTOR, at=run.created_at)
    services.perform_bill_run(run=run, actor=ACTOR, at=run.created_at)
    for status in ("pending", "drafted", "held", "parked"):
        with refused("bill_run_customer_status_moves"):
            sql("UPDATE invoices_billruncustomer SET status = %s", status)


def test_a_flag_that_nobody_knows_and_an_exclusion_without_a_reason_are_refused() -> None:
    run_in_review(1)
    with refused("bill_run_customer_flags_are_known"):
        sql("UPDATE invoices_billruncustomer SET flags = ARRAY['odd']")
    with refused("excluded_bill_run_customer_says_why"):
        sql("UPDATE invoices_billruncustomer SET status = 'excluded'")
    with refused("held_bill_run_customer_names_its_hold"):
        sql("UPDATE invoices_billruncustomer SET status = 'held'")


def test_a_run_is_sent_only_when_it_is_completed() -> None:
    run_in_review(1)
    with refused("only_a_completed_bill_run_is_sent"):
        sql("UPDATE invoices_billrun SET send_asked_at = now()")


def test_an_invoice_is_sent_to_an_address_once() -> None:
    customer = billed_customer()
    give_contact(customer)
    invoice: Invoice = finalized_invoice(customer)
    sent = DocumentMail.objects.get(invoice=invoice)
    again = (
        "INSERT INTO invoices_documentmail (public_id, invoice_id, recipient, is_first, status, attempts, error,"
        " queued_at) SELECT 'eml_x', invoice_id, recipient, %s, status, 0, '', queued_at"
        " FROM invoices_documentmail WHERE id = %s"
    )
    with refused("invoice_is_sent_to_a_recipient_once", UNIQUE):
        sql(again, True, sent.pk)
    with accepted():
        sql(again, False, sent.pk)
