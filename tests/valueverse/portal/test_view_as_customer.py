"""Staff view a portal as its customer: with a right, a reason, for a time, logged, and changing nothing (S64)."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings as live_settings
from django.db import DatabaseError, connection
from django.test import Client
from django.urls import get_resolver

from billing.activity.models import Activity
from billing.invoices.document_links import document_token
from billing.invoices.models import Invoice
from billing.invoices.services import render_document
from billing.platform.clock import now
from customers.models import Customer, CustomerVisit
from customers.tasks import end_overdue_visits
from tests import factories
from tests.billing_factories import finalized_invoice, paid_invoice, payment_of
from tests.valueverse.backoffice.office import act, office, page, person, text
from tests.valueverse.portal.visitors import text_of, visitor
from tests.valueverse.signing import password
from valueverse.portal.visiting import LooksOnly, looking, without_buttons

pytestmark = pytest.mark.django_db
END = "/admin/view-as/end/"
UNSAFE = ("post", "put", "patch", "delete")
OF_THE_REQUEST = {"django_session", "customers_usersession", "axes_accessattempt", "axes_accesslog"}
"""Tables that any request of anybody may write, whatever it asks for."""


def view_as(customer: Customer, group: str = "Support", reason: str = "ticket 4711") -> Client:
    """Somebody on the staff who has begun to view as this customer."""
    client, _ = password(person(group))
    answer = act(client, customer, "view-as-customer", reason=reason)
    assert answer["Location"] == "/portal/"
    return client


def everything() -> dict[str, str]:
    """A digest of every table."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = {name for (name,) in cursor.fetchall()} - OF_THE_REQUEST
        found = {}
        for name in sorted(tables):
            cursor.execute(
                f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {name} t"
            )
            found[name] = cursor.fetchone()[0]
    return found


def portal_addresses(invoice: Invoice) -> dict[str, str]:
    """Every address of the portal by name, about things of this invoice's customer."""
    known = {
        "invoice_id": invoice.public_id,
        "credit_note_id": "cn_unknown",
        "payment_id": payment_of(invoice).public_id,
        "contact_id": invoice.customer.contacts.get().public_id,
        "session_id": "ses_unknown",
    }
    (portal,) = [one for one in get_resolver().url_patterns if str(one.pattern) == "portal/"]
    found = {}
    for one in portal.url_patterns:
        token = document_token(invoice) if "document" in one.name else "unknown"
        route = re.sub(r"<str:(\w+)>", lambda name: {**known, "token": token}[name[1]], str(one.pattern))  # noqa: B023
        found[one.name] = f"/portal/{route}"
    return found


EXPECTED = {
    "link": 410, "invitation": 410, "credit-note-pdf": 404, "sign-in": 302, "pay": 302,
    # only ever posted to
    "sign-out": 405, "language": 405, "contact-remove": 405, "choose-customer": 405, "session-end": 405,
    "sessions-end": 405,
}  # fmt: skip
"""What a GET answers where it is not the page."""


def test_every_address_is_read_and_none_is_acted_on() -> None:
    invoice = paid_invoice()
    client = view_as(invoice.customer)
    addresses = portal_addresses(invoice)
    assert len(addresses) >= 25
    assert client.get(addresses["invoice-pdf"]).status_code == 403, (
        "a PDF not made yet is not made by looking"
    )
    render_document(document=invoice)  # as its reaction does
    before = everything()
    for name, address in addresses.items():
        assert (name, client.get(address).status_code) == (name, EXPECTED.get(name, 200))
        for method in UNSAFE:
            answer = getattr(client, method)(address)
            assert (name, method, answer.status_code) == (name, method, 403)
            assert "Not while you view as customer" in answer.content.decode()
        assert everything() == before, name
    invoice.refresh_from_db()
    assert invoice.shown_at is None, "what the staff see the customer has not seen"


def test_the_customer_s_own_look_counts() -> None:
    invoice = finalized_invoice()
    visitor(invoice.customer).get(f"/portal/invoices/{invoice.public_id}/")
    invoice.refresh_from_db()
    assert invoice.shown_at is not None


def test_the_bar_says_who_and_every_button_is_dead_but_the_one_that_ends_it() -> None:
    invoice = paid_invoice()
    client = view_as(invoice.customer)
    for name in (
        "home",
        "usage",
        "invoices",
        "company",
        "company-edit",
        "contact-add",
        "account",
        "payments",
    ):
        shown = text_of(client, portal_addresses(invoice)[name])
        assert f"views this as {invoice.customer.name}" in shown
        for form in re.findall(r'<form\b[^>]*method="post"[^>]*>.*?</form>', shown, re.DOTALL):
            alive = re.findall(r"<(?:button|select|textarea|input)(?![^>]*hidden)(?! disabled)[^>]*>", form)
            assert len(alive) == (1 if END in form else 0), (name, form)
    german = Client()
    german.cookies = client.cookies
    Customer.objects.update(language="de")
    assert "Alles ist zu lesen, nichts zu ändern." in text_of(german, "/portal/")


def test_both_ends_stand_in_the_customer_s_activity_with_the_reason() -> None:
    invoice = finalized_invoice()
    client = view_as(invoice.customer, reason="ticket 4711: cannot find an invoice")
    started = Activity.objects.get(name="customer_visit.started")
    assert started.customer_id == invoice.customer.public_id
    assert started.data["reason"] == "ticket 4711: cannot find an invoice"
    answer = client.post(END)
    assert answer["Location"] == page(invoice.customer)
    ended = Activity.objects.get(name="customer_visit.ended")
    assert (ended.actor_id, ended.data["from"]) == (started.actor_id, started.data["from"])
    assert ended.data["until"] < started.data["until"]
    assert client.get("/portal/")["Location"] == "/admin/"
    assert client.post(END)["Location"] == "/admin/", "twice ends it once"
    assert Activity.objects.filter(name="customer_visit.ended").count() == 1


def test_without_a_reason_there_is_no_view() -> None:
    invoice, client = finalized_invoice(), office("Support")
    for reason in ("", "   ", "x" * 201):
        answer = act(client, invoice.customer, "view-as-customer", reason=reason)
        assert answer.status_code == 400
    assert not CustomerVisit.objects.exists()


@pytest.mark.parametrize(
    ("group", "allowed"),
    [("Finance manager", 200), ("Finance clerk", 200), ("Support", 200), ("Auditor", 403), (None, 403)],
)
def test_viewing_is_a_right_of_its_own(group: str | None, allowed: int) -> None:
    customer = finalized_invoice().customer
    assert office(group).get(page(customer, "view-as-customer")).status_code == allowed


def test_it_ends_by_itself_and_the_end_is_written_down() -> None:
    invoice = finalized_invoice()
    client = view_as(invoice.customer)
    later = now() + live_settings.CUSTOMER_VISIT_LONGEST
    with time_machine.travel(later - timedelta(minutes=1)):
        assert client.get("/portal/").status_code == 200
        assert end_overdue_visits() == 0
    with time_machine.travel(later + timedelta(minutes=1)):
        assert client.get("/portal/")["Location"] in ("/admin/", "/portal/sign-in/?next=%2Fportal%2F")
        assert end_overdue_visits() == 1
        assert end_overdue_visits() == 0
    visit = CustomerVisit.objects.get()
    assert visit.ended_at == visit.expires_at
    assert Activity.objects.filter(name="customer_visit.ended").count() == 1


def test_the_staff_stay_staff_and_get_nothing_of_the_customer() -> None:
    invoice = finalized_invoice()
    other = finalized_invoice()
    client = view_as(invoice.customer)
    assert client.get("/admin/customers/customer/").status_code == 200, (
        "the back office goes on in another tab"
    )
    assert client.get("/admin/ledger/journalentry/").status_code == 403, "with the rights of the person"
    assert client.get(f"/portal/invoices/{other.public_id}/").status_code == 404
    assert client.get("/api/v1/customers").status_code == 401
    act(client, other.customer, "view-as-customer", reason="the next ticket")
    assert client.get(f"/portal/invoices/{other.public_id}/").status_code == 200
    assert client.get(f"/portal/invoices/{invoice.public_id}/").status_code == 404, "one at a time"
    assert CustomerVisit.objects.filter(ended_at=None).count() == 1


def test_letting_somebody_go_ends_their_view() -> None:
    invoice = finalized_invoice()
    client = view_as(invoice.customer)
    visit = CustomerVisit.objects.get()
    act(office(), visit.user, "let-go")
    visit.refresh_from_db()
    assert visit.ended_at is not None
    assert client.get("/portal/").status_code == 302


def test_a_write_that_slips_into_a_page_is_refused_by_the_database() -> None:
    invoice = finalized_invoice()
    view_as(invoice.customer)
    visit = CustomerVisit.objects.get()
    with pytest.raises(LooksOnly), looking(visit):
        Invoice.objects.update(shown_at=now())
    with pytest.raises(DatabaseError), looking(visit), connection.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")
    invoice.refresh_from_db()
    assert invoice.shown_at is None
    Invoice.objects.update(shown_at=None)  # and writing works again afterwards


def test_the_staff_without_a_view_do_not_see_the_portal() -> None:
    client = office("Finance manager")
    assert client.get("/portal/")["Location"] == "/admin/"


def test_a_mailed_link_tried_by_the_staff_does_not_count_as_seen() -> None:
    invoice = finalized_invoice()
    assert office("Support").get(f"/portal/documents/{document_token(invoice)}/").status_code == 200
    invoice.refresh_from_db()
    assert invoice.shown_at is None


def test_hostile_text_in_reason_and_names_is_shown_as_text() -> None:
    customer = factories.customer(name="<script>alert(1)</script>")
    client = view_as(customer, reason="<img src=x onerror=alert(1)>")
    assert "<script>alert(1)" not in text_of(client, "/portal/")
    assert "<img src=x" not in text(office(), page(customer))


@pytest.mark.parametrize(
    ("given", "made"),
    [
        (
            '<form method="post"><button>Pay</button></form>',
            '<form method="post"><button disabled>Pay</button></form>',
        ),
        (
            '<form method="get"><button>Show</button></form>',
            '<form method="get"><button>Show</button></form>',
        ),
        ('<button hx-post="/x/">Go</button>', '<button disabled hx-post="/x/">Go</button>'),
    ],
)
def test_only_what_sends_something_is_disabled(given: str, made: str) -> None:
    class Page(dict[str, Any]):
        streaming, headers, content = False, {"Content-Type": "text/html"}, given.encode()

    assert without_buttons(Page()).content.decode() == made  # type: ignore[arg-type]
