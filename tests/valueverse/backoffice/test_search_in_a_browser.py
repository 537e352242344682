"""Search and single keys as hands on a keyboard find them: Chromium against the running site."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings as configured
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.test.testcases import LiveServerThread
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from tests.billing_factories import billed_customer, finalized_invoice
from tests.valueverse.backoffice.office import office, page

CHROMIUM = Path("/usr/bin/chromium")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="NOT TESTED: needs /usr/bin/chromium")

INVOICES = "/admin/invoices/invoice/"


@dataclass
class Desk:
    """A person at the back office: the browser, the site's address, and what went wrong in the browser."""

    page: Page
    context: BrowserContext
    site: str
    invoices: list[Any]
    errors: list[str]

    def go(self, address: str) -> None:
        self.page.goto(f"{self.site}{address}")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)


@pytest.fixture
def desk(committed_db: str) -> Iterator[Desk]:
    first = finalized_invoice(billed_customer(name="<b>Bold</b> & Sons"))
    second = finalized_invoice(billed_customer(clock=first.customer.test_clock))
    session = office().cookies[configured.SESSION_COOKIE_NAME].value
    thread = LiveServerThread("localhost", StaticFilesHandler)
    thread.daemon = True
    thread.start()
    thread.is_ready.wait(30)
    assert thread.error is None, thread.error
    site = f"http://localhost:{thread.port}"
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # playwright keeps an event loop in this thread
    errors: list[str] = []
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
            context = browser.new_context(viewport={"width": 1440, "height": 900})
            context.set_default_timeout(30_000)
            context.add_cookies([{"name": configured.SESSION_COOKIE_NAME, "value": session, "url": site}])
            tab = context.new_page()
            # The thread answers no sockets; `tests/live` has those.
            tab.on(
                "console",
                lambda s: errors.append(s.text) if s.type == "error" and "/ws/" not in s.text else None,
            )
            tab.on("pageerror", lambda error: errors.append(str(error)))
            yield Desk(tab, context, site, [first, second], errors)
            browser.close()
        assert errors == []  # no violation of the content policy among them either
    finally:
        if before is None:
            del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
        else:
            os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = before
        thread.terminate()
        thread.join()


def test_search_opens_from_a_field_and_leads_to_what_is_chosen(desk: Desk) -> None:
    desk.go(INVOICES)
    desk.page.focus("#searchbar")
    desk.press("Control+k")
    box = desk.page.locator("#search-input")
    expect(box).to_be_focused()
    box.press_sequentially("117.81", delay=20)  # faster than answers come: only the last one is shown
    options = desk.page.locator("#search-results [role=option]")
    expect(options).to_have_count(2)
    expect(desk.page.locator("#search-status")).to_have_text("2 found.")
    expect(options.nth(0)).to_have_attribute("aria-selected", "true")
    desk.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    assert box.get_attribute("aria-activedescendant") == options.nth(1).get_attribute("id")
    desk.press("ArrowDown")  # from the last to the first
    assert box.get_attribute("aria-activedescendant") == options.nth(0).get_attribute("id")
    assert desk.page.locator("#search-results b").count() == 0  # the name is text
    found = Axe().run(desk.page, context="#search-dialog")
    assert [one["id"] for one in found.response["violations"]] == []
    desk.press("Escape")
    expect(desk.page.locator("#searchbar")).to_be_focused()

    desk.press("Control+k")
    box.fill(desk.invoices[1].number)
    desk.press("Enter")  # before the answer has come: it leads there all the same
    desk.page.wait_for_url(f"**{page(desk.invoices[1])}")


def test_what_is_found_opens_in_a_new_tab_and_nothing_found_is_said(desk: Desk) -> None:
    desk.go("/admin/")
    desk.page.click("[data-search-open]")
    box = desk.page.locator("#search-input")
    box.fill(desk.invoices[0].number)
    expect(desk.page.locator("#search-results .search-title").first).to_have_text(desk.invoices[0].number)
    with desk.context.expect_page() as opened:
        desk.press("Control+Enter")
    opened.value.wait_for_url(f"**{page(desk.invoices[0])}")
    assert desk.page.url == f"{desk.site}/admin/"
    box.fill("nowhere to be seen")
    expect(desk.page.locator("#search-status")).to_contain_text(
        "Nothing found for “nowhere to be seen” in commands"
    )
    box.fill("keyboard")
    expect(desk.page.locator("#search-results .search-title")).to_have_text("Keyboard map")
    desk.press("Enter")
    expect(desk.page.locator("#keyboard-map")).to_be_visible()


def test_single_keys_walk_through_lists_and_pages(desk: Desk) -> None:
    desk.go("/admin/")
    desk.press("?")
    expect(desk.page.locator("#keyboard-map")).to_be_visible()
    found = Axe().run(desk.page, context="#keyboard-map")
    assert [one["id"] for one in found.response["violations"]] == []
    desk.press("g", "i")  # nothing happens behind an open dialog
    desk.press("Escape")
    assert desk.page.url == f"{desk.site}/admin/"
    desk.press("g", "i")
    desk.page.wait_for_url(f"**{INVOICES}")
    desk.press("j", "j", "k")
    row = desk.page.locator("tr.keyboard-row")
    expect(row).to_contain_text(desk.invoices[1].number)
    desk.press("j", "Enter")
    desk.page.wait_for_url(f"**{page(desk.invoices[0])}")
    desk.go(INVOICES)
    desk.press("/")
    expect(desk.page.locator("#searchbar")).to_be_focused()
    desk.page.keyboard.type("gijk?/x")  # in a field, keys are letters
    expect(desk.page.locator("#searchbar")).to_have_value("gijk?/x")
    assert desk.page.url.endswith(INVOICES)


def test_a_page_has_keys_of_its_own_and_no_key_sends_a_form(desk: Desk) -> None:
    desk.go(INVOICES)
    desk.page.evaluate(
        """() => {
            document.body.insertAdjacentHTML("beforeend", `
              <form method="post" action="/admin/nowhere/">
                <button data-key="z" data-key-label="Issue">Issue</button></form>
              <button type="button" id="next" data-key="n" data-key-label="Next draft">Next</button>
              <div data-page-keys='{"j": "Jump", "a": "Looked at"}'></div>`);
            window.pressed = [];
            document.getElementById("next").addEventListener("click", () => window.pressed.push("n"));
            document.addEventListener("keydown", (event) => {
              if ("ja".includes(event.key)) window.pressed.push(event.key);
            });
        }"""
    )
    desk.press("n", "j", "a", "z", "Q")
    assert desk.page.evaluate("window.pressed") == ["n", "j", "a"]
    assert desk.page.locator("tr.keyboard-row").count() == 0  # the page's j, not the list's
    assert desk.page.url.endswith(INVOICES)
    desk.press("?")
    own = desk.page.locator("[data-own-keys]")
    expect(own).to_contain_text("Next draft")
    expect(own).to_contain_text("Jump")


def test_single_keys_can_be_switched_off_and_stay_off(desk: Desk) -> None:
    desk.go(INVOICES)
    desk.page.click("[data-keyboard-open]")
    desk.page.click("[data-keys-switch]")
    desk.press("Escape")
    desk.press("g", "p", "?", "j", "/")
    desk.go(INVOICES)
    desk.press("g", "p", "?", "j", "/")
    assert desk.page.url.endswith(INVOICES)
    assert desk.page.locator("tr.keyboard-row").count() == 0
    expect(desk.page.locator("#searchbar")).not_to_be_focused()
    desk.press("Control+k")  # no single key
    expect(desk.page.locator("#search-input")).to_be_focused()


def test_control_and_enter_send_the_form_one_is_in(desk: Desk) -> None:
    desk.go(INVOICES)
    desk.page.fill("#searchbar", str(desk.invoices[0].number))
    desk.press("Control+Enter")
    desk.page.wait_for_url(f"**{INVOICES}?q=*")
    expect(desk.page.locator("#result_list tr[data-pk]")).to_have_count(1)


def test_a_lost_session_says_so(desk: Desk) -> None:
    desk.go(INVOICES)
    desk.press("Control+k")
    desk.context.clear_cookies()
    desk.page.fill("#search-input", "117.81")
    expect(desk.page.locator("#search-status")).to_have_text("You are signed out.")
    expect(desk.page.locator("#search-results a")).to_have_text("Sign in again")
    assert desk.page.input_value("#search-input") == "117.81"
