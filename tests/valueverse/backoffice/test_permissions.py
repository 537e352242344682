"""Who sees which page, and who may do what: refused, not merely hidden."""

import pytest
from django.test import Client

from billing.ledger.services import ensure_period
from tests.billing_factories import finalized_invoice, paid_invoice, payment_of
from tests.valueverse.backoffice.office import office, page

pytestmark = pytest.mark.django_db

READING = {
    "dashboard": ("/admin/", {"Finance manager", "Finance clerk", "Support", "Auditor", None}),
    "invoices": ("/admin/invoices/invoice/", {"Finance manager", "Finance clerk", "Support", "Auditor"}),
    "customers": ("/admin/customers/customer/", {"Finance manager", "Finance clerk", "Support", "Auditor"}),
    "payments": ("/admin/payments/payment/", {"Finance manager", "Finance clerk", "Support", "Auditor"}),
    "usage": ("/admin/usage/usagerollup/", {"Finance manager", "Finance clerk", "Support", "Auditor"}),
    "bill runs": ("/admin/invoices/billrun/", {"Finance manager", "Finance clerk", "Auditor"}),
    "approvals": ("/admin/approvals/approvalrequest/", {"Finance manager", "Finance clerk", "Auditor"}),
    "trial balance": ("/admin/ledger/trial-balance/", {"Finance manager", "Finance clerk", "Auditor"}),
    "account": ("/admin/ledger/statement/1100/", {"Finance manager", "Finance clerk", "Auditor"}),
    "journal": ("/admin/ledger/journalentry/", {"Finance manager", "Finance clerk", "Auditor"}),
    "people": ("/admin/customers/user/", {"Finance manager", "Finance clerk", "Auditor"}),
    "invite": ("/admin/customers/user/invite/", {"Finance manager"}),
    "your account": ("/admin/account/", {"Finance manager", "Finance clerk", "Support", "Auditor", None}),
    "start a run": ("/admin/invoices/billrun/start/", {"Finance manager", "Finance clerk"}),
}
VERBS = {
    "credit": {"Finance manager", "Finance clerk"},
    "record-payment": {"Finance manager", "Finance clerk"},
    "cancel": {"Finance manager", "Finance clerk"},
    "resend": {"Finance manager", "Finance clerk", "Support"},
    "void": {"Finance manager"},
}
EVERYBODY = ("Finance manager", "Finance clerk", "Support", "Auditor", None)


@pytest.mark.parametrize("group", EVERYBODY)
def test_everybody_reads_what_their_work_needs_and_nothing_else(group: str | None) -> None:
    client = office(group)
    for name, (address, groups) in READING.items():
        expected = 200 if group in groups else 403
        assert (name, client.get(address).status_code) == (name, expected)


@pytest.mark.parametrize("group", EVERYBODY)
def test_every_verb_on_an_invoice_is_a_right_of_its_own(group: str | None) -> None:
    invoice, client = finalized_invoice(), office(group)
    for verb, groups in VERBS.items():
        expected = 200 if group in groups else 403
        assert (verb, client.get(page(invoice, verb)).status_code) == (verb, expected)
        if expected == 403:
            assert client.post(page(invoice, verb), {"step": "act"}).status_code == 403


def test_only_a_manager_refunds_closes_a_month_and_decides_approvals() -> None:
    invoice = paid_invoice()
    period = ensure_period(legal_entity=invoice.legal_entity, on=invoice.issued_on)
    for address in (page(payment_of(invoice), "refund"), page(period, "close"), page(period, "soft-close")):
        assert office("Finance manager").get(address).status_code == 200
        for group in ("Finance clerk", "Support", "Auditor", None):
            assert office(group).get(address).status_code == 403


def test_an_auditor_sees_an_invoice_whole_and_no_button() -> None:
    invoice = finalized_invoice()
    shown = office("Auditor").get(page(invoice)).content.decode()
    assert "Ledger entries" in shown
    assert "../void/" not in shown
    assert "../credit/" not in shown


def test_support_sees_no_ledger_on_an_invoice() -> None:
    assert "Ledger entries" not in office("Support").get(page(finalized_invoice())).content.decode()


def test_a_stranger_is_sent_to_the_sign_in() -> None:
    response = Client().get(page(finalized_invoice()))
    assert response.status_code == 302
    assert "/admin/login/" in response.headers["Location"]


def test_nobody_edits_a_document_through_its_page() -> None:
    invoice = finalized_invoice()
    assert office().post(page(invoice), {"number": "X"}).status_code == 403
    assert office().post(page(invoice, "delete"), {"post": "yes"}).status_code == 403
