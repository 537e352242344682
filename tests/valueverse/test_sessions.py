"""Where a person is signed in: seen and ended by themselves, over in time, gone from the store (S15 to S18)."""

import re
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
import time_machine
from django.conf import settings as live_settings
from django.contrib.sessions.backends.base import UpdateError
from django.test import Client

from billing.activity.models import Activity
from billing.platform.clock import now
from customers.models import User, UserSession
from customers.selectors import session_is_live
from customers.services import end_sessions
from tests import factories
from tests.factories import ACTOR, PASSWORD
from tests.valueverse.backoffice.office import person, text
from tests.valueverse.portal.visitors import text_of, visitor
from tests.valueverse.signing import password
from valueverse.tasks import forget_expired

pytestmark = pytest.mark.django_db
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18.0 Mobile Safari/604.1"
)
LAPTOP = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
NEW = "a different long pass phrase"


def staff() -> tuple[User, Client, Client]:
    """Somebody on the staff, signed in on a laptop and on a phone."""
    user = person("Finance clerk")
    laptop = Client(HTTP_USER_AGENT=LAPTOP, REMOTE_ADDR="192.0.2.1")
    phone = Client(HTTP_USER_AGENT=PHONE, REMOTE_ADDR="192.0.2.2")
    password(user, client=laptop)
    password(user, client=phone)
    return user, laptop, phone


def customer_person() -> tuple[User, Client, Client]:
    """Somebody at a customer, signed in twice."""
    laptop = visitor(factories.customer())
    user = User.objects.get(portal_memberships__isnull=False)
    phone = Client(HTTP_USER_AGENT=PHONE, REMOTE_ADDR="192.0.2.2")
    phone.post("/portal/sign-in/", {"email": user.email, "password": PASSWORD})
    return user, laptop, phone


def key_of(client: Client) -> str:
    return client.cookies[live_settings.SESSION_COOKIE_NAME].value


def in_store(key: str) -> bool:
    return bool(import_module(live_settings.SESSION_ENGINE).SessionStore().exists(key))


def session_of(client: Client) -> UserSession:
    return UserSession.objects.get(session_key=key_of(client))


def test_staff_see_where_they_are_signed_in_and_end_one() -> None:
    user, laptop, phone = staff()
    page = text(laptop, "/admin/account/")
    assert "Firefox, Linux" in page
    assert "Safari, iPhone" in page
    assert "192.0.2.2" in page
    assert page.count("This one") == 1
    ended = session_of(phone)
    assert laptop.post(f"/admin/account/sessions/{ended.public_id}/end/").status_code == 302
    assert not in_store(key_of(phone)), "a socket that asks the store again finds nobody"
    assert not session_is_live(session_key=ended.session_key, at=now())
    assert phone.get("/admin/").status_code == 302
    assert laptop.get("/admin/").status_code == 200
    noted = Activity.objects.get(name="session.ended")
    assert (noted.object_id, noted.actor_id) == (ended.public_id, user.public_id)


def test_staff_sign_out_everywhere_else() -> None:
    _, laptop, phone = staff()
    laptop.post("/admin/account/sessions/end-others/")
    assert phone.get("/admin/").status_code == 302
    assert laptop.get("/admin/").status_code == 200


def test_a_customer_s_person_sees_and_ends_sessions_in_their_language() -> None:
    _, laptop, phone = customer_person()
    page = text_of(laptop, "/portal/account/")
    assert "Safari, iPhone" in page
    assert "Sign out everywhere else" in page
    laptop.post("/portal/language/", {"language": "de"})
    assert "Wo Sie angemeldet sind" in text_of(laptop, "/portal/account/")
    ended = session_of(phone)
    assert laptop.post(f"/portal/account/sessions/{ended.public_id}/end/").status_code == 302
    assert not in_store(key_of(phone))
    assert phone.get("/portal/").status_code == 302


def test_a_customer_s_person_signs_out_everywhere_else() -> None:
    _, laptop, phone = customer_person()
    laptop.post("/portal/account/sessions/end-others/")
    assert phone.get("/portal/").status_code == 302
    assert laptop.get("/portal/").status_code == 200


@pytest.mark.parametrize("door", ["/admin/account/sessions/{}/end/", "/portal/account/sessions/{}/end/"])
def test_somebody_else_s_session_is_not_there(door: str) -> None:
    _, mine, _ = staff() if door.startswith("/admin") else customer_person()
    theirs = visitor(factories.customer())
    unknown = mine.post(door.format("ses_0000"))
    answer = mine.post(door.format(session_of(theirs).public_id))
    assert (answer.status_code, unknown.status_code) == (404, 404)
    assert theirs.get("/portal/").status_code == 200


def test_ending_needs_a_post_and_its_token() -> None:
    _, laptop, phone = staff()
    address = f"/admin/account/sessions/{session_of(phone).public_id}/end/"
    assert laptop.get(address).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = laptop.cookies
    assert strict.post(address).status_code == 403
    assert phone.get("/admin/").status_code == 200


@pytest.mark.parametrize(
    ("make", "door", "home"),
    [
        (staff, "/admin/account/password/", "/admin/account/"),
        (customer_person, "/portal/account/password/", "/portal/account/"),
    ],
)
def test_a_new_password_ends_every_other_session(make: Any, door: str, home: str) -> None:
    user, laptop, phone = make()
    before = key_of(laptop)
    assert laptop.get(door).status_code == 200
    wrong = laptop.post(door, {"current": "not this one at all", "password": NEW})
    assert wrong.status_code == 400
    assert "This is not your present password." in wrong.content.decode()
    assert laptop.post(door, {"current": PASSWORD, "password": "short"}).status_code == 400
    assert phone.get(home).status_code == 200, "nothing was changed"
    assert laptop.post(door, {"current": PASSWORD, "password": NEW})["Location"] == home
    assert key_of(laptop) != before
    assert laptop.get(home).status_code == 200
    assert not in_store(key_of(phone))
    assert phone.get(home).status_code == 302
    user.refresh_from_db()
    assert user.check_password(NEW)
    assert Activity.objects.filter(name="user.password_changed", object_id=user.public_id).count() == 1


def test_guessing_the_present_password_locks_the_account() -> None:
    _, laptop, _ = staff()
    for _try in range(live_settings.AXES_FAILURE_LIMIT):
        laptop.post("/admin/account/password/", {"current": "not this one at all", "password": NEW})
    right = laptop.post("/admin/account/password/", {"current": PASSWORD, "password": NEW})
    assert right.status_code == 400


def test_staff_are_signed_out_when_they_leave_and_after_a_day_s_work() -> None:
    _, laptop, _ = staff()
    start = now()
    with time_machine.travel(start + live_settings.STAFF_SESSION_IDLE + timedelta(seconds=1)):
        assert laptop.get("/admin/").status_code == 302
    _, laptop, _ = staff()
    at = start
    while at < start + live_settings.STAFF_SESSION_LONGEST:
        with time_machine.travel(at):
            assert laptop.get("/admin/account/").status_code == 200
        at += timedelta(minutes=25)
    with time_machine.travel(start + live_settings.STAFF_SESSION_LONGEST + timedelta(seconds=5)):
        assert laptop.get("/admin/account/").status_code == 302, "however busy they were"


def test_people_at_customers_stay_longer() -> None:
    _, laptop, _ = customer_person()
    with time_machine.travel(now() + live_settings.PORTAL_SESSION_IDLE - timedelta(minutes=1)):
        assert laptop.get("/portal/").status_code == 200
    with time_machine.travel(now() + live_settings.PORTAL_SESSION_IDLE * 2 - timedelta(minutes=2)):
        assert laptop.get("/portal/").status_code == 200, "each look begins the time anew"
    with time_machine.travel(now() + live_settings.PORTAL_SESSION_LONGEST + timedelta(minutes=1)):
        assert laptop.get("/portal/").status_code == 302


def test_last_seen_is_kept_to_the_minute_without_writing_at_every_click() -> None:
    _, laptop, _ = staff()
    first = session_of(laptop).seen_at
    laptop.get("/admin/account/")
    assert session_of(laptop).seen_at == first
    with time_machine.travel(first + timedelta(seconds=61)):
        laptop.get("/admin/account/")
    assert session_of(laptop).seen_at > first


def test_signing_out_leaves_no_session_behind() -> None:
    _, laptop, _ = staff()
    key = key_of(laptop)
    laptop.post("/admin/logout/")
    assert not in_store(key)
    assert not UserSession.objects.filter(session_key=key).exists()


def test_signing_in_again_in_the_same_browser_leaves_one_session() -> None:
    user, laptop, _ = customer_person()
    laptop.post("/portal/sign-in/", {"email": user.email, "password": PASSWORD})
    assert UserSession.objects.filter(user=user).count() == 2, "this browser and the phone"
    worker, desk, _ = staff()
    password(worker, client=desk)
    assert UserSession.objects.filter(user=worker).count() == 2


def test_a_session_that_was_ended_while_a_page_was_made_stays_ended() -> None:
    user, laptop, _ = staff()
    with time_machine.travel(now() + timedelta(minutes=2)):
        session = laptop.session
        session["draft"] = "something"
        end_sessions(user=user, actor=ACTOR, at=now())
        with pytest.raises(UpdateError):
            session.save()
        assert laptop.get("/admin/").status_code == 302


def test_the_nightly_task_forgets_what_has_run_out() -> None:
    staff()
    with time_machine.travel(now() + timedelta(days=8)):
        forget_expired()
    assert not UserSession.objects.exists()


def test_a_hostile_name_of_a_browser_is_shown_as_text() -> None:
    user = person("Finance clerk")
    client = Client(HTTP_USER_AGENT="<script>alert(1)</script>\x07" + "x" * 5000)
    password(user, client=client)
    page = text(client, "/admin/account/")
    assert "<script>alert(1)" not in page
    assert "Unknown browser" in page
    assert len(session_of(client).agent) == 300
    assert re.search(r"ses_\w+", page) is None, "the only session is this one, which has no button"
