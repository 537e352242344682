"""The fixed part of the story: seller, catalog, customers. Each function finds what an earlier run made."""

import secrets
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from billing.catalog import services as catalog
from billing.catalog.models import Meter, Plan, PlanVersion, Product, TaxRate
from billing.platform.actors import command_actor
from billing.platform.clock import now
from billing.subscriptions.models import Subscription
from billing.subscriptions.services import start_subscription
from customers import services as customers
from customers.models import Customer, LegalEntity, PortalRole, TestClock, User
from payments.gateways.test import TestGateway, TestMethod
from payments.models import PaymentMethod
from payments.services import add_payment_method

ACTOR = command_actor("demo")
DATA = Path(__file__).parent / "data"

START = datetime(2023, 11, 1, tzinfo=UTC)
RETRY = datetime(2023, 11, 1, 12, tzinfo=UTC)
USAGE_DAY_END = datetime(2023, 11, 16, 20, tzinfo=UTC)
DECEMBER = datetime(2023, 12, 1, tzinfo=UTC)
NOVEMBER_END = date(2023, 11, 30)
DECEMBER_FIRST = date(2023, 12, 1)

SELLER = "ValueVerse GmbH"
CLOCK = "Demo clock"
EVENT_TYPE = "llm_request"


@dataclass(frozen=True, slots=True)
class Buyer:
    """One customer of the story, where its usage comes from, and how its card behaves."""

    external_id: str
    name: str
    file: Path
    method: TestMethod
    card: str


BRIGHTCHAT = Buyer(
    "brightchat",
    "Brightchat GmbH",
    DATA / "AzureLLMInferenceTrace_conv.csv",
    TestMethod.SUCCEEDS,
    "card ...4242",
)
CODEWRIGHT = Buyer(
    "codewright",
    "Codewright LLC",
    DATA / "AzureLLMInferenceTrace_code.csv",
    TestMethod.DECLINES_ONCE,
    "card ...0341",
)
BUYERS = (BRIGHTCHAT, CODEWRIGHT)


@dataclass(frozen=True, slots=True)
class Story:
    """What the steps of the demo work with."""

    seller: LegalEntity
    clock: TestClock


def ensure_story() -> Story:
    """Make what is missing of the story's fixed part, from the seller to the subscriptions."""
    seller = _seller()
    _tax_rate()
    clock = TestClock.objects.filter(legal_entity=seller, name=CLOCK).first()
    if clock is None:
        clock = customers.create_test_clock(
            name=CLOCK, legal_entity=seller, now_at=START, actor=ACTOR, at=now()
        )
    version = _plan_version()
    for buyer in BUYERS:
        customer = _customer(buyer, seller, clock)
        if not PaymentMethod.objects.filter(customer=customer).exists():
            add_payment_method(
                customer=customer,
                gateway_code=TestGateway.code,
                gateway_ref=f"{buyer.method.value}:{customer.public_id}",
                label=buyer.card,
                actor=ACTOR,
                at=START,
            )
        if not Subscription.objects.filter(customer=customer).exists():
            start_subscription(customer=customer, plan_version=version, actor=ACTOR, at=START)
    return Story(seller, clock)


def ensure_sign_ins() -> dict[str, str | None]:
    """One person with a portal sign-in per customer: the password where it was made just now, and never again."""
    found: dict[str, str | None] = {}
    for buyer in BUYERS:
        email = f"billing@{buyer.external_id}.example"
        user = User.objects.filter(email=email).first()
        password = None
        if user is None:
            password = secrets.token_urlsafe(12)
            user = customers.create_user(
                email=email, password=password, name="Accounts payable", actor=ACTOR, at=now()
            )
        customers.grant_portal_access(
            customer=Customer.objects.get(external_id=buyer.external_id),
            user=user,
            role=PortalRole.MANAGER,
            actor=ACTOR,
            at=now(),
        )
        found[email] = password
    return found


def _seller() -> LegalEntity:
    found = LegalEntity.objects.filter(name=SELLER).first()
    return found or customers.create_legal_entity(
        name=SELLER,
        legal_name=SELLER,
        address=customers.Address(
            country="DE", line1="Unter den Linden 21", postal_code="10117", city="Berlin"
        ),
        accounting_currency="EUR",
        time_zone="Europe/Berlin",
        number_format="1,234.56",  # its staff read English
        reviews_bill_runs=True,  # so that a clock that is moved leaves something to look at
        number_series={
            "invoice": "VV-{year}-{number:06d}",
            "credit_note": "VV-CN-{year}-{number:06d}",
        },
        tax_registrations=[
            customers.TaxRegistrationInput(
                country="DE", valid_from=date(2020, 1, 1), vat_number="DE999999995", tax_number="30/123/45678"
            )
        ],
        bank_account=customers.BankAccount(
            holder=SELLER, name="Commerzbank", iban="DE89370400440532013000", bic="COBADEFFXXX"
        ),
        registration="Amtsgericht Charlottenburg, HRB 000000 B",
        directors="Mia Lang, Jon Weber",
        email="billing@valueverse.example",
        phone="+49 30 0000000",
        is_test=True,
        actor=ACTOR,
        at=now(),
    )


def _tax_rate() -> None:
    """The German standard rate: 19 % since 1 January 2007, but for the second half of 2020 (section 12 (1) UStG)."""
    if not TaxRate.objects.filter(country="DE", category="S", valid_from=date(2021, 1, 1)).exists():
        catalog.create_tax_rate(
            country="DE",
            percent=Decimal(19),
            name="VAT",
            valid_from=date(2021, 1, 1),
            actor=ACTOR,
            at=now(),
        )


def _plan_version() -> PlanVersion:
    found = PlanVersion.objects.filter(
        plan__code="inference-pro", version=1, published_at__isnull=False
    ).first()
    if found is not None:
        return found
    meters = {code: _meter(code) for code in ("input_tokens", "output_tokens", "requests")}
    product = Product.objects.filter(code="inference").first() or catalog.create_product(
        code="inference", name="Inference", actor=ACTOR, at=now()
    )
    plan = Plan.objects.filter(code="inference-pro").first() or catalog.create_plan(
        code="inference-pro", name="Inference Pro", product=product, actor=ACTOR, at=now()
    )
    draft = plan.versions.filter(version=1).first() or catalog.create_plan_version(
        plan=plan,
        currency="EUR",
        interval_unit="month",
        anchor="calendar",
        prices=_prices(meters),
        actor=ACTOR,
        at=now(),
    )
    return catalog.publish_plan_version(plan_version=draft, actor=ACTOR, at=now())


def _meter(code: str) -> Meter:
    found = Meter.objects.filter(code=code).first()
    is_count = code == "requests"
    return found or catalog.create_meter(
        code=code,
        name=code.replace("_", " ").capitalize(),
        event_type=EVENT_TYPE,
        aggregation="count" if is_count else "sum",
        property="" if is_count else code,
        actor=ACTOR,
        at=now(),
    )


def _prices(meters: dict[str, Meter]) -> list[catalog.PriceInput]:
    """The usage prices first, as the invoice lists them, then the fee of the coming month."""
    return [
        catalog.PriceInput(
            code="input_tokens",
            name="Input tokens",
            model="graduated",
            definition={
                "tiers": [
                    {"up_to": "10000000", "unit_amount": "0.0000025"},
                    {"up_to": None, "unit_amount": "0.0000020"},
                ]
            },
            meter=meters["input_tokens"],
        ),
        catalog.PriceInput(
            code="output_tokens",
            name="Output tokens",
            model="volume",
            definition={
                "tiers": [
                    {"up_to": "1000000", "unit_amount": "0.000010"},
                    {"up_to": "5000000", "unit_amount": "0.000009"},
                    {"up_to": None, "unit_amount": "0.000008"},
                ]
            },
            meter=meters["output_tokens"],
        ),
        catalog.PriceInput(
            code="requests",
            name="Requests",
            model="package",
            definition={"size": "1000", "amount": "0.50", "free_units": "5000"},
            meter=meters["requests"],
        ),
        catalog.PriceInput(
            code="platform_fee", name="Platform fee", model="flat", definition={"amount": "99.00"}
        ),
    ]


def _customer(buyer: Buyer, seller: LegalEntity, clock: TestClock) -> Customer:
    found = Customer.objects.filter(external_id=buyer.external_id).first()
    if found is not None:
        return found
    if buyer is BRIGHTCHAT:
        address = customers.Address(country="DE", line1="Torstraße 105", postal_code="10119", city="Berlin")
        tax_ids = [customers.TaxIdInput(country="DE", vat_number="DE999999987")]
    else:
        address = customers.Address(
            country="US", line1="1200 SW Main Street", postal_code="97205", city="Portland", region="Oregon"
        )
        tax_ids = []
    return customers.create_customer(
        external_id=buyer.external_id,
        name=buyer.name,
        legal_name=buyer.name,
        address=address,
        legal_entity=seller,
        currency="EUR",
        time_zone="UTC",
        language="en",
        payment_terms_days=0,
        collection_method="charge_automatically",
        tax_ids=tax_ids,
        contacts=[
            customers.ContactInput(name="Accounts payable", email=f"billing@{buyer.external_id}.example")
        ],
        test_clock=clock,
        actor=ACTOR,
        at=START,
    )
