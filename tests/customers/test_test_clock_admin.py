"""Test clocks in the back office: made and moved by staff, refusals beside the field, nothing else changes."""

from datetime import UTC, datetime

import pytest
from django.test import Client

from billing.activity.models import Activity
from customers.models import TestClock, User
from tests import factories
from tests.valueverse.backoffice.office import act, make, page, said, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("fiona@example.com", "correct horse battery"))
    return client


def make_clock() -> TestClock:
    return factories.test_clock()


def test_clock_is_made_under_a_test_entity(staff: Client) -> None:
    entity = factories.legal_entity(is_test=True)
    answer = make(
        staff,
        "customers/testclock",
        name="Year in a minute",
        legal_entity=entity.pk,
        now_at="2023-11-01 00:00",
    )
    assert answer.status_code == 302
    clock = TestClock.objects.get()
    assert clock.now_at == datetime(2023, 11, 1, tzinfo=UTC)
    made = Activity.objects.get(name="test_clock.created")
    assert (made.object_id, made.actor_kind) == (clock.public_id, "user")


def test_clock_is_not_offered_live_entities(staff: Client) -> None:
    live = factories.legal_entity(is_test=False)
    answer = make(staff, "customers/testclock", name="Wrong", legal_entity=live.pk, now_at="2023-11-01 00:00")
    assert "Select a valid choice" in answer.content.decode()
    assert not TestClock.objects.exists()


def test_clock_is_advanced_by_the_person_who_asks(staff: Client) -> None:
    clock = make_clock()
    assert "Advance clock" in text(staff, page(clock))
    too_far = f"{clock.now_at.year + 5}-01-01 00:00"
    assert "at most two years" in act(staff, clock, "advance", to=too_far).content.decode()
    to = clock.now_at.replace(year=clock.now_at.year + 1)
    said(staff, act(staff, clock, "advance", to=f"{to:%Y-%m-%d %H:%M}"))
    clock.refresh_from_db()
    assert clock.now_at == to
    assert Activity.objects.get(name="test_clock.advanced").actor_label == "fiona@example.com"


def test_clock_never_goes_back_and_says_so_beside_the_field(staff: Client) -> None:
    clock = make_clock()
    answer = act(staff, clock, "advance", to="2001-01-01 00:00")
    assert "never goes back" in answer.content.decode()
    before = clock.now_at
    clock.refresh_from_db()
    assert clock.now_at == before
    assert not Activity.objects.filter(name="test_clock.advanced").exists()


def test_staff_without_the_permission_sees_no_clock(client: Client) -> None:
    clock = make_clock()
    client.force_login(User.objects.create_user("sam@example.com", "correct horse battery", is_staff=True))
    assert client.get(f"/admin/customers/testclock/{clock.pk}/advance/").status_code == 403
    assert client.post("/admin/customers/testclock/add/", {"name": "x"}).status_code == 403
