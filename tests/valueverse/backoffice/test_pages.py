"""What the pages show: figures as finance reads them, hostile text as text, a fixed number of queries."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.invoices.services import render_document
from billing.ledger.models import JournalEntry
from billing.ledger.services import ensure_period
from billing.platform.spreadsheets import safe_text
from tests import factories
from tests.billing_factories import (
    billed_customer,
    finalized_invoice,
    paid_invoice,
    payment_of,
    version_with_fee,
)
from tests.valueverse.backoffice.office import office, page, text

pytestmark = pytest.mark.django_db

HOSTILE = "<script>alert(1)</script>"
LONG = "Donaudampfschifffahrtsgesellschaft " * 3


def queries(client: Any, address: str) -> int:
    client.get(address)
    with CaptureQueriesContext(
        connection,
    ) as found:
        assert client.get(address).status_code == 200
    return len(found)


def test_an_invoice_says_why_and_where_it_stands_in_the_books() -> None:
    invoice, client = paid_invoice(), office()
    shown = text(client, page(invoice))
    for part in ("117.81 EUR", "Why 99.00 EUR?", "2023-11-01 to 2023-11-30", "19 %", "Settled", "half up"):
        assert part in shown
    assert "11781" not in shown
    entry = JournalEntry.objects.get(source_id=invoice.public_id, purpose="issue")
    assert f"/admin/ledger/journalentry/{entry.pk}/change/" in shown


def test_a_customer_s_account_ends_on_what_they_owe() -> None:
    invoice, client = paid_invoice(), office()
    shown = text(client, page(invoice.customer))
    assert "−117.81" in shown
    assert invoice.number is not None
    assert invoice.number in shown


@pytest.mark.parametrize("name", [HOSTILE, LONG[:120]])
def test_a_hostile_or_endless_name_is_shown_as_text(name: str) -> None:
    customer = billed_customer(name=name, legal_name=name)
    invoice, client = paid_invoice(customer), office()
    for address in (
        page(customer),
        page(invoice),
        page(payment_of(invoice)),
        page(invoice, "credit"),
        page(payment_of(invoice), "reverse"),
        "/admin/customers/customer/",
        "/admin/invoices/invoice/",
        "/admin/ledger/statement/1100/",
    ):
        assert HOSTILE not in text(client, address)


def test_a_trial_balance_leads_to_accounts_and_entries() -> None:
    invoice, client = paid_invoice(), office()
    balance = text(client, f"/admin/ledger/trial-balance/?entity={invoice.legal_entity_id}&as_of=2023-11-30")
    assert "0 difference" in balance
    assert "/admin/ledger/statement/1100/" in balance
    statement = text(
        client, f"/admin/ledger/statement/2200/?entity={invoice.legal_entity_id}&as_of=2023-11-30"
    )
    assert "−18.81" in statement
    assert "/admin/ledger/journalentry/" in statement


@pytest.mark.parametrize("query", ["?as_of=yesterday", "?entity=999999", "?entity=x", "?as_of="])
def test_a_balance_of_nonsense_is_an_error_at_the_field(query: str) -> None:
    finalized_invoice()
    assert "fin-error" in text(office(), f"/admin/ledger/trial-balance/{query}")


def test_an_unknown_account_is_not_found() -> None:
    assert office().get("/admin/ledger/statement/9999/").status_code == 404


def test_the_journal_of_a_month_is_exported_with_neutral_figures() -> None:
    invoice = paid_invoice()
    period = ensure_period(legal_entity=invoice.legal_entity, on=invoice.issued_on)
    address, client = f"/admin/ledger/accountingperiod/{period.pk}/journal.csv", office("Auditor")
    assert client.get(address).status_code == 405
    response = client.post(address)
    lines = b"".join(response.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert lines[0].startswith("entry,accounting_on")
    assert any(",-18.81," in line for line in lines)


@pytest.mark.parametrize("cell", ["=cmd()", "+1+1", "-1+2", "@x", "\tx"])
def test_a_text_that_a_spreadsheet_would_run_is_neutralized(cell: str) -> None:
    assert safe_text(cell) == f"'{cell}"


def test_the_dashboard_counts_what_is_open_and_links_to_it() -> None:
    invoice, client = finalized_invoice(), office()
    shown = text(client, "/admin/")
    assert "117.81 EUR" in shown
    listed = text(
        client, f"/admin/invoices/invoice/?settlement=open&legal_entity__id__exact={invoice.legal_entity_id}"
    )
    assert str(invoice.number) in listed


@pytest.mark.parametrize(
    "address",
    [
        "/admin/invoices/invoice/",
        "/admin/customers/customer/",
        "/admin/payments/payment/",
        "/admin/ledger/journalentry/",
    ],
)
def test_a_list_costs_the_same_whatever_its_length(address: str) -> None:
    clock, version = factories.test_clock(), version_with_fee()
    paid_invoice(billed_customer(clock=clock, version=version))
    client = office()
    few = queries(client, address)
    for _ in range(3):
        paid_invoice(billed_customer(clock=clock, version=version))
    assert queries(client, address) == few
    assert few <= (
        24 if "customer" in address else 14
    )  # what each has and owes, each asked once for the page


def test_a_page_costs_the_same_whatever_stands_on_it() -> None:
    clock, version = factories.test_clock(), version_with_fee()
    customer = billed_customer(clock=clock, version=version)
    invoice, client = paid_invoice(customer), office()
    assert queries(client, page(invoice)) <= 32
    assert queries(client, page(customer)) <= 40


def test_an_empty_list_says_what_to_do_and_a_filtered_one_offers_to_clear() -> None:
    client = office()
    assert "Start a bill run" in text(client, "/admin/invoices/invoice/")
    assert "Clear filters" in text(client, "/admin/invoices/invoice/?q=nothing")


def test_the_pdf_opens_in_the_browser_and_a_download_counts_as_leaving_the_house() -> None:
    invoice, client = finalized_invoice(), office()
    assert client.get(page(invoice, "pdf")).status_code == 404
    render_document(document=invoice)
    inline = client.get(page(invoice, "pdf"))
    assert inline.headers["Content-Disposition"].startswith("inline")
    invoice.refresh_from_db()
    assert invoice.exported_at is None
    assert client.post(page(invoice, "pdf")).headers["Content-Disposition"].startswith("attachment")
    invoice.refresh_from_db()
    assert invoice.exported_at is not None
