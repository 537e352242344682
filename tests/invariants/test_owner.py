"""The second wall: what the application may not do for want of privileges, triggers refuse to the owner too."""

import pytest

from billing.usage.services import IncomingEvent, amend_event, ingest
from customers.models import Customer, VatCheck
from customers.selectors import now_for
from tests import factories
from tests.billing_factories import billed_customer, paid_invoice, receipt, version_with_fee
from tests.invariants.hostile import refused, sql, tampering
from tests.invariants.raw_documents import store_document

APPEND_ONLY = {
    "ledger_journalentry": "i4_entry_is_append_only",
    "ledger_posting": "i4_posting_is_append_only",
    "invoices_storeddocument": "i7_stored_document_never_changes",
    "usage_usageevent": "i12_event_is_append_only",
    "usage_usagecorrection": "usage_correction_is_append_only",
    "usage_usagesign": "usage_sign_is_append_only",
    "usage_usageaddition": "usage_addition_is_append_only",
    "revenue_revenueschedule": "i22_schedule_never_changes",
    "payments_paymentallocation": "allocation_is_append_only",
    "activity_activity": "i33_activity_is_append_only",
    "customers_vatcheck": "vat_check_never_changes",
}
DELETED = APPEND_ONLY | {
    "invoices_storeddocument": "i7_stored_document_is_retained",
    "customers_numbercounter": "i8_number_counter_moves_forward",
    "subscriptions_billedperiod": "i10_billed_period_never_changes",
    "payments_payment": "payment_keeps_its_terms",
    "approvals_approvalrequest": "i34_request_never_changes",
}
TRUNCATED = {
    "ledger_journalentry": "i4_entry_is_append_only",
    "ledger_posting": "i4_posting_is_append_only",
    "invoices_storeddocument": "i7_stored_document_is_retained",
    "usage_usageevent": "i12_event_is_append_only",
    "usage_usagecorrection": "usage_correction_is_append_only",
    "usage_usagesign": "usage_sign_is_append_only",
    "usage_usageaddition": "usage_addition_is_append_only",
    "payments_paymentallocation": "allocation_is_append_only",
    "activity_activity": "i33_activity_is_append_only",
}


@pytest.fixture
def full_database(committed_db: str) -> Customer:
    """A database with a row or more in every one of the tables above."""
    meter = factories.meter("requests", aggregation="count", property="")
    customer = billed_customer(version=version_with_fee(meters=[meter]))
    at = now_for(customer)
    VatCheck.objects.create(
        customer=customer, country="FR", vat_number="FR83404833048", outcome="valid", asked_at=at
    )
    ingest(events=[IncomingEvent("e1", customer.public_id, meter.event_type, at, {})])
    amend_event(
        customer_id=customer.public_id,
        event_id="e1",
        properties={},
        reason="wrong",
        actor=factories.ACTOR,
        at=at,
    )
    store_document(paid_invoice(customer), retain_until="2034-01-01")
    receipt(customer, 1000)
    return customer


def test_i04_i07_i12_i22_i33_the_owner_changes_deletes_and_empties_no_record(full_database: Customer) -> None:
    marks = {"dispatched_at", "chain_position", "chain_hash"}  # each set once, by the relay
    for table, by in APPEND_ONLY.items():
        for column, change in tampering(table).items():
            if table != "activity_activity" or column not in marks:
                with refused(by, alias="owner"):
                    sql(f"UPDATE {table} SET {change}", alias="owner")
    for table, by in DELETED.items():
        with refused(by, alias="owner"):
            sql(f"DELETE FROM {table}", alias="owner")
    for table, by in TRUNCATED.items():
        with refused(by, alias="owner"):
            sql(f"TRUNCATE {table} CASCADE", alias="owner")
