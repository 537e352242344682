"""A person with a browser, and a guard that looks at every page they come to.

What no page may do is noticed as it happens: a request to another origin, a violation of the content policy, a script
error, a resource that is missing. What a page must be is looked at by `look()`, after each step: the rules of axe,
and in a narrow window no scrolling sideways.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Playwright,
    Request,
    Response,
)

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
WIDE = {"width": 1440, "height": 900}
NARROW = {"width": 390, "height": 844}
SERIOUS = ("critical", "serious")
STEP_MILLISECONDS = 30_000
TABS_MAX = 100
_FOCUSED_NAME = """() => {
  const at = document.activeElement;
  const labels = at.labels ? Array.from(at.labels).map(label => label.innerText) : [];
  return [at.getAttribute("aria-label") || "", at.innerText || "", ...labels].join(" ");
}"""
_FOCUS_SEEN = """() => {
  const look = getComputedStyle(document.activeElement);
  return (look.outlineStyle !== "none" && parseFloat(look.outlineWidth) >= 1) || look.boxShadow !== "none";
}"""
_AXE = Axe()
_AXE_OPTIONS = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}


def chromium_path() -> str | None:
    """Where this machine has a Chromium, if it has one."""
    return next((path for path in map(shutil.which, CHROMIUM_NAMES) if path), None)


def launch(playwright: Playwright) -> Browser:
    """The machine's own Chromium, without a window; it asks nobody for updates."""
    path = chromium_path()
    assert path is not None, "fixtures skip where there is no Chromium"
    return playwright.chromium.launch(
        executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    )


@dataclass(eq=False)
class Visitor:
    """Somebody at the site. The portal is held to every rule of axe, the back office to the serious ones."""

    page: Page
    origin: str
    problems: list[str] = field(default_factory=list)
    expected_statuses: set[int] = field(default_factory=set)
    looked_at: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(STEP_MILLISECONDS)
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self._note(f"script error: {error}"))
        self.page.on("dialog", self._on_dialog)
        self.page.on("request", self._on_request)
        self.page.on("response", self._on_response)

    @property
    def is_narrow(self) -> bool:
        size = self.page.viewport_size
        return size is not None and size["width"] <= NARROW["width"]

    def open(self, address: str, *, status: int = 200) -> None:
        """Type an address; the answer has that status."""
        with self.expecting(status):
            response = self.page.goto(self.origin + address, wait_until="load")
        assert response is not None and response.status == status, (address, response and response.status)
        self.look()

    def press(self, name: str | re.Pattern[str], *, exact: bool = False, stays: bool = False) -> None:
        """Press a button or follow a link, and look at where that leads. stays: it changes the page it is on."""
        button = self.page.get_by_role("button", name=name, exact=exact)
        link = self.page.get_by_role("link", name=name, exact=exact)
        self.click(button.or_(link).first, stays=stays)

    def click(self, what: Locator, *, stays: bool = False) -> None:
        """The same for something that is found in another way."""
        if stays:
            what.click()
        else:
            with self.page.expect_navigation(wait_until="load"):
                what.click()
        self.look()

    def fill(self, label: str | re.Pattern[str], value: str) -> None:
        """Type into a field that has this label."""
        self.page.get_by_label(label).first.fill(value)

    def tab_to(self, name: str) -> None:
        """Press Tab until something of that name has the focus, and shows it."""
        for _ in range(TABS_MAX):
            self.page.keyboard.press("Tab")
            if name.lower() in self.page.evaluate(_FOCUSED_NAME).lower():
                outline = self.page.evaluate(_FOCUS_SEEN)
                assert outline, f"the focus on {name} cannot be seen"
                return
        raise AssertionError(f"{TABS_MAX} times Tab, and nothing is called {name} on {self.page.url}")

    def enter_on(self, name: str) -> None:
        """Go there by keyboard and press Enter, and look at where that leads."""
        self.tab_to(name)
        with self.page.expect_navigation(wait_until="load"):
            self.page.keyboard.press("Enter")
        self.look()

    def text(self) -> str:
        """What the page says, with ordinary blanks."""
        return self.page.locator("body").inner_text().replace("\u00a0", " ").replace("\u202f", " ")

    def look(self) -> None:
        """Look at the page as it stands. Raises AssertionError with everything that is wrong with it."""
        self.page.wait_for_load_state("load")
        self._check_axe()
        if self.is_narrow:
            self._check_width()
        assert not self.problems, f"{self.page.url}:\n" + "\n".join(self.problems)
        self.looked_at.add(self.page.url.removeprefix(self.origin))

    @contextmanager
    def expecting(self, status: int) -> Iterator[None]:
        """An answer of this status is meant while the block lasts."""
        self.expected_statuses.add(status)
        try:
            yield
        finally:
            self.expected_statuses.discard(status)

    def _check_axe(self) -> None:
        found = _AXE.run(self.page, options=_AXE_OPTIONS).response["violations"]
        in_admin = self.page.url.removeprefix(self.origin).startswith("/admin/")
        for violation in found:
            if in_admin and violation["impact"] not in SERIOUS:
                continue
            nodes = "; ".join(f"{node['target'][-1]} {node['html'][:120]}" for node in violation["nodes"][:3])
            self._note(f"axe {violation['id']} ({violation['impact']}), {len(violation['nodes'])} x: {nodes}")

    def _check_width(self) -> None:
        # Not `innerWidth`: on a phone the browser zooms out until the page fits, which is what nobody wants.
        width = NARROW["width"]
        wide = self.page.evaluate("document.documentElement.scrollWidth") - width
        if wide > 0:
            culprits = self.page.evaluate(
                "Array.from(document.body.querySelectorAll('*'))"
                f".filter(e => e.getBoundingClientRect().right > {width + 1})"
                ".slice(0, 5).map(e => e.tagName + '.' + e.className)"
            )
            self._note(f"scrolls {wide} px sideways: {culprits}")

    def _note(self, problem: str) -> None:
        self.problems.append(problem)

    def _on_console(self, message: ConsoleMessage) -> None:
        # A failed load is noted with its address by _on_response; the console repeats it without.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self._note(f"console: {message.text}")

    def _on_dialog(self, dialog: Any) -> None:
        """`beforeunload` asks before typed input is lost; whatever else opens a window was not asked to."""
        if dialog.type == "beforeunload":
            dialog.accept()
            return
        self._note(f"a script opened a window that says {dialog.message!r}")
        dialog.dismiss()

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.origin}/", "data:", "blob:")):
            self._note(f"asks another origin: {request.url}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.expected_statuses:
            self._note(f"{response.status} for {response.url}")


def new_visitor(
    browser: Browser,
    origin: str,
    *,
    narrow: bool = False,
    cookies: dict[str, str] | None = None,
    language: str = "en",
    **options: Any,
) -> tuple[Visitor, BrowserContext]:
    """A fresh browser profile with these cookies of the site, and the visitor in it."""
    context = browser.new_context(
        viewport=NARROW if narrow else WIDE,  # type: ignore[arg-type]
        locale=language,
        reduced_motion="reduce",
        is_mobile=narrow,
        has_touch=narrow,
        accept_downloads=True,
        **options,
    )
    context.add_cookies(
        [{"name": name, "value": value, "url": origin} for name, value in (cookies or {}).items()]
    )
    return Visitor(context.new_page(), origin), context
