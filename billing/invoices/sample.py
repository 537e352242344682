"""A sample invoice of a seller: how its documents look, before one is issued."""

from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

from billing.core.invoice import RULES_VERSION
from billing.core.money import exponent
from billing.invoices.documents.pdf import render_pdf
from billing.invoices.documents.snapshot import (
    CollectionMethod,
    DocumentType,
    Line,
    Party,
    PaymentTerms,
    Snapshot,
    Tax,
)
from billing.invoices.snapshots import bank_account_of, seller_party
from customers.models import LegalEntity

SAMPLES = (("Platform fee", 1, Decimal(99)), ("Input tokens", 22_361_870, Decimal("0.0000025")))
TERMS_DAYS = 14


def sample_invoice(*, legal_entity: LegalEntity, on: date, percent: Decimal, language: str = "en") -> bytes:
    """A PDF with the seller's logo, address, registration and bank account, and made-up lines.

    percent: the tax rate of the lines. Always marked as a test, never stored, without a number of any series.
    Raises DocumentNotRenderable.
    """
    factor = 10 ** exponent(legal_entity.accounting_currency)
    start_on = on.replace(day=1)
    lines = tuple(
        _line(index, text, quantity, unit, factor, start_on, on, percent)
        for index, (text, quantity, unit) in enumerate(SAMPLES, start=1)
    )
    net = sum(line.net_minor for line in lines)
    tax = int((net * percent / 100).quantize(Decimal(1), ROUND_HALF_UP))
    return render_pdf(
        Snapshot(
            document_type=DocumentType.INVOICE,
            number="SAMPLE-000000",
            issued_on=on,
            due_on=on + timedelta(days=TERMS_DAYS),
            tax_point_on=on,
            currency=legal_entity.accounting_currency,
            language=language,
            is_test=True,
            billing_reason="subscription_cycle",
            seller=seller_party(legal_entity, on),
            buyer=Party(
                name="Sample customer",
                legal_name="Sample Customer Ltd",
                line1="1 Sample Street",
                postal_code="12345",
                city="Sampletown",
                country=legal_entity.country,
            ),
            period_start_on=start_on,
            period_last_on=on,
            lines=lines,
            taxes=(Tax(category="S" if percent else "Z", percent=percent, base_minor=net, tax_minor=tax),),
            subtotal_minor=net,
            tax_minor=tax,
            total_minor=net + tax,
            payment=PaymentTerms(
                collection_method=CollectionMethod.SEND_INVOICE,
                terms_days=TERMS_DAYS,
                bank_account=bank_account_of(legal_entity),
                reference="SAMPLE-000000",
            ),
            rules_version=RULES_VERSION,
            accounting_currency=legal_entity.accounting_currency,
            accent_color=legal_entity.accent_color,
            logo_svg=legal_entity.logo_svg,
        )
    )


def _line(
    position: int,
    text: str,
    quantity: int,
    unit: Decimal,
    factor: int,
    start_on: date,
    on: date,
    percent: Decimal,
) -> Line:
    net = int((quantity * unit * factor).quantize(Decimal(1), ROUND_HALF_UP))
    return Line(
        id=f"sample-{position}",
        code=f"sample-{position}",
        position=position,
        description=text,
        kind="recurring",
        service_start_on=start_on,
        service_last_on=on,
        quantity=Decimal(quantity),
        unit_code="C62",
        unit_amount=unit,
        net_minor=net,
        tax_category="S" if percent else "Z",
        tax_percent=percent,
    )
