"""Who may set up what: each page and verb refused to those without the right, not merely hidden."""

from typing import Any

import pytest

from billing.approvals.models import ApprovalPolicy
from customers.models import PortalLink, PortalMembership
from customers.services import grant_portal_access, invite_contact
from tests import factories
from tests.billing_factories import billed_customer, subscription_of
from tests.factories import ACTOR, START
from tests.valueverse.backoffice.office import office, page, text

pytestmark = pytest.mark.django_db

MANAGER, CLERK, SUPPORT, AUDITOR = "Finance manager", "Finance clerk", "Support", "Auditor"
EVERYBODY = (MANAGER, CLERK, SUPPORT, AUDITOR, None)
BOTH = {MANAGER, CLERK}
CREATING = {
    "catalog/meter": {MANAGER},
    "catalog/product": {MANAGER},
    "catalog/plan": {MANAGER},
    "catalog/taxrate": {MANAGER},
    "customers/legalentity": {MANAGER},
    "customers/apikey": {MANAGER},
    "customers/testclock": {MANAGER},
    "approvals/approvalpolicy": {MANAGER},
    "customers/customer": BOTH,
    "subscriptions/subscription": BOTH,
}


@pytest.mark.parametrize("group", EVERYBODY)
def test_every_creation_is_a_right_of_its_own(group: str | None) -> None:
    client = office(group)
    for kind, groups in CREATING.items():
        expected = 200 if group in groups else 403
        address = f"/admin/{kind}/add/"
        assert (kind, client.get(address).status_code) == (kind, expected)
        if expected == 403:
            assert client.post(address, {"step": "act"}).status_code == 403


def verbs() -> list[tuple[Any, str, set[str]]]:
    """Every verb that sets something up, on an object where it makes sense, with the groups that may."""
    customer = billed_customer()
    entity, subscription = customer.legal_entity, subscription_of(customer)
    draft = factories.plan_version(publish=False)
    user = factories.user()
    grant_portal_access(customer=customer, user=user, role="viewer", actor=ACTOR, at=START)
    invite_contact(customer=customer, email="eva@customer.example", actor=ACTOR, at=START)
    member, link = PortalMembership.objects.get(), PortalLink.objects.get()
    policy = ApprovalPolicy.objects.create(action="refund", currency="EUR", limit_minor=100)
    key = factories.api_key().key
    return [
        *((draft, verb, {MANAGER}) for verb in ("add-price", "publish", "discard")),
        *((draft.prices.get(), verb, {MANAGER}) for verb in ("edit", "remove")),
        (draft.plan, "new-version", {MANAGER}),
        (factories.tax_rate("FR", "20"), "end", {MANAGER}),
        *((entity, verb, {MANAGER}) for verb in ("edit", "bank", "look", "add-registration")),
        *((customer, verb, BOTH) for verb in ("edit", "new-contact")),
        *((customer.contacts.get(), verb, BOTH) for verb in ("edit", "remove")),
        (customer, "invite", {*BOTH, SUPPORT}),
        *((member, verb, BOTH) for verb in ("role", "remove")),
        (link, "resend", {*BOTH, SUPPORT}),
        (link, "withdraw", BOTH),
        *((subscription, verb, BOTH) for verb in ("cancel-now", "cancel-at-period-end", "undo-cancel")),
        (key, "revoke", {MANAGER}),
        *((policy, verb, {MANAGER}) for verb in ("edit", "remove")),
        (customer.test_clock, "advance", {MANAGER}),
    ]


def test_every_verb_is_a_right_of_its_own() -> None:
    table = verbs()
    for group in EVERYBODY:
        client = office(group)
        for row, verb, groups in table:
            expected = 200 if group in groups else 403
            found = client.get(page(row, verb)).status_code
            assert (group, page(row, verb), found) == (group, page(row, verb), expected)
            if expected == 403:
                assert client.post(page(row, verb), {"step": "act"}).status_code == 403


def test_the_auditor_reads_every_page_and_finds_no_button() -> None:
    client = office(AUDITOR)
    for row, verb, _ in verbs():
        response = client.get(page(row))
        assert response.status_code in (200, 302), page(row)
        assert f"../{verb}/" not in response.content.decode()
    for kind in CREATING:
        assert f"/admin/{kind}/new" not in text(client, f"/admin/{kind}/")


def test_a_list_has_a_button_that_leads_to_the_page_that_makes_one() -> None:
    client = office()
    for kind in CREATING:
        assert f"/admin/{kind}/new" in text(client, f"/admin/{kind}/")
        assert client.get(f"/admin/{kind}/new/").url == f"/admin/{kind}/add/"  # type: ignore[attr-defined]


def test_portal_access_is_read_by_those_who_may() -> None:
    customer = factories.customer()
    address = f"/admin/customers/customer/{customer.pk}/access/"
    for group in EVERYBODY:
        expected = 403 if group is None else 200
        assert (group, office(group).get(address).status_code) == (group, expected)


def test_the_hash_of_an_invitation_and_of_a_key_is_on_no_page() -> None:
    customer = factories.customer()
    invite_contact(customer=customer, email="eva@customer.example", actor=ACTOR, at=START)
    link, key = PortalLink.objects.get(), factories.api_key().key
    client = office()
    for address in (
        "/admin/customers/portallink/",
        page(link, "resend"),
        page(key),
        "/admin/customers/apikey/",
    ):
        shown = text(client, address)
        assert link.token_hash not in shown
        assert key.secret_hash not in shown
