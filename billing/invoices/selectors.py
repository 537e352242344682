"""Questions about documents: which, what they say, what is due, and what a subscription would be billed."""

from datetime import datetime

from django.db.models import Prefetch, QuerySet

from billing.core.billing_moments import billing_moment
from billing.core.invoice import InvoiceInput, InvoiceResult, calculate
from billing.core.tax import TaxTreatment
from billing.invoices.charges import due_charges, tax_treatment
from billing.invoices.models import CreditNote, DocumentFormat, Invoice, InvoiceLine, StoredDocument
from billing.subscriptions.models import Subscription
from billing.subscriptions.selectors import terms_of


def invoices_visible_to(*, customer_id: int | None) -> QuerySet[Invoice]:
    """All invoices, or those of one customer, newest first."""
    invoices = Invoice.objects.select_related("customer", "legal_entity", "subscription").order_by("-id")
    return invoices if customer_id is None else invoices.filter(customer_id=customer_id)


def with_parts(invoices: QuerySet[Invoice]) -> QuerySet[Invoice]:
    """The invoices with their lines and tax tables, in a fixed number of queries."""
    return invoices.prefetch_related(
        Prefetch("lines", InvoiceLine.objects.select_related("item").order_by("position")), "taxes"
    )


def stored_document(
    *, document: Invoice | CreditNote, format: DocumentFormat = DocumentFormat.PDF
) -> StoredDocument | None:
    """The stored rendering of a document, or None while it has not been rendered."""
    return document.stored_documents.filter(format=format).first()


def preview_invoice(
    *, subscription: Subscription, billed_at: datetime, usage_until: datetime
) -> tuple[InvoiceResult, TaxTreatment] | None:
    """What the invoice of a billing moment would say with the usage received until an instant; writes nothing.

    billed_at: the moment, normally the subscription's next_billing_at. None if nothing would be charged.
    Raises TaxUndetermined as the run would.
    """
    moment = billing_moment(terms_of(subscription), billed_at)
    due = due_charges(subscription=subscription, moment=moment, cutoff=usage_until)
    if not due:
        return None
    treatment = tax_treatment(
        legal_entity=subscription.legal_entity, customer=subscription.customer, on=billed_at
    )
    charges = tuple(entry.charge for entry in due)
    return calculate(InvoiceInput(subscription.currency, charges, treatment)), treatment
