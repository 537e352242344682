"""What a customer sees and can do: the figures, the words, the refusals, and nothing of anybody else."""

import csv
import io
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.conf import settings
from django.core import mail
from django.test import Client

from billing.catalog.models import Meter
from billing.invoices.document_links import document_token
from billing.invoices.services.mails import queue_mails, send_mail
from billing.platform.clock import now
from billing.usage.selectors import daily_totals, usage_totals
from billing.usage.services import IncomingEvent, ingest
from customers import services
from customers.models import CollectionMethod, Customer
from customers.selectors import now_for
from payments.gateways.test import TestMethod
from payments.models import Payment
from tests import billing_factories as billing
from tests import factories
from tests.factories import ACTOR, START
from tests.valueverse.portal.visitors import text_of, visitor
from valueverse.portal.words import DE, EN

pytestmark = pytest.mark.django_db
DECEMBER = datetime(2023, 12, 1, tzinfo=UTC)
_events = count(1)


def use(customer: Customer, tokens: int, *, at: datetime) -> None:
    """The customer uses input tokens, when its clock has come to that."""
    if at > now_for(customer):
        billing.advance(customer, at)
    event = IncomingEvent(
        id=f"e{next(_events)}",
        customer=customer.public_id,
        type="llm_request",
        at=at,
        properties={"input_tokens": tokens},
    )
    (verdict,) = ingest(events=[event], accept_old=True)
    assert verdict.kind.value == "accepted", verdict


def metered_customer(**changes: Any) -> Customer:
    """A customer with a fee of 99.00 and tokens at one cent, whose November fee is billed."""
    meter = Meter.objects.filter(code="tokens").first() or factories.meter("tokens")
    customer = billing.billed_customer(version=billing.version_with_fee(meters=[meter]), **changes)
    billing.paid_invoice(customer)
    return customer


def plain(text: str) -> str:
    """The words of a page, without its markup."""
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def test_home_and_usage_show_the_same_figure_and_the_next_invoice_adds_up() -> None:
    customer = metered_customer()
    use(customer, 1340, at=START + timedelta(days=4))
    client = visitor(customer)
    home = plain(text_of(client, "/portal/"))
    assert "13.40 EUR" in home
    assert "Nov 1 to Nov 30, 2023, so far" in home
    assert "Usage so far 13.40 Fees 99.00 Tax 21.36 Total as of now 133.76 EUR" in home
    assert "Clock 2023-11-05" in home
    usage = plain(text_of(client, "/portal/usage/"))
    assert "1,340 used in the period" in usage
    assert "13.40 EUR" in usage
    assert "Nov 5, 2023 1,340 13.40" in usage


def test_days_of_usage_are_the_customers_days_and_add_up() -> None:
    version = billing.version_with_fee(meters=[factories.meter("tokens")])
    customer = billing.billed_customer(version=version, time_zone="America/New_York")
    billing.finalized_invoice(customer)
    use(customer, 5, at=datetime(2023, 11, 6, 4, 59, tzinfo=UTC))  # still the 5th in New York
    use(customer, 7, at=datetime(2023, 11, 6, 5, 1, tzinfo=UTC))
    page = plain(text_of(visitor(customer), "/portal/usage/"))
    assert "Nov 5, 2023 5 0.05" in page
    assert "Nov 6, 2023 7 0.12" in page
    assert "Whole period 12 0.12" in page


def test_a_period_that_begins_within_a_quarter_of_an_hour_counts_its_own_events_only() -> None:
    customer, meter = metered_customer(), None
    use(customer, 3, at=datetime(2023, 11, 5, 10, 1, tzinfo=UTC))
    use(customer, 4, at=datetime(2023, 11, 5, 10, 9, tzinfo=UTC))
    use(customer, 8, at=datetime(2023, 11, 7, 10, 2, tzinfo=UTC))
    meter = billing.subscription_of(customer).items.exclude(price__meter=None).get().price.meter
    assert meter
    bounds = {
        "customer": customer,
        "meters": [meter],
        "start_at": datetime(2023, 11, 5, 10, 5, tzinfo=UTC),
        "end_at": datetime(2023, 11, 7, 10, 1, tzinfo=UTC),
    }
    days = daily_totals(**bounds, zone=ZoneInfo("UTC"))  # type: ignore[arg-type]
    total = usage_totals(**bounds, received_until=None)[meter.pk]  # type: ignore[arg-type]
    assert sum((parts[meter.pk].sum for parts in days.values()), Decimal(0)) == total.sum == Decimal(4)


def test_the_export_is_neutral_and_safe_to_open() -> None:
    version = factories.plan_version(
        prices=[
            factories.usage_price(
                factories.meter("tokens", name="=cmd()"), model="per_unit", definition={"unit_amount": "0.01"}
            ),
            factories.fee(),
        ]
    )
    factories.tax_rate()
    customer = billing.billed_customer(version=version)
    billing.paid_invoice(customer)
    use(customer, 1234567, at=START + timedelta(days=1))
    answer = visitor(customer, language="de").get("/portal/usage/export.csv")
    assert answer["Content-Disposition"] == 'attachment; filename="usage-2023-11-01.csv"'
    header, row = csv.reader(io.StringIO(answer.content.decode()))
    assert header[:4] == ["day", "meter", "name", "quantity"]
    assert row == ["2023-11-02", "tokens", "'=cmd()", "1234567", "C62", "12345.67", "EUR"]


def test_an_invoice_explains_itself_and_counts_as_shown() -> None:
    customer = metered_customer()
    use(customer, 1340, at=START + timedelta(days=4))
    billing.advance(customer, DECEMBER)
    invoice = billing.finalized_invoice(customer)
    assert invoice.shown_at is None
    page = plain(text_of(visitor(customer), f"/portal/invoices/{invoice.public_id}/"))
    assert "Why this amount" in page
    assert "1,340 × 0.01 EUR" in page
    assert "Net 112.40" in page
    assert "VAT 19 % on 112.40 EUR 21.36" in page
    assert "Total 133.76 EUR" in page
    assert "Due Dec 1, 2023: 133.76 EUR." in page
    invoice.refresh_from_db()
    assert invoice.shown_at == DECEMBER


def test_german_words_and_figures() -> None:
    customer = metered_customer()
    use(customer, 1234500, at=START + timedelta(days=4))
    billing.advance(customer, DECEMBER)
    invoice = billing.finalized_invoice(customer)
    client = visitor(customer, language="de")
    page = plain(text_of(client, f"/portal/invoices/{invoice.public_id}/"))
    for words in (
        "Warum dieser Betrag",
        "1.234.500 × 0,01 EUR",
        "Umsatzsteuer 19 % auf 12.444,00 EUR",
        "Offen",
    ):
        assert words in page
    assert "bezahlen" in page
    for path in (
        "",
        "usage/",
        "invoices/",
        "payments/",
        "subscriptions/",
        "company/",
        "company/edit/",
        "account/",
    ):
        text = text_of(client, f"/portal/{path}")
        assert '<html lang="de">' in text
        assert "Rechnungen" in text


def test_the_invoice_list_filters_and_sums_what_it_shows() -> None:
    customer = metered_customer()
    billing.advance(customer, DECEMBER)
    billing.finalized_invoice(customer)
    client = visitor(customer)
    everything = plain(text_of(client, "/portal/invoices/"))
    assert "2 invoices 235.62 EUR 117.81 EUR" in everything
    opened = plain(text_of(client, "/portal/invoices/?show=open"))
    assert "1 invoice 117.81 EUR 117.81 EUR" in opened
    for odd in ("2099", "x", "' or 1=1", "%00"):
        assert "2 invoices" in plain(text_of(client, f"/portal/invoices/?show={odd}&page=zz"))


def test_drafts_are_the_sellers_own_business() -> None:
    draft = billing.draft_invoice()
    client = visitor(draft.customer)
    assert "No invoices yet" in text_of(client, "/portal/")
    assert client.get(f"/portal/invoices/{draft.public_id}/").status_code == 404


def test_the_pdf_is_the_issued_document() -> None:
    invoice = billing.paid_invoice()
    answer = visitor(invoice.customer).get(f"/portal/invoices/{invoice.public_id}/pdf/")
    assert answer["Content-Type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF")
    assert f"{invoice.number}.pdf" in answer["Content-Disposition"]
    assert bytes(invoice.stored_documents.get(format="pdf").content) == answer.content


def test_a_credit_note_stands_beside_its_invoice() -> None:
    invoice = billing.paid_invoice()
    note = billing.credit_note(invoice)
    client = visitor(invoice.customer)
    assert f"{note.number}" in text_of(client, f"/portal/invoices/{invoice.public_id}/")
    assert client.get(f"/portal/credit-notes/{note.public_id}/pdf/").content.startswith(b"%PDF")


def pay_form(client: Client, invoice_id: str) -> dict[str, str]:
    """The fields of the page that asks before it charges."""
    page = client.get(f"/portal/invoices/{invoice_id}/pay/").content.decode()
    return dict(re.findall(r'name="(key|amount)" value="([^"]*)"', page))


def test_paying_takes_the_shown_amount_once_however_often_it_is_pressed() -> None:
    invoice = billing.finalized_invoice()
    client = visitor(invoice.customer)
    form, address = pay_form(client, invoice.public_id), f"/portal/invoices/{invoice.public_id}/pay/"
    first, second = client.post(address, form), client.post(address, form)
    assert first["Location"] == second["Location"]
    payment = Payment.objects.get()
    assert (payment.status, payment.amount_minor) == ("succeeded", billing.TOTAL_MINOR)
    assert payment.idempotency_key
    assert "Thank you. 117.81 EUR was received." in text_of(client, first["Location"])
    assert "Paid" in text_of(client, f"/portal/invoices/{invoice.public_id}/")
    assert "under way" not in text_of(client, f"/portal/invoices/{invoice.public_id}/")


def test_a_second_page_does_not_pay_again() -> None:
    invoice = billing.finalized_invoice()
    client = visitor(invoice.customer)
    address = f"/portal/invoices/{invoice.public_id}/pay/"
    one, other = pay_form(client, invoice.public_id), pay_form(client, invoice.public_id)
    client.post(address, one)
    answer = client.post(address, other, follow=True)
    assert "The open amount has changed" in answer.content.decode()
    assert Payment.objects.count() == 1


@pytest.mark.parametrize("amount", ["1 EUR", "11781 USD", "", "x"])
def test_another_amount_is_not_charged(amount: str) -> None:
    invoice = billing.finalized_invoice()
    client = visitor(invoice.customer)
    form = pay_form(client, invoice.public_id) | {"amount": amount}
    client.post(f"/portal/invoices/{invoice.public_id}/pay/", form)
    assert not Payment.objects.exists()


def test_a_declined_card_says_why_and_what_next() -> None:
    invoice = billing.finalized_invoice(billing.billed_customer(method=TestMethod.DECLINES))
    client = visitor(invoice.customer)
    answer = client.post(
        f"/portal/invoices/{invoice.public_id}/pay/", pay_form(client, invoice.public_id), follow=True
    )
    page = answer.content.decode()
    assert "The bank declined: insufficient funds." in page
    assert "Nothing was charged." in page
    invoice.refresh_from_db()
    assert invoice.open_minor == billing.TOTAL_MINOR


def test_a_bank_that_does_not_answer_is_waited_for_and_asked_again() -> None:
    invoice = billing.finalized_invoice(billing.billed_customer(method=TestMethod.TIMES_OUT_AFTER_SUCCESS))
    client = visitor(invoice.customer)
    answer = client.post(f"/portal/invoices/{invoice.public_id}/pay/", pay_form(client, invoice.public_id))
    assert Payment.objects.get().status == "unknown"
    assert "Do not pay again" in text_of(client, f"/portal/invoices/{invoice.public_id}/")
    assert "was received" in text_of(client, answer["Location"]), "the page asks the gateway"
    assert Payment.objects.count() == 1


def test_a_viewer_sees_everything_and_changes_nothing() -> None:
    invoice = billing.finalized_invoice()
    customer = invoice.customer
    client = visitor(customer, role="viewer")
    assert "/pay/" not in text_of(client, f"/portal/invoices/{invoice.public_id}/")
    contact = customer.contacts.get()
    for path in (
        f"/portal/invoices/{invoice.public_id}/pay/",
        "/portal/company/edit/",
        "/portal/company/contacts/add/",
        f"/portal/company/contacts/{contact.public_id}/",
        f"/portal/company/contacts/{contact.public_id}/remove/",
    ):
        assert client.post(path, {"legal_name": "Evil", "key": "k", "amount": "11781 EUR"}).status_code == 403
    assert not Payment.objects.exists()
    assert customer.contacts.count() == 1


def test_transfer_customers_see_where_to_pay_and_no_card() -> None:
    customer = billing.billed_customer(method=None, collection_method=CollectionMethod.SEND_INVOICE)
    invoice = billing.finalized_invoice(customer)
    page = plain(text_of(visitor(customer), f"/portal/invoices/{invoice.public_id}/"))
    assert "DE89 3704 0044 0532 0130 00" in page
    assert str(invoice.number) in page
    assert "card" not in page


COMPANY = {
    "legal_name": "Acme AG",
    "line1": "Torstraße 1",
    "postal_code": "10119",
    "city": "Berlin",
    "country": "DE",
    "vat_number": "DE136695976",
    "language": "de",
}


def test_company_data_is_changed_through_the_service() -> None:
    customer = factories.customer()
    client = visitor(customer)
    answer = client.post("/portal/company/edit/", COMPANY, follow=True)
    assert "It applies from the next invoice." in answer.content.decode()
    customer.refresh_from_db()
    assert (customer.legal_name, customer.language) == ("Acme AG", "de")
    assert customer.tax_ids.get().vat_number == "DE136695976"


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("vat_number", "DE123", "Not a valid tax ID"),
        ("vat_number", "FR12345678901", "begins with the country"),
        ("legal_name", "", "required"),
        ("legal_name", "x" * 201, "at most 200"),
        ("country", "XX", "not one of the available choices"),
        ("city", "a\x01b", "cannot be stored"),
        ("language", "fr", "not one of the available choices"),
    ],
)
def test_a_refusal_stands_beside_its_field_and_changes_nothing(field: str, value: str, words: str) -> None:
    customer = factories.customer()
    answer = visitor(customer).post("/portal/company/edit/", COMPANY | {field: value})
    assert answer.status_code == 400
    page = answer.content.decode()
    refusal = re.search(rf'id="id_{field}-error">([^<]*)<', page)
    assert refusal
    assert words in refusal[1]
    assert "Torstraße 1" in page, "what was typed stays"
    before = customer.legal_name
    customer.refresh_from_db()
    assert customer.legal_name == before
    assert not customer.tax_ids.exists()


def test_every_word_is_there_in_both_languages_and_takes_the_same_values() -> None:
    assert set(EN) == set(DE)
    for key, words in EN.items():
        assert set(re.findall(r"{(\w+)}", words)) >= set(re.findall(r"{(\w+)}", DE[key])), key


def test_refusals_speak_german_too() -> None:
    customer = billing.billed_customer(method=TestMethod.DECLINES)
    invoice = billing.finalized_invoice(customer)
    client = visitor(customer, language="de")
    page = client.post("/portal/company/edit/", COMPANY | {"vat_number": "DE1"}).content.decode()
    assert "Keine gültige USt-IdNr." in page
    form = pay_form(client, invoice.public_id)
    page = client.post(f"/portal/invoices/{invoice.public_id}/pay/", form, follow=True).content.decode()
    assert "Das Konto ist nicht gedeckt" in page


def test_contacts_come_change_and_go() -> None:
    customer = factories.customer()
    client = visitor(customer)
    given = {"name": "Bob", "email": "bob@acme.example", "mail_roles": ["billing", "technical"]}
    client.post("/portal/company/contacts/add/", given)
    bob = customer.contacts.get(name="Bob")
    assert bob.mail_roles == ["billing", "technical"]
    client.post(f"/portal/company/contacts/{bob.public_id}/", given | {"name": "Robert", "mail_roles": []})
    bob.refresh_from_db()
    assert (bob.name, bob.mail_roles) == ("Robert", [])
    client.post(f"/portal/company/contacts/{bob.public_id}/remove/")
    assert not customer.contacts.filter(name="Robert").exists()


def test_the_last_billing_contact_is_kept_and_the_page_says_why() -> None:
    customer = factories.customer()
    only = customer.contacts.get()
    client = visitor(customer)
    answer = client.post(f"/portal/company/contacts/{only.public_id}/remove/", follow=True)
    assert "Somebody has to get the invoices" in answer.content.decode()
    answer = client.post(
        f"/portal/company/contacts/{only.public_id}/", {"name": "Ada", "email": only.email, "mail_roles": []}
    )
    assert "Somebody has to get the invoices" in answer.content.decode()
    assert customer.contacts.get().mail_roles == ["billing"]


def test_hostile_and_long_names_are_text() -> None:
    hostile = "<script>alert(1)</script>"
    customer = billing.billed_customer(
        name=hostile,
        legal_name=hostile + "x" * 150,
        contacts=[services.ContactInput("<b>A</b>", "a@x.example")],
    )
    invoice = billing.paid_invoice(customer)
    client = visitor(customer)
    paths = ["", "company/", "company/edit/", "account/", "invoices/", f"invoices/{invoice.public_id}/"]
    for path in paths:
        page = text_of(client, f"/portal/{path}")
        assert "<script>alert" not in page
        assert "<b>A" not in page


FOREIGN: dict[str, Callable[[dict[str, str]], str]] = {
    "invoice": lambda ids: f"invoices/{ids['invoice']}/",
    "invoice pdf": lambda ids: f"invoices/{ids['invoice']}/pdf/",
    "pay": lambda ids: f"invoices/{ids['invoice']}/pay/",
    "payment": lambda ids: f"payments/{ids['payment']}/",
    "credit note pdf": lambda ids: f"credit-notes/{ids['credit_note']}/pdf/",
    "contact": lambda ids: f"company/contacts/{ids['contact']}/",
    "remove contact": lambda ids: f"company/contacts/{ids['contact']}/remove/",
}
UNKNOWN = dict.fromkeys(("invoice", "payment", "credit_note", "contact"), "inv_" + "0" * 26)
NUL = dict.fromkeys(("invoice", "payment", "credit_note", "contact"), "inv_%00")


@pytest.mark.parametrize("name", FOREIGN)
def test_another_customers_things_look_like_nothing_at_all(name: str) -> None:
    theirs = billing.paid_invoice()
    note = billing.credit_note(theirs)
    ids = {
        "invoice": theirs.public_id,
        "payment": billing.payment_of(theirs).public_id,
        "credit_note": note.public_id,
        "contact": theirs.customer.contacts.get().public_id,
    }
    client = visitor(factories.customer())
    payments, contacts = Payment.objects.count(), theirs.customer.contacts.count()
    for call in (client.get, client.post):
        answers = [call(f"/portal/{FOREIGN[name](known)}") for known in (ids, UNKNOWN, NUL)]
        if {answer.status_code for answer in answers} == {405}:
            continue
        assert [answer.status_code for answer in answers] == [404, 404, 404]
        assert len({answer.content for answer in answers}) == 1
    assert (Payment.objects.count(), theirs.customer.contacts.count()) == (payments, contacts)


def test_another_customers_plan_in_the_address_shows_ones_own_usage() -> None:
    theirs = metered_customer()
    use(theirs, 999, at=START + timedelta(days=2))
    client = visitor(metered_customer())
    foreign = billing.subscription_of(theirs).public_id
    assert "999" not in plain(text_of(client, f"/portal/usage/?plan={foreign}"))
    assert "999" not in client.get(f"/portal/usage/export.csv?plan={foreign}").content.decode()


def test_a_person_with_two_customers_sees_one_at_a_time() -> None:
    acme, globex = factories.customer(name="Acme"), factories.customer(name="Globex")
    client = visitor(acme)
    user_id = client.session["_auth_user_id"]
    user = acme.portal_memberships.get(user_id=user_id).user
    other = services.grant_portal_access(customer=globex, user=user, role="viewer", actor=ACTOR, at=now())
    assert "Globex" not in text_of(client, "/portal/company/")
    client.post("/portal/account/customer/", {"membership": other.public_id})
    assert "Globex" in text_of(client, "/portal/company/")
    foreign = services.grant_portal_access(
        customer=factories.customer(), user=factories.user(), role="viewer", actor=ACTOR, at=now()
    )
    answer = client.post("/portal/account/customer/", {"membership": foreign.public_id})
    assert answer.status_code == 404
    assert "Globex" in text_of(client, "/portal/company/")


def test_an_invoice_mail_links_to_its_document_for_90_days() -> None:
    invoice = billing.paid_invoice()
    (queued,) = queue_mails(document=invoice, actor=ACTOR, at=now())
    send_mail(mail_id=queued.public_id, actor=ACTOR, at=now())
    found = re.search(rf"{re.escape(settings.SITE_URL)}(/portal/documents/\S+)", mail.outbox[-1].body)
    assert found
    stranger = Client()
    page = text_of(stranger, found[1])
    assert "117.81 EUR" in page
    assert invoice.legal_entity.name in page
    assert "Clock 2023-11-01" in page
    assert stranger.get(f"{found[1]}pdf/").content.startswith(b"%PDF")
    assert stranger.get("/portal/invoices/").status_code == 302, "the link opens this document alone"
    invoice.refresh_from_db()
    assert invoice.shown_at is not None
    with time_machine.travel(now() + timedelta(days=91)):
        answer = stranger.get(found[1])
        assert answer.status_code == 302
        assert answer["Location"].startswith("/portal/sign-in/?next=%2Fportal%2Finvoices%2Finv_")
        assert "has run out" in text_of(stranger, answer["Location"])


def test_a_tampered_document_link_shows_nothing() -> None:
    token = document_token(billing.paid_invoice())
    for odd in (token[:-2], "x", token.replace(":", ".")):
        assert Client().get(f"/portal/documents/{odd}/").status_code == 404
        assert Client().get(f"/portal/documents/{odd}/pdf/").status_code == 404


def test_a_credit_note_mail_links_to_the_credit_note() -> None:
    note = billing.credit_note(billing.paid_invoice())
    page = text_of(Client(), f"/portal/documents/{document_token(note)}/")
    assert str(note.number) in page
    assert Client().get(f"/portal/documents/{document_token(note)}/pdf/").content.startswith(b"%PDF")


def test_lists_cost_the_same_queries_however_long_they_are(
    django_assert_max_num_queries: Callable[[int], Any],
) -> None:
    customer = metered_customer()
    client = visitor(customer)
    for month in (12, 13, 14):
        billing.advance(customer, datetime(2023 + month // 13, (month - 1) % 12 + 1, 1, tzinfo=UTC))
        billing.finalized_invoice(customer)
    for path, queries in (("invoices/", 16), ("payments/", 12), ("", 40)):
        with django_assert_max_num_queries(queries):
            text_of(client, f"/portal/{path}")


def test_subscriptions_say_the_price_and_what_comes_next() -> None:
    page = plain(text_of(visitor(metered_customer()), "/portal/subscriptions/"))
    assert "0.01 EUR a unit" in page
    assert "99.00 EUR per month" in page
    assert "Renews Dec 1, 2023" in page
    assert "Next invoice Dec 1, 2023" in page


def test_usage_page_without_a_subscription_and_with_odd_wishes() -> None:
    assert "There is no running subscription." in text_of(visitor(factories.customer()), "/portal/usage/")
    client = visitor(metered_customer())
    for odd in ("from=nonsense", "from=1999-01-01", "meter=x", "plan=x", "meter=%00&from=%00&plan=%00"):
        assert "Nov 1 to Nov 30, 2023" in text_of(client, f"/portal/usage/?{odd}")
