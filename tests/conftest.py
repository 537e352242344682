"""The database and Redis of the tests.

One template database per state of the migrations is migrated as the owner, once for all parallel processes; every
process works in a clone of its own, and a test that has to commit gets a fresh clone. Nothing is ever emptied by
TRUNCATE: the application's role may not, and no trigger is weakened for a test.
"""

from collections.abc import Iterator

import pytest
import redis
from django.conf import settings
from pytest_django.plugin import DjangoDbBlocker

from tests.databases import TestDatabases

NO_CHROMIUM = (
    "THE BROWSER TESTS DID NOT RUN: there is no Chromium here. `make test` installs it where it may; "
    "else: apt-get install chromium"
)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it where nobody overlooks it if what only a browser can see was not looked at."""
    skipped = [
        report for report in terminalreporter.stats.get("skipped", []) if NO_CHROMIUM in str(report.longrepr)
    ]
    if skipped:
        terminalreporter.section(f"{len(skipped)} tests skipped", sep="!", red=True, bold=True)
        terminalreporter.line(NO_CHROMIUM, red=True, bold=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse pytest-django's transactional databases, which are emptied by TRUNCATE after each test."""
    for item in items:
        marker = item.get_closest_marker("django_db")
        transactional = marker is not None and (
            marker.args[:1] == (True,) or marker.kwargs.get("transaction")
        )
        if transactional or "transactional_db" in getattr(item, "fixturenames", ()):
            raise pytest.UsageError(
                f"{item.nodeid}: a test that commits takes the fixture `committed_db` instead"
            )


@pytest.fixture(scope="session")
def test_databases() -> Iterator[TestDatabases]:
    """The template, made at first use, and the clones of this process, dropped at its end."""
    databases = TestDatabases(settings.VAR_DIR)
    yield databases
    databases.drop_clones()


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_blocker: DjangoDbBlocker, test_databases: TestDatabases
) -> Iterator[None]:
    """pytest-django's hook: both aliases point to this process's clone."""
    with django_db_blocker.unblock():
        test_databases.prepare_template()
        test_databases.use(test_databases.clone())
    yield
    with django_db_blocker.unblock():
        test_databases.close_connections()


@pytest.fixture
def committed_db(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, test_databases: TestDatabases
) -> Iterator[str]:
    """A database of its own for a test that commits: several connections, crashes, advisory locks. Its name.

    Both aliases point to it while the test runs; threads get connections of their own and need not close them.
    """
    shared = settings.DATABASES["default"]["NAME"]
    with django_db_blocker.unblock():
        name = test_databases.clone()
        test_databases.use(name)
        try:
            yield name
        finally:
            test_databases.use(shared)
            test_databases.drop(name)


@pytest.fixture(autouse=True)
def empty_redis(request: pytest.FixtureRequest) -> None:
    """Tests with a database begin with an empty Redis: no throttle counter or queued task of another test."""
    marked = request.node.get_closest_marker("django_db") is not None
    if marked or {"db", "committed_db", "story_db"} & set(request.fixturenames):
        client = redis.Redis.from_url(settings.REDIS_URL)
        client.flushdb()
        client.close()
