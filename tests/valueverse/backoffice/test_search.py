"""Global search as people use it: whatever they have in hand leads to the page, and nobody finds what is not theirs."""

import html
import re
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from customers.models import Customer
from customers.services import ContactInput
from tests import factories
from tests.billing_factories import (
    billed_customer,
    credit_note,
    finalized_invoice,
    paid_invoice,
    payment_of,
    receipt,
    subscription_of,
)
from tests.valueverse.backoffice.office import office, page, person
from valueverse.backoffice.search import views
from valueverse.backoffice.search.kinds import KINDS

pytestmark = pytest.mark.django_db


def found(client: Client, typed: str) -> dict[str, list[tuple[str, str]]]:
    """What search answers: by kind, the title and the address of each."""
    response = client.get(f"/admin/search/?part=1&q={quote(typed)}")
    assert response.status_code == 200, typed
    text = response.content.decode()
    groups: dict[str, list[tuple[str, str]]] = {}
    for part in text.split('<p class="search-group"')[1:]:
        label = re.search(r">([^<]+)</p>", part)
        assert label is not None
        hits = re.findall(r'href="([^"]+)".*?<bdi class="search-title">(.*?)</bdi>', part, re.DOTALL)
        groups[label.group(1)] = [(html.unescape(title), html.unescape(url)) for url, title in hits]
    return groups


def addresses(client: Client, typed: str) -> list[str]:
    return [url for hits in found(client, typed).values() for _title, url in hits]


def said(client: Client, typed: str) -> str:
    text = client.get(f"/admin/search/?part=1&q={quote(typed)}").content.decode()
    match = re.search(r"data-search-said>(.*?)</p>", text, re.DOTALL)
    assert match is not None
    return html.unescape(match.group(1))


def test_an_invoice_is_found_by_its_number_however_it_is_written() -> None:
    invoice, client = finalized_invoice(), office()
    assert invoice.number is not None and invoice.series_number is not None
    for typed in (
        invoice.number,
        invoice.number.lower(),
        invoice.number[:-1],
        f"  {invoice.number}  ",
        invoice.public_id,
    ):
        assert page(invoice) in addresses(client, typed), typed
    for _ in range(9):
        finalized_invoice(billed_customer(clock=invoice.customer.test_clock))
    tenth = finalized_invoice(billed_customer(clock=invoice.customer.test_clock))
    assert str(tenth.series_number) == "11"
    assert page(tenth) in addresses(client, "11")


def test_what_is_called_exactly_so_comes_first() -> None:
    entity = factories.legal_entity()
    for name in ("Acme Berlin", "Acme Hamburg", "Acme", "Great Acme"):
        factories.customer(name=name, legal_name=name, legal_entity=entity)
    names = [title for title, _ in found(office(), "acme")["Customers"]]
    assert names[0] == "Acme"
    assert sorted(names[1:3]) == ["Acme Berlin", "Acme Hamburg"]
    assert names[3] == "Great Acme"


def test_a_customer_is_found_by_name_word_external_id_id_and_mail() -> None:
    customer = factories.customer(
        name="Überlandwerk Nord GmbH & Co. KG",
        legal_name="Überlandwerk Nord GmbH & Co. KG",
        external_id="ERP-77_12",
        contacts=[ContactInput(name="Ada", email="Rechnung@Nord.example")],
    )
    client = office()
    for typed in (
        "überlandwerk", "ÜBERLANDWERK NORD", "nord", "nord über", "ERP-77_12", "erp-77", customer.public_id,
        customer.public_id[:12], "rechnung@nord.example", "RECHNUNG@",
    ):  # fmt: skip
        assert page(customer) in addresses(client, typed), typed
    for typed in ("ERP-77%12", "erp-77x12", "berlandwerk", "%", "__"):
        assert page(customer) not in addresses(client, typed), typed


@pytest.mark.parametrize(
    "typed", ["117.81", "117,81", "117.81 EUR", "EUR 117,81", "€117.81", "-117.81", "\u2212117.81"]
)
def test_an_amount_finds_documents_and_money_of_that_amount(typed: str) -> None:
    invoice, client = paid_invoice(), office()
    note = credit_note(invoice)
    assert {page(invoice), page(note), page(payment_of(invoice))} <= set(addresses(client, typed))


@pytest.mark.parametrize("typed", ["117.81 USD", "117.80", "1178.1", "11781", "0.01"])
def test_another_amount_or_currency_finds_none_of_them(typed: str) -> None:
    invoice = paid_invoice()
    assert page(invoice) not in addresses(office(), typed)


@pytest.mark.parametrize(
    "typed", ["1,234.00 EUR", "1.234,00", "1'234.00", "1 234,00", "1234", "1,234", "1.234"]
)
def test_thousands_may_be_written_in_any_way(typed: str) -> None:
    customer = billed_customer()
    payment = receipt(customer, 123400)
    assert page(payment) in addresses(office(), typed)


def test_the_last_digits_find_the_card_and_the_sellers_account() -> None:
    customer, client = billed_customer(), office()
    assert page(customer.payment_methods.get()) in addresses(client, "4242")
    assert page(customer.legal_entity) in addresses(client, "0130 00")


def test_a_subscription_is_found_by_its_id() -> None:
    subscription = subscription_of(billed_customer())
    assert page(subscription) in addresses(office(), subscription.public_id)


def test_children_lead_to_the_page_they_stand_on() -> None:
    invoice, client = paid_invoice(), office()
    line, allocation = invoice.lines.get(), payment_of(invoice).allocations.get()
    assert page(invoice) in addresses(client, line.public_id)
    assert page(payment_of(invoice)) in addresses(client, allocation.public_id)


def test_commands_are_pages_and_verbs() -> None:
    invoice, client = finalized_invoice(), office()
    assert ("Trial balance", "/admin/ledger/trial-balance/") in found(client, "trial bal")["Commands"]
    assert ("Start bill run", "/admin/invoices/billrun/start/") in found(client, "start bill")["Commands"]
    assert ("Keyboard map", "#keyboard-map") in found(client, "keyb")["Commands"]
    assert ("Void", "/admin/invoices/invoice/") in found(client, "void")["Commands"]
    named = found(client, f"void {invoice.number}")["Commands"]
    assert (f"Void {invoice.number}", page(invoice, "void")) in named
    assert client.get(page(invoice, "void")).status_code == 200


def test_rights_decide_what_is_found() -> None:
    invoice = paid_invoice()
    typed = "117.81"
    everybody = {"Finance manager": True, "Auditor": True, "Support": True, None: False}
    for group, sees in everybody.items():
        assert (page(invoice) in addresses(office(group), typed)) is sees, group
    assert "Commands" in found(office(None), "keyboard")
    assert "Trial balance" not in str(found(office("Support"), "trial"))
    assert "Void" not in str(found(office("Support"), f"void {invoice.number}"))
    assert "Void" not in str(found(office("Auditor"), "void"))
    other = person(None, "someone.else@seller.example")
    assert page(other) in addresses(office("Auditor"), "someone.else@")
    assert page(other) not in addresses(office("Support"), "someone.else@")


def test_a_stranger_and_a_customer_find_nothing() -> None:
    assert Client().get("/admin/search/?part=1&q=acme").status_code == 302
    outsider = Client()
    outsider.force_login(factories.user(), backend="django.contrib.auth.backends.ModelBackend")
    assert outsider.get("/admin/search/?part=1&q=acme").status_code == 302


def test_a_new_invoice_is_found_at_once_and_nothing_is_kept() -> None:
    client = office()
    assert "Invoices" not in found(client, "117.81")
    invoice = finalized_invoice()
    assert page(invoice) in addresses(client, "117.81")
    assert "no-store" in client.get("/admin/search/?part=1&q=117.81").headers["Cache-Control"]


def test_nothing_found_says_what_was_looked_through() -> None:
    assert said(office(), "no such thing") == (
        "Nothing found for “no such thing” in commands, customers, invoices, credit notes, payments, subscriptions, "
        "payment methods, bill runs, plans, meters, legal entities and people."
    )
    assert "invoices" not in said(office(None), "no such thing")
    assert said(office(), "x").startswith("Type 2 characters or more")


GARBAGE = (
    "", " ", "\x00", "a\x00b", "%", "%%", "__", "\\", "'; DROP TABLE invoices_invoice; --", "<script>alert(1)</script>",
    "=cmd()", "\u202egnp.exe", "שלום עולם", "🧾🧾", "' & :* | !", "((((", "a" * 10_000, "9" * 400, "1" * 15 + ".99",
    "1.2.3.4", "..,,", "-", "--", "EUR", "EUR EUR", "inv_", "INV_%", "\u00ed\u00a0\u0080",
    "٣٤٥٫٦٧", "1e5", "NaN", "Infinity", "0x10", "²³",
)  # fmt: skip


@pytest.mark.parametrize("typed", GARBAGE, ids=range(len(GARBAGE)))
def test_whatever_is_typed_is_answered(typed: str) -> None:
    factories.customer(name="<script>alert(1)</script>", legal_name="=cmd()")
    client = office()
    with CaptureQueriesContext(connection) as asked:
        response = client.get("/admin/search/", {"part": "1", "q": typed})
    assert response.status_code == 200
    assert "<script>alert" not in response.content.decode()
    assert len(asked) < 90
    assert client.get("/admin/search/", {"q": typed}).status_code == 200
    assert Customer.objects.count() == 1


def test_how_much_is_asked_does_not_grow_with_what_is_there() -> None:
    client = office()

    def questions() -> int:
        with CaptureQueriesContext(connection) as asked:
            client.get("/admin/search/", {"part": "1", "q": "customer"})
        return len(asked)

    factories.customer()
    first = questions()
    for _ in range(12):
        factories.customer()
    assert questions() <= first
    assert first < 60
    assert len(found(client, "customer")["Customers"]) == 5


def test_what_takes_too_long_is_named_and_the_rest_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    customer, client = factories.customer(name="Patience"), office()

    def forever(_term: Any) -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(5)")
        yield from ()

    slow = [replace(kind, steps=forever) if kind.label == "Payments" else kind for kind in KINDS]
    monkeypatch.setattr(views, "KINDS", slow)
    monkeypatch.setattr(views, "STATEMENT_TIMEOUT_MS", 200)
    assert page(customer) in addresses(client, "patience")
    assert "Not looked through, as it took too long: payments, subscriptions" in said(client, "patience")
    with connection.cursor() as cursor:  # the next statement has its own time again
        cursor.execute("SELECT pg_sleep(0.3)")


GROWING = {
    "customers_customer", "customers_contact", "customers_user", "invoices_invoice", "invoices_creditnote",
    "payments_payment", "payments_paymentmethod", "subscriptions_subscription",
}  # fmt: skip


def test_every_question_has_its_index() -> None:
    """With sequential scans priced out, what is left of them shows which question no index answers."""
    invoice = paid_invoice()
    client = office()
    typed_and_seen: dict[str, Any] = {}
    for typed in (str(invoice.number), "customer", "ada@customer.example", "117.81", "4242", "42", "erp-1"):
        with CaptureQueriesContext(connection) as asked:
            client.get("/admin/search/", {"part": "1", "q": typed})
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            for query in asked.captured_queries:
                if not query["sql"].startswith("SELECT") or "set_config" in query["sql"]:
                    continue
                cursor.execute(f"EXPLAIN {query['sql']}")
                plan = "\n".join(row[0] for row in cursor.fetchall())
                scanned = set(re.findall(r"Seq Scan on (\w+)", plan))
                if scanned & GROWING:
                    typed_and_seen[typed] = (query["sql"], plan)
            cursor.execute("SET LOCAL enable_seqscan = on")
    assert not typed_and_seen
