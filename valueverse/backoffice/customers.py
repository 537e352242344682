"""The page of a customer: what they have, used, owe and paid, in one place."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin
from django.db.models import F, Model, Q, Sum
from django.http import HttpRequest

from billing.activity.models import Activity
from billing.core.lifecycles import CreditNoteStatus, InvoiceStatus, RefundStatus, SubscriptionStatus
from billing.invoices.current_usage import current_usage
from billing.invoices.models import CreditNote, DocumentMail, Invoice
from billing.platform import display
from billing.platform.actors import Actor
from billing.subscriptions.models import Subscription
from customers.models import Customer
from customers.selectors import now_for
from payments import services as payments
from payments.models import RECEIVED_PAYMENT_STATUSES, Payment, Refund
from valueverse.backoffice.customer_list import CustomerList
from valueverse.backoffice.holds import HoldBilling, ReleaseBilling, hold_of
from valueverse.backoffice.invoice_verbs import ReceiptForm
from valueverse.backoffice.pages import ObjectPage
from valueverse.backoffice.verbs import Data, Outcome, Verb
from valueverse.backoffice.viewing import ViewAsCustomer

ROWS = 50
"""Rows of a part of the page; the list behind it has all."""

ORDER = ("Invoice", "Credit note", "Payment", "Refund")
"""What comes first on one day."""


class RecordReceipt(Verb):
    """Money of a customer that is not for one invoice; it stays unapplied until somebody allocates it."""

    def __init__(self) -> None:
        super().__init__(
            "record-payment",
            "Record payment",
            "payments.record_payment",
            "The money stays unapplied until it is allocated on the payment's page. Corrected by a refund.",
            asks_first=True,
        )

    def at(self, row: Any) -> datetime:
        return now_for(row)

    def state(self, row: Any) -> tuple[Any, ...]:
        return (Payment.objects.filter(customer=row).count(),)

    def form(self, row: Any, data: Any = None) -> forms.Form:
        today = self.at(row).astimezone(ZoneInfo(row.legal_entity.time_zone)).date()
        return ReceiptForm(
            data, currency=row.legal_entity.accounting_currency, initial={"received_on": today}
        )

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        return [("Customer", row.name), ("Receives it", row.legal_entity.name)]

    def button(self, row: Any, data: Data) -> str:
        if "amount" not in data:
            return self.label
        return f"Record {display.amount(data['amount'], row.legal_entity.accounting_currency)}"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = payments.record_manual_payment(
            customer=row,
            amount_minor=data["amount"],
            currency=row.legal_entity.accounting_currency,
            received_on=data["received_on"],
            reference=data["reference"],
            actor=actor,
            at=at,
        )
        return Outcome(
            f"Recorded {display.amount(made.amount_minor, made.currency)}; allocate it here.", made
        )


@dataclass(frozen=True, slots=True)
class StatementRow:
    """One document or payment on a customer's account; amount_minor: positive is owed by them."""

    on: date
    what: str
    row: Model
    amount_minor: int
    currency: str
    balance_minor: int = 0


@dataclass(frozen=True, slots=True)
class Balance:
    """What a customer owes in one currency, in minor units; owed_back: credited and not refunded yet."""

    currency: str
    open_minor: int
    overdue_minor: int
    unapplied_minor: int
    owed_back_minor: int


def balances(customer: Customer, on: date) -> list[Balance]:
    """What is open, overdue, unapplied and owed back, per currency."""
    left = F("total_minor") - F("allocated_minor") - F("offset_minor") - F("written_off_minor")
    invoices: dict[str, Any] = {
        row["currency"]: row
        for row in Invoice.objects.filter(customer=customer, status=InvoiceStatus.FINALIZED)
        .order_by()
        .values("currency")
        .annotate(open=Sum(left), overdue=Sum(left, filter=Q(due_on__lt=on)))
    }
    unapplied = dict(
        Payment.objects.filter(customer=customer, status__in=RECEIVED_PAYMENT_STATUSES)
        .order_by()
        .values_list("currency")
        .annotate(total=Sum(F("amount_minor") - F("allocated_minor") - F("unapplied_refunded_minor")))
    )
    owed = dict(
        CreditNote.objects.filter(customer=customer, status=CreditNoteStatus.FINALIZED)
        .order_by()
        .values_list("currency")
        .annotate(total=Sum(F("refund_minor") - F("refunded_minor")))
    )
    return [
        Balance(
            currency,
            int(invoices.get(currency, {}).get("open") or 0),
            int(invoices.get(currency, {}).get("overdue") or 0),
            int(unapplied.get(currency) or 0),
            int(owed.get(currency) or 0),
        )
        for currency in sorted({*invoices, *unapplied, *owed} or {customer.currency})
    ]


def statement(customer: Customer) -> list[StatementRow]:
    """The last documents and payments of a customer with the balance after each, newest first."""
    invoices = Invoice.objects.filter(customer=customer, status=InvoiceStatus.FINALIZED)
    notes = CreditNote.objects.filter(customer=customer, status=CreditNoteStatus.FINALIZED)
    received = Payment.objects.filter(customer=customer, status__in=RECEIVED_PAYMENT_STATUSES)
    refunds = Refund.objects.filter(payment__customer=customer, status=RefundStatus.SUCCEEDED)
    balance: dict[str, int] = {}
    for found, field, sign in (
        (invoices, "total", 1),
        (notes, "total", -1),
        (received, "amount", -1),
        (refunds, "amount", 1),
    ):
        sums = found.order_by().values_list("currency").annotate(total=Sum(f"{field}_minor"))
        for currency, total in sums:
            balance[currency] = balance.get(currency, 0) + sign * int(total)
    rows = [
        *(
            StatementRow(i.issued_on, "Invoice", i, i.total_minor, i.currency)
            for i in invoices[:ROWS]
            if i.issued_on
        ),
        *(
            StatementRow(n.issued_on, "Credit note", n, -n.total_minor, n.currency)
            for n in notes[:ROWS]
            if n.issued_on
        ),
        *(
            StatementRow(p.received_on, "Payment", p, -p.amount_minor, p.currency)
            for p in received[:ROWS]
            if p.received_on
        ),
        *(
            StatementRow(r.finished_at.date(), "Refund", r.payment, r.amount_minor, r.currency)
            for r in refunds.select_related("payment")[:ROWS]
            if r.finished_at
        ),
    ]
    newest = sorted(rows, key=lambda row: (row.on, ORDER.index(row.what), row.row.pk), reverse=True)[:ROWS]
    shown = []
    for row in newest:
        shown.append(
            StatementRow(row.on, row.what, row.row, row.amount_minor, row.currency, balance[row.currency])
        )
        balance[row.currency] -= row.amount_minor
    return shown


@admin.register(Customer)
class CustomerPage(ObjectPage, CustomerList):
    """A customer with subscriptions, usage, documents, money, mails and activity."""

    page_template = "backoffice/customer.html"
    verbs = (RecordReceipt(), HoldBilling(), ReleaseBilling(), ViewAsCustomer())

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("payer", "legal_entity", "test_clock")

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        at = now_for(row)
        subscriptions = list(
            Subscription.objects.filter(customer=row)
            .select_related("plan_version__plan", "customer", "legal_entity")
            .order_by("-pk")[:ROWS]
        )
        live = [one for one in subscriptions if one.status == SubscriptionStatus.ACTIVE][:5]
        mails = DocumentMail.objects.filter(Q(invoice__customer=row) | Q(credit_note__customer=row))
        return {
            "at": at,
            "hold": hold_of(row),
            "balances": balances(row, at.astimezone(ZoneInfo(row.legal_entity.time_zone)).date()),
            "subscriptions": subscriptions,
            "usage": [(one, current_usage(subscription=one, at=at)) for one in live],
            "invoices": list(row.invoices.all()[:ROWS]),
            "payments": list(row.payments.select_related("invoice")[:ROWS]),
            "statement": statement(row),
            "mails": list(mails.select_related("invoice", "credit_note").order_by("-pk")[:20]),
            "contacts": list(row.contacts.order_by("pk")),
            "tax_ids": list(row.tax_ids.all()),
            "activity": list(Activity.objects.filter(customer_id=row.public_id)[:20]),
        }
