"""A document that lacks something the law or EN 16931 asks for is refused, and each missing field is named."""

from dataclasses import replace
from decimal import Decimal

import pytest

from billing.invoices.documents.completeness import missing_fields
from billing.invoices.documents.snapshot import BankAccount, Snapshot, Tax
from tests.billing.invoices.documents import samples

INVOICE = samples.TRANSFER_INVOICE
LOGO = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 1"><rect width="4" height="1"/></svg>'


def seller(**changes: str) -> Snapshot:
    return replace(INVOICE, seller=replace(INVOICE.seller, **changes))


def buyer(**changes: str) -> Snapshot:
    return replace(INVOICE, buyer=replace(INVOICE.buyer, **changes))


def first_line(**changes: str) -> Snapshot:
    return replace(INVOICE, lines=(replace(INVOICE.lines[0], **changes), *INVOICE.lines[1:]))


def bank(account: BankAccount | None) -> Snapshot:
    return replace(INVOICE, payment=replace(INVOICE.payment, bank_account=account))


def reverse_charge(**changes: object) -> Snapshot:
    lines = tuple(replace(line, tax_category="AE", tax_percent=Decimal(0)) for line in INVOICE.lines)
    taxes = (Tax(category="AE", percent=Decimal(0), base_minor=19302, tax_minor=0),)
    return replace(INVOICE, lines=lines, taxes=taxes, tax_minor=0, total_minor=19302, **changes)


@pytest.mark.parametrize(
    "snapshot",
    [
        samples.BRIGHTCHAT_INVOICE,
        samples.CODEWRIGHT_INVOICE,
        samples.TRANSFER_INVOICE,
        samples.CREDIT_NOTE,
        samples.CANCELLATION,
        reverse_charge(),
        replace(INVOICE, logo_svg=LOGO),
    ],
    ids=["charged", "outside scope", "transfer", "credit note", "cancellation", "reverse charge", "logo"],
)
def test_a_complete_document_lacks_nothing(snapshot: Snapshot) -> None:
    assert missing_fields(snapshot) == []


@pytest.mark.parametrize(
    ("snapshot", "path"),
    [
        (seller(legal_name=""), "seller.legal_name"),
        (seller(line1=" "), "seller.line1"),
        (seller(postal_code=""), "seller.postal_code"),
        (seller(city=""), "seller.city"),
        (seller(country=""), "seller.country"),
        (seller(vat_number="", tax_number=""), "seller.vat_number"),
        (buyer(legal_name=""), "buyer.legal_name"),
        (buyer(line1=""), "buyer.line1"),
        (buyer(city=""), "buyer.city"),
        (buyer(country=""), "buyer.country"),
        (reverse_charge(buyer=replace(INVOICE.buyer, vat_number="")), "buyer.vat_number"),
        (reverse_charge(seller=replace(INVOICE.seller, vat_number="")), "seller.vat_number"),
        (replace(INVOICE, logo_svg="<svg"), "logo_svg"),
        (replace(INVOICE, currency=""), "currency"),
        (replace(INVOICE, lines=()), "lines"),
        (replace(INVOICE, taxes=()), "taxes"),
        (replace(INVOICE, due_on=None), "due_on"),
        (replace(INVOICE, currency="USD"), "tax_in_accounting_currency"),
        (first_line(description=""), "lines[0].description"),
        (first_line(unit_code=""), "lines[0].unit_code"),
        (first_line(tax_category=""), "lines[0].tax_category"),
        (bank(None), "payment.bank_account.iban"),
        (bank(replace(samples.BANK, iban="")), "payment.bank_account.iban"),
        (bank(replace(samples.BANK, holder="")), "payment.bank_account.holder"),
        (replace(samples.CREDIT_NOTE, preceding=None), "preceding"),
    ],
)
def test_each_missing_field_is_named_alone_with_a_sentence(snapshot: Snapshot, path: str) -> None:
    ((found, message),) = missing_fields(snapshot)
    assert found == path
    assert message.endswith(".") and message[0].isupper()


def test_the_tax_number_stands_in_for_the_vat_id_at_home() -> None:
    assert missing_fields(seller(vat_number="")) == []


def test_a_customer_who_is_charged_needs_no_bank_account() -> None:
    assert (
        missing_fields(
            replace(samples.BRIGHTCHAT_INVOICE, payment=replace(samples.CHARGE, bank_account=None))
        )
        == []
    )


def test_an_invoice_that_is_already_paid_needs_no_bank_account() -> None:
    assert missing_fields(replace(bank(None), paid_minor=22969)) == []


def test_several_gaps_are_all_named() -> None:
    snapshot = replace(
        INVOICE, seller=replace(INVOICE.seller, city=""), buyer=replace(INVOICE.buyer, legal_name="")
    )
    assert [path for path, _ in missing_fields(snapshot)] == ["seller.city", "buyer.legal_name"]
