"""A customer's page: its head equals its lists, its account ends on what is owed, each tab costs its own."""

from datetime import UTC, date, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.reports.accounts import account_length, account_lines, statements
from customers.models import Customer
from tests import factories
from tests.billing_factories import (
    advance,
    billed_customer,
    credit_note,
    finalized_invoice,
    paid_invoice,
    receipt,
    version_with_fee,
)
from tests.valueverse.backoffice.office import GROUPS, office, page, text
from tests.valueverse.backoffice.reading import addresses, listed, plain
from valueverse.backoffice import customer_tabs

pytestmark = pytest.mark.django_db

TABS = ("overview", "subscriptions", "usage", "invoices", "payments", "mail", "activity")


def a_customer_with_a_past() -> Customer:
    """Paid November and was credited for it, pays 50.00 of December, and sent 20.00 that belong to nothing yet."""
    customer = billed_customer()
    credit_note(paid_invoice(customer))
    advance(customer, datetime(2023, 12, 1, tzinfo=UTC))
    customer = Customer.objects.get(pk=customer.pk)
    receipt(customer, 5000, invoice=finalized_invoice(customer))
    receipt(customer, 2000)
    advance(customer, datetime(2023, 12, 2, tzinfo=UTC))
    return Customer.objects.get(pk=customer.pk)


def test_the_head_equals_the_lists_it_leads_to() -> None:
    customer, client = a_customer_with_a_past(), office()
    shown = text(client, page(customer))
    assert (
        "Open 67.81 EUR Overdue 67.81 EUR Overdue Unapplied 20.00 EUR Credit 117.81 EUR MRR 99.00 EUR"
        in plain(shown)
    )
    opened, overdue = addresses(shown, "67.81 EUR")
    assert [row.open_minor for row in listed(client, opened)] == [6781]
    assert [row.open_minor for row in listed(client, overdue)] == [6781]
    (unapplied,) = addresses(shown, "20.00 EUR")
    assert sum(row.unapplied_minor for row in listed(client, unapplied)) == 2000
    (credit,) = addresses(shown, "117.81 EUR")
    assert sum(row.refund_minor - row.refunded_minor for row in listed(client, credit)) == 11781


def test_the_account_has_a_balance_after_each_row_and_ends_on_what_is_owed() -> None:
    customer = a_customer_with_a_past()
    lines = account_lines(customer=customer)
    assert [(line.kind, line.amount_minor) for line in lines] == [
        ("allocation", 5000),
        ("payment", -2000),
        ("payment", -5000),
        ("invoice", 11781),
        ("allocation", 11781),
        ("payment", -11781),
        ("credit_note", -11781),
        ("invoice", 11781),
    ]
    # owes 67.81, less 20.00 not applied yet, less 117.81 to be paid back
    assert lines[0].balance_minor == 6781 - 2000 - 11781
    balance = 0
    for line in reversed(lines):
        balance += 0 if line.kind == "allocation" else line.amount_minor
        assert line.balance_minor == balance


def test_the_account_is_cut_into_pages_and_filtered_with_the_balances_of_the_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(customer_tabs, "ROWS", 3)
    customer, client = a_customer_with_a_past(), office()
    found = []
    for number in (1, 2, 3):
        response = client.get(f"{page(customer)}?p={number}")
        found += [row.line for row in response.context["page"].object_list]
    assert found == account_lines(customer=customer)
    assert account_length(customer=customer) == 8
    only = client.get(f"{page(customer)}?kind=invoice&kind=bogus").context["page"].object_list
    assert [row.line for row in only] == [line for line in found if line.kind == "invoice"]
    assert "kind=invoice" in text(client, f"{page(customer)}?kind=invoice")


def test_the_account_as_a_file_and_as_a_statement() -> None:
    customer, client = a_customer_with_a_past(), office()
    response = client.get(page(customer, "account.csv").rstrip("/"))
    lines = b"".join(response.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert lines[0] == "day,kind,document,beside,amount,balance,currency"
    assert lines[-1].endswith(",117.81,117.81,EUR")
    (found,) = statements(customer=customer, start_on=date(2023, 12, 1), last_on=date(2023, 12, 31))
    assert (found.opening_minor, found.closing_minor) == (-11781, 6781 - 2000 - 11781)
    shown = plain(text(client, f"{page(customer, 'statement')}?from=2023-11-01&to=2023-11-30"))
    assert "Opening 0.00" in shown
    assert "Closing −117.81" in shown


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("from=x", "A day reads like"),
        ("from=2023-12-02&to=2023-12-01", "The last day is before the first."),
        ("from=2020-01-01&to=2023-12-01", "At most 400 days"),
    ],
)
def test_a_statement_of_nonsense_is_an_error_at_its_field(query: str, says: str) -> None:
    response = office().get(f"{page(factories.customer(), 'statement')}?{query}")
    assert response.status_code == 400
    assert says in plain(response.content.decode())


def test_the_next_invoice_says_what_it_will_be_and_why() -> None:
    customer, client = a_customer_with_a_past(), office()
    shown = plain(text(client, page(customer)))
    assert "Next invoice 2024-01-01" in shown
    assert "117.81 EUR with the usage so far" in shown
    assert "Platform fee recurring 1" in shown


def test_each_tab_is_read_when_opened_and_costs_the_same_whatever_is_in_it() -> None:
    clock, version = factories.test_clock(), version_with_fee(meters=[factories.meter()])
    one = billed_customer(clock=clock, version=version)
    paid_invoice(one)
    client = office()
    for tab in TABS:
        address = f"{page(one)}?tab={tab}"
        client.get(address)
        with CaptureQueriesContext(connection) as found:
            assert client.get(address).status_code == 200
        assert len(found) <= (37 if tab == "overview" else 28), (tab, len(found))


@pytest.mark.parametrize(
    "query", ["?tab=nothing", "?tab=", "?p=x", "?p=-1", "?p=99999", "?kind=%00", "?tab=usage&p=0"]
)
def test_any_query_is_answered(query: str) -> None:
    assert office().get(f"{page(a_customer_with_a_past())}{query}").status_code == 200


@pytest.mark.parametrize("group", [*GROUPS, None])
def test_every_tab_is_for_those_who_may_see_what_is_in_it(group: str | None) -> None:
    customer = a_customer_with_a_past()
    client, expected = office(group), 403 if group is None else 200
    for tab in TABS:
        assert client.get(f"{page(customer)}?tab={tab}").status_code == expected
    assert client.get(page(customer, "account.csv").rstrip("/")).status_code == expected
    assert client.get(page(customer, "statement")).status_code == expected


def test_a_customer_with_nothing_says_what_comes_next() -> None:
    customer, client = factories.customer(), office()
    assert "No next invoice: no subscription is running." in plain(text(client, page(customer)))
    assert "No subscription" in plain(text(client, page(customer)))
    assert "Nothing is metered" in plain(text(client, f"{page(customer)}?tab=usage"))
    assert "No invoice yet." in plain(text(client, f"{page(customer)}?tab=invoices"))
