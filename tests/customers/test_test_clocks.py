"""Test clocks over the API and from the command line."""

import json
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import IntegrityError, transaction
from rest_framework.test import APIClient

from billing.activity.models import Activity
from billing.core.lifecycles import TestClockStatus
from billing.platform.commands import Refused
from customers.models import TestClock
from tests import factories
from tests.people import integrator
from tests.platform.api_answers import assert_problem

pytestmark = pytest.mark.django_db

ADDRESS = "/api/v1/test-clocks"
DECEMBER = "2023-12-01T00:00:00Z"


@pytest.fixture
def client() -> APIClient:
    return integrator()


def test_clock_is_made_under_a_test_entity_and_shows_its_time(client: APIClient) -> None:
    entity = factories.legal_entity()
    asked = {"name": "Story", "legal_entity": entity.public_id, "now_at": "2023-11-01T01:00:00+01:00"}
    made = client.post(ADDRESS, asked)
    assert made.status_code == 201
    clock = made.json()
    assert (clock["now_at"], clock["status"]) == ("2023-11-01T00:00:00Z", "ready")
    assert client.get(f"{ADDRESS}/{clock['id']}").json() == clock
    assert client.get(ADDRESS).json()["data"] == [clock]


def test_live_entity_has_no_test_clocks(client: APIClient) -> None:
    live = factories.legal_entity(is_test=False)
    asked = {"name": "Story", "legal_entity": live.public_id, "now_at": DECEMBER}
    assert_problem(client.post(ADDRESS, asked), 409, "test_clock_needs_test_entity", field="legal_entity")
    with pytest.raises(IntegrityError, match="marked as test"), transaction.atomic():
        TestClock.objects.create(
            name="Story", legal_entity=live, now_at=factories.START, created_at=factories.START
        )


def test_clock_advances_once_however_often_it_is_told(client: APIClient) -> None:
    clock = factories.test_clock()
    for _ in range(2):
        assert (
            client.post(f"{ADDRESS}/{clock.public_id}/advance", {"to": DECEMBER}).json()["now_at"] == DECEMBER
        )
    moved = Activity.objects.get(name="test_clock.advanced")
    assert moved.data == {"from": "2023-11-01T00:00:00+00:00", "to": "2023-12-01T00:00:00+00:00"}


@pytest.mark.parametrize(
    ("to", "status", "code"),
    [
        ("2023-10-31T23:59:59Z", 409, "test_clock_moves_forward"),
        ("2026-01-01T00:00:00Z", 400, "test_clock_step_too_large"),
        ("2023-12-01", 400, "invalid_input"),
        ("2023-12-01T00:00:00", 400, "invalid_input"),
        ("9999-12-31T23:59:59-23:59", 400, "invalid_input"),
        ("0001-01-01T00:00:00+14:00", 400, "invalid_input"),
        (1701388800, 400, "invalid_input"),
        (None, 400, "invalid_input"),
    ],
)
def test_clock_refuses_a_step_and_stays(client: APIClient, to: object, status: int, code: str) -> None:
    clock = factories.test_clock()
    assert_problem(client.post(f"{ADDRESS}/{clock.public_id}/advance", {"to": to}), status, code, field="to")
    clock.refresh_from_db()
    assert clock.now_at == factories.START
    assert not Activity.objects.filter(name="test_clock.advanced").exists()


def test_clock_at_work_waits(client: APIClient) -> None:
    clock = factories.test_clock()
    TestClock.objects.filter(pk=clock.pk).update(status=TestClockStatus.ADVANCING)
    problem = client.post(f"{ADDRESS}/{clock.public_id}/advance", {"to": DECEMBER})
    assert_problem(problem, 409, "test_clock_busy")


def test_command_advances_a_clock() -> None:
    clock, out = factories.test_clock(), StringIO()
    call_command(
        "advance_clock", clock.public_id, to=datetime(2023, 12, 1, tzinfo=UTC), json=True, stdout=out
    )
    assert json.loads(out.getvalue())["now_at"] == "2023-12-01T00:00:00+00:00"
    clock.refresh_from_db()
    assert clock.now_at == datetime(2023, 12, 1, tzinfo=UTC)


def test_command_says_in_one_line_why_it_refused() -> None:
    clock = factories.test_clock()
    with pytest.raises(Refused, match=r"never goes back.*\[test_clock_moves_forward\]") as refused:
        call_command("advance_clock", clock.public_id, to=datetime(2023, 10, 1, tzinfo=UTC))
    assert refused.value.returncode == 1
    with pytest.raises(CommandError, match="needs an offset"):
        call_command("advance_clock", clock.public_id, "--to", "2023-12-01T00:00:00")
