"""People: invited, moved between groups, let go at once; who may do that, and to whom."""

import re

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.core.management import call_command
from django.test import Client, override_settings

from billing.activity.models import Activity
from billing.platform.clock import now
from customers.models import User, UserSession
from customers.services import SecretUnreadable, change_groups, check_code
from customers.services.portal import portal_actor
from customers.tasks import send_staff_link
from tests import factories
from tests.factories import PASSWORD
from tests.valueverse.backoffice.office import act, office, page, person, said, text
from tests.valueverse.portal.visitors import visitor
from tests.valueverse.signing import app_of, code_of, password, recovery_codes
from valueverse.reactions import REACTIONS

pytestmark = pytest.mark.django_db
INVITE = "/admin/customers/user/invite/"
NEW = "a different long pass phrase"
VERBS = ("groups", "let-go", "send-link", "sign-out", "reset-second-factor")


def group_ids(*names: str) -> list[int]:
    from django.contrib.auth.models import Group

    return list(Group.objects.filter(name__in=names).values_list("pk", flat=True))


def invite(client: Client, email: str = "new@seller.example", *groups: str) -> User:
    given = {"email": email, "name": "Nora New", "groups": group_ids(*(groups or ("Support",)))}
    answer = client.post(INVITE, given)
    assert "a mail with a link is on its way" in said(client, answer)
    return User.objects.get(email=email)


def link_in_mail() -> str:
    found = re.search(r"/admin/welcome/\S+/", str(mail.outbox[-1].body))
    assert found, "the mail holds a link"
    return found[0]


def test_somebody_invited_chooses_a_password_and_signs_in() -> None:
    nora = invite(office())
    assert "customers.send_staff_link" in REACTIONS["user.invited"]
    send_staff_link(nora.public_id)
    assert mail.outbox[-1].to == [nora.email]
    address, browser = link_in_mail(), Client()
    assert nora.email in text(browser, address)
    weak = browser.post(address, {"password": "short"})
    assert weak.status_code == 400
    assert "too short" in weak.content.decode()
    assert browser.post(address, {"password": NEW})["Location"] == "/admin/login/"
    assert browser.get(address).status_code == 410, "it works once"
    assert browser.post(address, {"password": PASSWORD}).status_code == 410
    client = Client()
    client.post("/admin/login/", {"username": nora.email, "password": NEW})
    assert client.get("/admin/customers/customer/").status_code == 200
    assert client.get("/admin/ledger/journalentry/").status_code == 403, "and may do what the group may"


@pytest.mark.parametrize(
    ("given", "said_at"),
    [
        ({"email": "x", "name": "N", "groups": ["Support"]}, "Enter a valid email address."),
        ({"email": "n@seller.example", "name": "", "groups": ["Support"]}, "This field is required."),
        ({"email": "n@seller.example", "name": "N", "groups": []}, "Choose at least one group"),
        (
            {"email": "TAKEN@seller.example", "name": "N", "groups": ["Support"]},
            "Somebody signs in with this",
        ),
    ],
)
def test_a_wrong_invitation_says_what_is_wrong_and_changes_nothing(
    given: dict[str, object], said_at: str
) -> None:
    factories.user("taken@seller.example")
    client, before = office(), User.objects.count()
    answer = client.post(INVITE, {**given, "groups": group_ids(*given["groups"])})  # type: ignore[misc]
    assert answer.status_code == 400
    assert said_at in answer.content.decode()
    assert User.objects.count() == before + 0
    assert not Activity.objects.filter(name="user.invited").exists()


@pytest.mark.parametrize("token", ["x", "a-b", "c0ffee-" + "0" * 32])
def test_a_made_up_link_opens_nothing(token: str) -> None:
    user = person("Support")
    address = f"/admin/welcome/{user.public_id}/{token}/"
    assert Client().get(address).status_code == 410
    assert Client().post(address, {"password": NEW}).status_code == 410
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


def test_somebody_let_go_is_out_at_once_and_cannot_come_back() -> None:
    oscar = person("Finance clerk")
    browser, _ = password(oscar)
    assert browser.get("/admin/").status_code == 200
    boss = office()
    done = said(boss, act(boss, oscar, "let-go"))
    assert "is signed out everywhere and cannot sign in" in done
    assert "Let go" in done
    assert browser.get("/admin/").status_code == 302
    assert not UserSession.objects.filter(user=oscar).exists()
    assert password(oscar)[1].status_code == 200, "the sign-in page again"
    assert "take-back" in text(boss, page(oscar))
    act(boss, oscar, "take-back")
    assert password(oscar)[1].status_code == 302
    names = list(
        Activity.objects.filter(object_id=oscar.public_id).order_by("pk").values_list("name", flat=True)
    )
    assert names[-2:] == ["user.deactivated", "user.reactivated"]


def test_groups_count_from_the_next_click() -> None:
    oscar, boss = person("Support"), office()
    browser, _ = password(oscar)
    assert browser.get("/admin/ledger/journalentry/").status_code == 403
    answer = act(boss, oscar, "groups", groups=group_ids("Finance clerk", "Support"))
    assert "is in: Finance clerk, Support" in said(boss, answer)
    assert browser.get("/admin/ledger/journalentry/").status_code == 200
    noted = Activity.objects.get(name="user.groups_changed")
    assert noted.data == {"before": ["Support"], "after": ["Finance clerk", "Support"]}
    none = act(boss, oscar, "groups")
    assert none.status_code == 400
    assert "Choose at least one group" in none.content.decode()


def test_the_second_click_does_nothing() -> None:
    oscar, boss = person("Support"), office()
    address = page(oscar, "groups")
    given = {"seen": re.search(r'name="seen" value="(\w+)"', text(boss, address))[1], "step": "act"}  # type: ignore[index]
    boss.post(address, {**given, "groups": group_ids("Auditor")})
    answer = boss.post(address, {**given, "groups": group_ids("Support")})
    assert "Nothing was done" in said(boss, answer)
    assert list(oscar.groups.values_list("name", flat=True)) == ["Auditor"]


def test_nobody_changes_their_own_rights_and_only_superusers_touch_superusers() -> None:
    fiona = person("Finance manager")
    root = User.objects.create_superuser(email="root@seller.example", password=PASSWORD)
    app_of(root)
    client, _ = password(fiona)
    for verb in ("groups", "let-go"):
        assert "Somebody else has to do this for you." in text(client, page(fiona, verb))
    for verb in VERBS:
        shown = text(client, page(root, verb))
        if verb != "sign-out":  # offered only where somebody is signed in
            assert "whom only another superuser may change" in shown, verb
    seen = re.search(r'name="seen" value="(\w+)"', text(client, page(root, "let-go")))
    assert seen
    client.post(page(root, "let-go"), {"seen": seen[1], "step": "act"})
    root.refresh_from_db()
    assert root.is_active
    assert Authenticator.objects.filter(user=root).exists()


@pytest.mark.parametrize("group", ["Finance clerk", "Support", "Auditor", None])
def test_only_a_manager_manages_people(group: str | None) -> None:
    oscar, client = person("Support"), office(group)
    assert client.get(INVITE).status_code == 403
    assert client.post(INVITE, {}).status_code == 403
    for verb in VERBS:
        assert client.get(page(oscar, verb)).status_code == 403, verb
        assert client.post(page(oscar, verb), {"step": "act"}).status_code == 403, verb
    if group in ("Finance clerk", "Auditor"):
        assert "invite/" not in text(client, "/admin/customers/user/")
        assert "../groups/" not in text(client, page(oscar))


def test_people_at_customers_are_shown_and_left_alone() -> None:
    visitor(factories.customer(name="Acme"))
    ada, boss = User.objects.get(portal_memberships__isnull=False), office()
    shown = text(boss, page(ada))
    assert "Acme" in shown
    assert "Customer portal" in shown
    assert "../let-go/" not in shown
    assert "This person is at a customer" in text(boss, page(ada, "let-go"))


def test_a_lost_phone_is_reset_by_a_manager() -> None:
    oscar, boss = person("Finance clerk"), office()
    secret = app_of(oscar)
    browser, _ = password(oscar)
    browser.post("/admin/login/code/", {"code": code_of(secret, now())})
    assert "reset-second-factor" in text(boss, page(oscar))
    assert "sets up a new second factor" in said(boss, act(boss, oscar, "reset-second-factor"))
    assert not Authenticator.objects.filter(user=oscar).exists()
    assert browser.get("/admin/").status_code == 302
    noted = Activity.objects.get(name="second_factor.reset")
    assert (noted.object_id, noted.actor_kind) == (oscar.public_id, "user")


def test_a_lost_phone_is_reset_by_an_operator(capsys: pytest.CaptureFixture[str]) -> None:
    oscar = person("Finance clerk", "oscar@seller.example")
    app_of(oscar)
    call_command("reset_second_factor", "OSCAR@seller.example")
    assert "Removed 2 of oscar@seller.example" in capsys.readouterr().out
    assert Activity.objects.get(name="second_factor.reset").actor_kind == "command"
    call_command("reset_second_factor", "oscar@seller.example")
    assert "had none" in capsys.readouterr().out
    assert Activity.objects.filter(name="second_factor.reset").count() == 1


OLD_KEY, NEW_KEY = "o" * 40, "n" * 40


def test_secrets_are_encrypted_and_keys_can_be_changed() -> None:
    oscar = person("Finance clerk")
    with override_settings(SECOND_FACTOR_KEYS=[OLD_KEY]):
        secret = app_of(oscar)
        codes = recovery_codes(oscar)
        assert secret not in str(list(Authenticator.objects.values_list("data", flat=True)))
    with override_settings(SECOND_FACTOR_KEYS=[NEW_KEY, OLD_KEY]):
        call_command("reencrypt_second_factors")
    with override_settings(SECOND_FACTOR_KEYS=[NEW_KEY]):
        assert check_code(user=oscar, code=code_of(secret, now()), at=now()) == "totp"
        assert check_code(user=oscar, code=codes[0], at=now()) == "recovery_code"
    with override_settings(SECOND_FACTOR_KEYS=[OLD_KEY]):
        with pytest.raises(SecretUnreadable):
            check_code(user=oscar, code=codes[1], at=now())
        client, _ = password(oscar)
        answer = client.post("/admin/login/code/", {"code": codes[1]})
        assert answer.status_code == 400
        assert "SECOND_FACTOR_KEYS" in answer.content.decode()
    assert client.get("/admin/").status_code == 302


def test_doing_it_twice_leaves_one_note() -> None:
    fiona, oscar = person("Finance manager"), person("Support")
    for _again in range(2):
        change_groups(user=oscar, groups=list(fiona.groups.all()), actor=portal_actor(fiona), at=now())
    assert Activity.objects.filter(name="user.groups_changed").count() == 1
