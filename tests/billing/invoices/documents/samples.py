"""The two December invoices of the demo as snapshots, and what the tests make of them.

Figures: Brightchat 49.72 + 36.80 + 7.50 + 99.00 = 193.02, VAT 36.67, total 229.69; Codewright 144.58 outside the
scope of VAT.
"""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pypdfium2

from billing.core.pricing import StepKind
from billing.invoices.documents.snapshot import (
    BankAccount,
    CollectionMethod,
    CreditUse,
    DocumentType,
    Line,
    Party,
    PaymentTerms,
    Reference,
    Snapshot,
    Step,
    Tax,
)

SELLER = Party(
    name="ValueVerse",
    legal_name="ValueVerse GmbH",
    line1="Torstraße 140",
    postal_code="10119",
    city="Berlin",
    country="DE",
    vat_number="DE136695976",
    tax_number="30/123/45678",
    register="Amtsgericht Charlottenburg, HRB 123456",
    directors="Mia Lang, Jon Petersen",
    email="billing@valueverse.example",
    phone="+49 30 1234567",
)
BRIGHTCHAT = Party(
    name="Brightchat",
    legal_name="Brightchat GmbH",
    line1="Invalidenstraße 91",
    postal_code="10115",
    city="Berlin",
    country="DE",
    vat_number="DE811569869",
    customer_number="bc-7",
)
CODEWRIGHT = Party(
    name="Codewright",
    legal_name="Codewright LLC",
    line1="1120 NW Couch Street",
    line2="Suite 400",
    postal_code="97209",
    city="Portland",
    region="OR",
    country="US",
    customer_number="cw-12",
)
BANK = BankAccount(
    holder="ValueVerse GmbH",
    iban="DE02120300000000202051",
    bic="BYLADEM1001",
    bank_name="Deutsche Kreditbank",
)
CHARGE = PaymentTerms(
    collection_method=CollectionMethod.CHARGE_AUTOMATICALLY,
    terms_days=0,
    method_label="test card ending in 4242",
    bank_account=BANK,
)
TRANSFER = PaymentTerms(collection_method=CollectionMethod.SEND_INVOICE, terms_days=14, bank_account=BANK)

NOVEMBER = (date(2023, 11, 1), date(2023, 11, 30))
DECEMBER = (date(2023, 12, 1), date(2023, 12, 31))


def line(
    position: int,
    code: str,
    description: str,
    quantity: str,
    net_minor: int,
    steps: tuple[Step, ...],
    *,
    period: tuple[date, date] = NOVEMBER,
    tax: tuple[str, str] = ("S", "19"),
) -> Line:
    return Line(
        id=f"il_{position}",
        code=code,
        position=position,
        description=description,
        kind="recurring" if code == "platform_fee" else "usage",
        service_start_on=period[0],
        service_last_on=period[1],
        quantity=Decimal(quantity),
        unit_code="C62",
        unit_amount=Decimal(99) if code == "platform_fee" else None,
        net_minor=net_minor,
        tax_category=tax[0],
        tax_percent=Decimal(tax[1]),
        meter="" if code == "platform_fee" else code,
        steps=steps,
    )


def tier(
    kind: StepKind, quantity: str, unit_amount: str, amount_minor: int, above: str = "", up_to: str = ""
) -> Step:
    return Step(
        kind=kind,
        quantity=Decimal(quantity),
        unit_amount=Decimal(unit_amount),
        amount_minor=amount_minor,
        from_quantity=Decimal(above) if above else None,
        up_to=Decimal(up_to) if up_to else None,
    )


def packages(count: str, amount_minor: int) -> Step:
    return Step(
        kind=StepKind.PACKAGE,
        quantity=Decimal(count),
        unit_amount=Decimal("0.50"),
        amount_minor=amount_minor,
        package_size=Decimal(1000),
        free_units=Decimal(5000),
    )


FEE = Step(kind=StepKind.FLAT, quantity=Decimal(1), flat_amount=Decimal(99), amount_minor=9900)
GRADUATED, VOLUME = StepKind.GRADUATED, StepKind.VOLUME
NO_TAX = ("O", "0")

BRIGHTCHAT_LINES = (
    line(
        1,
        "input_tokens",
        "Input tokens",
        "22361870",
        4972,
        (
            tier(GRADUATED, "10000000", "0.0000025", 2500, up_to="10000000"),
            tier(GRADUATED, "12361870", "0.0000020", 2472, above="10000000"),
        ),
    ),
    line(
        2,
        "output_tokens",
        "Output tokens",
        "4088665",
        3680,
        (tier(VOLUME, "4088665", "0.000009", 3680, above="1000000", up_to="5000000"),),
    ),
    line(3, "requests", "Requests", "19366", 750, (packages("15", 750),)),
    line(4, "platform_fee", "Platform fee", "1", 9900, (FEE,), period=DECEMBER),
)
CODEWRIGHT_LINES = (
    line(
        1,
        "input_tokens",
        "Input tokens",
        "18059920",
        4112,
        (
            tier(GRADUATED, "10000000", "0.0000025", 2500, up_to="10000000"),
            tier(GRADUATED, "8059920", "0.0000020", 1612, above="10000000"),
        ),
        tax=NO_TAX,
    ),
    line(
        2,
        "output_tokens",
        "Output tokens",
        "245870",
        246,
        (tier(VOLUME, "245870", "0.000010", 246, up_to="1000000"),),
        tax=NO_TAX,
    ),
    line(3, "requests", "Requests", "8819", 200, (packages("4", 200),), tax=NO_TAX),
    line(4, "platform_fee", "Platform fee", "1", 9900, (FEE,), period=DECEMBER, tax=NO_TAX),
)

BRIGHTCHAT_INVOICE = Snapshot(
    document_type=DocumentType.INVOICE,
    number="VV-2023-000003",
    issued_on=date(2023, 12, 1),
    due_on=date(2023, 12, 1),
    tax_point_on=None,
    currency="EUR",
    language="en",
    is_test=True,
    billing_reason="subscription_cycle",
    seller=SELLER,
    buyer=BRIGHTCHAT,
    period_start_on=date(2023, 11, 1),
    period_last_on=date(2023, 12, 31),
    lines=BRIGHTCHAT_LINES,
    taxes=(Tax(category="S", percent=Decimal(19), base_minor=19302, tax_minor=3667),),
    subtotal_minor=19302,
    tax_minor=3667,
    total_minor=22969,
    payment=CHARGE,
    rules_version="1",
    accounting_currency="EUR",
)
CODEWRIGHT_INVOICE = replace(
    BRIGHTCHAT_INVOICE,
    number="VV-2023-000004",
    buyer=CODEWRIGHT,
    lines=CODEWRIGHT_LINES,
    taxes=(
        Tax(
            category="O",
            percent=Decimal(0),
            base_minor=14458,
            tax_minor=0,
            exemption_code="VATEX-EU-O",
            exemption_text="outside_scope",
        ),
    ),
    subtotal_minor=14458,
    tax_minor=0,
    total_minor=14458,
)
TRANSFER_INVOICE = replace(
    BRIGHTCHAT_INVOICE,
    is_test=False,
    due_on=date(2023, 12, 15),
    payment=TRANSFER,
    purchase_order="PO-4711",
    buyer_reference="04011000-12345-34",
    notes=("Thank you for your order.",),
)
CREDIT_NOTE = replace(
    BRIGHTCHAT_INVOICE,
    document_type=DocumentType.CREDIT_NOTE,
    number="VV-CN-2023-000001",
    is_test=False,
    issued_on=date(2023, 12, 5),
    due_on=None,
    preceding=Reference(number="VV-2023-000003", issued_on=date(2023, 12, 1)),
    lines=(replace(BRIGHTCHAT_LINES[2], position=1),),
    taxes=(Tax(category="S", percent=Decimal(19), base_minor=750, tax_minor=143),),
    subtotal_minor=750,
    tax_minor=143,
    total_minor=893,
    credit_use=CreditUse(refund_minor=893),
)
CANCELLATION = replace(
    BRIGHTCHAT_INVOICE,
    document_type=DocumentType.CANCELLATION,
    number="VV-CN-2023-000002",
    due_on=None,
    preceding=Reference(number="VV-2023-000003", issued_on=date(2023, 12, 1)),
    credit_use=CreditUse(offset_minor=22969),
)


def pdf_pages(content: bytes) -> list[str]:
    """The text of each page as a reader copies it: no-break spaces as blanks, white space collapsed."""
    document = pypdfium2.PdfDocument(content)
    return [" ".join(page.get_textpage().get_text_range().split()) for page in document]


def pdf_text(content: bytes) -> str:
    return " ".join(pdf_pages(content))
