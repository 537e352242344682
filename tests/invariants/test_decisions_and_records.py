"""Idempotent requests, the activity, approvals: I30, I33, I34."""

from typing import Any

import pytest

from billing.activity.services import chain
from billing.approvals import services as approvals
from billing.approvals.models import ApprovalAction, ApprovalPolicy, ApprovalRequest
from billing.core.errors import BillingError
from billing.invoices.models import BillRun
from billing.invoices.services import start_bill_run
from billing.platform.actors import Actor, command_actor
from billing.reports.books import check_books
from customers.models import Customer
from tests.billing_factories import billed_customer, finalized_invoice, receipt
from tests.factories import ACTOR, START
from tests.invariants.hostile import (
    UNIQUE,
    accepted,
    copy_row,
    not_permitted,
    refused,
    sql,
    tampering,
)
from tests.invariants.raw_documents import draft_credit_note, issue_next
from tests.invariants.raw_payments import refund

FINANCE = command_actor("finance")


# I30


@pytest.mark.django_db
def test_i30_a_principal_uses_an_idempotency_key_once() -> None:
    def answer(principal: str, key: str) -> None:
        sql(
            "INSERT INTO platform_idempotencyrecord"
            " (principal, key, method, path, fingerprint, response_type, created_at, expires_at)"
            " VALUES (%s, %s, 'POST', '/api/v1/payments', 'f', '', now(), now())",
            *(principal, key),
        )

    answer("api_key:key_1", "order-7")
    with accepted():
        answer("api_key:key_1", "order-8")
        answer("api_key:key_2", "order-7")
    with refused("i30_one_answer_per_principal_and_key", UNIQUE):
        answer("api_key:key_1", "order-7")


# I33


@pytest.mark.django_db
def test_i33_the_activity_is_not_changed_by_the_application() -> None:
    billed_customer()
    marks = {"dispatched_at", "chain_position", "chain_hash"}
    frozen = {name: change for name, change in tampering("activity_activity").items() if name not in marks}
    assert {"name", "data", "actor_id", "happened_at", "object_id"} <= set(frozen)
    for change in frozen.values():
        with refused("i33_activity_is_append_only"):
            sql(f"UPDATE activity_activity SET {change}")
    for statement in ("DELETE FROM activity_activity", "TRUNCATE activity_activity"):
        with not_permitted():
            sql(statement)


@pytest.mark.django_db
def test_i33_a_row_is_relayed_and_chained_once() -> None:
    billed_customer()
    while chain():
        pass
    sql("UPDATE activity_activity SET dispatched_at = now()")
    for change in (
        "dispatched_at = NULL",
        "chain_position = chain_position + 1000",
        "chain_hash = repeat('0', 64)",
    ):
        with refused("i33_activity_is_append_only"):
            sql(f"UPDATE activity_activity SET {change}")


def tampered_activity(statement: str, *values: Any) -> None:
    """What somebody with the owner's rights can do: switch the triggers off, write, and switch them on again."""
    sql("ALTER TABLE activity_activity DISABLE TRIGGER USER", alias="owner")
    sql(statement, *values, alias="owner")
    sql("ALTER TABLE activity_activity ENABLE TRIGGER USER", alias="owner")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE activity_activity SET actor_label = 'somebody else' WHERE chain_position = 2",
        "UPDATE activity_activity SET data = '{\"total_minor\": 1}' WHERE chain_position = 2",
        "UPDATE activity_activity SET happened_at = happened_at - interval '1 second' WHERE chain_position = 2",
        "DELETE FROM activity_activity WHERE chain_position = 2",
        "UPDATE activity_activity SET chain_position = 5 - chain_position WHERE chain_position IN (2, 3)",
    ],
    ids=["changed actor", "changed data", "changed time", "deleted", "reordered"],
)
def test_i33_tampering_with_the_chain_is_found(committed_db: str, statement: str) -> None:
    billed_customer()
    while chain():
        pass
    assert check_books() == []
    if "5 - chain_position" in statement:  # the column is unique: by way of a free place
        tampered_activity("UPDATE activity_activity SET chain_position = -1 WHERE chain_position = 2")
        tampered_activity("UPDATE activity_activity SET chain_position = 2 WHERE chain_position = 3")
        statement = "UPDATE activity_activity SET chain_position = 3 WHERE chain_position = -1"
    tampered_activity(statement)
    (finding,) = check_books()
    assert finding.name == "I33 the activity chain holds"
    assert finding.rows[0] == "chain position 2"


# I34


def request(customer: Customer, amount_minor: int, *, actor: Actor = ACTOR) -> ApprovalRequest:
    """A refund of a receipt that waits for a person."""
    ApprovalPolicy.objects.get_or_create(action="refund", currency="EUR", defaults={"limit_minor": 0})
    payment = receipt(customer, amount_minor)
    with pytest.raises(BillingError) as caught:
        approvals.require(
            action=ApprovalAction.REFUND,
            object_kind="payment",
            object_id=payment.public_id,
            amount_minor=amount_minor,
            currency="EUR",
            actor=actor,
            at=START,
        )
    return ApprovalRequest.objects.get(public_id=caught.value.details["approval"])


DECIDE = (
    "UPDATE approvals_approvalrequest SET status = %s, decided_at = now(), decided_by_kind = %s, decided_by_id = %s,"
    " decided_by_label = 'x' WHERE id = %s"
)


@pytest.mark.django_db
def test_i34_nobody_approves_their_own_request() -> None:
    asked = request(billed_customer(), 1000)
    with accepted():
        sql(DECIDE, "approved", FINANCE.kind, FINANCE.public_id, asked.pk)
    with refused("i34_nobody_approves_their_own_request"):
        sql(DECIDE, "approved", ACTOR.kind, ACTOR.public_id, asked.pk)
    with refused("decided_approval_names_who_and_when"):
        sql(DECIDE, "approved", "", "", asked.pk)


@pytest.mark.django_db
def test_i34_a_request_is_born_undecided() -> None:
    asked = request(billed_customer(), 1000)
    decided = {"decided_at": START, "decided_by_kind": "user", "decided_by_id": "usr_1"}
    with accepted():
        copy_row("approvals_approvalrequest", asked.pk)
    with refused("i34_request_is_born_undecided"):
        copy_row("approvals_approvalrequest", asked.pk, status="approved", **decided)


@pytest.mark.django_db
def test_i34_what_was_asked_for_and_what_was_decided_never_change() -> None:
    asked = request(billed_customer(), 1000)
    decision = {"status", "decided_by_kind", "decided_by_id", "decided_by_label", "decided_at", "executed_at"}
    decision.add("decision_reason")
    for column, change in tampering("approvals_approvalrequest").items():
        if column not in decision:
            with refused("i34_request_never_changes"):
                sql(f"UPDATE approvals_approvalrequest SET {change} WHERE id = %s", asked.pk)
    with refused("i34_rejection_says_why"):
        sql(
            "UPDATE approvals_approvalrequest SET status = 'rejected', decided_at = now(), decided_by_kind = 'user',"
            " decided_by_id = 'usr_1', decided_by_label = 'Mia' WHERE id = %s",
            asked.pk,
        )
    approvals.decide_approval(
        approval_id=asked.public_id, approve=False, reason="Too much", actor=FINANCE, at=START
    )
    for column, change in tampering("approvals_approvalrequest").items():
        if column != "executed_at":
            with refused("i34_decision_never_changes"):
                sql(f"UPDATE approvals_approvalrequest SET {change} WHERE id = %s", asked.pk)
    with refused("i34_decision_never_changes"):
        sql("UPDATE approvals_approvalrequest SET status = 'approved' WHERE id = %s", asked.pk)
    with not_permitted():
        sql("DELETE FROM approvals_approvalrequest")


@pytest.mark.django_db
def test_i34_nothing_is_refunded_without_an_approval_that_covers_it() -> None:
    by = "i34_no_execution_without_approval"
    customer = billed_customer()
    asked = request(customer, 1000)
    payment = customer.payments.get()
    with refused(by):
        refund(payment, 1000, approval_id=asked.pk)  # still waiting
    approvals.decide_approval(approval_id=asked.public_id, approve=True, actor=FINANCE, at=START)
    with accepted():
        refund(payment, 1000, approval_id=asked.pk)
    with accepted():
        refund(payment, 400, approval_id=asked.pk)
    rich = receipt(customer, 5000)
    with refused(by):
        refund(payment, 1001, approval_id=asked.pk)  # a larger amount
    with refused(by):
        refund(rich, 1000, approval_id=asked.pk)  # another payment
    with refused(by):
        refund(payment, 1000, approval_id=draft_credit_note(finalized_invoice(customer)).approval_id)
    refund(payment, 400, approval_id=asked.pk)
    with refused("payments_refund_approval_id_key", UNIQUE):
        refund(payment, 400, approval_id=asked.pk)  # the same approval again


@pytest.mark.django_db
def test_i34_a_rejected_request_is_not_executed() -> None:
    customer = billed_customer()
    asked = request(customer, 1000)
    approvals.decide_approval(
        approval_id=asked.public_id, approve=False, reason="Too much", actor=FINANCE, at=START
    )
    with refused("i34_no_execution_without_approval"):
        refund(customer.payments.get(), 1000, approval_id=asked.pk)


@pytest.mark.django_db
def test_i34_a_credit_note_needs_the_approval_of_its_invoice_and_amount() -> None:
    by = "i34_no_execution_without_approval"
    note = draft_credit_note(finalized_invoice())
    others = draft_credit_note(finalized_invoice())
    with accepted():
        issue_next(note)
    with refused(by):
        sql("UPDATE invoices_creditnote SET approval_id = %s WHERE id = %s", _unused(others), note.pk)
        issue_next(note)


def _unused(note: Any) -> int:
    """The approval of a draft credit note, which is deleted so that the approval is free."""
    approval_id = int(note.approval_id)
    for part in ("line", "tax"):
        sql(f"DELETE FROM invoices_creditnote{part} WHERE credit_note_id = %s", note.pk)
    sql("DELETE FROM invoices_creditnote WHERE id = %s", note.pk)
    return approval_id


@pytest.mark.django_db
def test_i34_a_manual_payment_is_not_recorded_without_its_approval() -> None:
    customer = billed_customer()
    first = receipt(customer, 1000)
    second = receipt(billed_customer(), 1000)
    fresh = {"allocated_minor": 0, "refunded_minor": 0}
    with refused("payments_payment_approval_id_key", UNIQUE):
        copy_row("payments_payment", first.pk, **fresh)
    with refused("i34_no_execution_without_approval"):
        copy_row("payments_payment", first.pk, **fresh, approval_id=None)
    with refused("i34_no_execution_without_approval"):
        copy_row("payments_payment", first.pk, **fresh, approval_id=second.approval_id)


@pytest.mark.django_db
def test_i34_a_bill_run_is_approved_by_an_approval_of_its_own() -> None:
    def reviewed() -> BillRun:
        run = start_bill_run(
            as_of=START, actor=ACTOR, at=START, customer=billed_customer(), needs_review=True
        )
        sql("UPDATE invoices_billrun SET status = 'in_review' WHERE id = %s", run.pk)
        return run

    def approval_of(run: BillRun) -> ApprovalRequest:
        return approvals.require(
            action=ApprovalAction.BILL_RUN,
            object_kind="bill_run",
            object_id=run.public_id,
            amount_minor=0,
            currency="EUR",
            actor=ACTOR,
            at=START,
        )

    run, other = reviewed(), reviewed()
    approve = "UPDATE invoices_billrun SET status = 'approved', approval_id = %s WHERE id = %s"
    with accepted():
        sql(approve, approval_of(run).pk, run.pk)
    for approval_id in (None, approval_of(other).pk):
        with refused("i34_no_execution_without_approval"):
            sql(approve, approval_id, run.pk)
    with refused("bill_run_status_moves"):
        sql("UPDATE invoices_billrun SET status = 'completed', approval_id = %s", approval_of(run).pk)
