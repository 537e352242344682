"""The customer's visit on a phone: by the link in a mail, usage growing while events arrive, the invoice, its PDF, that
it is paid; and all of it once more by keyboard alone."""

import json
import re
import urllib.request

import pytest

from billing.invoices.models import Invoice
from customers.models import Customer, User
from tests.browser import scene
from tests.browser.conftest import Enter
from tests.browser.visitor import Visitor
from tests.factories import PASSWORD
from valueverse.demo.steps import make_api_key
from valueverse.outbox import drain_outbox

pytestmark = pytest.mark.timeout(600)
EMAIL = "ada@brightchat.example"


@pytest.fixture(scope="module")
def brightchat(story_db: str) -> Customer:
    """The demo's customer, with somebody who may sign in."""
    customer = scene.customer_of_the_demo()
    scene.welcome(customer, EMAIL, "Ada Accountant")
    return customer


def send_event(origin: str, secret: str, customer: Customer, name: str, tokens: int) -> None:
    """One usage event through the API, as an integrator sends it."""
    event = {
        "id": name,
        "customer": customer.public_id,
        "type": "llm_request",
        "at": "2023-12-01T00:00:00Z",
        "properties": {"input_tokens": tokens, "output_tokens": 10},
    }
    request = urllib.request.Request(
        f"{origin}/api/v1/usage/events/batch",
        data=json.dumps({"events": [event]}).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {secret}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert json.load(answer)["counts"]["accepted"] == 1


def home_amount(visitor: Visitor) -> str:
    return visitor.page.locator(".big").first.inner_text().replace("\u00a0", " ")


def test_ada_comes_by_the_mailed_link_and_sees_use_grow_and_the_invoice_paid(
    brightchat: Customer, enter: Enter, origin: str
) -> None:
    ada = enter(narrow=True)
    ada.open("/portal/")
    ada.fill("Email", EMAIL)
    ada.press(re.compile("Mail me a link|link", re.IGNORECASE))
    token = scene.sign_in_token(EMAIL)
    ada.open(f"/portal/link/{token}/")
    ada.click(ada.page.locator("main form button").first)
    assert "Brightchat GmbH" in ada.text()
    assert home_amount(ada) == "0.00 EUR"

    secret = make_api_key()
    send_event(origin, secret, brightchat, "visit-1", 4_000_000)
    drain_outbox()
    ada.page.reload()
    ada.look()
    assert home_amount(ada) == "10.00 EUR"  # 4,000,000 x 0.0000025

    ada.press("Invoices")
    ada.press(re.compile("VV-2023-000003"))
    said = ada.text()
    assert "229.69 EUR" in said and "Paid" in said
    with ada.page.expect_download() as got:
        ada.page.get_by_role("link", name=re.compile("PDF")).first.click()
    assert got.value.suggested_filename == "VV-2023-000003.pdf"
    assert got.value.path().read_bytes().startswith(b"%PDF-")

    ada.press("Usage")
    assert "Input tokens" in ada.text()
    ada.press("Account")
    assert EMAIL in ada.text()
    ada.press("Company")
    assert "DE999999987" in ada.text()


def test_the_same_by_keyboard_alone(brightchat: Customer, enter: Enter) -> None:
    ada = enter(narrow=True)
    ada.open("/portal/sign-in/?next=/portal/invoices/")
    ada.tab_to("Email")
    ada.page.keyboard.type(EMAIL)
    ada.tab_to("Password")
    ada.page.keyboard.type(PASSWORD)
    ada.enter_on("Sign in")
    assert "/portal/invoices/" in ada.page.url
    ada.enter_on("VV-2023-000003")
    assert "229.69 EUR" in ada.text()
    ada.enter_on("Home")
    ada.enter_on("Account")
    ada.enter_on("Sign out")
    assert "/portal/" in ada.page.url
    ada.open("/portal/invoices/")
    assert "/portal/sign-in/" in ada.page.url


def test_another_customers_invoice_typed_into_the_address_bar_is_not_found(
    brightchat: Customer, enter: Enter
) -> None:
    foreign = Invoice.objects.get(number="VV-2023-000004")
    ada = enter(User.objects.get(email=EMAIL), narrow=True)
    ada.open(f"/portal/invoices/{foreign.public_id}/", status=404)
    mine = ada.text()
    ada.open("/portal/invoices/inv_00000000000000000000000000/", status=404)
    assert ada.text() == mine
    assert "Codewright" not in mine
