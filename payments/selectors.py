"""Questions about money: methods, payments, what is to be collected or checked, what is unapplied."""

from datetime import datetime, timedelta

from django.db.models import F, QuerySet, Sum

from billing.core.lifecycles import InvoiceStatus, RefundStatus
from billing.invoices.models import Invoice
from billing.ledger.selectors import accounting_day
from customers.models import CollectionMethod, Customer, LegalEntity
from customers.selectors import has_come
from payments.models import (
    LIVE_PAYMENT_STATUSES,
    RECEIVED_PAYMENT_STATUSES,
    CollectionSchedule,
    Payment,
    PaymentMethod,
    Refund,
)

REFUND_CHECK_DELAY = timedelta(minutes=5)
"""How long a refund may take that is under way, before the gateway is asked again."""


def payments_visible_to(*, customer_id: int | None) -> QuerySet[Payment]:
    """All payments, or those of one customer, newest first.

    accounting_on: the day their receipt is booked; later than received_on if that month was closed already.
    """
    booked_on = accounting_day(source_type="payment", purpose="succeed")
    payments = (
        Payment.objects.select_related("customer", "invoice", "method", "legal_entity")
        .annotate(accounting_on=booked_on)
        .order_by("-id")
    )
    return payments if customer_id is None else payments.filter(customer_id=customer_id)


def default_method(*, customer: Customer) -> PaymentMethod | None:
    """The method by which a customer is charged, if there is one."""
    return PaymentMethod.objects.filter(customer=customer, is_default=True, detached_at=None).first()


def live_attempt(*, invoice: Invoice) -> Payment | None:
    """The attempt on an invoice that may still succeed, if there is one (I16)."""
    return Payment.objects.filter(invoice=invoice, kind="provider", status__in=LIVE_PAYMENT_STATUSES).first()


def unscheduled_invoices() -> QuerySet[Invoice]:
    """Finalized, open invoices that we collect and that nobody planned to: a lost task left them behind."""
    return Invoice.objects.filter(
        status=InvoiceStatus.FINALIZED,
        customer__collection_method=CollectionMethod.CHARGE_AUTOMATICALLY,
        collection=None,
        total_minor__gt=F("allocated_minor") + F("offset_minor") + F("written_off_minor"),
    ).order_by("pk")


def due_collections(*, at: datetime) -> QuerySet[CollectionSchedule]:
    """Open invoices whose next attempt is due; for customers on a test clock, by that clock."""
    settled = F("invoice__allocated_minor") + F("invoice__offset_minor") + F("invoice__written_off_minor")
    return CollectionSchedule.objects.filter(
        has_come("next_attempt_at", customer="invoice__customer", at=at),
        invoice__status=InvoiceStatus.FINALIZED,
        invoice__total_minor__gt=settled,
    ).order_by("next_attempt_at", "pk")


def payments_to_check(*, at: datetime) -> QuerySet[Payment]:
    """Attempts without a final answer that the gateway is to be asked about; clocks as above."""
    return Payment.objects.filter(
        has_come("check_at", customer="customer", at=at), status__in=LIVE_PAYMENT_STATUSES
    ).order_by("check_at", "pk")


def refunds_to_check(*, at: datetime) -> QuerySet[Refund]:
    """Refunds without an answer, because a process died or the gateway did not answer; clocks as above."""
    pending = Refund.objects.annotate(check_at=F("initiated_at") + REFUND_CHECK_DELAY)
    return pending.filter(
        has_come("check_at", customer="payment__customer", at=at), status=RefundStatus.PENDING
    ).order_by("initiated_at", "pk")


def unapplied_minor(*, legal_entity: LegalEntity) -> int:
    """Money received and neither allocated nor paid back: the unapplied cash account's control. Minor units."""
    sums = Payment.objects.filter(legal_entity=legal_entity, status__in=RECEIVED_PAYMENT_STATUSES).aggregate(
        amount=Sum("amount_minor"), allocated=Sum("allocated_minor"), refunded=Sum("unapplied_refunded_minor")
    )
    return int((sums["amount"] or 0) - (sums["allocated"] or 0) - (sums["refunded"] or 0))
