"""The page of a payment: where its money went, and allocating, reversing and refunding it."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import F, Q
from django.http import HttpRequest

from billing.activity.selectors import activity_of
from billing.core.lifecycles import CreditNoteStatus, InvoiceStatus
from billing.core.money import format_major
from billing.core.postings import Role
from billing.invoices.models import CreditNote, Invoice
from billing.ledger.selectors import EffectRow, entries_about
from billing.platform import display
from billing.platform.actors import Actor
from customers.selectors import billing_contacts, now_for
from payments import services
from payments.admin import PaymentAdmin
from payments.models import (
    RECEIVED_PAYMENT_STATUSES,
    Payment,
    PaymentAllocation,
    PaymentKind,
    PaymentMailKind,
)
from valueverse.backoffice.invoice_verbs import MoneyField
from valueverse.backoffice.pages import ObjectPage
from valueverse.backoffice.verbs import Data, Outcome, Verb

CHOICES = 200
"""Open invoices offered, oldest first; more would not be chosen from a list."""


def open_invoices(payment: Payment) -> Any:
    """Invoices that this payment may settle, oldest due first."""
    settled = F("allocated_minor") + F("offset_minor") + F("written_off_minor")
    return Invoice.objects.filter(
        Q(customer=payment.customer) | Q(payer=payment.customer),
        status=InvoiceStatus.FINALIZED,
        currency=payment.currency,
        legal_entity=payment.legal_entity,
        total_minor__gt=settled,
    ).order_by("due_on", "pk")


def owing_notes(payment: Payment) -> Any:
    """Credit notes of the payer that still owe money back, oldest first."""
    return CreditNote.objects.filter(
        invoice__payer=payment.customer,
        currency=payment.currency,
        status=CreditNoteStatus.FINALIZED,
        refund_minor__gt=F("refunded_minor"),
    ).order_by("pk")


def live_allocations(payment: Payment) -> Any:
    """Allocations that have not been taken back."""
    return payment.allocations.filter(amount_minor__gt=0, reversed_by=None).select_related("invoice")


class InvoiceChoice(forms.ModelChoiceField[Invoice]):
    """An open invoice by number, due date and open amount."""

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.number}, due {obj.due_on}, open {display.amount(obj.open_minor, obj.currency)}"


class AllocationChoice(forms.ModelChoiceField[PaymentAllocation]):
    """An allocation by invoice and amount."""

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.invoice.number}, {display.amount(obj.amount_minor, obj.invoice.currency)}, {obj.accounting_on}"


class NoteChoice(forms.ModelChoiceField[CreditNote]):
    """A credit note with what it still owes."""

    def label_from_instance(self, obj: Any) -> str:
        left = display.amount(obj.refund_minor - obj.refunded_minor, obj.currency)
        return f"{obj.number}, {left} owed back"


class AllocateForm(forms.Form):
    """How much to which invoice."""

    def __init__(self, data: Any = None, *, payment: Payment) -> None:
        found = open_invoices(payment)
        first = found.first()
        limit = min(first.open_minor, payment.unapplied_minor) if first else payment.unapplied_minor
        super().__init__(data)
        self.fields["invoice"] = InvoiceChoice(
            found[:CHOICES] if data is None else found, initial=first, empty_label="Choose an invoice"
        )
        self.fields["amount"] = MoneyField(
            currency=payment.currency,
            label=f"Amount in {payment.currency}",
            initial=format_major(limit, payment.currency),
        )


class ReverseForm(forms.Form):
    """Which allocation to take back."""

    def __init__(self, data: Any = None, *, payment: Payment) -> None:
        super().__init__(data)
        found = live_allocations(payment)
        self.fields["allocation"] = AllocationChoice(found, initial=found.first(), empty_label=None)


class RefundForm(forms.Form):
    """How much goes back, and why."""

    def __init__(self, data: Any = None, *, payment: Payment) -> None:
        super().__init__(data)
        notes = owing_notes(payment)
        self.fields["credit_note"] = NoteChoice(
            notes,
            required=False,
            initial=notes.first(),
            empty_label=f"Unapplied money, {display.amount(payment.unapplied_minor, payment.currency)}",
            label="Out of",
        )
        note = notes.first()
        most = note.refund_minor - note.refunded_minor if note else payment.unapplied_minor
        self.fields["amount"] = MoneyField(
            currency=payment.currency,
            label=f"Amount in {payment.currency}",
            initial=format_major(min(most, payment.amount_minor - payment.refunded_minor), payment.currency),
        )
        self.fields["reason"] = forms.CharField(max_length=300)


class PaymentVerb(Verb):
    """What verbs on payments share."""

    def at(self, row: Any) -> datetime:
        return now_for(row.customer)

    def subject(self, row: Any) -> str:
        return f"payment of {display.amount(row.amount_minor, row.currency)} by {row.customer}"

    def state(self, row: Any) -> tuple[Any, ...]:
        return (row.status, row.allocated_minor, row.refunded_minor, row.allocations.count())

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        return [
            ("Customer", row.customer.name),
            ("Received", display.amount(row.amount_minor, row.currency)),
            ("Allocated", display.amount(row.allocated_minor, row.currency)),
            ("Refunded", display.amount(row.refunded_minor, row.currency)),
            ("Unapplied", display.amount(row.unapplied_minor, row.currency)),
        ]

    def button(self, row: Any, data: Data) -> str:
        return (
            f"{self.label} {display.amount(data['amount'], row.currency)}" if "amount" in data else self.label
        )


class Allocate(PaymentVerb):
    """Settle an invoice with unapplied money."""

    def __init__(self) -> None:
        super().__init__(
            "allocate",
            "Allocate",
            "payments.allocate_payment",
            "Taken back by reversing the allocation.",
            asks_first=True,
        )

    def is_offered(self, row: Any) -> bool:
        return bool(row.unapplied_minor > 0)

    def form(self, row: Any, data: Any = None) -> forms.Form:
        return AllocateForm(data, payment=row)

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        invoice: Invoice = data["invoice"]
        made = services.allocate_payment(
            payment_id=row.public_id,
            invoice_id=invoice.public_id,
            amount_minor=data["amount"],
            actor=actor,
            at=at,
        )
        return Outcome(
            f"Allocated {display.amount(made.amount_minor, row.currency)} to {invoice.number}.", row
        )

    def result(self, row: Any, made: Outcome) -> list[tuple[str, Any]]:
        fresh = Payment.objects.get(pk=row.pk)
        return [("Unapplied afterwards", display.amount(fresh.unapplied_minor, fresh.currency))]


class Reverse(PaymentVerb):
    """Take an allocation back."""

    def __init__(self) -> None:
        super().__init__(
            "reverse",
            "Reverse allocation",
            "payments.allocate_payment",
            "The invoice is open again and the money unapplied. Allocate it again to undo this.",
            asks_first=True,
        )

    def is_offered(self, row: Any) -> bool:
        return bool(row.allocated_minor > 0)

    def form(self, row: Any, data: Any = None) -> forms.Form:
        return ReverseForm(data, payment=row)

    def button(self, row: Any, data: Data) -> str:
        found: PaymentAllocation | None = data.get("allocation")
        return f"Reverse {display.amount(found.amount_minor, row.currency)}" if found else self.label

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        found: PaymentAllocation = data["allocation"]
        services.reverse_allocation(allocation_id=found.public_id, actor=actor, at=at)
        amount = display.amount(found.amount_minor, row.currency)
        return Outcome(f"Reversed {amount} on {found.invoice.number}; the invoice is open again.", row)


class RefundMoney(PaymentVerb):
    """Pay money back by the way it came."""

    def __init__(self) -> None:
        super().__init__(
            "refund",
            "Refund",
            "payments.refund_payment",
            "Money that went back cannot be fetched again. It is booked when the gateway confirms it; what was "
            "recorded by hand is paid back by hand and booked at once.",
            asks_first=True,
            rehearses=False,
        )

    def is_offered(self, row: Any) -> bool:
        if row.status not in RECEIVED_PAYMENT_STATUSES or row.amount_minor <= row.refunded_minor:
            return False
        return bool(row.unapplied_minor > 0) or owing_notes(row).exists()

    def check(self, row: Any, data: Data) -> None:
        services.check_refund(row, data["credit_note"], data["amount"])

    def expected(self, row: Any, data: Data) -> list[EffectRow]:
        paid_from = Role.BANK if row.kind == PaymentKind.MANUAL else Role.GATEWAY_CLEARING
        owed = Role.REFUNDS_PAYABLE if data["credit_note"] else Role.UNAPPLIED_CASH
        return [
            EffectRow(paid_from.value, row.currency, 0, data["amount"]),
            EffectRow(owed.value, row.currency, data["amount"], 0),
        ]

    def form(self, row: Any, data: Any = None) -> forms.Form:
        return RefundForm(data, payment=row)

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        note: CreditNote | None = data["credit_note"]
        made = services.refund_payment(
            payment_id=row.public_id,
            amount_minor=data["amount"],
            reason=data["reason"],
            credit_note_id=note.public_id if note else None,
            actor=actor,
            at=at,
        )
        return Outcome(f"Refund of {display.amount(made.amount_minor, made.currency)}: {made.status}.", row)


class ResendMail(PaymentVerb):
    """The receipt, or the notice of the failure, once more."""

    def __init__(self) -> None:
        super().__init__(
            "resend-mail", "Send mail again", "payments.resend_mail", "A sent mail cannot be taken back."
        )

    def is_offered(self, row: Any) -> bool:
        return services.mail_kind(row) is not None

    def state(self, row: Any) -> tuple[Any, ...]:
        return (row.status, row.mails.count())

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        contacts = ", ".join(contact.email for contact in billing_contacts(row.customer)) or "nobody"
        kind = services.mail_kind(row)
        return [
            ("Mail", PaymentMailKind(kind).label if kind else display.NONE),
            ("To", contacts),
            ("Sent so far", row.mails.filter(sent_at__isnull=False).count()),
        ]

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.resend_payment_mails(payment_id=row.public_id, actor=actor, at=at)
        return Outcome(f"Queued {len(made)} mail{'' if len(made) == 1 else 's'} about this payment.", row)


@admin.register(Payment)
class PaymentPage(ObjectPage, PaymentAdmin):
    """A payment with its allocations, refunds, entries and activity."""

    page_template = "backoffice/payment.html"
    verbs = (Allocate(), Reverse(), RefundMoney(), ResendMail())

    def get_queryset(self, request: HttpRequest) -> Any:
        return (
            super()
            .get_queryset(request)
            .select_related("customer__test_clock", "legal_entity", "approval", "invoice", "method")
        )

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        allocations = list(row.allocations.select_related("invoice"))
        refunds = list(row.refunds.select_related("credit_note"))
        about = [row.public_id, *(a.public_id for a in allocations), *(r.public_id for r in refunds)]
        may_see_books = request.user.has_perm("ledger.view_journalentry")
        return {
            "title": f"Payment {row.public_id}",
            "allocations": allocations,
            "refunds": refunds,
            "mails": list(row.mails.all()[:20]) if request.user.has_perm("payments.view_paymentmail") else [],
            "entries": entries_about(source_ids=about) if may_see_books else [],
            "activity": list(activity_of(object_id=row.public_id)[:20]),
        }
