"""Questions about documents: which, what they say, what is due, and what a subscription would be billed."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db.models import F, Prefetch, Q, QuerySet

from billing.core.billing_moments import billing_moment
from billing.core.invoice import InvoiceResult
from billing.invoices.charges import calculate_due, due_charges
from billing.invoices.models import (
    BillingHold,
    CreditNote,
    DocumentFormat,
    Invoice,
    InvoiceLine,
    StoredDocument,
)
from billing.invoices.taxes import taxed
from billing.subscriptions.models import Subscription
from billing.subscriptions.selectors import terms_of
from customers.models import Customer
from customers.selectors import has_come


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
) -> InvoiceResult | None:
    """What the invoice of a billing moment would say with the usage received until an instant; writes nothing.

    billed_at: the moment, normally the subscription's next_billing_at. None if nothing would be charged.
    Raises TaxUndetermined as the run would.
    """
    moment = billing_moment(terms_of(subscription), billed_at)
    due = due_charges(subscription=subscription, moment=moment, cutoff=usage_until)
    if not due:
        return None
    due, given = taxed(subscription=subscription, due=due, on=billed_at)
    _, result = calculate_due(due, given)
    return result


def holds_in_force(*, at: datetime) -> QuerySet[BillingHold]:
    """Holds that stop billing now: not released, and their day has not come by the customer's clock (else `at`)."""
    lasts = (
        Q(until_at=None)
        | Q(customer__test_clock=None, until_at__gt=at)
        | Q(until_at__gt=F("customer__test_clock__now_at"))
    )
    return BillingHold.objects.filter(lasts, released_at=None)


def hold_in_force(*, customer: Customer, at: datetime) -> BillingHold | None:
    """The hold on a customer's billing, if there is one in force."""
    return holds_in_force(at=at).filter(customer=customer).first()


def next_due(*, after: datetime) -> tuple[date, int] | None:
    """The day (that of the subscription's zone) on which something is due next, and of how many customers on it.

    None if nothing ever is. Two queries over the index of what is due.
    """
    ahead = Subscription.objects.filter(next_billing_at__isnull=False).exclude(
        has_come("next_billing_at", customer="customer", at=after)
    )
    first = ahead.order_by("next_billing_at").values_list("next_billing_at", "time_zone").first()
    if first is None or first[0] is None:
        return None
    zone = ZoneInfo(first[1])
    day = first[0].astimezone(zone).date()
    start_at = datetime.combine(day, time(), tzinfo=zone)
    that_day = ahead.filter(next_billing_at__gte=start_at, next_billing_at__lt=start_at + timedelta(days=1))
    return day, that_day.order_by().values("customer").distinct().count()
