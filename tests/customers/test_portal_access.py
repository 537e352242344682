"""Invitations, sign-in links and memberships: who gets in, once, and for how long."""

from datetime import timedelta

import pytest
from django.core import mail
from django.core.management import call_command

from billing.activity.models import Activity
from billing.core.errors import InvalidInput
from customers import services
from customers.models import PortalLink, PortalMembership, PortalRole, User
from customers.tasks import send_sign_in_link
from tests import factories
from tests.factories import ACTOR, PASSWORD, START

pytestmark = pytest.mark.django_db


def invite(email: str = "ada@acme.example", **changes: object) -> services.NewPortalLink:
    given = {"customer": factories.customer(), "name": "Ada", "role": PortalRole.MANAGER} | changes
    return services.invite_contact(email=email, actor=ACTOR, at=START, **given)  # type: ignore[arg-type]


def member(email: str = "ada@acme.example") -> User:
    user = factories.user(email)
    services.grant_portal_access(
        customer=factories.customer(), user=user, role=PortalRole.VIEWER, actor=ACTOR, at=START
    )
    return user


def test_an_invitation_makes_account_and_membership_once() -> None:
    made = invite()
    membership = services.accept_invitation(token=made.token, password=PASSWORD, at=START)
    assert membership.user.check_password(PASSWORD)
    assert (membership.customer, membership.role) == (made.link.customer, "manager")
    assert not membership.user.is_staff
    with pytest.raises(services.PortalLinkInvalid):
        services.accept_invitation(token=made.token, password=PASSWORD, at=START)
    names = set(Activity.objects.values_list("name", flat=True))
    assert {"portal_invitation.created", "portal_invitation.accepted", "portal_membership.granted"} <= names


def test_the_token_itself_is_stored_nowhere() -> None:
    made = invite()
    row = PortalLink.objects.values().get()
    assert made.token not in map(str, row.values())
    assert made.token not in str(list(Activity.objects.values()))


def test_an_invitation_runs_out_after_seven_days() -> None:
    made = invite()
    with pytest.raises(services.PortalLinkInvalid):
        services.accept_invitation(token=made.token, password=PASSWORD, at=START + timedelta(days=7))
    assert not User.objects.exists()


def test_a_newer_invitation_ends_the_older() -> None:
    customer = factories.customer()
    older, newer = invite(customer=customer), invite(customer=customer)
    with pytest.raises(services.PortalLinkInvalid):
        services.accept_invitation(token=older.token, password=PASSWORD, at=START)
    assert services.accept_invitation(token=newer.token, password=PASSWORD, at=START)


def test_a_weak_password_is_refused_and_the_invitation_stays_good() -> None:
    made = invite()
    with pytest.raises(InvalidInput) as refusal:
        services.accept_invitation(token=made.token, password="12345", at=START)
    assert "password" in refusal.value.fields
    assert not User.objects.exists()
    assert services.accept_invitation(token=made.token, password=PASSWORD, at=START)


def test_whoever_has_an_account_does_not_get_a_new_password_by_invitation() -> None:
    factories.user("ada@acme.example")
    made = invite("Ada@Acme.example")
    with pytest.raises(services.AccountExists):
        services.accept_invitation(token=made.token, password="another long pass phrase", at=START)
    assert User.objects.get().check_password(PASSWORD)


def test_an_invitation_is_for_its_address_only() -> None:
    made, mallory = invite(), factories.user("mallory@globex.example")
    with pytest.raises(services.PortalLinkInvalid):
        services.accept_invitation_as(token=made.token, user=mallory, at=START)
    assert not PortalMembership.objects.exists()


def test_staff_are_not_invited() -> None:
    factories.user("fiona@seller.example", is_staff=True)
    with pytest.raises(services.StaffHasNoPortal):
        invite("fiona@seller.example")


@pytest.mark.parametrize("email", ["not an address", "", "a\0b@c.example"])
def test_an_invitation_needs_an_address(email: str) -> None:
    with pytest.raises(InvalidInput):
        invite(email)
    assert not PortalLink.objects.exists()


def test_a_sign_in_link_works_once_and_ends_the_others() -> None:
    user = member()
    first = services.request_sign_in_link(email="ADA@acme.example", at=START)
    second = services.request_sign_in_link(email=user.email, at=START)
    assert first and second
    assert services.consume_sign_in_link(token=second.token, at=START) == user
    for made in (first, second):
        with pytest.raises(services.PortalLinkInvalid):
            services.consume_sign_in_link(token=made.token, at=START)


def test_a_sign_in_link_runs_out_after_15_minutes() -> None:
    made = services.request_sign_in_link(email=member().email, at=START)
    assert made
    with pytest.raises(services.PortalLinkInvalid):
        services.consume_sign_in_link(token=made.token, at=START + timedelta(minutes=15))


def test_three_links_at_a_time_are_enough() -> None:
    user = member()
    made = [services.request_sign_in_link(email=user.email, at=START) for _ in range(4)]
    assert [bool(one) for one in made] == [True, True, True, False]


def test_nobody_else_gets_a_link() -> None:
    factories.user("stranger@example.com")
    factories.user("fiona@seller.example", is_staff=True)
    gone = member("gone@acme.example")
    User.objects.filter(pk=gone.pk).update(is_active=False)
    for email in ("stranger@example.com", "fiona@seller.example", "gone@acme.example", "nobody@x.example"):
        send_sign_in_link(email, "en")
    assert mail.outbox == []
    assert not PortalLink.objects.exists()


def test_a_person_let_go_cannot_use_a_link_sent_before() -> None:
    user = member()
    made = services.request_sign_in_link(email=user.email, at=START)
    assert made
    User.objects.filter(pk=user.pk).update(is_active=False)
    with pytest.raises(services.PortalLinkInvalid):
        services.consume_sign_in_link(token=made.token, at=START)


def test_the_sign_in_mail_carries_the_link_in_the_language_asked_for() -> None:
    member()
    send_sign_in_link("ada@acme.example", "de")
    (sent,) = mail.outbox
    assert sent.subject == "Ihr Anmeldelink"
    assert "/portal/link/" in sent.body
    assert sent.to == ["ada@acme.example"]


def test_an_invitation_mail_is_one_subject_line_whatever_the_customer_is_called() -> None:
    customer = factories.customer(name="<script>alert(1)</script>", language="de")
    made = invite(customer=customer)
    PortalLink.objects.filter(pk=made.link.pk)
    url = services.mail_invitation(made=made, customer=customer)
    (sent,) = mail.outbox
    assert url in sent.body
    assert "Zugang" in sent.subject
    html = str(sent.alternatives[0][0])
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_the_command_invites(capsys: pytest.CaptureFixture[str]) -> None:
    customer = factories.customer()
    call_command("invite_contact", customer.public_id, "ada@acme.example", role="manager")
    assert "ada@acme.example" in capsys.readouterr().out
    assert len(mail.outbox) == 1


def contact(email: str, *roles: str) -> services.ContactInput:
    return services.ContactInput(name="Bob", email=email, mail_roles=roles)


def test_the_last_billing_contact_stays() -> None:
    customer = factories.customer()
    only = customer.contacts.get()
    with pytest.raises(services.LastBillingContact):
        services.remove_contact(customer=customer, contact_id=only.public_id, actor=ACTOR, at=START)
    with pytest.raises(services.LastBillingContact):
        services.save_contact(
            customer=customer,
            contact_id=only.public_id,
            given=contact(only.email, "technical"),
            actor=ACTOR,
            at=START,
        )
    assert customer.contacts.get().mail_roles == ["billing"]


def test_a_contact_is_replaced_when_another_gets_the_invoices() -> None:
    customer = factories.customer()
    only = customer.contacts.get()
    services.save_contact(
        customer=customer, contact_id=None, given=contact("bob@x.example", "billing"), actor=ACTOR, at=START
    )
    services.remove_contact(customer=customer, contact_id=only.public_id, actor=ACTOR, at=START)
    assert [row.email for row in customer.contacts.all()] == ["bob@x.example"]


def test_two_contacts_do_not_share_an_address() -> None:
    customer = factories.customer()
    email = customer.contacts.get().email
    with pytest.raises(services.ContactExists):
        services.save_contact(
            customer=customer, contact_id=None, given=contact(email.upper()), actor=ACTOR, at=START
        )


def test_a_wrong_contact_address_names_its_field() -> None:
    customer = factories.customer()
    with pytest.raises(InvalidInput) as refusal:
        services.save_contact(
            customer=customer, contact_id=None, given=contact("nonsense"), actor=ACTOR, at=START
        )
    assert list(refusal.value.fields) == ["email"]
