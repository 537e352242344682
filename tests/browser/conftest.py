"""A served site with the demo's story, and a real browser in front of it.

Playwright keeps an event loop running in this thread while it works: it starts and ends with each module, so that the
other tests of the process never see it, and Django is told that database calls are meant for as long.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Browser, sync_playwright
from pytest_django.plugin import DjangoDbBlocker

from customers.models import User
from tests.browser import scene
from tests.browser.pages import Found, find_pages
from tests.browser.site import served, story_clone
from tests.browser.visitor import Visitor, chromium_path, launch, new_visitor
from tests.conftest import NO_CHROMIUM
from tests.databases import TestDatabases

ASYNC_UNSAFE = "DJANGO_ALLOW_ASYNC_UNSAFE"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The machine's Chromium; without one the test is skipped, and the summary says so loudly."""
    if chromium_path() is None:
        pytest.skip(NO_CHROMIUM)
    before = os.environ.get(ASYNC_UNSAFE)
    os.environ[ASYNC_UNSAFE] = "1"
    try:
        with sync_playwright() as playwright:
            started = launch(playwright)
            yield started
            started.close()
    finally:
        if before is None:
            del os.environ[ASYNC_UNSAFE]
        else:
            os.environ[ASYNC_UNSAFE] = before


@pytest.fixture(scope="module")
def story_db(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, test_databases: TestDatabases
) -> Iterator[str]:
    """The module's own database in which the demo was played, for this process and the served one alike."""
    shared = settings.DATABASES["default"]["NAME"]
    with django_db_blocker.unblock():
        name = story_clone(test_databases)
        test_databases.use(name)
        try:
            yield name
        finally:
            test_databases.use(shared)
            test_databases.drop(name)


@pytest.fixture(scope="module")
def origin(story_db: str) -> Iterator[str]:
    """The site, served from that database by a process of its own."""
    with served(story_db) as address:
        yield address


Enter = Callable[..., Visitor]


@pytest.fixture
def enter(browser: Browser, origin: str) -> Iterator[Enter]:
    """Somebody comes to the site: enter(user, narrow=True, language="de"). Without a user, a stranger."""
    with ExitStack() as stack:

        def come(user: User | None = None, *, language: str = "en", **options: Any) -> Visitor:
            cookies = scene.session_of(user, language=language) if user is not None else {}
            visitor, context = new_visitor(browser, origin, cookies=cookies, language=language, **options)
            stack.callback(context.close)
            return visitor

        yield come


@dataclass(frozen=True, slots=True)
class Furnished:
    """The story with something of everything, every page that shows it, and the people who look at them."""

    found: Found
    people: dict[str, User | None]


@pytest.fixture(scope="module")
def furnished(story_db: str) -> Furnished:
    """What `make screens` shows too, under names that would do harm where a page took them for markup."""
    scene.furnish(is_hostile=True)
    people = scene.people()
    return Furnished(find_pages(people), people)
