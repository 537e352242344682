"""What is typed wrong into the forms that set things up: the field says so, and nothing has changed."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from billing.activity.models import Activity
from billing.approvals.models import ApprovalPolicy
from billing.catalog.models import Meter, Plan, PlanVersion, Price, Product, TaxRate
from billing.ledger.services import close_period, ensure_period
from billing.subscriptions.models import Subscription
from customers.models import ApiKey, Customer, LegalEntity
from tests import factories
from tests.billing_factories import billed_customer
from tests.factories import ACTOR
from tests.valueverse.backoffice import setup_forms as typed
from tests.valueverse.backoffice.office import act, make, office, page, said, text

pytestmark = pytest.mark.django_db

HOSTILE = "<script>alert(1)</script>"
LONG = "x" * 300
MODELS: tuple[Any, ...] = (
    Meter, Product, Plan, PlanVersion, Price, TaxRate, LegalEntity, Customer, Subscription, ApiKey, ApprovalPolicy,
    Activity,
)  # fmt: skip


def counted() -> list[int]:
    return [model.objects.count() for model in MODELS]


def refused(response: Any, field: str, words: str) -> None:
    """The page stands again, with the words at the field."""
    assert response.status_code == 400
    shown = response.content.decode()
    assert f'id="id_{field}_error"' in shown, field
    assert words in shown, words
    assert HOSTILE not in shown


TIERS = [
    ({"tier_1_from": "9,000,001"}, "tier_1_from",
     "Tier 1 ends at 10,000,000, tier 2 starts at 9,000,001. Start it at 10,000,001."),
    ({"tier_1_from": "10,000,005"}, "tier_1_from", "Start it at 10,000,001."),
    ({"tier_0_from": "5"}, "tier_0_from", "Tier 1 starts at 5. Start it at 1."),
    ({"tier_1_to": "500", "tier_2_unit": "1", "tier_1_from": ""}, "tier_1_to",
     "Tier 2 ends at 500. It must end above 10,000,000."),
    ({"tier_0_to": ""}, "tier_0_to", "Tier 1 has no end, but more tiers follow."),
    ({"tier_1_to": "20,000,000"}, "tier_1_to", "Tier 2 is the last"),
    ({"tier_0_unit": ""}, "tier_0_unit", "Tier 1 needs the price of one unit"),
    ({"tier_0_unit": "-1"}, "tier_0_unit", "-1 is negative"),
    ({"tier_0_unit": "0.0000000000001"}, "tier_0_unit", "has 13 decimals"),
    ({"tier_0_unit": "1.23.4"}, "tier_0_unit", "is not a figure"),
    ({"tier_0_unit": "NaN"}, "tier_0_unit", "is not a figure"),
    ({"tier_0_unit": "9" * 40}, "tier_0_unit", "is too large"),
    ({"name": LONG}, "name", "at most 120 characters"),
    ({"code": HOSTILE}, "code", "A code has 1 to 60"),
    ({"meter": "999999"}, "meter", "Select a valid choice"),
    ({"model": "magic"}, "model", "Select a valid choice"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "field", "words"), TIERS)
def test_a_price_that_is_wrong_is_an_error_in_its_row(wrong: dict[str, str], field: str, words: str) -> None:
    version = factories.plan_version(prices=[], publish=False)
    meter = factories.meter()
    client = office()
    before = counted()
    given = typed.TIERS | {"meter": meter.pk} | wrong
    refused(act(client, version, "add-price", **given), field, words)
    assert counted() == before


def test_a_flat_price_for_a_meter_and_a_fee_with_too_many_decimals_are_refused() -> None:
    version, meter = factories.plan_version(prices=[], publish=False), factories.meter()
    client = office()
    refused(
        act(client, version, "add-price", **typed.FEE | {"meter": meter.pk}), "meter", "leave the meter out"
    )
    refused(
        act(client, version, "add-price", **typed.FEE | {"amount": "99.001"}),
        "amount",
        "more than the 2 decimals",
    )
    assert not Price.objects.exists()


def test_one_more_tier_row_keeps_what_was_typed_and_checks_nothing() -> None:
    version = factories.plan_version(prices=[], publish=False)
    response = office().post(page(version, "add-price"), typed.TIERS | {"tier_0_to": "abc", "step": "more"})
    shown = response.content.decode()
    assert response.status_code == 200
    assert 'name="tier_3_unit"' in shown
    assert 'value="act"' in shown, "the button is still there"
    assert 'value="abc"' in shown
    assert "fin-error" not in shown


@pytest.mark.parametrize(
    ("kind", "good", "wrong", "field", "words"),
    [
        ("catalog/product", typed.PRODUCT, {"code": "Über"}, "code", "A code has 1 to 60"),
        ("catalog/product", typed.PRODUCT, {"name": LONG}, "name", "at most 120 characters"),
        ("catalog/meter", typed.METER, {"property": ""}, "property", "names the property it adds up"),
        ("catalog/meter", typed.METER, {"unit_code": "token"}, "unit_code", "at most 3 characters"),
        ("catalog/taxrate", typed.TAX_RATE, {"country": "XX"}, "country", "There is no country XX"),
        ("catalog/taxrate", typed.TAX_RATE, {"percent": "101"}, "percent", "percentage from 0 to 100"),
        ("catalog/taxrate", typed.TAX_RATE, {"percent": "19,5"}, "percent", "is not a figure"),
        ("catalog/taxrate", typed.TAX_RATE, {"last_on": "2020-12-31"}, "last_on",
         "its last day is 2021-01-01 or later"),
        ("catalog/taxrate", typed.TAX_RATE, {"valid_from": "2021-02-30"}, "valid_from", "Enter a valid date"),
        ("customers/legalentity", typed.SELLER, {"country": "ZZ"}, "country", "There is no country ZZ"),
        ("customers/legalentity", typed.SELLER, {"iban": "DE00"}, "iban", "not a valid IBAN"),
        ("customers/legalentity", typed.SELLER, {"vat_number": "DE123"}, "vat_number", "not a valid VAT number"),
        ("customers/legalentity", typed.SELLER, {"invoice_numbers": "N-{number}"}, "invoice_numbers", "{year}"),
        ("customers/legalentity", typed.SELLER, {"accounting_currency": "XYZ"}, "accounting_currency", "ISO 4217"),
        ("customers/legalentity", typed.SELLER, {"time_zone": "Berlin"}, "time_zone", "is not a time zone"),
        ("customers/legalentity", typed.SELLER, {"registered_from": ""}, "registered_from", "From which day"),
        ("customers/testclock", {"name": "x", "now_at": "2023-11-01"}, {}, "legal_entity", "required"),
        ("customers/apikey", {"name": "x"}, {}, "scopes", "required"),
        ("customers/apikey", {"name": "x", "scopes": ["usage:write"]}, {"expires_on": "2001-01-01"}, "expires_on",
         "future"),
        ("approvals/approvalpolicy", {"action": "refund", "currency": "EUR"}, {"limit": "-1"}, "limit",
         "not negative"),
        ("approvals/approvalpolicy", {"action": "refund", "currency": "EUR"}, {"limit": "1.005"}, "limit",
         "is not right"),
    ],
)  # fmt: skip
def test_a_creation_that_is_wrong_makes_nothing(
    kind: str, good: dict[str, Any], wrong: dict[str, Any], field: str, words: str
) -> None:
    client = office()
    before = counted()
    refused(make(client, kind, **good | wrong), field, words)
    assert counted() == before


@pytest.mark.parametrize(
    ("wrong", "field", "words"),
    [
        ({"name": LONG}, "name", "at most 120 characters"),
        ({"country": "XX"}, "country", "There is no country XX"),
        ({"tax_0_number": "DE811569868"}, "tax_0_number", "not a valid VAT number of DE"),
        ({"tax_0_country": ""}, "tax_0_country", "Which country gave this tax id"),
        ({"tax_1_country": "FR"}, "tax_1_number", "The tax id in FR is missing"),
        ({"payment_terms_days": "366"}, "payment_terms_days", "less than or equal to 365"),
        ({"payment_terms_days": "-1"}, "payment_terms_days", "greater than or equal to 0"),
        ({"language": "fr"}, "language", "Select a valid choice"),
        ({"currency": "EURO"}, "currency", "at most 3 characters"),
        ({"time_zone": HOSTILE}, "time_zone", "is not a time zone"),
        ({"payer": "cus_nobody"}, "payer", "No customer has the id"),
        ({"contact_email": "ada"}, "contact_email", "valid email"),
        ({"legal_entity": ""}, "legal_entity", "required"),
    ],
)
def test_a_customer_that_is_wrong_is_not_made_and_what_was_typed_stays(
    wrong: dict[str, str], field: str, words: str
) -> None:
    entity, client = factories.legal_entity(), office()
    before = counted()
    response = make(client, "customers/customer", **typed.CUSTOMER | {"legal_entity": entity.pk} | wrong)
    refused(response, field, words)
    assert 'value="Brightchat GmbH"' in response.content.decode()
    assert counted() == before


def test_a_payer_with_other_books_is_refused_beside_the_field() -> None:
    clock = factories.test_clock()
    payer = factories.customer(test_clock=clock)
    entity, client = factories.legal_entity(), office()
    given = typed.CUSTOMER | {"legal_entity": entity.pk, "payer": payer.public_id}
    refused(make(client, "customers/customer", **given), "payer", "Payer and customer are both live")
    assert Customer.objects.count() == 1


def test_a_hostile_name_is_stored_and_shown_as_text() -> None:
    client = office()
    entity = factories.legal_entity()
    given = typed.CUSTOMER | {"legal_entity": entity.pk, "name": HOSTILE, "legal_name": HOSTILE}
    shown = said(client, make(client, "customers/customer", **given))
    assert HOSTILE not in shown
    customer = Customer.objects.get()
    for verb in ("edit", "invite", "new-contact"):
        assert HOSTILE not in text(client, page(customer, verb))
    assert HOSTILE not in text(client, f"/admin/subscriptions/subscription/add/?customer={customer.pk}")


def test_rates_of_a_country_follow_each_other_and_never_overlap() -> None:
    client = office()
    make(client, "catalog/taxrate", **typed.TAX_RATE)
    following = typed.TAX_RATE | {"percent": "20", "valid_from": "2024-01-01"}
    look = client.post(
        "/admin/catalog/taxrate/add/", following | {"step": "look", "seen": ""}
    ).content.decode()
    assert "19 % from 2021-01-01 to 2023-12-31" in look, "what it does to the one before it"
    assert TaxRate.objects.get().valid_to is None
    make(client, "catalog/taxrate", **following)
    assert sorted(str(rate.valid_to) for rate in TaxRate.objects.all()) == ["2024-01-01", "None"]
    before = counted()
    overlapping = typed.TAX_RATE | {"valid_from": "2022-01-01", "last_on": "2022-12-31"}
    refused(
        make(client, "catalog/taxrate", **overlapping),
        "valid_from",
        "There is a rate of DE in category S on some",
    )
    old = TaxRate.objects.get(percent=19)
    refused(act(client, old, "end", last_on="2023-06-30"), "last_on", "This rate ends already")
    assert counted() == before


def test_a_rate_is_ended_and_what_happens_without_one_is_said_before_a_start() -> None:
    client = office()
    make(client, "catalog/taxrate", **typed.TAX_RATE)
    rate = TaxRate.objects.get()
    refused(act(client, rate, "end", last_on="2020-01-01"), "last_on", "starts on 2021-01-01")
    said(client, act(client, rate, "end", last_on="2023-10-31"))
    customer = factories.customer(test_clock=factories.test_clock())
    version = factories.plan_version()
    given = {"customer": customer.public_id, "plan_version": version.pk, "step": "look", "seen": ""}
    shown = client.post("/admin/subscriptions/subscription/add/", given).content.decode()
    assert "No standard rate of DE is valid on 2023-11-01. Add a rate that starts by then." in shown


@pytest.mark.parametrize(
    ("wrong", "field", "words"),
    [
        ({"customer": "nobody"}, "customer", "No customer has the id"),
        ({"start_on": "2021-01-01"}, "start_on", "Start between 366 days ago"),
        ({"start_on": "2030-01-01"}, "start_on", "730 days ahead"),
        ({"start_on": "1900-01-01"}, "start_on", "too far away"),
        ({"start_on": "yesterday"}, "start_on", "Enter a valid date"),
        ({"plan_version": "x"}, "plan_version", "Select a valid choice"),
        ({"external_id": LONG}, "external_id", "at most 120 characters"),
    ],
)
def test_a_subscription_that_is_wrong_does_not_start(wrong: dict[str, str], field: str, words: str) -> None:
    customer = factories.customer(test_clock=factories.test_clock())
    version = factories.plan_version()
    client = office()
    before = counted()
    given = {"customer": customer.public_id, "plan_version": version.pk} | wrong
    refused(make(client, "subscriptions/subscription", **given), field, words)
    assert counted() == before


def test_a_draft_version_is_not_sold_and_a_foreign_currency_is_refused() -> None:
    customer = factories.customer(test_clock=factories.test_clock())
    client = office()
    draft, dollars = factories.plan_version(publish=False), factories.plan_version(currency="USD")
    for version, words in ((draft, "Select a valid choice"), (dollars, "is priced in USD")):
        given = {"customer": customer.public_id, "plan_version": version.pk}
        refused(make(client, "subscriptions/subscription", **given), "plan_version", words)


def test_a_start_in_a_closed_month_is_said_and_needs_a_tick() -> None:
    customer = factories.customer(test_clock=factories.test_clock(now_at=factories.START.replace(month=12)))
    version = factories.plan_version()
    period = ensure_period(legal_entity=customer.legal_entity, on=factories.START.date())
    close_period(period_id=period.public_id, actor=ACTOR, at=factories.START.replace(month=12))
    client = office()
    given = {"customer": customer.public_id, "plan_version": version.pk, "start_on": "2023-11-10"}
    refused(make(client, "subscriptions/subscription", **given), "start_on", "November 2023 is closed")
    assert not Subscription.objects.exists()
    said(client, make(client, "subscriptions/subscription", **given, accepts_late="on"))
    assert Subscription.objects.exists()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("logo.png", b"\x89PNG", "its name ends in .svg"),
        ("logo.svg", b"\xff\xfe", "not text in UTF-8"),
        ("logo.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "may not contain script"),
        ("logo.svg", b"<!DOCTYPE svg [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><svg/>", "without a DOCTYPE"),
        ("logo.svg", b" " * 100_001, "At most 100 kB"),
    ],
)
def test_a_logo_that_is_more_than_a_drawing_is_refused(name: str, content: bytes, words: str) -> None:
    entity, client = factories.legal_entity(), office()
    upload = SimpleUploadedFile(name, content)
    response = act(client, entity, "look", accent_color="#112233", logo=upload)
    refused(response, "logo", words)
    entity.refresh_from_db()
    assert entity.accent_color == "#1f4e79"


def test_a_logo_is_stored_and_the_sample_is_a_pdf() -> None:
    entity, client = factories.legal_entity(), office()
    drawing = b"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'><rect width='9' height='9'/></svg>"
    said(
        client, act(client, entity, "look", accent_color="#112233", logo=SimpleUploadedFile("a.svg", drawing))
    )
    entity.refresh_from_db()
    assert "<rect" in entity.logo_svg
    response = client.get(page(entity, "sample.pdf")[:-1])
    assert response.content.startswith(b"%PDF")
    assert response["Content-Disposition"].startswith("inline")


def test_the_last_billing_contact_stays() -> None:
    client, customer = office("Finance clerk"), factories.customer()
    contact = customer.contacts.get()
    assert "Somebody has to get the invoices" in text(client, page(contact, "remove"))
    refused(
        act(client, contact, "edit", name="Ada", email=contact.email, mail_roles=["technical"]),
        "mail_roles",
        "Somebody has to get the invoices",
    )
    contact.refresh_from_db()
    assert contact.mail_roles == ["billing"]


def test_two_people_at_one_customer_see_what_the_other_stored() -> None:
    mia, jon, customer = office(), office("Finance clerk"), factories.customer()
    form = stored(mia, customer)
    act(jon, customer, "edit", **stored(jon, customer) | {"city": "Hamburg"})
    response = mia.post(page(customer, "edit"), form | {"line1": "Neu 1"})
    shown = response.content.decode()
    assert "Stored now: Hamburg" in shown
    assert 'value="Neu 1"' in shown
    customer.refresh_from_db()
    assert (customer.city, customer.line1) == ("Hamburg", "Unter den Linden 1")


def stored(client: Client, customer: Customer) -> dict[str, Any]:
    """The edit form as a browser sends it back unchanged."""
    response = client.get(page(customer, "edit"))
    form, mark = response.context["form"], response.context["seen"]
    values = {bound.name: bound.value() for bound in form if bound.value() not in (None, "")}
    return values | {"seen": mark, "step": "act"}


def test_a_cancellation_shows_figures_is_undone_and_is_final_when_it_is() -> None:
    client = office("Finance clerk")
    customer = billed_customer()
    subscription = Subscription.objects.get(customer=customer)
    look = text(client, page(subscription, "cancel-at-period-end"))
    assert "2023-12-01 00:00 UTC" in look
    said(client, act(client, subscription, "cancel-at-period-end"))
    assert "Ends 2023-12-01" in text(client, page(subscription))
    said(client, act(client, subscription, "undo-cancel"))
    subscription.refresh_from_db()
    assert subscription.cancel_at is None
    mark = text(client, page(subscription, "cancel-now"))
    assert "cannot be undone" in mark
    said(client, act(client, subscription, "cancel-now"))
    subscription.refresh_from_db()
    assert subscription.status == "canceled"
    assert 'value="act"' not in text(client, page(subscription, "undo-cancel"))


def test_an_api_key_is_shown_once_and_ends_when_it_is_revoked() -> None:
    client = office()
    response = make(client, "customers/apikey", name="Gateway", scopes=["usage:write"])
    key = ApiKey.objects.get()
    assert "no-store" in response["Cache-Control"]
    assert f'value="{key.prefix}' in response.content.decode()
    assert "Active" in text(client, page(key))
    assert key.prefix in text(client, page(key))
    said(client, act(client, key, "revoke"))
    key.refresh_from_db()
    assert key.revoked_at is not None


def test_a_limit_is_set_changed_and_removed() -> None:
    client = office()
    said(client, make(client, "approvals/approvalpolicy", action="refund", currency="eur", limit="1,000.00"))
    policy = ApprovalPolicy.objects.get()
    assert policy.limit_minor == 100000
    said(client, act(client, policy, "edit", limit="0"))
    policy.refresh_from_db()
    assert policy.limit_minor == 0
    said(client, act(client, policy, "remove"))
    assert not ApprovalPolicy.objects.exists()
    assert Activity.objects.filter(name__startswith="approval_policy").count() == 3
