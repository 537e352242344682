"""Issued documents, their lines and taxes, their stored bytes and mails, and the runs that make them."""

from billing.invoices.models.credit_notes import CreditNote, CreditNoteLine, CreditNoteTax, CreditReason
from billing.invoices.models.holds import BillingHold
from billing.invoices.models.invoices import BillingReason, Invoice, InvoiceLine, InvoiceTax
from billing.invoices.models.runs import BillRun, BillRunCustomer, BillRunCustomerStatus, ReviewFlag
from billing.invoices.models.stored import DocumentFormat, DocumentMail, StoredDocument

__all__ = [
    "BillRun",
    "BillRunCustomer",
    "BillRunCustomerStatus",
    "BillingHold",
    "BillingReason",
    "CreditNote",
    "CreditNoteLine",
    "CreditNoteTax",
    "CreditReason",
    "DocumentFormat",
    "DocumentMail",
    "Invoice",
    "InvoiceLine",
    "InvoiceTax",
    "ReviewFlag",
    "StoredDocument",
]
