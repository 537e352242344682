"""The mails about payments: a receipt, and the notice that a charge did not go through."""

from dataclasses import dataclass
from datetime import date

from billing.invoices.documents.formatting import (
    format_date,
    format_money,
    format_short_date,
    supported_language,
)
from billing.invoices.documents.mails import MailContent, compose_mail
from billing.invoices.documents.page import Pair, bank_facts
from billing.invoices.documents.snapshot import Snapshot
from billing.invoices.documents.text import printable


@dataclass(frozen=True, slots=True)
class PaymentFacts:
    """What such a mail is about. Amounts in minor units of the invoice's currency.

    on: the day of receipt, or of the attempt. how: the card, account or reference. open_minor: what is left of the
    invoice. failure_code: why the gateway declined. next_try_on: when we try again; None if we do not.
    """

    amount_minor: int
    on: date
    how: str
    open_minor: int
    failure_code: str = ""
    next_try_on: date | None = None


def receipt_mail(snapshot: Snapshot, paid: PaymentFacts, *, url: str) -> MailContent:
    """Money has arrived: what for, and whether anything is left to pay. In the document's language."""
    text, language = WORDS[supported_language(snapshot.language)], snapshot.language
    amount = format_money(paid.amount_minor, snapshot.currency, language)
    number = printable(snapshot.number)
    is_paid = paid.open_minor == 0
    left = format_money(paid.open_minor, snapshot.currency, language)
    facts: list[Pair] = [
        (text["amount"], amount),
        (text["invoice"], number),
        (text["received"], format_date(paid.on, language)),
        (text["how"], printable(paid.how)),
    ]
    return compose_mail(
        snapshot,
        subject=text["receipt_subject"].format(amount=amount),
        heading=text["receipt_title"],
        first_line=text["receipt_paid" if is_paid else "receipt_part"].format(number=number, amount=left),
        facts=[(label, value) for label, value in facts if value],
        sentences=[],
        button=text["receipt_button"],
        url=url,
    )


def failure_mail(snapshot: Snapshot, failed: PaymentFacts, *, url: str) -> MailContent:
    """A charge was declined: why, when it is tried again, or how to pay if it is not."""
    text, language = WORDS[supported_language(snapshot.language)], snapshot.language
    amount = format_money(failed.amount_minor, snapshot.currency, language)
    reason = text.get(f"declined_{failed.failure_code}", text["declined"])
    if failed.next_try_on is not None:
        day = format_short_date(failed.next_try_on, language, beside=failed.on)
        following = text["next_try"].format(date=day)
    else:
        following = text["no_try"]
    facts: list[Pair] = [
        (text["amount"], amount),
        (text["invoice"], printable(snapshot.number)),
        (text["tried"], printable(failed.how)),
    ]
    account = snapshot.payment.bank_account
    if (
        failed.next_try_on is None and account is not None
    ):  # else a transfer and our next try would pay it twice
        facts += bank_facts(account, snapshot)
    return compose_mail(
        snapshot,
        subject=text["failure_subject"].format(amount=amount),
        heading=text["failure_title"],
        first_line=f"{reason} {following}",
        facts=[(label, value) for label, value in facts if value],
        sentences=[],
        button=text["failure_button"],
        url=url,
    )


WORDS: dict[str, dict[str, str]] = {
    "en": {
        "amount": "Amount",
        "invoice": "Invoice",
        "received": "Received",
        "how": "Paid by",
        "tried": "Payment method",
        "receipt_subject": "Payment received: {amount}",
        "receipt_title": "Payment received",
        "receipt_paid": "Thank you. Invoice {number} is paid.",
        "receipt_part": "Thank you. {amount} of invoice {number} are still open.",
        "receipt_button": "View receipt",
        "failure_subject": "Payment of {amount} did not go through",
        "failure_title": "Payment did not go through",
        "failure_button": "Pay now",
        "declined": "Your bank declined the payment.",
        "declined_insufficient_funds": "Your bank declined: insufficient funds.",
        "declined_method_unknown": "Your bank does not know this payment method.",
        "declined_card_expired": "Your bank declined: the card has expired.",
        "next_try": "We try again on {date}.",
        "no_try": "We do not try again by ourselves.",
    },
    "de": {
        "amount": "Betrag",
        "invoice": "Rechnung",
        "received": "Eingegangen",
        "how": "Bezahlt mit",
        "tried": "Zahlungsart",
        "receipt_subject": "Zahlung eingegangen: {amount}",
        "receipt_title": "Zahlung eingegangen",
        "receipt_paid": "Vielen Dank. Die Rechnung {number} ist bezahlt.",
        "receipt_part": "Vielen Dank. Von der Rechnung {number} sind noch {amount} offen.",
        "receipt_button": "Beleg ansehen",
        "failure_subject": "Zahlung über {amount} nicht ausgeführt",
        "failure_title": "Zahlung nicht ausgeführt",
        "failure_button": "Jetzt bezahlen",
        "declined": "Ihre Bank hat die Zahlung abgelehnt.",
        "declined_insufficient_funds": "Ihre Bank hat abgelehnt: Das Konto ist nicht gedeckt.",
        "declined_method_unknown": "Ihre Bank kennt diese Zahlungsart nicht.",
        "declined_card_expired": "Ihre Bank hat abgelehnt: Die Karte ist abgelaufen.",
        "next_try": "Am {date} versuchen wir es noch einmal.",
        "no_try": "Wir versuchen es nicht von selbst noch einmal.",
    },
}
