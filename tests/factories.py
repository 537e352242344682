"""Builder functions with honest defaults. Each goes through the services, as production does.

Every call makes a new object; names count up, so that two never collide. Time is `START` unless told.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from typing import Any

from billing.catalog import services as catalog
from billing.catalog.models import Meter, Plan, PlanVersion, Product, TaxRate
from billing.catalog.services import PriceInput
from billing.platform.actors import Actor, command_actor
from billing.platform.scopes import ALL_SCOPES
from customers import services
from customers.models import Customer, LegalEntity, TestClock, User
from customers.services import Address, BankAccount, ContactInput, NewApiKey, TaxRegistrationInput

START = datetime(2023, 11, 1, tzinfo=UTC)
ACTOR: Actor = command_actor("tests")
PASSWORD = "a long enough pass phrase"

_numbers = count(1)

BERLIN = Address(country="DE", line1="Unter den Linden 1", postal_code="10117", city="Berlin")
PORTLAND = Address(country="US", line1="1 Main Street", postal_code="97201", city="Portland", region="Oregon")

GRADUATED = {
    "tiers": [
        {"up_to": "10000000", "unit_amount": "0.0000025"},
        {"up_to": None, "unit_amount": "0.000002"},
    ]
}
"""The price of input tokens of the demo: 22,361,870 of them cost 49.72374."""


def legal_entity(**changes: Any) -> LegalEntity:
    """A test entity in Berlin with a German VAT registration, EUR books and a number series per document type."""
    number = next(_numbers)
    given: dict[str, Any] = {
        "name": f"Seller {number} GmbH",
        "legal_name": f"Seller {number} GmbH",
        "address": BERLIN,
        "accounting_currency": "EUR",
        "time_zone": "Europe/Berlin",
        "number_series": {"invoice": "VV-{year}-{number:06d}", "credit_note": "VV-CN-{year}-{number:06d}"},
        "tax_registrations": [
            TaxRegistrationInput(country="DE", vat_number="DE136695976", valid_from=date(2020, 1, 1))
        ],
        "bank_account": BankAccount(
            holder=f"Seller {number} GmbH", iban="DE89370400440532013000", bic="COBADEFFXXX"
        ),
        "registration": "Amtsgericht Charlottenburg, HRB 12345",
        "directors": "Erika Mustermann",
        "email": "billing@seller.example",
        "number_format": "1,234.56",
        "is_test": True,
    }
    return services.create_legal_entity(**{**given, **changes}, actor=ACTOR, at=START)


def test_clock(
    *, entity: LegalEntity | None = None, now_at: datetime = START, name: str = "Story"
) -> TestClock:
    """A test clock, under a test entity of its own unless told."""
    return services.create_test_clock(
        name=name, legal_entity=entity or legal_entity(), now_at=now_at, actor=ACTOR, at=START
    )


test_clock.__test__ = False  # type: ignore[attr-defined]  # a builder, not a test


def customer(**changes: Any) -> Customer:
    """A customer in Berlin, billed in UTC and EUR, due on receipt, with one billing contact."""
    number = next(_numbers)
    given: dict[str, Any] = {
        "name": f"Customer {number}",
        "legal_name": f"Customer {number} GmbH",
        "address": BERLIN,
        "currency": "EUR",
        "contacts": [ContactInput(name="Ada", email=f"ada{number}@customer.example")],
    } | changes
    if "legal_entity" not in given:
        clock = given.get("test_clock")
        given["legal_entity"] = clock.legal_entity if clock else legal_entity()
    return services.create_customer(**given, actor=ACTOR, at=START)


def meter(code: str = "", **changes: Any) -> Meter:
    """A meter that adds up `input_tokens` of events of the type `llm_request`."""
    given: dict[str, Any] = {
        "code": code or f"meter-{next(_numbers)}",
        "name": "Input tokens",
        "event_type": "llm_request",
        "aggregation": "sum",
        "property": "input_tokens",
    }
    return catalog.create_meter(**{**given, **changes}, actor=ACTOR, at=START)


def product(code: str = "") -> Product:
    """A product."""
    return catalog.create_product(
        code=code or f"product-{next(_numbers)}", name="Inference", actor=ACTOR, at=START
    )


def plan(code: str = "") -> Plan:
    """A plan without versions."""
    return catalog.create_plan(
        code=code or f"plan-{next(_numbers)}", name="Inference Pro", product=product(), actor=ACTOR, at=START
    )


def fee(amount: str = "99.00", code: str = "platform-fee") -> PriceInput:
    """A fee, billed in advance."""
    return PriceInput(code=code, name="Platform fee", model="flat", definition={"amount": amount})


def usage_price(
    of: Meter, *, model: str = "graduated", definition: Mapping[str, object] = GRADUATED, code: str = ""
) -> PriceInput:
    """A price for what a meter measures, billed in arrears."""
    return PriceInput(code=code or of.code, name=of.name, model=model, definition=definition, meter=of)


def plan_version(
    *,
    of: Plan | None = None,
    prices: Sequence[PriceInput] | None = None,
    publish: bool = True,
    **changes: Any,
) -> PlanVersion:
    """A monthly version in EUR with calendar billing and a fee of 99.00, published unless told."""
    given: dict[str, Any] = {"currency": "EUR", "interval_unit": "month", "anchor": "calendar"} | changes
    version = catalog.create_plan_version(
        plan=of or plan(), prices=[fee()] if prices is None else prices, **given, actor=ACTOR, at=START
    )
    return catalog.publish_plan_version(plan_version=version, actor=ACTOR, at=START) if publish else version


def tax_rate(country: str = "DE", percent: str = "19", **changes: Any) -> TaxRate:
    """The German standard rate, from 2021 on."""
    given: dict[str, Any] = {"name": "USt.", "valid_from": date(2021, 1, 1)} | changes
    return catalog.create_tax_rate(country=country, percent=Decimal(percent), **given, actor=ACTOR, at=START)


def api_key(
    *,
    scopes: Sequence[str] = ALL_SCOPES,
    customer: Customer | None = None,
    expires_at: datetime | None = None,
) -> NewApiKey:
    """An API key with all scopes, for all customers unless told; `secret` is what its owner sends."""
    return services.create_api_key(
        name=f"Key {next(_numbers)}",
        scopes=scopes,
        customer=customer,
        expires_at=expires_at,
        actor=ACTOR,
        at=START,
    )


def user(email: str = "", *, is_staff: bool = False) -> User:
    """A person with the password PASSWORD."""
    return services.create_user(
        email=email or f"person{next(_numbers)}@example.com",
        password=PASSWORD,
        is_staff=is_staff,
        actor=ACTOR,
        at=START,
    )
