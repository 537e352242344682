"""The portal in a real browser while events come in, the connection is lost and comes back, and the session ends."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from playwright.sync_api import Browser, Page, expect, sync_playwright

from billing.catalog.models import Meter
from billing.platform.clock import now
from billing.usage.services import IncomingEvent, ingest
from customers import services
from customers.models import Customer, User
from customers.selectors import now_for
from payments import services as payments
from tests import billing_factories, factories
from tests.billing.usage.builders import meter
from tests.factories import ACTOR
from tests.valueverse.live.site import environment, relay_now, session_of
from valueverse.embedded import process
from valueverse.supervisor import free_ports

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
SOON = 30_000  # milliseconds, on a machine that does much else
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
NBSP = "\u00a0"


class Site:
    """Web, live and the front before them; live can be stopped and started again."""

    def __init__(self, database: str) -> None:
        self.environment = environment(database)
        self.port, self.web, self.live = free_ports(3)
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ports(self) -> list[str]:
        return ["--port", str(self.port), "--web", str(self.web), "--live", str(self.live)]

    def start(self, name: str) -> None:
        manage = [sys.executable, "manage.py"]
        commands = {
            "web": ([*manage, "serve", "--port", str(self.web)], self.web),
            "live": ([*manage, "serve_live", "--port", str(self.live)], self.live),
            "front": (
                [sys.executable, "-m", "valueverse.front", *self.ports],
                self.port,
            ),
        }
        command, port = commands[name]
        self.running[name] = subprocess.Popen(command, env=self.environment, cwd=settings.BASE_DIR)
        assert process.wait_until(lambda: process.answers(port), seconds=60), name

    def stop(self, name: str) -> None:
        child = self.running.pop(name)
        child.terminate()
        child.wait(30)


@pytest.fixture(scope="module")
def site(committed_module_db: str) -> Iterator[Site]:
    made = Site(committed_module_db)
    try:
        for name in ("web", "live", "front"):
            made.start(name)
        yield made
    finally:
        for name in list(made.running):
            made.stop(name)


@pytest.fixture(autouse=True)
def database_beside_a_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    """The browser's driver runs a loop in this thread, beside which Django would not touch the database."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


@pytest.fixture
def buyer(site: Site) -> Customer:
    """A customer whose usage costs a cent a unit."""
    read = Meter.objects.filter(code="input_tokens").first() or meter()
    return billing_factories.billed_customer(version=billing_factories.version_with_fee(meters=[read]))


def member(customer: Customer) -> User:
    user = factories.user()
    services.grant_portal_access(customer=customer, user=user, role="manager", actor=ACTOR, at=now())
    return user


@contextmanager
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield launched
        finally:
            launched.close()


@contextmanager
def portal(site: Site, user: User, path: str = "/portal/", **options: object) -> Iterator[Page]:
    """A page of the portal in which that person is signed in; nothing may be complained about in the console."""
    with ExitStack() as held:
        context = held.enter_context(browser()).new_context(**options)  # type: ignore[arg-type]
        context.add_cookies(
            [{"name": settings.SESSION_COOKIE_NAME, "value": session_of(user), "url": site.address}]
        )
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(site.address + path)
        yield page
        # What the browser itself says of a connection that could not be made is no complaint.
        assert [one for one in complaints if "WebSocket connection to" not in one] == []


def use(customer: Customer, units: int, event_id: str) -> None:
    """Send an event, committed here and now. The process of the test tells nobody: the live process does."""
    accepted = ingest(
        events=[
            IncomingEvent(
                id=event_id,
                customer=customer.public_id,
                type="llm_request",
                at=now_for(customer),
                properties={"input_tokens": units},
            )
        ]
    )
    assert accepted[0].kind == "accepted", accepted


def in_words(page: Page) -> str:
    return page.locator("[data-live-word]").inner_text()


def shows(page: Page, amount: str) -> None:
    expect(page.locator(".big").first).to_have_text(re.compile(amount.replace(" ", r"\s")), timeout=SOON)


def is_live(page: Page) -> None:
    expect(page.locator("[data-live-state=live]")).to_be_visible(timeout=SOON)


def becomes(page: Page, state: str) -> None:
    expect(page.locator(f"[data-live-state={state}]")).to_be_visible(timeout=SOON)


def test_home_grows_as_events_arrive_by_the_figure_of_a_reload(site: Site, buyer: Customer) -> None:
    with portal(site, member(buyer)) as page:
        is_live(page)
        shows(page, "0.00 EUR")
        link = page.locator("table.figures a").first
        link.focus()
        page.evaluate("window.notReloaded = true")
        use(buyer, 1234, "first")
        shows(page, "12.34 EUR")
        expect(page.locator("[data-live-announcer]")).to_contain_text("12.34", timeout=SOON)
        assert page.evaluate("window.notReloaded") is True
        assert link.evaluate("node => node === document.activeElement"), "focus stays where it was"
        live = page.locator("#home-live").inner_text()
        page.reload()
        is_live(page)
        assert page.locator("#home-live").inner_text() == live


def test_what_was_missed_is_there_when_the_connection_is_back(site: Site, buyer: Customer) -> None:
    with portal(site, member(buyer)) as page:
        is_live(page)
        site.stop("live")
        becomes(page, "reconnecting")
        assert in_words(page) == "Reconnecting"
        use(buyer, 500, "missed")
        assert page.locator(".big").first.inner_text().replace(NBSP, " ") == "0.00 EUR"
        site.start("live")
        is_live(page)
        shows(page, "5.00 EUR")


def test_a_session_that_ended_leaves_the_figures_and_says_as_of_when(site: Site, buyer: Customer) -> None:
    with portal(site, member(buyer)) as page:
        is_live(page)
        use(buyer, 700, "last")
        shows(page, "7.00 EUR")
        kept = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
        Session.objects.get(session_key=kept[settings.SESSION_COOKIE_NAME]).delete()
        becomes(page, "as-of")
        assert re.fullmatch(r"As of \d\d:\d\d", in_words(page))
        expect(page.locator("[data-live-link]")).to_be_visible()
        use(buyer, 100, "not for them any more")
        page.wait_for_timeout(2500)
        shows(page, "7.00 EUR")


def test_an_invoice_paid_elsewhere_shows_as_paid(site: Site, buyer: Customer) -> None:
    invoice = billing_factories.finalized_invoice(buyer)
    with portal(site, member(buyer), f"/portal/invoices/{invoice.public_id}/") as page:
        is_live(page)
        status = page.locator("#invoice-live .status").first
        before = status.inner_text()
        payments.collect_invoice(invoice_id=invoice.public_id, actor=ACTOR, at=now_for(buyer))
        with (
            ThreadPoolExecutor() as elsewhere
        ):  # here the browser's loop runs, and frames are sent from a loop
            elsewhere.submit(relay_now).result()
        expect(status).not_to_have_text(before, timeout=SOON)
        assert status.inner_text() == "Paid"


def test_usage_draws_its_chart_again(site: Site, buyer: Customer) -> None:
    with portal(site, member(buyer), "/portal/usage/") as page:
        is_live(page)
        use(buyer, 1000, "one")
        shows(page, "1,000")
        canvas = page.locator("#usage-live [data-chart] canvas")
        expect(canvas).to_be_visible(timeout=SOON)
        assert canvas.evaluate("node => node.width") > 300
        before = canvas.evaluate("node => node.toDataURL()")
        use(buyer, 9000, "two")
        shows(page, "10,000")
        page.wait_for_timeout(300)
        assert canvas.evaluate("node => node.toDataURL()") != before


def test_without_scripts_the_page_says_as_of_when_and_offers_a_reload(site: Site, buyer: Customer) -> None:
    with portal(site, member(buyer), java_script_enabled=False) as page:
        assert re.fullmatch(r"As of \d\d:\d\d", in_words(page))
        use(buyer, 300, "unseen")
        page.get_by_role("link", name="Refresh").click()
        shows(page, "3.00 EUR")


def test_the_words_of_the_state_are_the_customer_s(site: Site, buyer: Customer) -> None:
    Customer.objects.filter(pk=buyer.pk).update(language="de")
    with portal(site, member(buyer), java_script_enabled=False) as page:
        assert re.fullmatch(r"Stand \d\d:\d\d", in_words(page))
        assert page.locator("[data-live-state]").get_attribute("data-word-live") == "Live"
        page.get_by_role("link", name="Aktualisieren").click()
