"""A person of finance sets up an empty installation in the back office, and bills it."""

import re
from typing import Any

import pytest
from django.core import mail

from billing.catalog.models import Meter, Plan, PlanVersion, Price, Product, TaxRate
from billing.invoices.models import BillRun, Invoice
from billing.invoices.services import render_document
from billing.invoices.tasks import perform_bill_run
from billing.subscriptions.models import Subscription
from customers.models import Customer, LegalEntity, PortalLink, PortalMembership, TestClock
from tests.valueverse.backoffice import setup_forms as typed
from tests.valueverse.backoffice.office import act, make, office, page, said, seen, text

pytestmark = pytest.mark.django_db


def test_an_empty_installation_is_set_up_and_billed_without_a_programmer() -> None:
    client = office()
    assert "Next: the tax rate of DE" in said(client, make(client, "customers/legalentity", **typed.SELLER))
    entity = LegalEntity.objects.get()
    assert (entity.country, entity.iban, entity.is_test) == ("DE", "DE89370400440532013000", True)
    assert "No standard rate of DE is valid" in text(client, page(entity))
    assert "N-" in text(client, page(entity))
    said(client, make(client, "catalog/taxrate", **typed.TAX_RATE))
    assert "No standard rate of DE" not in text(client, page(entity))
    said(client, make(client, "catalog/product", **typed.PRODUCT))
    said(client, make(client, "catalog/meter", **typed.METER))
    said(client, make(client, "catalog/plan", code="pro", name="Pro", product=Product.objects.get().pk))
    plan = Plan.objects.get()
    said(client, act(client, plan, "new-version", **typed.VERSION))
    version = PlanVersion.objects.get()
    said(client, act(client, version, "add-price", **typed.FEE))
    said(client, act(client, version, "add-price", **typed.TIERS, meter=Meter.objects.get().pk))
    assert "Cannot be edited afterwards" in text(client, page(version, "publish"))
    said(client, act(client, version, "publish"))
    said(
        client,
        make(client, "customers/testclock", name="Story", legal_entity=entity.pk, now_at="2023-11-01 00:00"),
    )
    clock = TestClock.objects.get()
    given = typed.CUSTOMER | {"legal_entity": entity.pk, "test_clock": clock.pk}
    assert "Next: start a subscription" in said(client, make(client, "customers/customer", **given))
    customer = Customer.objects.get()
    start = {"customer": customer.public_id, "plan_version": version.pk, "start_on": "", "external_id": ""}
    look = client.post("/admin/subscriptions/subscription/add/", {"step": "look", "seen": "", **start})
    shown = look.content.decode()
    for part in ("Platform fee", "117,81", "18,81", "The invoice after it: 2023-12-01 00:00 UTC"):
        assert part in shown
    assert not Subscription.objects.exists()
    said(client, make(client, "subscriptions/subscription", **start))
    subscription = Subscription.objects.get()
    assert "Next invoice, due 2023-11-01" in text(client, page(subscription))

    runs = "/admin/invoices/billrun/start/"
    client.post(runs, {"as_of": "2023-11-01 00:00", "step": "act", "seen": seen(client, runs)})
    run = BillRun.objects.get()
    perform_bill_run(run.public_id)
    act(client, run, "approve")
    act(client, run, "finalize")
    perform_bill_run(run.public_id)
    invoice = Invoice.objects.get()
    assert (invoice.number, invoice.total_minor) == ("N-2023-0001", 11781)
    assert render_document(document=invoice).startswith(b"%PDF")
    shown = text(client, page(subscription))
    assert "Invoiced N-2023-0001" in shown
    assert "2023-11-30" in shown, "charged through"
    shown = text(client, page(entity))
    assert "N-2023-0002" in shown, "the next number"
    assert "missing" not in shown


@pytest.mark.parametrize(
    ("kind", "given", "model"),
    [
        ("catalog/product", typed.PRODUCT, Product),
        ("catalog/meter", typed.METER, Meter),
        ("customers/legalentity", typed.SELLER, LegalEntity),
        ("catalog/taxrate", typed.TAX_RATE, TaxRate),
    ],
)
def test_a_form_sent_twice_makes_one_object(kind: str, given: dict[str, str], model: Any) -> None:
    client = office()
    address = f"/admin/{kind}/add/"
    sent = {"seen": seen(client, address), "step": "act", **given}
    first = client.post(address, sent)
    assert first.status_code == 302
    second = client.post(address, sent)
    assert second.url == first.url  # type: ignore[attr-defined]
    assert "this form was sent already" in said(client, second)
    assert model.objects.count() == 1


def test_a_form_without_its_mark_makes_nothing() -> None:
    response = office().post("/admin/catalog/product/add/", {"seen": "x", "step": "act", **typed.PRODUCT})
    assert "This page is too old" in response.content.decode()
    assert not Product.objects.exists()


def test_a_new_version_copies_the_last_and_says_what_it_changes() -> None:
    client = office()
    version = published(client)
    said(client, act(client, version.plan, "new-version", **typed.VERSION, copies="on"))
    draft = PlanVersion.objects.get(version=2)
    assert [price.code for price in draft.prices.all()] == ["fee", "tokens"]
    tokens = draft.prices.get(code="tokens")
    changed = {**typed.TIERS, "meter": tokens.meter_id, "tier_1_unit": "0.0000015"}
    said(client, act(client, tokens, "edit", **changed))
    said(client, act(client, draft.prices.get(code="fee"), "remove"))
    shown = text(client, page(draft))
    for part in ("tier 2, price of one unit", "−25 %", "0.0000015", "Removed"):
        assert part in shown
    assert "tier 1, price of one unit" not in shown, "only changes"
    assert "tier 1, price of one unit" in text(client, f"{page(draft)}?all=1")
    said(client, act(client, draft, "discard"))
    assert PlanVersion.objects.count() == 1


def test_the_preview_is_what_billing_charges() -> None:
    client = office()
    version = published(client)
    tokens = version.prices.get(code="tokens")
    for address in (page(version), f"/admin/catalog/planversion/{version.pk}/try/"):
        shown = text(client, f"{address}?q_{tokens.pk}=22,361,870")
        for part in ("12,361,870", "24.72374", "49.72374", "rounded half up", "49.72", "148.72"):
            assert part in shown
    wrong = text(client, f"{page(version)}?q_{tokens.pk}=-5")
    assert f'id="id_q_{tokens.pk}_error"' in wrong
    assert "-5 is negative" in wrong


def test_a_published_version_is_not_changed_by_any_page() -> None:
    client = office()
    version = published(client)
    price = version.prices.get(code="fee")
    for row, verb in ((version, "add-price"), (version, "discard"), (price, "edit"), (price, "remove")):
        act(client, row, verb, **typed.FEE | {"code": "other"})
    assert list(Price.objects.values_list("code", "definition__amount")) == [("fee", "99"), ("tokens", None)]


def test_portal_access_is_given_sent_again_changed_and_taken_away() -> None:
    client = office("Finance clerk")
    customer = a_customer()
    access = f"/admin/customers/customer/{customer.pk}/access/"
    assert "Nobody has access" in text(client, access)
    said(client, act(client, customer, "invite", email="eva@brightchat.example", name="Eva", role="viewer"))
    (first,) = PortalLink.objects.all()
    said(client, act(client, first, "resend"))
    assert len(mail.outbox) == 2
    link = PortalLink.objects.latest("pk")
    found = re.search(r"/portal/invitation/([^/]+)/", str(mail.outbox[-1].body))
    assert found
    from customers.services import accept_invitation

    accept_invitation(token=found.group(1), password="a long enough pass phrase", at=link.created_at)
    member = PortalMembership.objects.get()
    assert "eva@brightchat.example" in text(client, access)
    said(client, act(client, member, "role", role="manager"))
    member.refresh_from_db()
    assert member.role == "manager"
    mark = {"seen": seen(client, page(member, "remove")), "step": "act"}
    said(client, client.post(page(member, "remove"), mark))
    assert not PortalMembership.objects.exists()
    assert "gone already" in said(client, client.post(page(member, "remove"), mark))


def published(client: Any) -> PlanVersion:
    """A published version with a fee and a graduated price, made through the pages."""
    make(client, "catalog/product", **typed.PRODUCT)
    make(client, "catalog/meter", **typed.METER)
    make(client, "catalog/plan", code="pro", name="Pro", product=Product.objects.get().pk)
    act(client, Plan.objects.get(), "new-version", **typed.VERSION)
    version = PlanVersion.objects.get()
    act(client, version, "add-price", **typed.FEE)
    act(client, version, "add-price", **typed.TIERS, meter=Meter.objects.get().pk)
    act(client, version, "publish")
    version.refresh_from_db()
    assert version.published_at is not None
    return version


def a_customer() -> Customer:
    """A customer of a seller, made through the pages by a manager."""
    client = office()
    make(client, "customers/legalentity", **typed.SELLER)
    make(client, "customers/customer", **typed.CUSTOMER, legal_entity=LegalEntity.objects.get().pk)
    return Customer.objects.get()
