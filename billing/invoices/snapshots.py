"""The snapshot of a document: everything it says, taken from rows on the day of issue and never looked up again."""

from collections.abc import Iterable
from datetime import date

from billing.core.allowances import read_allowances
from billing.core.invoice import RULES_VERSION
from billing.core.tax import TaxCategory
from billing.invoices.documents.snapshot import (
    Allowance,
    BankAccount,
    CollectionMethod,
    CreditUse,
    DocumentType,
    Line,
    Party,
    PaymentTerms,
    Reference,
    Snapshot,
    Tax,
)
from billing.invoices.documents.steps import proration_of, steps_of
from billing.invoices.models import CreditNote, Invoice
from billing.invoices.models.base import DocumentLine, DocumentTax
from customers.models import Customer, LegalEntity
from customers.selectors import billing_contacts, customer_tax_party, registration_in_force


def invoice_snapshot(invoice: Invoice, *, number: str, issued_on: date, due_on: date) -> Snapshot:
    """The invoice as it is about to be issued."""
    lines = list(invoice.lines.order_by("position"))
    customer = invoice.customer
    return Snapshot(
        document_type=DocumentType.INVOICE,
        number=number,
        issued_on=issued_on,
        due_on=due_on,
        tax_point_on=issued_on,
        currency=invoice.currency,
        language=customer.language,
        is_test=invoice.legal_entity.is_test,
        billing_reason=invoice.billing_reason,
        seller=seller_party(invoice.legal_entity, issued_on),
        buyer=_buyer(customer),
        period_start_on=min((line.service_start_on for line in lines), default=None),
        period_last_on=max((line.service_last_on for line in lines), default=None),
        lines=tuple(_line(line, line.public_id, line.meter_code) for line in lines),
        taxes=_taxes(invoice.taxes.all()),
        subtotal_minor=invoice.subtotal_minor,
        tax_minor=invoice.tax_minor,
        total_minor=invoice.total_minor,
        payment=PaymentTerms(
            collection_method=CollectionMethod(customer.collection_method),
            terms_days=customer.payment_terms_days,
            bank_account=bank_account_of(invoice.legal_entity),
            reference=number,
        ),
        rules_version=RULES_VERSION,
        accounting_currency=invoice.legal_entity.accounting_currency,
        buyer_reference=customer.buyer_reference,
        purchase_order=customer.purchase_order,
        accent_color=invoice.legal_entity.accent_color,
        logo_svg=invoice.legal_entity.logo_svg,
    )


def credit_note_snapshot(credit_note: CreditNote, *, number: str, issued_on: date) -> Snapshot:
    """The credit note as it is about to be issued; amounts are positive, the document type says they are credited."""
    lines = list(credit_note.lines.select_related("invoice_line").order_by("position"))
    invoice, customer = credit_note.invoice, credit_note.customer
    assert invoice.number is not None and invoice.issued_on is not None, "only issued invoices are credited"
    is_cancellation = credit_note.is_cancellation
    return Snapshot(
        document_type=DocumentType.CANCELLATION if is_cancellation else DocumentType.CREDIT_NOTE,
        number=number,
        issued_on=issued_on,
        due_on=None,
        tax_point_on=invoice.tax_point_on,
        currency=credit_note.currency,
        language=customer.language,
        is_test=credit_note.legal_entity.is_test,
        billing_reason=credit_note.reason,
        seller=seller_party(credit_note.legal_entity, issued_on),
        buyer=_buyer(customer),
        period_start_on=min((line.service_start_on for line in lines), default=None),
        period_last_on=max((line.service_last_on for line in lines), default=None),
        lines=tuple(_line(line, line.public_id, line.invoice_line.meter_code) for line in lines),
        taxes=_taxes(credit_note.taxes.all()),
        subtotal_minor=credit_note.subtotal_minor,
        tax_minor=credit_note.tax_minor,
        total_minor=credit_note.total_minor,
        payment=PaymentTerms(
            collection_method=CollectionMethod(customer.collection_method),
            bank_account=bank_account_of(credit_note.legal_entity),
            reference=number,
        ),
        rules_version=RULES_VERSION,
        preceding=Reference(number=invoice.number, issued_on=invoice.issued_on),
        credit_use=CreditUse(offset_minor=credit_note.offset_minor, refund_minor=credit_note.refund_minor),
        accounting_currency=credit_note.legal_entity.accounting_currency,
        buyer_reference=customer.buyer_reference,
        purchase_order=customer.purchase_order,
        notes=(credit_note.note,) if credit_note.note else (),
        accent_color=credit_note.legal_entity.accent_color,
        logo_svg=credit_note.legal_entity.logo_svg,
    )


def seller_party(entity: LegalEntity, on: date) -> Party:
    """The seller as documents issued on a day print it."""
    registration = registration_in_force(entity, country=entity.country, on=on)
    return Party(
        name=entity.name,
        legal_name=entity.legal_name,
        line1=entity.line1,
        line2=entity.line2,
        postal_code=entity.postal_code,
        city=entity.city,
        region=entity.region,
        country=entity.country,
        vat_number=registration.vat_number if registration else "",
        tax_number=registration.tax_number if registration else "",
        register=entity.registration,
        directors=entity.directors,
        email=entity.email,
        phone=entity.phone,
    )


def _buyer(customer: Customer) -> Party:
    contact = billing_contacts(customer).first()
    return Party(
        name=customer.name,
        legal_name=customer.legal_name,
        line1=customer.line1,
        line2=customer.line2,
        postal_code=customer.postal_code,
        city=customer.city,
        region=customer.region,
        country=customer.country,
        vat_number=customer_tax_party(customer).vat_number or "",
        contact_name=contact.name if contact else "",
        email=contact.email if contact else "",
        customer_number=customer.external_id or customer.public_id,
    )


def bank_account_of(entity: LegalEntity) -> BankAccount | None:
    """Where the seller's customers pay to; None without an IBAN."""
    if not entity.iban:
        return None
    return BankAccount(
        holder=entity.bank_holder or entity.legal_name,
        iban=entity.iban,
        bic=entity.bic,
        bank_name=entity.bank_name,
    )


def _line(line: DocumentLine, line_id: str, meter_code: str) -> Line:
    proration = proration_of(line.working)
    return Line(
        id=line_id,
        code=line.code,
        position=line.position,
        description=line.description,
        kind=line.kind,
        service_start_on=line.service_start_on,
        service_last_on=line.service_last_on,
        quantity=line.quantity,
        unit_code=line.unit_code,
        unit_amount=line.unit_amount,
        net_minor=line.amount_minor,
        allowances=tuple(
            Allowance(
                kind=one.kind.value,
                reference=one.reference,
                reason=one.label,
                amount_minor=one.amount_minor,
            )
            for one in read_allowances(line.allowances)
        ),
        tax_category=line.tax_category,
        tax_percent=line.tax_percent,
        meter=meter_code,
        prorated_days=proration[0] if proration else None,
        prorated_of_days=proration[1] if proration else None,
        prorated_unit=proration[2] if proration else "day",
        steps=steps_of(line.working),
    )


def _taxes(rows: Iterable[DocumentTax]) -> tuple[Tax, ...]:
    return tuple(
        Tax(
            category=row.category,
            percent=row.percent,
            base_minor=row.base_minor,
            tax_minor=row.tax_minor,
            exemption_code=row.exemption_code,
            exemption_text=row.exemption_text,
        )
        for row in rows
    )


def tax_label(row: DocumentTax) -> str:
    """The rate as a ledger dimension: country, category, percent, for example 'DE S 19'."""
    return f"{row.tax_country} {TaxCategory(row.category)} {row.percent.normalize():f}"
