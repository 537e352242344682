"""Collecting, recording and refunding over the API: once, whatever is repeated."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from billing.approvals.models import ApprovalPolicy
from billing.invoices.models import Invoice
from billing.ledger.models import JournalEntry
from billing.platform.models import IdempotencyRecord
from payments.gateways.test import TestMethod
from payments.models import Payment, PaymentMethod, Refund
from tests import billing_factories, factories
from tests.people import People, client_with_key, integrator
from tests.platform.api_answers import assert_problem

pytestmark = pytest.mark.django_db

PAYMENTS = "/api/v1/payments"


@pytest.fixture
def client() -> APIClient:
    return integrator()


def pay(client: APIClient, invoice: Invoice, key: str | None = "key-1") -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(f"/api/v1/invoices/{invoice.public_id}/pay", headers=headers)


def invoice_with(method: TestMethod | None) -> Invoice:
    return billing_factories.finalized_invoice(billing_factories.billed_customer(method=method))


def test_invoice_is_paid_once_however_often_it_is_asked_for(client: APIClient) -> None:
    invoice = invoice_with(TestMethod.SUCCEEDS)
    assert_problem(pay(client, invoice, key=None), 400, "idempotency_key_missing")
    first, second = pay(client, invoice), pay(client, invoice)
    assert first.status_code == second.status_code == 201, first.json()
    assert first.content == second.content
    assert second.headers["Idempotent-Replayed"] == "true"
    payment = first.json()
    assert (payment["status"], payment["amount"], payment["allocated"], payment["unapplied"]) == (
        "succeeded",
        "117.81",
        "117.81",
        "0.00",
    )
    assert [row["invoice"] for row in payment["allocations"]] == [invoice.public_id]
    assert Payment.objects.count() == 1
    assert_problem(pay(client, invoice, key="key-2"), 409, "invoice_already_settled")
    assert client.get(f"/api/v1/invoices/{invoice.public_id}").json()["settlement"] == "settled"
    assert client.get(f"{PAYMENTS}/{payment['id']}").json() == payment
    (listed,) = client.get(PAYMENTS, {"invoice": invoice.public_id, "status": "succeeded"}).json()["data"]
    assert listed["id"] == payment["id"]


def test_declined_card_is_an_answer_that_is_kept_and_a_new_key_is_a_new_try(client: APIClient) -> None:
    invoice = invoice_with(TestMethod.DECLINES_ONCE)
    first, second = pay(client, invoice), pay(client, invoice)
    body = assert_problem(first, 402, "payment_failed")
    assert first.content == second.content
    failed = Payment.objects.get()
    assert client.get(f"{PAYMENTS}/{failed.public_id}").json()["accounting_on"] is None
    assert body["details"]["payment"] == failed.public_id
    assert body["details"]["failure_code"] == failed.failure_code != ""
    assert pay(client, invoice, key="key-2").status_code == 201
    assert sorted(Payment.objects.values_list("status", flat=True)) == ["failed", "succeeded"]


def test_gateway_without_an_answer_takes_the_money_once(client: APIClient) -> None:
    invoice = invoice_with(TestMethod.TIMES_OUT_AFTER_SUCCESS)
    first = pay(client, invoice)
    assert (first.status_code, first.json()["status"]) == (202, "unknown")
    assert pay(client, invoice).content == first.content
    assert_problem(pay(client, invoice, key="key-2"), 409, "payment_in_progress")
    assert Payment.objects.count() == 1


def test_request_that_died_before_its_answer_goes_on_with_the_same_attempt(client: APIClient) -> None:
    """The process was killed after the gateway took the money: the record says started, the answer is missing."""
    invoice = invoice_with(TestMethod.TIMES_OUT_AFTER_SUCCESS)
    pay(client, invoice)
    IdempotencyRecord.objects.update(response_status=None, response_body=None, locked_at=None)
    again = pay(client, invoice)
    assert (again.status_code, again.json()["status"]) == (201, "succeeded")
    assert Payment.objects.count() == 1
    IdempotencyRecord.objects.update(response_status=None, response_body=None, locked_at=None)
    assert pay(client, invoice).json() == again.json()


@pytest.mark.parametrize("state", ["draft", "settled", "without a method"])
def test_invoice_that_is_not_to_be_collected_is_refused_and_the_key_stays_usable(
    client: APIClient, state: str
) -> None:
    invoice, code = {
        "draft": lambda: (billing_factories.draft_invoice(), "not_collectable"),
        "settled": lambda: (billing_factories.paid_invoice(), "invoice_already_settled"),
        "without a method": lambda: (invoice_with(None), "no_payment_method"),
    }[state]()
    before = Payment.objects.count()
    assert_problem(pay(client, invoice), 409, code)
    assert Payment.objects.count() == before
    assert not IdempotencyRecord.objects.exists()


def manual(invoice: Invoice, /, **changes: Any) -> dict[str, Any]:
    return {
        "customer": invoice.customer.public_id,
        "amount": "117.81",
        "currency": "EUR",
        "received_on": "2023-11-01",
        "reference": "cheque 17",
        "invoice": invoice.public_id,
    } | changes


def test_cheque_settles_its_invoice_and_the_rest_stays_unapplied(client: APIClient) -> None:
    invoice = invoice_with(None)
    body = manual(invoice, amount="120.00")
    assert_problem(client.post(PAYMENTS, body), 400, "idempotency_key_missing")
    first, second = (client.post(PAYMENTS, body, headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert (first.status_code, first.content) == (201, second.content)
    payment = first.json()
    assert (payment["kind"], payment["allocated"], payment["unapplied"]) == ("manual", "117.81", "2.19")
    assert payment["accounting_on"] == payment["received_on"] == "2023-11-01"
    assert Payment.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount": 117.81}, "amount"),
        ({"amount": "117.811"}, "amount"),
        ({"amount": "1e3"}, "amount"),
        ({"amount": "0"}, "amount"),
        ({"amount": "-5.00"}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"amount": "9" * 30}, "amount"),
        ({"currency": "EUX"}, "currency"),
        ({"received_on": "2030-01-01"}, "received_on"),
        ({"received_on": "yesterday"}, "received_on"),
        ({"customer": "cus_nobody"}, "customer"),
        ({"invoice": "inv_nothing"}, "invoice"),
        ({"reference": ""}, "reference"),
        ({"status": "succeeded"}, "status"),
    ],
)
def test_receipt_with_a_wrong_field_is_not_recorded(
    client: APIClient, changes: dict[str, Any], field: str
) -> None:
    invoice = invoice_with(None)
    entries = JournalEntry.objects.count()
    problem = client.post(PAYMENTS, manual(invoice, **changes), headers={"Idempotency-Key": "k"})
    assert problem.status_code == 400
    assert_problem(problem, 400, problem.json()["code"], field=field)
    assert not Payment.objects.exists()
    assert JournalEntry.objects.count() == entries


def test_receipt_above_the_limit_waits_for_approval(client: APIClient) -> None:
    ApprovalPolicy.objects.create(action="manual_payment", currency="EUR", limit_minor=0)
    problem = client.post(PAYMENTS, manual(invoice_with(None)), headers={"Idempotency-Key": "k"})
    assert_problem(problem, 409, "approval_required")
    assert not Payment.objects.exists()


def refund(client: APIClient, payment: Payment, key: str = "r-1", **changes: Any) -> Any:
    body = {"amount": "117.81", "reason": "service issue"} | changes
    return client.post(f"{PAYMENTS}/{payment.public_id}/refunds", body, headers={"Idempotency-Key": key})


def test_refund_of_a_credit_note_is_paid_back_once(client: APIClient) -> None:
    invoice = billing_factories.paid_invoice()
    note = billing_factories.credit_note(invoice)
    payment = billing_factories.payment_of(invoice)
    first, second = (refund(client, payment, credit_note=note.public_id) for _ in range(2))
    assert (first.status_code, first.content) == (201, second.content), first.json()
    assert (first.json()["status"], first.json()["amount"]) == ("succeeded", "117.81")
    assert Refund.objects.count() == 1
    too_much = refund(client, payment, key="r-2", credit_note=note.public_id, amount="0.01")
    assert_problem(too_much, 409, "refund_too_large", field="amount")
    assert client.get(f"{PAYMENTS}/{payment.public_id}").json()["refunded"] == "117.81"


def test_refund_whose_request_died_is_not_paid_twice(client: APIClient) -> None:
    """Half of what is owed, so that the limit alone would let a second refund through."""
    invoice = billing_factories.paid_invoice()
    note = billing_factories.credit_note(invoice)
    payment = billing_factories.payment_of(invoice)
    first = refund(client, payment, credit_note=note.public_id, amount="50.00").json()
    IdempotencyRecord.objects.update(response_status=None, response_body=None, locked_at=None)
    assert refund(client, payment, credit_note=note.public_id, amount="50.00").json() == first
    assert Refund.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({}, 409, "amount"),
        ({"amount": "1.001"}, 400, "amount"),
        ({"amount": 1}, 400, "amount"),
        ({"credit_note": "crn_nothing"}, 400, "credit_note"),
        ({"reason": ""}, 400, "reason"),
    ],
)
def test_refund_that_is_not_owed_is_refused(
    client: APIClient, changes: dict[str, Any], status: int, field: str
) -> None:
    payment = billing_factories.payment_of(billing_factories.paid_invoice())
    problem = refund(client, payment, **changes)
    assert_problem(problem, status, problem.json()["code"], field=field)
    assert not Refund.objects.exists()


def test_payment_method_becomes_the_default_and_keeps_its_reference_to_itself(client: APIClient) -> None:
    customer = factories.customer()
    body = {
        "customer": customer.public_id,
        "gateway": "test",
        "gateway_ref": "test_succeeds:1",
        "label": "card ...4242",
    }
    made = client.post("/api/v1/payment-methods", body, headers={"Idempotency-Key": "m-1"})
    assert made.status_code == 201
    assert made.json()["is_default"] is True
    assert "gateway_ref" not in made.json()
    assert client.get("/api/v1/payment-methods", {"customer": customer.public_id}).json()["data"] == [
        made.json()
    ]
    unknown = client.post(
        "/api/v1/payment-methods", body | {"gateway": "x"}, headers={"Idempotency-Key": "m-2"}
    )
    assert_problem(unknown, 404, "unknown_gateway")
    assert PaymentMethod.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "status", "code", "field"),
    [
        ({"gateway_ref": "stolen_card"}, 409, "payment_method_unknown", "gateway_ref"),
        ({"gateway_ref": "4242424242424242"}, 400, "card_number_refused", "gateway_ref"),
        ({"gateway_ref": "test_succeeds:4242 4242 4242 4242"}, 400, "card_number_refused", "gateway_ref"),
        ({"label": "Visa 4242-4242-4242-4242 12/29"}, 400, "card_number_refused", "label"),
        ({"label": "378282246310005"}, 400, "card_number_refused", "label"),
    ],
)
def test_method_the_gateway_does_not_know_and_card_numbers_are_refused(
    client: APIClient, changes: dict[str, str], status: int, code: str, field: str
) -> None:
    method = {"gateway": "test", "gateway_ref": "test_succeeds", "label": "card ...4242"}
    body = {"customer": factories.customer().public_id} | method | changes
    refused = client.post("/api/v1/payment-methods", body, headers={"Idempotency-Key": "m-1"})
    told = assert_problem(refused, status, code, field=field)
    assert code != "card_number_refused" or changes[field] not in str(told)
    assert not PaymentMethod.objects.exists()


def test_label_with_other_numbers_is_kept(client: APIClient) -> None:
    """No check digit of a card, or too short for one: an order number, the last four digits, a date."""
    for key, label in enumerate(("order 4242424242424241", "card ...4242 until 2029-12", "424242424242")):
        body = {
            "customer": factories.customer().public_id,
            "gateway": "test",
            "gateway_ref": "test_succeeds",
            "label": label,
        }
        made = client.post("/api/v1/payment-methods", body, headers={"Idempotency-Key": f"m-{key}"})
        assert made.status_code == 201, made.json()


def test_key_of_a_customer_pays_its_own_invoices_and_nothing_else() -> None:
    invoice = invoice_with(TestMethod.SUCCEEDS)
    people = People()
    owner, mallory = people.key_of(invoice.customer), people.clients["key of globex"]
    assert_problem(pay(mallory, invoice), 404, "invoice_not_found")
    paid = pay(owner, invoice)
    assert paid.status_code == 201
    payment = Payment.objects.get()
    assert_problem(mallory.get(f"{PAYMENTS}/{payment.public_id}"), 404, "payment_not_found")
    assert mallory.get(PAYMENTS).json()["data"] == []
    assert [row["id"] for row in owner.get(PAYMENTS).json()["data"]] == [payment.public_id]
    assert_problem(refund(owner, payment), 403, "permission_denied")
    assert_problem(owner.post(PAYMENTS, {}, headers={"Idempotency-Key": "k"}), 403, "permission_denied")
    body = {
        "customer": invoice.customer.public_id,
        "gateway": "test",
        "gateway_ref": "test_succeeds",
        "label": "x",
    }
    stolen = mallory.post("/api/v1/payment-methods", body, headers={"Idempotency-Key": "k"})
    assert_problem(stolen, 400, "customer_not_found", field="customer")


def test_same_idempotency_key_of_two_callers_is_two_payments() -> None:
    one, other = invoice_with(TestMethod.SUCCEEDS), invoice_with(TestMethod.SUCCEEDS)
    answers = [
        pay(
            client_with_key(factories.api_key(scopes=["payments:write"], customer=invoice.customer).secret),
            invoice,
        )
        for invoice in (one, other)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert Payment.objects.count() == 2
