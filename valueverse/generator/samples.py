"""What an invoice of each plan and quantity says: drafted once through the services, then taken back."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction

from billing.catalog import services as catalog
from billing.catalog.models import Plan, PlanVersion, Product, TaxRate
from billing.catalog.services import PriceInput
from billing.invoices import services as invoices
from billing.invoices.documents.serialization import to_dict
from billing.invoices.snapshots import invoice_snapshot, tax_label
from billing.ledger.services import ensure_period
from billing.platform.actors import command_actor
from billing.subscriptions.models import SubscriptionItem
from billing.subscriptions.services import start_subscription
from customers import services as customers
from customers.models import Customer, LegalEntity, NumberSeries

ACTOR = command_actor("generate_data")

PLANS: dict[str, tuple[tuple[str, str, str, str], ...]] = {
    "Starter": (("platform-fee", "Platform fee", "flat", "19.00"),),
    "Business": (("platform-fee", "Platform fee", "flat", "229.69"),),
    "Team": (("seats", "Seats", "per_unit", "12.50"),),
    "Scale": (("platform-fee", "Platform fee", "flat", "490.00"), ("seats", "Seats", "per_unit", "9.75")),
}
"""Name: its fees, each as code, name, price model and amount."""

SEATS = (1, 2, 3, 5, 8, 12, 20, 36, 50, 99)
"""Quantities of a price per seat."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One plan at one quantity: the rows of its invoice, and its document with marks where invoices differ."""

    version_id: int
    quantity: int
    invoice: dict[str, Any]
    tax: dict[str, Any]
    tax_label: str
    lines: list[dict[str, Any]]
    document: str


def ensure_seller(number: int, *, label: str, at: datetime) -> LegalEntity:
    """A test entity of its own with English books, so that generated numbers mix with no others."""
    name = f"Generated seller {number}"
    found = LegalEntity.objects.filter(name=name).first()
    return found or customers.create_legal_entity(
        name=name,
        legal_name=f"{name} GmbH",
        address=customers.Address(country="DE", line1="Musterweg 1", postal_code="10117", city="Berlin"),
        accounting_currency="EUR",
        time_zone="UTC",
        number_series={
            "invoice": f"G{number}-{{year}}-{{number:07d}}",
            "credit_note": f"G{number}-CN-{{year}}-{{number:07d}}",
        },
        tax_registrations=[
            customers.TaxRegistrationInput(
                country="DE", valid_from=date(2020, 1, 1), vat_number="DE136695976"
            )
        ],
        bank_account=customers.BankAccount(
            holder=f"{name} GmbH", name="Commerzbank", iban="DE89370400440532013000", bic="COBADEFFXXX"
        ),
        registration=label,
        is_test=True,
        actor=ACTOR,
        at=at,
    )


def ensure_catalog(*, at: datetime) -> list[PlanVersion]:
    """The plans that are sold, and the German standard rate."""
    if not TaxRate.objects.filter(country="DE", category="S").exists():
        catalog.create_tax_rate(
            country="DE", percent=Decimal(19), name="VAT", valid_from=date(2021, 1, 1), actor=ACTOR, at=at
        )
    product = Product.objects.filter(code="generated").first() or catalog.create_product(
        code="generated", name="Generated product", actor=ACTOR, at=at
    )
    return [_plan_version(name, fees, product, at) for name, fees in PLANS.items()]


def _plan_version(
    name: str, fees: tuple[tuple[str, str, str, str], ...], product: Product, at: datetime
) -> PlanVersion:
    code = f"generated-{name.lower()}"
    found = PlanVersion.objects.filter(plan__code=code, published_at__isnull=False).first()
    if found is not None:
        return found
    plan = Plan.objects.filter(code=code).first() or catalog.create_plan(
        code=code, name=f"Generated {name}", product=product, actor=ACTOR, at=at
    )
    draft = plan.versions.first() or catalog.create_plan_version(
        plan=plan,
        currency="EUR",
        interval_unit="month",
        anchor="calendar",
        prices=[
            PriceInput(
                code=fee,
                name=title,
                model=model,
                definition={"amount" if model == "flat" else "unit_amount": amount},
            )
            for fee, title, model, amount in fees
        ],
        actor=ACTOR,
        at=at,
    )
    return catalog.publish_plan_version(plan_version=draft, actor=ACTOR, at=at)


def ensure_periods(seller: LegalEntity, months: list[date]) -> None:
    """The accounting periods of the months, all open."""
    for month_on in months:
        ensure_period(legal_entity=seller, on=month_on)


def draw_samples(seller: LegalEntity, versions: list[PlanVersion], *, month_on: date) -> list[Sample]:
    """Every plan at every quantity, as the services draft it for the month. Nothing of it stays."""
    at = datetime.combine(month_on, time.min, UTC)
    samples = []
    with transaction.atomic():
        for version in versions:
            for quantity in _quantities(version):
                samples.append(_draw(seller, version, quantity, at))
        transaction.set_rollback(True)
    return samples


def _quantities(version: PlanVersion) -> tuple[int, ...]:
    return SEATS if any(price.model == "per_unit" for price in version.prices.all()) else (1,)


def _draw(seller: LegalEntity, version: PlanVersion, quantity: int, at: datetime) -> Sample:
    customer = customers.create_customer(
        name="Sample",
        legal_name="Sample",
        address=customers.Address(country="DE", line1="Musterweg 2", postal_code="10117", city="Berlin"),
        legal_entity=seller,
        currency="EUR",
        time_zone="UTC",
        actor=ACTOR,
        at=at,
    )
    subscription = start_subscription(customer=customer, plan_version=version, actor=ACTOR, at=at)
    SubscriptionItem.objects.filter(subscription=subscription, price__model="per_unit").update(
        quantity=quantity
    )
    (draft,) = invoices.draft_due_invoices(customer=customer, as_of=at, cutoff=at, actor=ACTOR)
    (tax,) = draft.taxes.all()
    document = to_dict(invoice_snapshot(draft, number="@number@", issued_on=at.date(), due_on=at.date()))
    return Sample(
        version_id=version.pk,
        quantity=quantity,
        invoice=_columns(draft),
        tax=_columns(tax),
        tax_label=tax_label(tax),
        lines=[
            _columns(line) | {"price_id": line.item.price_id} for line in draft.lines.select_related("item")
        ],
        document=_with_marks(document),
    )


def _columns(row: Any) -> dict[str, Any]:
    return {field.column: getattr(row, field.attname) for field in row._meta.concrete_fields}


def _with_marks(document: dict[str, Any]) -> str:
    """The canonical JSON of a document with @marks@ where the invoices of one sample differ."""
    document |= {
        "buyer": "@buyer@",
        "issued_on": "@start@",
        "tax_point_on": "@start@",
        "due_on": "@due@",
        "period_start_on": "@start@",
        "period_last_on": "@last@",
        "language": "@language@",
    }
    document["payment"] |= {"collection_method": "@method@"}
    document["payment"]["terms_days"] = "@terms@"
    for position, line in enumerate(document["lines"], start=1):
        line |= {
            "id": f"@line{position}@",
            "service_start_on": "@start@",
            "service_last_on": "@last@",
        }
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace('"@buyer@"', "@buyer@").replace('"@terms@"', "@terms@")


def month_end(month_on: date) -> date:
    """The last day of a month, given its first."""
    return (month_on + timedelta(days=32)).replace(day=1) - timedelta(days=1)


def generated_sellers() -> list[LegalEntity]:
    """The sellers of an earlier run, by number."""
    return list(LegalEntity.objects.filter(name__startswith="Generated seller ").order_by("pk"))


def customers_of(seller: LegalEntity) -> int:
    """How many customers a seller has."""
    return Customer.objects.filter(legal_entity=seller).count()


def numbers_taken(seller: LegalEntity) -> int:
    """How many invoices a seller has issued: the sum of its counters, since numbers have no gaps."""
    series = NumberSeries.objects.get(legal_entity=seller, document_type="invoice")
    return sum(counter.last_number for counter in series.counters.all())


def instants(month_on: date) -> Iterator[datetime]:
    """When the invoices of a month are issued, and when they are paid."""
    issued_at = datetime.combine(month_on, time(6), UTC)
    yield issued_at
    yield issued_at + timedelta(minutes=5)
