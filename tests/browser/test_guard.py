"""The guard itself: each thing that a page must not do or be is noticed. Without this, silence would prove nothing."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Route

from tests.browser.visitor import Visitor, new_visitor

SITE = "http://site.test"
POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; script-src 'self'; "
    "img-src 'self' data: http://elsewhere.test"
)
GOOD = """<!doctype html><html lang="en"><head><title>Good</title><meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,"></head><body><main><h1>Good</h1>{}</main></body></html>"""


@pytest.fixture
def page_of(browser: Browser) -> Iterator[Visitor]:
    """A visitor of a site whose pages are given by the test: `page_of.content` is put on every page."""
    visitor, context = new_visitor(browser, SITE, narrow=True)
    yield visitor
    context.close()


def problems(visitor: Visitor, body: str, address: str = "/portal/") -> str:
    """What the guard says to a page with that in it."""

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(SITE)
        if path == address:
            headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": POLICY}
            route.fulfill(status=200, body=GOOD.format(body), headers=headers)
        elif path == "/alert.js":
            route.fulfill(status=200, body="alert('gotcha')", content_type="text/javascript")
        elif path == "/broken.js":
            route.fulfill(status=200, body="nothing.at.all()", content_type="text/javascript")
        else:
            route.fulfill(status=404, body="")

    visitor.page.route("**/*", answer)
    try:
        visitor.open(address)
    except AssertionError as error:
        return str(error)
    return ""


def test_a_good_page_passes(page_of: Visitor) -> None:
    assert problems(page_of, "<p>Nothing is wrong.</p>") == ""


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('<img src="/missing.png" alt="A picture">', "404 for"),
        ('<img src="http://elsewhere.test/pixel.png" alt="A picture">', "asks another origin"),
        ("<script>window.hostile = 1</script>", "Content Security Policy"),
        ('<script src="/alert.js"></script>', "opened a window that says 'gotcha'"),
        ('<script src="/broken.js"></script>', "script error"),
        ('<input type="text">', "axe label (critical)"),
        ('<p style="color:#bbb;background:#fff">Pale</p>', "axe color-contrast (serious)"),
        ("<h4>Skipped</h4>", "axe heading-order (moderate)"),
        ('<div style="width:900px">Wide</div>', "px sideways"),
    ],
)
def test_what_is_wrong_with_a_page_is_said(page_of: Visitor, body: str, says: str) -> None:
    assert says in problems(page_of, body)


def test_the_back_office_is_held_to_the_serious_rules(page_of: Visitor) -> None:
    assert problems(page_of, "<h4>Skipped</h4>", "/admin/") == ""
    assert "axe label (critical)" in problems(page_of, '<input type="text">', "/admin/x/")
