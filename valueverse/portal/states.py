"""Words, shape and colour of states, as the customer reads them."""

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from billing.core.lifecycles import InvoiceStatus, PaymentStatus, Settlement, SubscriptionStatus
from billing.invoices.documents.formatting import format_date, format_money
from billing.invoices.models import Invoice
from billing.subscriptions.models import Subscription
from payments.models import Payment
from valueverse.portal.access import Member
from valueverse.portal.words import counted, say


@dataclass(frozen=True, slots=True)
class State:
    """A word with its tone (neutral, info, good, caution, bad), and a sentence where one helps."""

    word: str
    tone: str
    sentence: str = ""


def seller_day(invoice: Invoice, at: datetime) -> date:
    """The day by which an invoice is due or late: the seller's."""
    return at.astimezone(ZoneInfo(invoice.legal_entity.time_zone)).date()


def invoice_state(invoice: Invoice, *, language: str, today: date) -> State:
    """Open, overdue, partly settled, paid, credited or voided."""

    def money(minor: int) -> str:
        return format_money(minor, invoice.currency, language)

    if invoice.status == InvoiceStatus.VOIDED:
        return State(say(language, "state_voided"), "neutral", say(language, "sentence_voided"))
    if invoice.settlement is Settlement.SETTLED:
        key = "state_settled"
        if invoice.allocated_minor == invoice.total_minor:
            key = "state_paid"
        elif invoice.offset_minor == invoice.total_minor:
            key = "state_credited"
        return State(say(language, key), "good")
    if invoice.due_on is not None and invoice.due_on < today:
        sentence = counted(
            language,
            "sentence_overdue",
            (today - invoice.due_on).days,
            days=(today - invoice.due_on).days,
            amount=money(invoice.open_minor),
        )
        return State(say(language, "state_overdue"), "bad", sentence)
    if invoice.settlement is Settlement.PARTIALLY_SETTLED:
        sentence = say(
            language,
            "sentence_partially_settled",
            settled=money(invoice.settled_minor),
            total=money(invoice.total_minor),
        )
        return State(say(language, "state_partially_settled"), "caution", sentence)
    due_on = format_date(invoice.due_on or today, language)
    return State(
        say(language, "state_open"),
        "info",
        say(language, "sentence_open", day=due_on, amount=money(invoice.open_minor)),
    )


_PAYMENT = {
    PaymentStatus.SUCCEEDED: ("state_succeeded", "good"),
    PaymentStatus.FAILED: ("state_failed", "bad"),
    PaymentStatus.UNKNOWN: ("state_unknown", "caution"),
    PaymentStatus.REQUIRES_ACTION: ("state_requires_action", "caution"),
    PaymentStatus.CANCELED: ("state_canceled", "neutral"),
    PaymentStatus.REFUNDED: ("state_refunded", "neutral"),
    PaymentStatus.PARTIALLY_REFUNDED: ("state_partially_refunded", "neutral"),
    PaymentStatus.RETURNED: ("state_returned", "bad"),
}


def payment_state(payment: Payment, *, language: str) -> State:
    """Paid, failed, under way, being checked, or gone back."""
    key, tone = _PAYMENT.get(PaymentStatus(payment.status), ("state_processing", "info"))
    return State(say(language, key), tone)


def subscription_state(subscription: Subscription, member: Member) -> State:
    """Active, starting later, ending on a day, or over."""
    ends = subscription.cancel_at.astimezone(member.zone).date() if subscription.cancel_at else None
    if subscription.status == SubscriptionStatus.CANCELED or (
        subscription.cancel_at is not None and subscription.cancel_at <= member.at
    ):
        return State(member.say("state_ended"), "neutral")
    if ends is not None:
        return State(member.say("state_ends", day=format_date(ends, member.language)), "caution")
    if subscription.status == SubscriptionStatus.SCHEDULED:
        return State(member.say("state_scheduled"), "neutral")
    return State(member.say("state_active"), "good")
