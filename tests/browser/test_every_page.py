"""Every page there is, in a real browser: nothing missing, nothing from elsewhere, readable by everybody, no wider
than a phone."""

import pytest

from tests.browser.conftest import Enter, Furnished
from tests.browser.pages import Page

pytestmark = pytest.mark.timeout(600)  # thirty pages each; a second per page where nothing else runs
ADMIN_PARTS = 4
BOSS, STRANGER = "boss", "stranger"


def visit(furnished: Furnished, enter: Enter, pages: list[Page], **options: object) -> None:
    """Go through pages as the people who may see them; all that is wrong with any of them is said at the end."""
    wrong: list[str] = []
    for who in {page.who: None for page in pages}:
        visitor = enter(furnished.people[who], **options)
        for page in pages:
            if page.who == who:
                try:
                    visitor.open(page.address)
                except AssertionError as error:
                    wrong.append(f"{page.name}: {error}")
                    visitor.problems.clear()
        visitor.page.context.close()
    assert not wrong, "\n".join(wrong)


def test_every_address_is_a_page_that_is_looked_at_or_known_to_be_none(furnished: Furnished) -> None:
    """If this fails: give the address a sample in pages.py, data in scene.py, or a reason in NO_PAGES."""
    assert furnished.found.missing == {}
    assert len({page.name for page in furnished.found.pages}) == len(furnished.found.pages) > 80


@pytest.mark.parametrize("part", range(ADMIN_PARTS))
def test_pages_of_the_back_office(furnished: Furnished, enter: Enter, part: int) -> None:
    pages = [page for page in furnished.found.pages if page.face == "admin"]
    visit(furnished, enter, pages[part::ADMIN_PARTS])


def test_pages_of_the_portal_on_a_phone(furnished: Furnished, enter: Enter) -> None:
    visit(furnished, enter, [page for page in furnished.found.pages if page.face == "portal"], narrow=True)


def test_pages_of_the_portal_in_german_on_a_phone(furnished: Furnished, enter: Enter) -> None:
    """German words are longer: what fits in English may not fit here."""
    pages = [page for page in furnished.found.pages if page.face == "portal"]
    visit(furnished, enter, pages, narrow=True, language="de")
