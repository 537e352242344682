"""One live process for all tests of a file: starting it takes seconds, and a socket knows only its own customer."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from pytest_django.plugin import DjangoDbBlocker

from tests.databases import TestDatabases
from tests.valueverse.live.site import LiveSite, started


@pytest.fixture(scope="module")
def committed_module_db(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, test_databases: TestDatabases
) -> Iterator[str]:
    """A database of its own for the tests of a file, which commit. Its name."""
    shared = settings.DATABASES["default"]["NAME"]
    with django_db_blocker.unblock():
        name = test_databases.clone()
        test_databases.use(name)
        try:
            yield name
        finally:
            test_databases.use(shared)
            test_databases.drop(name)


@pytest.fixture(scope="module")
def live(committed_module_db: str) -> Iterator[LiveSite]:
    """A started live process."""
    with started(committed_module_db) as site:
        yield site
