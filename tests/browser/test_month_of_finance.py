"""The month of finance, in a real browser on the demo's data: bill January's first day, look, approve, send, explain,
credit a mistake, close December with every control at zero."""

import re

import pytest
from django.core import mail
from playwright.sync_api import Locator, expect

from billing.invoices.models import CreditNote, Invoice
from billing.ledger.models import AccountingPeriod
from billing.reports.books import check_books
from payments.models import Payment
from tests.browser import scene
from tests.browser.conftest import Enter
from tests.browser.site import follow_up
from tests.browser.visitor import Visitor
from tests.factories import PASSWORD

pytestmark = pytest.mark.timeout(600)
EMAIL = "mia@valueverse.example"


@pytest.fixture
def mia(story_db: str, enter: Enter) -> Visitor:
    """A finance manager who has not signed in yet."""
    scene.employ(EMAIL, "Finance manager", "Mia Lang")
    return enter()


def sign_in(visitor: Visitor) -> None:
    visitor.open("/admin/")
    visitor.fill("Email", EMAIL)
    visitor.fill("Password", PASSWORD)
    visitor.press(re.compile("Log in|Sign in"))
    assert "Dashboard" in visitor.text()


def advance_clock(visitor: Visitor) -> None:
    """Move the demo's clock to January. Its seller reviews bill runs, so that nothing is billed by itself."""
    visitor.open("/admin/customers/testclock/")
    visitor.press("Demo clock")
    visitor.press("Advance clock")
    visitor.page.get_by_role("textbox").first.fill("2024-01-01 00:00")
    visitor.press("Advance to 2024-01-01 00:00")


def work(visitor: Visitor) -> None:
    """What the worker does meanwhile, and the page as it is then."""
    follow_up()
    visitor.page.reload()
    visitor.look()


def pair(visitor: Visitor) -> Locator:
    """The right half of the review: a draft beside the last invoice."""
    return visitor.page.locator("#pair")


def choose(visitor: Visitor, name: str) -> None:
    """A customer of the run, by the keys that go through the list."""
    for _ in range(5):
        if name in pair(visitor).inner_text():
            visitor.look()
            return
        visitor.page.keyboard.press("n")
        visitor.page.wait_for_timeout(500)
    visitor.page.get_by_role("link", name=name).first.click()
    expect(pair(visitor)).to_contain_text(name)
    visitor.look()


def test_a_month_from_the_first_look_to_the_closed_books(mia: Visitor) -> None:
    sign_in(mia)
    advance_clock(mia)

    # What will be billed, beside last month; drafted for review
    mia.open("/admin/invoices/billrun/")
    mia.press(re.compile("Start bill run"))
    mia.press("Show what would be billed")
    assert "216.81 EUR" in mia.text()  # 117.81 and 99.00
    mia.press(re.compile("^Draft 2 invoices"))
    work(mia)
    assert "2 drafts wait for approval" in mia.text()

    # Looked at one by one, by keyboard; one customer is held
    choose(mia, "Codewright LLC")
    assert "VV-2023-000004" in pair(mia).inner_text()
    mia.page.keyboard.press("h")
    mia.page.keyboard.type("Contract under discussion")
    with mia.page.expect_navigation():
        mia.page.keyboard.press("Enter")
    mia.look()
    choose(mia, "Brightchat GmbH")
    with mia.page.expect_navigation():
        mia.page.keyboard.press("a")
    mia.look()
    assert "Looked at 1 of 1" in mia.text() or "1 draft waits for approval" in mia.text()

    # Approve, finalize, send: three steps, each with its figures
    for verb in ("Approve", "Finalize", "Send"):
        mia.press(re.compile(f"^{verb}"))
        assert "117.81" in mia.text() or verb == "Send"
        mia.click(mia.page.locator("button[value=act]:visible"))
        work(mia)
    assert "Completed" in mia.text()
    (brightchat,) = Invoice.objects.filter(issued_on="2024-01-01")
    assert (brightchat.customer.external_id, brightchat.total_minor, brightchat.open_minor) == (
        "brightchat",
        11781,
        0,
    )
    sent = [message for message in mail.outbox if brightchat.number in message.subject]
    assert [message.to for message in sent] == [["billing@brightchat.example"]]

    # What was paid, what is open
    mia.open("/admin/payments/payment/")
    paid = Payment.objects.filter(received_on="2024-01-01")
    assert paid.get().invoice == brightchat
    assert "2024-01-01" in mia.text()

    # Why this amount: December's invoice, down to the events
    mia.open("/admin/invoices/invoice/?q=VV-2023-000003")
    mia.press("VV-2023-000003", exact=True)
    mia.page.get_by_text("Why 49.72 EUR?").click()
    mia.look()
    said = mia.text()
    for shown in ("22,361,870", "0.0000025", "0.000002", "49.72374"):
        assert shown in said
    mia.press(re.compile("events$"))
    assert "llm_request" in mia.text()
    mia.page.go_back()

    # A mistake is credited
    mia.press(re.compile("^Credit"))
    mia.fill(re.compile("Note"), "The usage of one hour was counted twice")
    mia.click(mia.page.locator("button[value=act]:visible"))
    follow_up()
    (note,) = CreditNote.objects.all()
    assert note.invoice.number == "VV-2023-000003"

    # The month is closed, every control at zero
    december = AccountingPeriod.objects.get(start_on="2023-12-01")
    mia.open(f"/admin/ledger/accountingperiod/{december.pk}/change/")
    controls = mia.page.get_by_role("table", name=re.compile("Controls"))
    for row in controls.get_by_role("row").all()[1:]:
        assert row.get_by_role("cell").last.inner_text().strip().endswith("0.00")
    mia.click(mia.page.locator("a[href='../close/']"))
    mia.press("Show what this does")
    mia.press(re.compile("^Close December 2023"))
    assert "December 2023 is closed." in mia.text()
    december.refresh_from_db()
    assert december.status == "closed"
    assert check_books() == []
