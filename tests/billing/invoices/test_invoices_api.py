"""Invoices and credit notes over the API."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from billing.activity.models import Activity
from billing.approvals.models import ApprovalPolicy, ApprovalRequest
from billing.invoices import services
from billing.invoices.models import BillRun, CreditNote, DocumentMail
from billing.platform.clock import now
from customers import services as customers
from customers.models import Contact, Customer
from customers.selectors import now_for
from tests import billing_factories, factories
from tests.people import People, client_of, client_with_key, integrator
from tests.platform.api_answers import assert_problem

pytestmark = pytest.mark.django_db

ADDRESS = "/api/v1/invoices"
CREDIT = {"reason": "service_issue", "note": "Sorry."}
KEY = {"Idempotency-Key": "key-1"}


@pytest.fixture
def client() -> APIClient:
    return integrator()


def test_draft_is_finalized_once_and_explains_its_amounts(client: APIClient) -> None:
    draft = billing_factories.draft_invoice()
    own = f"{ADDRESS}/{draft.public_id}"
    shown = client.get(own).json()
    assert (shown["status"], shown["number"], shown["settlement"], shown["open"]) == (
        "draft",
        None,
        None,
        "0.00",
    )
    first = client.post(f"{own}/finalize").json()
    assert client.post(f"{own}/finalize").json() == first
    assert first["number"] == "VV-2023-000001"
    assert (first["status"], first["settlement"]) == ("finalized", "open")
    assert (first["subtotal"], first["tax"], first["total"], first["open"]) == (
        "99.00",
        "18.81",
        "117.81",
        "117.81",
    )
    assert (first["issued_on"], first["due_on"]) == ("2023-11-01", "2023-11-01")
    (line,) = first["lines"]
    assert (line["code"], line["quantity"], line["amount"]) == ("platform-fee", "1", "99.00")
    assert (line["service_start_on"], line["service_last_on"]) == ("2023-11-01", "2023-11-30")
    assert line["working"]["model"] == "flat"
    assert first["taxes"] == [
        {"category": "S", "percent": "19", "exemption_code": "", "base": "99.00", "tax": "18.81"}
    ]
    assert Activity.objects.filter(name="invoice.finalized").count() == 1


def test_list_is_found_by_customer_number_and_status(client: APIClient) -> None:
    finalized = billing_factories.finalized_invoice()
    draft = billing_factories.draft_invoice()
    assert [row["id"] for row in client.get(ADDRESS).json()["data"]] == [draft.public_id, finalized.public_id]
    for query in (
        {"number": finalized.number},
        {"status": "finalized"},
        {"customer": finalized.customer.public_id},
        {"subscription": finalized.subscription.public_id},
    ):
        assert [row["id"] for row in client.get(ADDRESS, query).json()["data"]] == [finalized.public_id]
    assert_problem(client.get(ADDRESS, {"status": "paid"}), 400, "invalid_input", field="status")


def test_pdf_is_the_stored_document_under_any_accept_header(client: APIClient) -> None:
    invoice = billing_factories.finalized_invoice()
    address = f"{ADDRESS}/{invoice.public_id}/pdf"
    first = client.get(address)
    assert first.status_code == 200
    assert first.headers["Content-Type"] == "application/pdf"
    assert first.headers["Content-Disposition"] == 'inline; filename="VV-2023-000001.pdf"'
    assert first.headers["Cache-Control"] == "no-store"
    assert first.content.startswith(b"%PDF")
    for accept in ("application/pdf", "*/*", "application/json"):
        assert client.get(address, headers={"Accept": accept}).content == first.content
    missing = client.get(f"{ADDRESS}/inv_nothing/pdf", headers={"Accept": "application/pdf"})
    assert_problem(missing, 404, "invoice_not_found")


def test_draft_has_no_pdf(client: APIClient) -> None:
    draft = billing_factories.draft_invoice()
    assert_problem(client.get(f"{ADDRESS}/{draft.public_id}/pdf"), 409, "document_not_issued")


def test_invoice_nobody_saw_is_voided_and_its_number_stays(client: APIClient) -> None:
    invoice = billing_factories.finalized_invoice()
    own = f"{ADDRESS}/{invoice.public_id}"
    assert_problem(client.post(f"{own}/void", {}), 400, "invalid_input", field="reason")
    voided = client.post(f"{own}/void", {"reason": "wrong plan"}).json()
    assert (voided["status"], voided["number"], voided["settlement"]) == ("voided", "VV-2023-000001", None)
    assert client.post(f"{own}/void", {"reason": "again"}).json() == voided
    assert_problem(client.post(f"{own}/finalize"), 409, "invoice_voided")


@pytest.mark.parametrize("what", ["", "/pdf"])
def test_what_a_customers_key_has_read_is_not_voided_any_more(client: APIClient, what: str) -> None:
    invoice = billing_factories.finalized_invoice()
    own = f"{ADDRESS}/{invoice.public_id}"
    key = client_with_key(factories.api_key(scopes=["invoices:read"], customer=invoice.customer).secret)
    assert key.get(f"{own}{what}").status_code == 200
    assert_problem(client.post(f"{own}/void", {"reason": "wrong plan"}), 409, "invoice_seen")


def test_list_of_a_customers_key_counts_as_shown_too(client: APIClient) -> None:
    invoice = billing_factories.finalized_invoice()
    key = client_with_key(factories.api_key(scopes=["invoices:read"], customer=invoice.customer).secret)
    key.get(ADDRESS)
    invoice.refresh_from_db()
    assert invoice.shown_at is not None


def test_pdf_for_a_program_counts_as_exported_and_for_staff_as_nothing(client: APIClient) -> None:
    invoice = billing_factories.finalized_invoice()
    boss = factories.user(is_staff=True)
    boss.is_superuser = True
    boss.save()
    client_of(boss).get(f"{ADDRESS}/{invoice.public_id}/pdf")
    invoice.refresh_from_db()
    assert (invoice.shown_at, invoice.exported_at) == (None, None)
    client.get(f"{ADDRESS}/{invoice.public_id}/pdf")
    invoice.refresh_from_db()
    assert invoice.exported_at is not None


def test_credit_note_is_issued_once_however_often_it_is_asked_for(client: APIClient) -> None:
    invoice = billing_factories.paid_invoice()
    address = f"{ADDRESS}/{invoice.public_id}/credit-notes"
    assert_problem(client.post(address, CREDIT), 400, "idempotency_key_missing")
    first, second = (client.post(address, CREDIT, headers=KEY) for _ in range(2))
    assert first.status_code == second.status_code == 201
    assert first.content == second.content
    note = first.json()
    assert (note["number"], note["total"], note["refundable"], note["offset"]) == (
        "VV-CN-2023-000001",
        "117.81",
        "117.81",
        "0.00",
    )
    assert note["lines"][0]["invoice_line"] == invoice.lines.get().public_id
    assert CreditNote.objects.count() == 1
    assert_problem(
        client.post(address, CREDIT, headers={"Idempotency-Key": "key-2"}), 409, "invoice_already_credited"
    )
    listed = client.get("/api/v1/credit-notes", {"invoice": invoice.public_id}).json()["data"]
    assert [row["id"] for row in listed] == [note["id"]]
    assert client.get(f"/api/v1/credit-notes/{note['id']}").json() == note
    assert client.get(f"/api/v1/credit-notes/{note['id']}/pdf").content.startswith(b"%PDF")
    assert client.get(f"{ADDRESS}/{invoice.public_id}").json()["credited"] == "117.81"


def test_cancellation_takes_an_open_invoice_back(client: APIClient) -> None:
    invoice = billing_factories.finalized_invoice()
    address = f"{ADDRESS}/{invoice.public_id}/credit-notes"
    body = {"is_cancellation": True, "reason": "billing_error"}
    note = client.post(address, body, headers=KEY).json()
    assert (note["is_cancellation"], note["offset"]) == (True, "117.81")
    assert client.get(f"{ADDRESS}/{invoice.public_id}").json()["settlement"] == "settled"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": "half"}, "kind"),
        ({"reason": "because"}, "reason"),
        ({"amount": "1.00"}, "amount"),
        ({"note": 7}, "note"),
    ],
)
def test_credit_note_with_a_wrong_field_is_not_issued(
    client: APIClient, changes: dict[str, Any], field: str
) -> None:
    invoice = billing_factories.finalized_invoice()
    address = f"{ADDRESS}/{invoice.public_id}/credit-notes"
    assert_problem(client.post(address, CREDIT | changes, headers=KEY), 400, "invalid_input", field=field)
    assert not CreditNote.objects.exists()
    assert client.post(address, CREDIT, headers=KEY).status_code == 201, "the key stays usable"


def test_credit_note_above_the_limit_waits_for_somebody_else(client: APIClient) -> None:
    ApprovalPolicy.objects.create(action="credit_note", currency="EUR", limit_minor=100_00)
    invoice = billing_factories.finalized_invoice()
    problem = client.post(f"{ADDRESS}/{invoice.public_id}/credit-notes", CREDIT, headers=KEY)
    body = assert_problem(problem, 409, "approval_required")
    assert ApprovalRequest.objects.get(status="requested").public_id == body["details"]["approval"]
    assert not CreditNote.objects.exists()


def test_draft_is_neither_voided_nor_credited(client: APIClient) -> None:
    own = f"{ADDRESS}/{billing_factories.draft_invoice().public_id}"
    assert_problem(client.post(f"{own}/void", {"reason": "x"}), 409, "invoice_not_finalized")
    assert_problem(client.post(f"{own}/credit-notes", CREDIT, headers=KEY), 409, "invoice_not_finalized")


def test_sending_again_queues_a_mail_per_billing_contact(client: APIClient) -> None:
    invoice = billing_factories.finalized_invoice()
    before = DocumentMail.objects.count()
    sent = client.post(f"{ADDRESS}/{invoice.public_id}/send")
    assert sent.status_code == 202
    assert [mail["recipient"] for mail in sent.json()["data"]] == [
        contact.email for contact in invoice.customer.contacts.all()
    ]
    assert DocumentMail.objects.count() == before + 1


def test_customers_see_their_own_documents_and_no_drafts() -> None:
    people = People()
    for customer in (people.acme, people.globex):
        Customer.objects.filter(pk=customer.pk).update(payment_terms_days=0)
    finalized = billing_factories.finalized_invoice()
    draft = billing_factories.draft_invoice(
        billing_factories.billed_customer(clock=finalized.customer.test_clock)
    )
    owner = people.key_of(finalized.customer)
    owner_of_draft = people.key_of(draft.customer)
    assert [row["id"] for row in owner.get(ADDRESS).json()["data"]] == [finalized.public_id]
    assert owner_of_draft.get(ADDRESS).json()["data"] == []
    assert_problem(owner_of_draft.get(f"{ADDRESS}/{draft.public_id}"), 404, "invoice_not_found")
    mallory = people.clients["key of globex"]
    for address in ("", "/pdf"):
        assert_problem(mallory.get(f"{ADDRESS}/{finalized.public_id}{address}"), 404, "invoice_not_found")
    pay = mallory.post(f"{ADDRESS}/{finalized.public_id}/pay", headers=KEY)
    assert_problem(pay, 404, "invoice_not_found")
    for verb in ("finalize", "void", "credit-notes", "send"):
        refused = owner.post(f"{ADDRESS}/{finalized.public_id}/{verb}", {}, headers=KEY)
        assert_problem(refused, 403, "permission_denied")


def test_bill_run_says_what_it_made(client: APIClient) -> None:
    customer = billing_factories.billed_customer()
    run = services.start_bill_run(as_of=now_for(customer), actor=factories.ACTOR, at=now(), customer=customer)
    services.perform_bill_run(run=run, actor=factories.ACTOR, at=now())
    (listed,) = client.get("/api/v1/bill-runs").json()["data"]
    assert (listed["id"], listed["status"]) == (run.public_id, "completed")
    shown = client.get(f"/api/v1/bill-runs/{run.public_id}").json()
    assert (shown["customers"], shown["invoices"], shown["totals"]) == (
        {"finalized": 1},
        1,
        {"EUR": "117.81"},
    )


def reviewed(*, count: int = 2) -> BillRun:
    clock, version = factories.test_clock(), billing_factories.version_with_fee()
    for _ in range(count):
        billing_factories.billed_customer(clock=clock, version=version, method=None)
    run = services.start_bill_run(as_of=now(), needs_review=True, actor=factories.ACTOR, at=now())
    return services.perform_bill_run(run=run, actor=factories.ACTOR, at=now())


def test_customers_of_a_run_are_listed_excluded_and_taken_back_in(client: APIClient) -> None:
    run = reviewed()
    base = f"/api/v1/bill-runs/{run.public_id}/customers"
    listed = client.get(base, {"flag": "first_invoice", "limit": 1}).json()
    (one,) = listed["data"]
    assert (one["status"], one["total"], one["last_total"], one["flags"]) == (
        "drafted",
        "117.81",
        None,
        ["first_invoice"],
    )
    assert (
        client.get(base, {"cursor": listed["next_cursor"]}).json()["data"][0]["customer"] != one["customer"]
    )
    given = {"reason": "By hand"}
    answer = client.post(f"{base}/{one['customer']}/exclude", given, format="json").json()
    assert (answer["status"], answer["exclude_reason"]) == ("excluded", "By hand")
    assert [row["customer"] for row in client.get(base, {"status": "excluded"}).json()["data"]] == [
        one["customer"]
    ]
    assert client.post(f"{base}/{one['customer']}/include").json()["status"] == "drafted"
    assert client.post(f"{base}/{one['customer']}/retry").json()["code"] == "nothing_to_retry"
    assert client.post(f"{base}/cus_unknown/exclude", given, format="json").status_code == 404


def test_a_hold_is_placed_listed_and_released(client: APIClient) -> None:
    run = reviewed(count=1)
    customer = run.customers.get().customer
    given = {"customer": customer.public_id, "reason": "Dispute", "until_on": "2023-11-20"}
    hold = client.post("/api/v1/billing-holds", given, format="json").json()
    assert (hold["until_at"], hold["released_at"]) == ("2023-11-20T00:00:00Z", None)
    assert client.post("/api/v1/billing-holds", given, format="json").json()["id"] == hold["id"]
    other = client.post("/api/v1/billing-holds", {**given, "reason": "Other"}, format="json")
    assert (other.status_code, other.json()["code"]) == (409, "already_on_hold")
    past = client.post("/api/v1/billing-holds", {**given, "until_on": "2023-11-01"}, format="json").json()
    assert "until_on" in str(past)
    (row,) = client.get(f"/api/v1/bill-runs/{run.public_id}/customers").json()["data"]
    assert (row["status"], row["hold"]) == ("held", hold["id"])
    released = client.post(f"/api/v1/billing-holds/{hold['id']}/release").json()
    assert released["released_at"] is not None
    assert client.post(f"/api/v1/billing-holds/{hold['id']}/release").json()["code"] == "hold_released"
    assert len(client.get("/api/v1/billing-holds", {"customer": customer.public_id}).json()["data"]) == 1


def test_a_run_is_sent_when_it_is_completed_and_once(client: APIClient) -> None:
    run = reviewed()
    address = f"/api/v1/bill-runs/{run.public_id}/send"
    assert client.post(address).json()["code"] == "run_not_completed"
    run = services.approve_bill_run(run=run, actor=factories.ACTOR, at=now())
    services.perform_bill_run(run=run, actor=factories.ACTOR, at=now())
    Contact.objects.all().delete()
    assert client.post(address).json()["code"] == "nothing_to_send"  # nobody has a contact
    contact = customers.ContactInput(name="Ada", email="ada@acme.example", mail_roles=["billing"])
    first = run.customers.order_by("pk")[0].customer
    customers.update_customer(customer=first, contacts=[contact], actor=factories.ACTOR, at=now())
    answer = client.post(address)
    assert answer.status_code == 202
    assert answer.json() == {
        "invoices": 1,
        "totals": {"EUR": "117.81"},
        "sent_before": 0,
        "without_contact": 1,
        "voided": 0,
    }
    assert services.send_bill_run(run_id=run.public_id, actor=factories.ACTOR, at=now()) == 1
    assert client.post(address).json()["code"] == "nothing_to_send"
