"""What a document still lacks before it may be issued, or holds that could not be printed.

Sources: EN 16931-1:2017 (business rules BR-*), § 14 (4) and § 14a UStG, Art. 226 of Directive 2006/112/EC.
"""

from collections.abc import Iterator

from billing.invoices.documents.pdf import logo_problem
from billing.invoices.documents.snapshot import CollectionMethod, Line, PaymentTerms, Snapshot

Missing = tuple[str, str]

REVERSE_CHARGE = "AE"


def missing_fields(snapshot: Snapshot) -> list[Missing]:
    """(path in the snapshot, sentence for finance staff) for everything required and absent; empty = may be issued.

    A logo that is no image is named too. The number is not asked for: it is taken after this check.
    """
    return [
        *_missing_of_seller(snapshot),
        *_missing_of_buyer(snapshot),
        *_missing_of_document(snapshot),
        *(missing for index, line in enumerate(snapshot.lines) for missing in _missing_of_line(line, index)),
        *_missing_of_payment(snapshot.payment, snapshot),
    ]


def _missing_of_seller(snapshot: Snapshot) -> Iterator[Missing]:
    seller = snapshot.seller
    required = {
        "legal_name": "The legal entity has no legal name.",  # BR-06
        "line1": "The legal entity's address has no street.",  # § 14 (4) no. 1 UStG
        "postal_code": "The legal entity's address has no postal code.",
        "city": "The legal entity's address has no city.",
        "country": "The legal entity's address has no country.",  # BR-09
    }
    for name, message in required.items():
        if not getattr(seller, name).strip():
            yield f"seller.{name}", f"{message} Add it to the legal entity."
    if _has_category(snapshot, REVERSE_CHARGE) and not seller.vat_number:  # BR-AE-2
        yield "seller.vat_number", "Reverse charge needs the legal entity's VAT ID. Add a tax registration."
    elif not seller.vat_number and not seller.tax_number:  # BR-CO-26, § 14 (4) no. 2 UStG
        yield "seller.vat_number", "The legal entity has no VAT ID or tax number. Add a tax registration."


def _missing_of_buyer(snapshot: Snapshot) -> Iterator[Missing]:
    buyer = snapshot.buyer
    required = {
        "legal_name": "The customer has no legal name.",  # BR-07
        "line1": "The customer's address has no street or post office box.",  # § 14 (4) no. 1 UStG
        "city": "The customer's address has no city.",
        "country": "The customer's address has no country.",  # BR-11
    }
    for name, message in required.items():
        if not getattr(buyer, name).strip():
            yield f"buyer.{name}", f"{message} Add it to the customer."
    if _has_category(snapshot, REVERSE_CHARGE) and not buyer.vat_number:  # BR-AE-2, § 14a (1) UStG
        yield "buyer.vat_number", "Reverse charge needs the customer's VAT ID. Add it to the customer."


def _missing_of_document(snapshot: Snapshot) -> Iterator[Missing]:
    if snapshot.logo_svg and (problem := logo_problem(snapshot.logo_svg)):
        yield "logo_svg", f"The legal entity's logo cannot be printed: {problem}. Replace it."
    if not snapshot.currency:  # BR-05
        yield "currency", "The document has no currency."
    if not snapshot.lines:  # BR-16
        yield "lines", "The document has no lines. Add one, or delete the draft."
    elif not snapshot.taxes:  # BR-CO-18
        yield "taxes", "The document has no tax breakdown."
    if snapshot.is_credit and snapshot.preceding is None:  # Art. 219 of the VAT directive
        yield "preceding", "The document does not name the invoice that it corrects."
    books, currency = snapshot.accounting_currency, snapshot.currency
    foreign = bool(books) and bool(currency) and books != currency
    if foreign and snapshot.tax_minor and snapshot.tax_in_accounting_currency is None:  # BR-53
        yield (
            "tax_in_accounting_currency",
            f"The tax is not stated in {snapshot.accounting_currency}: add the exchange rate of the day of issue.",
        )


def _missing_of_line(line: Line, index: int) -> Iterator[Missing]:
    required = {
        "description": "has no description.",  # BR-25
        "unit_code": "has no unit code.",  # BR-23
        "tax_category": "has no tax category.",  # BR-CO-4
    }
    for name, message in required.items():
        if not getattr(line, name).strip():
            yield f"lines[{index}].{name}", f"Line {line.position} ({line.code}) {message}"


def _missing_of_payment(payment: PaymentTerms, snapshot: Snapshot) -> Iterator[Missing]:
    if snapshot.due_minor <= 0:
        return
    if snapshot.due_on is None:  # BR-CO-25
        yield "due_on", "The invoice has no due date. Add payment terms to the customer."
    if payment.collection_method is not CollectionMethod.SEND_INVOICE:
        return
    if payment.bank_account is None or not payment.bank_account.iban.strip():  # BR-50, BR-61
        yield (
            "payment.bank_account.iban",
            "The customer pays by transfer, but the legal entity has no IBAN. Add a bank account.",
        )
    elif not payment.bank_account.holder.strip():
        yield "payment.bank_account.holder", "The legal entity's bank account has no holder. Add it."


def _has_category(snapshot: Snapshot, category: str) -> bool:
    return any(line.tax_category == category for line in snapshot.lines)
