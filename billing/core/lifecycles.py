"""States and their allowed moves, as data. Texts, so that SQL and reports can read them (see the glossary).

A service changes a state by compare-and-set after `check_move`; nothing moves in `save()`. A state without an
entry on the left has no way out.
"""

from collections.abc import Mapping
from enum import StrEnum

from billing.core.errors import InvalidInput, InvalidTransition

Moves = Mapping[str, frozenset[str]]


class InvoiceStatus(StrEnum):
    """A document's status; whether it is paid is its settlement, never its status."""

    DRAFT = "draft"
    FINALIZED = "finalized"
    VOIDED = "voided"


INVOICE_MOVES: Moves = {
    InvoiceStatus.DRAFT: frozenset({InvoiceStatus.FINALIZED}),
    InvoiceStatus.FINALIZED: frozenset({InvoiceStatus.VOIDED}),
}
"""A draft that is not wanted is deleted, not voided: it never had a number."""


class CreditNoteStatus(StrEnum):
    """A credit note's status."""

    DRAFT = "draft"
    FINALIZED = "finalized"
    VOIDED = "voided"


CREDIT_NOTE_MOVES: Moves = {
    CreditNoteStatus.DRAFT: frozenset({CreditNoteStatus.FINALIZED}),
    CreditNoteStatus.FINALIZED: frozenset({CreditNoteStatus.VOIDED}),
}


class BillRunStatus(StrEnum):
    """The stages of a billing run. A stage is only left when all of it is done, so a crash resumes in it."""

    PREVIEWED = "previewed"
    GENERATING = "generating"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    CANCELED = "canceled"


BILL_RUN_MOVES: Moves = {
    BillRunStatus.PREVIEWED: frozenset({BillRunStatus.GENERATING, BillRunStatus.CANCELED}),
    BillRunStatus.GENERATING: frozenset({BillRunStatus.IN_REVIEW, BillRunStatus.CANCELED}),
    BillRunStatus.IN_REVIEW: frozenset({BillRunStatus.APPROVED, BillRunStatus.CANCELED}),
    BillRunStatus.APPROVED: frozenset(
        {BillRunStatus.FINALIZING, BillRunStatus.IN_REVIEW, BillRunStatus.CANCELED}
    ),
    BillRunStatus.FINALIZING: frozenset({BillRunStatus.COMPLETED}),
}
"""Once the first invoice has its number (finalizing), a run can only be finished; until then approval is withdrawn."""


class SubscriptionStatus(StrEnum):
    """A subscription that is to be canceled at the end of its period stays `active`, with `cancel_at` set."""

    SCHEDULED = "scheduled"
    ACTIVE = "active"
    CANCELED = "canceled"


SUBSCRIPTION_MOVES: Moves = {
    SubscriptionStatus.SCHEDULED: frozenset({SubscriptionStatus.ACTIVE, SubscriptionStatus.CANCELED}),
    SubscriptionStatus.ACTIVE: frozenset({SubscriptionStatus.CANCELED}),
}


class PaymentStatus(StrEnum):
    """A payment attempt. `unknown` is a gateway that did not answer: it may still succeed."""

    INITIATED = "initiated"
    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    REFUNDED = "refunded"
    PARTIALLY_REFUNDED = "partially_refunded"
    RETURNED = "returned"
    UNKNOWN = "unknown"


LIVE_PAYMENT_STATUSES: frozenset[PaymentStatus] = frozenset(
    {
        PaymentStatus.INITIATED,
        PaymentStatus.PENDING,
        PaymentStatus.REQUIRES_ACTION,
        PaymentStatus.PROCESSING,
        PaymentStatus.UNKNOWN,
    }
)
"""States from which the money may still come: an invoice has at most one such attempt (invariant I16)."""

_PAYMENT_ENDS = frozenset({PaymentStatus.SUCCEEDED, PaymentStatus.FAILED, PaymentStatus.CANCELED})

PAYMENT_MOVES: Moves = {
    **{
        old: (LIVE_PAYMENT_STATUSES | _PAYMENT_ENDS) - {old, PaymentStatus.INITIATED}
        for old in LIVE_PAYMENT_STATUSES
    },
    PaymentStatus.SUCCEEDED: frozenset(
        {PaymentStatus.PARTIALLY_REFUNDED, PaymentStatus.REFUNDED, PaymentStatus.RETURNED}
    ),
    PaymentStatus.PARTIALLY_REFUNDED: frozenset({PaymentStatus.REFUNDED, PaymentStatus.RETURNED}),
}
"""Gateways report in their own order, so the live states move freely; money that came only goes back."""


class RefundStatus(StrEnum):
    """Money on its way back to the customer."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


REFUND_MOVES: Moves = {
    RefundStatus.PENDING: frozenset({RefundStatus.SUCCEEDED, RefundStatus.FAILED, RefundStatus.CANCELED}),
}


class PeriodStatus(StrEnum):
    """An accounting period. soft_closed: only finance may still post; closed: nothing moves any more."""

    OPEN = "open"
    SOFT_CLOSED = "soft_closed"
    CLOSED = "closed"


PERIOD_MOVES: Moves = {
    PeriodStatus.OPEN: frozenset({PeriodStatus.SOFT_CLOSED, PeriodStatus.CLOSED}),
    PeriodStatus.SOFT_CLOSED: frozenset({PeriodStatus.OPEN, PeriodStatus.CLOSED}),
}


class MailStatus(StrEnum):
    """A queued message. A failed one may be queued again; sending a sent one again is a new message."""

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"


MAIL_MOVES: Moves = {
    MailStatus.QUEUED: frozenset({MailStatus.SENT, MailStatus.FAILED}),
    MailStatus.FAILED: frozenset({MailStatus.QUEUED}),
}


class ApprovalStatus(StrEnum):
    """A request that a second person decides, once."""

    REQUESTED = "requested"
    APPROVED = "approved"
    REJECTED = "rejected"


APPROVAL_MOVES: Moves = {
    ApprovalStatus.REQUESTED: frozenset({ApprovalStatus.APPROVED, ApprovalStatus.REJECTED}),
}


class TestClockStatus(StrEnum):
    """A test clock works through the due work of its customers while it is `advancing`."""

    __test__ = False  # pytest would take the name for a test class

    READY = "ready"
    ADVANCING = "advancing"


TEST_CLOCK_MOVES: Moves = {
    TestClockStatus.READY: frozenset({TestClockStatus.ADVANCING}),
    TestClockStatus.ADVANCING: frozenset({TestClockStatus.READY}),
}


class Settlement(StrEnum):
    """How much of a finalized document is settled by payments, credits and write-offs; derived, never set."""

    OPEN = "open"
    PARTIALLY_SETTLED = "partially_settled"
    SETTLED = "settled"


def check_move(table: Moves, old: str, new: str) -> None:
    """Raise InvalidTransition unless the table allows the move. Staying in a state is not a move.

    >>> check_move(INVOICE_MOVES, InvoiceStatus.DRAFT, InvoiceStatus.FINALIZED)
    >>> check_move(INVOICE_MOVES, "voided", "finalized")
    Traceback (most recent call last):
    ...
    billing.core.errors.InvalidTransition: voided cannot become finalized
    """
    if new not in table.get(old, frozenset()):
        raise InvalidTransition(f"{old} cannot become {new}", field="status", old=str(old), new=str(new))


def settlement(total: int, settled: int) -> Settlement:
    """The settlement of a document of `total` minor units of which `settled` are settled.

    A document over nothing is settled. Raises InvalidInput for a negative share or one above the total.

    >>> settlement(22969, 0).value, settlement(22969, 22960).value, settlement(22969, 22969).value
    ('open', 'partially_settled', 'settled')
    """
    if not 0 <= settled <= total:
        raise InvalidInput("the settled amount lies between zero and the total", field="settled")
    if settled == total:
        return Settlement.SETTLED
    return Settlement.PARTIALLY_SETTLED if settled else Settlement.OPEN
