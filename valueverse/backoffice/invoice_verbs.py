"""What a person may do to an invoice: finalize, void, cancel, credit, take a payment, send again, delete a draft."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms

from billing.core.errors import BillingError
from billing.core.lifecycles import InvoiceStatus
from billing.core.money import format_major, parse_major
from billing.invoices import services
from billing.invoices.models import CreditReason, DocumentMail, Invoice
from billing.platform import display
from billing.platform.actors import Actor
from customers.selectors import billing_contacts, now_for
from payments import services as payments
from payments.models import Payment
from valueverse.backoffice.verbs import Data, Outcome, Verb


class ReasonForm(forms.Form):
    """Why; kept in the record."""

    reason = forms.CharField(
        max_length=500, label="Reason", help_text="Kept with the invoice and in the activity."
    )


class CreditForm(forms.Form):
    """Why, and what the customer reads."""

    reason = forms.ChoiceField(choices=CreditReason.choices, initial=CreditReason.BILLING_ERROR)
    note = forms.CharField(
        max_length=500, required=False, label="Note to the customer", help_text="Printed on the credit note."
    )


class MoneyField(forms.CharField):
    """An amount in major units of a currency, cleaned to minor units; 1,234.00 and 1234.00 are the same."""

    def __init__(self, *, currency: str, **kwargs: Any) -> None:
        self.currency = currency
        super().__init__(max_length=30, **kwargs)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        grouped = text.replace(",", "") if _is_grouped(text) else text
        try:
            return parse_major(grouped, self.currency, str(self.label or "amount"))
        except BillingError as error:
            raise forms.ValidationError(
                f"'{text}' is not an amount in {self.currency}. Write it like 1234.56."
            ) from error


def _is_grouped(text: str) -> bool:
    """Whether every comma stands before three digits, with a point or nothing after them: 1,234.50, not 12,34."""
    whole = text.partition(".")[0]
    first, *groups = whole.split(",")
    return (
        bool(groups) and 1 <= len(first) <= 3 and all(len(group) == 3 and group.isdigit() for group in groups)
    )


class ReceiptForm(forms.Form):
    """Money that has arrived."""

    received_on = forms.DateField(
        label="Received on",
        help_text="Day on the bank statement, like 2023-12-01.",
        input_formats=["%Y-%m-%d"],
    )
    reference = forms.CharField(
        max_length=140, label="Reference", help_text="As the bank statement shows it."
    )

    def __init__(self, data: Any = None, *, currency: str, initial: Data) -> None:
        super().__init__(data, initial=dict(initial))
        self.fields["amount"] = MoneyField(currency=currency, label=f"Amount in {currency}")
        self.order_fields(["amount", "received_on", "reference"])


class InvoiceVerb(Verb):
    """What verbs on invoices share."""

    def at(self, row: Any) -> datetime:
        return now_for(row.customer)

    def state(self, row: Any) -> tuple[Any, ...]:
        return (row.status, row.total_minor, row.settled_minor, row.credited_minor, row.credit_notes.count())

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        return [
            ("Customer", row.customer.name),
            ("Net", display.amount(row.subtotal_minor, row.currency)),
            ("Tax", display.amount(row.tax_minor, row.currency)),
            ("Total", display.amount(row.total_minor, row.currency)),
            ("Open", display.amount(row.open_minor if row.settlement else None, row.currency)),
        ]

    def button(self, row: Any, data: Data) -> str:
        return f"{self.label} {row.number or 'invoice'}, {display.amount(row.total_minor, row.currency)}"


class Finalize(InvoiceVerb):
    """Give it a number, freeze it, book it."""

    def __init__(self) -> None:
        super().__init__(
            "finalize",
            "Finalize",
            "invoices.finalize_invoice",
            "A finalized invoice cannot be edited: a credit note corrects it, or a void while nobody has seen it.",
        )

    def is_offered(self, row: Any) -> bool:
        return bool(row.status == InvoiceStatus.DRAFT)

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.finalize_invoice(invoice_id=row.public_id, actor=actor, at=at)
        return Outcome(f"Finalized {made.number}, {display.amount(made.total_minor, made.currency)}.", made)

    def result(self, row: Any, made: Outcome) -> list[tuple[str, Any]]:
        invoice: Any = made.row
        mails = ", ".join(contact.email for contact in billing_contacts(invoice.customer)) or "nobody"
        if services.is_sent_by_run(invoice):
            mails = "nobody yet: somebody sends the run it belongs to"
        return [
            ("Number", invoice.number),
            ("Issued on", display.day(invoice.issued_on)),
            ("Due on", display.day(invoice.due_on)),
            ("Will be mailed to", mails),
        ]


class Void(InvoiceVerb):
    """Take back what nobody has seen."""

    def __init__(self) -> None:
        super().__init__(
            "void",
            "Void",
            "invoices.void_invoice",
            "A void stays. The number stays in the series; the periods are billed again by the next run.",
            ReasonForm,
            sample={"reason": "rehearsal"},
        )

    def is_offered(self, row: Any) -> bool:
        seen = row.sent_at or row.shown_at or row.exported_at or row.settled_minor or row.credited_minor
        return bool(row.status == InvoiceStatus.FINALIZED and not seen)

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.void_invoice(invoice_id=row.public_id, reason=data["reason"], actor=actor, at=at)
        return Outcome(f"Voided {made.number}.", made)


class Credit(InvoiceVerb):
    """A credit note over the whole invoice; the service stays billed."""

    def __init__(self) -> None:
        super().__init__(
            "credit",
            "Credit",
            "invoices.credit_invoice",
            "A credit note cannot be taken back. What is open is settled by it; what was paid is owed to the customer.",
            CreditForm,
            sample={"reason": CreditReason.BILLING_ERROR, "note": ""},
        )

    def is_offered(self, row: Any) -> bool:
        return bool(row.status == InvoiceStatus.FINALIZED and not row.credited_minor)

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.credit_invoice(
            invoice_id=row.public_id,
            reason=CreditReason(data["reason"]),
            note=data["note"],
            actor=actor,
            at=at,
        )
        return Outcome(f"Issued credit note {made.number}.", made)

    def result(self, row: Any, made: Outcome) -> list[tuple[str, Any]]:
        note: Any = made.row
        return [
            ("Credit note", note.number),
            ("Against the open amount", display.amount(note.offset_minor, note.currency)),
            ("Owed back to the customer", display.amount(note.refund_minor, note.currency)),
        ]


class Cancel(Credit):
    """A credit note as if the invoice had never been issued: its periods are billed again."""

    def __init__(self) -> None:
        super().__init__()
        self.slug, self.label = "cancel", "Cancel by credit note"
        self.before = (
            "A cancellation cannot be taken back. The periods and the usage become billable again and come with the "
            "next run."
        )

    def is_offered(self, row: Any) -> bool:
        return super().is_offered(row) and not row.settled_minor

    def button(self, row: Any, data: Data) -> str:
        return f"Cancel {row.number}, {display.amount(row.total_minor, row.currency)}"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.cancel_invoice(
            invoice_id=row.public_id,
            reason=CreditReason(data["reason"]),
            note=data["note"],
            actor=actor,
            at=at,
        )
        return Outcome(f"Canceled {row.number} by credit note {made.number}.", made)


class RecordPayment(InvoiceVerb):
    """Money that came by transfer, cheque or cash."""

    def __init__(self) -> None:
        super().__init__(
            "record-payment",
            "Record payment",
            "payments.record_payment",
            "Corrected by reversing the allocation and refunding the payment. What is more than the open amount stays "
            "unapplied.",
            asks_first=True,
        )

    def is_offered(self, row: Any) -> bool:
        return bool(row.open_minor > 0)

    def form(self, row: Any, data: Any = None) -> forms.Form:
        today = self.at(row).astimezone(ZoneInfo(row.legal_entity.time_zone)).date()
        initial = {"amount": format_major(row.open_minor, row.currency), "received_on": today}
        return ReceiptForm(data, currency=row.currency, initial=initial | {"reference": row.number or ""})

    def button(self, row: Any, data: Data) -> str:
        return f"Record {display.amount(data['amount'], row.currency)}" if "amount" in data else self.label

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = payments.record_manual_payment(
            customer=row.payer,
            invoice=row,
            amount_minor=data["amount"],
            currency=row.currency,
            received_on=data["received_on"],
            reference=data["reference"],
            actor=actor,
            at=at,
        )
        return Outcome(f"Recorded {display.amount(made.amount_minor, made.currency)} for {row.number}.", row)

    def result(self, row: Any, made: Outcome) -> list[tuple[str, Any]]:
        row = Invoice.objects.get(pk=row.pk)
        payment = Payment.objects.filter(invoice=row).first()
        left = payment.unapplied_minor if payment else 0
        return [
            ("Open afterwards", display.amount(row.open_minor, row.currency)),
            ("Left unapplied", display.amount(left, row.currency)),
        ]


class Resend(InvoiceVerb):
    """The mails once more."""

    def __init__(self) -> None:
        super().__init__(
            "resend", "Send again", "invoices.resend_document", "A sent mail cannot be taken back."
        )

    def is_offered(self, row: Any) -> bool:
        return bool(row.status == InvoiceStatus.FINALIZED)

    def state(self, row: Any) -> tuple[Any, ...]:
        return (row.status, row.mails.count())

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        contacts = ", ".join(contact.email for contact in billing_contacts(row.customer)) or "nobody"
        sent = row.mails.filter(sent_at__isnull=False).count()
        return [("To", contacts), ("Sent so far", f"{sent}"), *super().facts(row)]

    def button(self, row: Any, data: Data) -> str:
        return f"Send {row.number} again"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made: list[DocumentMail] = services.resend_document(document=row, actor=actor, at=at)
        return Outcome(f"Queued {len(made)} mail{'' if len(made) == 1 else 's'} with {row.number}.", row)


INVOICE_VERBS: tuple[Verb, ...] = (Finalize(), RecordPayment(), Credit(), Cancel(), Void(), Resend())
