"""Taxes of one invoice: several rates, consumers, exemptions, and what a change between draft and issue does."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import transaction

from billing.catalog import services as catalog
from billing.catalog.services import PriceInput
from billing.core.errors import BillingError, InvalidInput
from billing.core.postings import Role
from billing.core.tax import TaxCode
from billing.invoices.models import CreditReason, Invoice
from billing.invoices.services import credit_invoice, draft_due_invoices, finalize_invoice
from billing.invoices.services.issuing import TaxChanged
from billing.ledger.models import Posting
from billing.reports.books import check_books
from customers import services as customers
from tests import factories
from tests.scenarios.story import FIONA, NOV_1, PARIS, Story, amounts

pytestmark = pytest.mark.django_db


def fee(code: str, **changes: object) -> PriceInput:
    given = {"code": code, "name": code, "model": "flat", "definition": {"amount": "100.00"}} | changes
    return PriceInput(**given)  # type: ignore[arg-type]


def rows(invoice: Invoice) -> list[tuple[str, str, str, int, int]]:
    return [
        (row.tax_country, row.category, f"{row.percent.normalize():f}", row.base_minor, row.tax_minor)
        for row in invoice.taxes.all()
    ]


def vat(invoice: Invoice) -> dict[str, int]:
    """What the entry of the issue put on the tax accounts, by rate."""
    found = Posting.objects.filter(entry__source_id=invoice.public_id, account__role=Role.VAT.value)
    return {row.tax_rate: -row.amount_minor for row in found}


def test_books_and_streaming_on_one_invoice_are_taxed_each_at_its_own_rate() -> None:
    story = Story()
    factories.tax_rate("DE", "7", tax_code="reduced")
    version = story.version(
        fee("streaming"),
        fee("e-books", tax_code=TaxCode.REDUCED),
        fee("training", tax_code=TaxCode.EXEMPT),
        fee("special", tax_percent=Decimal(5)),
    )
    story.subscribe(story.customer(), version)
    invoice = story.bill_one()
    assert rows(invoice) == [
        ("DE", "E", "0", 10000, 0),
        ("DE", "S", "5", 10000, 500),
        ("DE", "S", "7", 10000, 700),
        ("DE", "S", "19", 10000, 1900),
    ]
    assert amounts(invoice) == ("400.00", "31.00", "431.00")
    assert {rate: amount for rate, amount in vat(invoice).items() if amount} == {
        "DE S 5": 500,
        "DE S 7": 700,
        "DE S 19": 1900,
    }
    note = credit_invoice(
        invoice_id=invoice.public_id, reason=CreditReason.OTHER, actor=FIONA, at=story.now_at
    )
    assert [(row.percent, row.tax_minor) for row in note.taxes.all()] == [
        (row.percent, row.tax_minor) for row in invoice.taxes.all()
    ]
    assert not [found for check in check_books() for found in check.findings]


@pytest.mark.parametrize(("one_stop_shop", "expected"), [(False, ("DE", "19")), (True, ("FR", "20"))])
def test_consumer_in_france_pays_french_tax_only_through_the_one_stop_shop(
    one_stop_shop: bool, expected: tuple[str, str]
) -> None:
    story = Story()
    factories.tax_rate("FR", "20")
    if one_stop_shop:
        customers.add_tax_registration(
            legal_entity=story.seller,
            registration=customers.TaxRegistrationInput(
                country="IE", tax_number="EU372000001", valid_from=date(2021, 7, 1), one_stop_shop=True
            ),
            actor=FIONA,
            at=NOV_1,
        )
    story.subscribe(story.customer(address=PARIS, kind="consumer"), story.version())
    ((country, _, percent, _, _),) = rows(story.bill_one())
    assert (country, percent) == expected


def test_embassy_is_exempt_and_the_document_says_why() -> None:
    story = Story()
    story.subscribe(story.customer(tax_exemption_code="VATEX-EU-151"), story.version())
    invoice = story.bill_one()
    assert rows(invoice) == [("DE", "E", "0", 9900, 0)]
    assert invoice.snapshot is not None
    assert invoice.snapshot["taxes"][0]["exemption_code"] == "VATEX-EU-151"


def test_line_that_would_be_taxed_otherwise_now_stops_the_issue() -> None:
    story = Story()
    version = story.version(fee("fee"))
    customer = story.customer()
    story.subscribe(customer, version)
    with transaction.atomic():
        (draft,) = draft_due_invoices(customer=customer, as_of=story.now_at, cutoff=story.now_at, actor=FIONA)
    catalog.set_product_tax_code(
        product=version.plan.product, tax_code="exempt", actor=FIONA, at=story.now_at
    )
    story.seller.refresh_from_db()
    other = customers.update_customer(customer=customer, kind="consumer", actor=FIONA, at=story.now_at)
    customers.update_customer(customer=other, tax_percent=Decimal(5), actor=FIONA, at=story.now_at)
    with pytest.raises(TaxChanged, match="now DE S 5 applies to fee"):
        finalize_invoice(invoice_id=draft.public_id, actor=FIONA, at=story.now_at)


def test_seller_that_rounds_line_by_line_bills_the_sum_of_the_lines() -> None:
    story = Story()
    customers.update_legal_entity(legal_entity=story.seller, tax_rounding="line", actor=FIONA, at=NOV_1)
    cent = {"definition": {"amount": "0.03"}}
    story.subscribe(story.customer(), story.version(fee("a", **cent), fee("b", **cent), fee("c", **cent)))
    assert amounts(story.bill_one()) == ("0.09", "0.03", "0.12")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": "person"}, "kind"),
        ({"tax_exemption_code": "because"}, "tax_exemption_code"),
        ({"tax_percent": Decimal(101)}, "tax_percent"),
        ({"tax_percent": Decimal(5), "tax_exemption_code": "VATEX-EU-151"}, "tax_percent"),
    ],
)
def test_tax_facts_of_a_customer_that_make_no_sense_are_refused(
    changes: dict[str, object], field: str
) -> None:
    customer = factories.customer()
    with pytest.raises(BillingError) as refused:
        customers.update_customer(customer=customer, actor=FIONA, at=NOV_1, **changes)  # type: ignore[arg-type]
    assert list(refused.value.fields) == [field]


@pytest.mark.parametrize(
    ("price", "field"),
    [
        (fee("a", tax_code="luxury"), "tax_code"),
        (fee("a", tax_percent=Decimal(101)), "tax_percent"),
    ],
)
def test_tax_of_a_price_that_makes_no_sense_is_refused(price: PriceInput, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        factories.plan_version(prices=[price])
    assert list(refused.value.fields) == [f"prices[0].{field}"]


def test_rates_of_two_tax_codes_hold_side_by_side_and_one_code_has_one() -> None:
    factories.tax_rate("DE", "19")
    factories.tax_rate("DE", "7", tax_code="reduced")
    with pytest.raises(catalog.TaxRateOverlaps):
        factories.tax_rate("DE", "5", tax_code="reduced")
    with pytest.raises(InvalidInput) as refused:
        factories.tax_rate("DE", "5", tax_code="zero")
    assert list(refused.value.fields) == ["tax_code"]


def test_one_stop_shop_is_one_of_a_member_state() -> None:
    with pytest.raises(InvalidInput) as refused:
        factories.legal_entity(
            tax_registrations=[
                customers.TaxRegistrationInput(
                    country="US", tax_number="1", valid_from=date(2021, 1, 1), one_stop_shop=True
                )
            ]
        )
    assert list(refused.value.fields) == ["tax_registrations[0].one_stop_shop"]
