"""The test databases themselves: what one test commits, no other test sees."""

from threading import Thread

import pytest
from django.contrib.sessions.models import Session
from django.db import connection, connections
from django.utils import timezone

from tests.databases import TestDatabases


def remember(key: str) -> None:
    Session.objects.create(session_key=key, session_data="", expire_date=timezone.now())


def current(alias: str) -> tuple[str, str]:
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT current_user, current_database()")
        role, name = cursor.fetchone()
    return str(role), str(name)


@pytest.mark.parametrize("turn", [1, 2])
def test_a_committing_test_begins_with_an_empty_database_each_time(committed_db: str, turn: int) -> None:
    assert not Session.objects.exists()
    remember("kept")
    connection.close()
    assert Session.objects.get().session_key == "kept"  # seen by another connection, so it was committed


@pytest.mark.django_db
def test_an_ordinary_test_does_not_see_what_others_committed() -> None:
    assert not Session.objects.exists()
    remember("rolled back")


def test_threads_work_in_the_same_database_and_may_forget_to_close(committed_db: str) -> None:
    names = []
    threads = [Thread(target=lambda: names.append(current("default")[1])) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names == [committed_db] * 3  # and the fixture drops the database all the same


def test_the_application_and_the_owner_are_two_roles_in_one_database(committed_db: str) -> None:
    (application, here), (owner, there) = current("default"), current("owner")
    assert here == there == committed_db
    assert application != owner


def test_the_template_changes_with_the_migrations(
    test_databases: TestDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = test_databases.template
    assert test_databases.template == before
    monkeypatch.setattr("django.get_version", lambda: "another")
    assert test_databases.template != before
