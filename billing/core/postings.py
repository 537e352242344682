"""Journal entries as pure values: one builder per reference entry, each of which balances by construction.

One signed amount per posting in minor units of the document currency, debit positive, credit negative. An
invoice never touches revenue, a payment never touches an invoice except through an allocation, a credit note
debits what the credited part still is, a correction is a new entry. The numbers in brackets are those of the
reference entries.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from billing.core.errors import InvalidInput, Unbalanced
from billing.core.invoice import Timing


class Role(StrEnum):
    """The accounts of the sub-ledger, by role; each legal entity maps a role to its own general ledger
    code.
    """

    BANK = "1000"
    GATEWAY_CLEARING = "1050"
    DISPUTED_FUNDS = "1060"
    RECEIVABLE = "1100"
    UNBILLED = "1150"
    UNAPPLIED_CASH = "2050"
    CUSTOMER_CREDIT = "2060"
    REFUNDS_PAYABLE = "2070"
    DEFERRED = "2100"
    PREPAID = "2110"
    VAT = "2200"
    SUBSCRIPTION_REVENUE = "4000"
    USAGE_REVENUE = "4010"
    BREAKAGE = "4090"
    LATE_COMPENSATION = "4800"
    FEES = "6000"
    DISPUTE_FEES = "6010"
    BAD_DEBT = "6020"
    SMALL_DIFFERENCES = "6030"
    REALIZED_FX = "6100"
    UNREALIZED_FX = "6110"


ROLE_NAMES: dict[Role, str] = {
    Role.BANK: "Bank",
    Role.GATEWAY_CLEARING: "Gateway clearing",
    Role.DISPUTED_FUNDS: "Disputed funds",
    Role.RECEIVABLE: "Accounts receivable",
    Role.UNBILLED: "Unbilled receivable",
    Role.UNAPPLIED_CASH: "Unapplied cash",
    Role.CUSTOMER_CREDIT: "Customer credit balance",
    Role.REFUNDS_PAYABLE: "Refunds payable",
    Role.DEFERRED: "Deferred revenue",
    Role.PREPAID: "Prepaid credits (wallets)",
    Role.VAT: "VAT payable",
    Role.SUBSCRIPTION_REVENUE: "Subscription revenue",
    Role.USAGE_REVENUE: "Usage revenue",
    Role.BREAKAGE: "Breakage revenue",
    Role.LATE_COMPENSATION: "Late-payment compensation",
    Role.FEES: "Payment processing fees",
    Role.DISPUTE_FEES: "Dispute fees",
    Role.BAD_DEBT: "Bad debt expense",
    Role.SMALL_DIFFERENCES: "Small differences",
    Role.REALIZED_FX: "Realized FX gain/loss",
    Role.UNREALIZED_FX: "Unrealized FX gain/loss",
}


class Side(StrEnum):
    """The side on which an account's balance normally stands: debit is positive here, credit negative."""

    DEBIT = "debit"
    CREDIT = "credit"


NORMAL_SIDE: dict[Role, Side] = {role: Side.DEBIT if role.value[0] in "16" else Side.CREDIT for role in Role}
"""Assets (1) and expenses (6) stand in debit, liabilities (2) and income (4) in credit. FX counts as
expense.
"""


@dataclass(frozen=True, slots=True)
class PostingDraft:
    """One signed amount with its dimensions.

    service_start_on and service_end_on are both inclusive. tax_rate: "DE S 19". detail: e.g. the gateway's
    code.
    """

    role: Role
    amount_minor: int
    line_id: str = ""
    product_code: str = ""
    service_start_on: date | None = None
    service_end_on: date | None = None
    tax_rate: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class EntryDraft:
    """A balanced entry. purpose: together with its source it posts once; periodic ones name their month.

    Raises Unbalanced for fewer than two postings, a posting of zero, or a sum that is not zero.
    """

    purpose: str
    postings: tuple[PostingDraft, ...]

    def __post_init__(self) -> None:
        if len(self.postings) < 2:
            raise Unbalanced("an entry has at least two postings")
        if any(
            type(posting.amount_minor) is not int or not posting.amount_minor for posting in self.postings
        ):
            raise Unbalanced("a posting has a whole amount that is not zero")
        difference = sum(posting.amount_minor for posting in self.postings)
        if difference:
            raise Unbalanced(f"the postings sum to {difference}, not to zero", difference=difference)


@dataclass(frozen=True, slots=True)
class IssuedLine:
    """A line of an invoice as the ledger sees it: net minor units, and when its service is delivered."""

    line_id: str
    amount_minor: int
    timing: Timing
    product_code: str = ""
    service_start_on: date | None = None
    service_end_on: date | None = None


@dataclass(frozen=True, slots=True)
class IssuedTax:
    """The tax of one rate, in minor units; tax_rate is the label of its treatment, e.g. "DE S 19"."""

    tax_rate: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class CreditedLine:
    """A credited line, net minor units, positive, by what the credited part still is.

    from_deferred_minor: service not delivered; the other two: service delivered, out of its revenue.
    """

    line_id: str
    from_deferred_minor: int = 0
    from_subscription_revenue_minor: int = 0
    from_usage_revenue_minor: int = 0
    product_code: str = ""
    service_start_on: date | None = None
    service_end_on: date | None = None


def reversed_postings(postings: Iterable[PostingDraft]) -> tuple[PostingDraft, ...]:
    """The mirror of an entry's postings: same roles and dimensions, opposite signs, same order."""
    return tuple(replace(posting, amount_minor=-posting.amount_minor) for posting in postings)


def invoice_issue(lines: Sequence[IssuedLine], taxes: Sequence[IssuedTax]) -> EntryDraft | None:
    """[1a, 5a] Debit receivable with the total; credit deferred revenue (in advance), unbilled receivable (in
    arrears) line by line, and VAT rate by rate. No revenue account.

    Zero amounts are dropped. None if nothing is left: an invoice over nothing has no entry.
    """
    postings = _issue_postings(lines, taxes)
    return EntryDraft("issue", postings) if postings else None


def cancellation(lines: Sequence[IssuedLine], taxes: Sequence[IssuedTax]) -> EntryDraft | None:
    """[7] The cancellation of a whole invoice: the mirror of its issue. None if the invoice had no entry."""
    postings = reversed_postings(_issue_postings(lines, taxes))
    return EntryDraft("issue", postings) if postings else None


def credit_note(
    lines: Sequence[CreditedLine],
    taxes: Sequence[IssuedTax],
    *,
    offset_minor: int = 0,
    refund_minor: int = 0,
    credit_minor: int = 0,
) -> EntryDraft | None:
    """[6a-c] Debit what the credited parts still are, and their tax; credit where the money goes.

    offset_minor: against the open invoice (receivable). refund_minor: owed back (refunds payable).
    credit_minor: to the customer's credit balance. All positive, gross; their sum is the credit note's total.
    Raises Unbalanced if it is not. None if everything is zero.
    """
    _require_not_negative(offset_minor, refund_minor, credit_minor)
    postings: list[PostingDraft] = []
    for line in lines:
        sources = (
            (Role.DEFERRED, line.from_deferred_minor),
            (Role.SUBSCRIPTION_REVENUE, line.from_subscription_revenue_minor),
            (Role.USAGE_REVENUE, line.from_usage_revenue_minor),
        )
        postings.extend(
            PostingDraft(
                role, amount, line.line_id, line.product_code, line.service_start_on, line.service_end_on
            )
            for role, amount in sources
        )
    postings.extend(PostingDraft(Role.VAT, tax.amount_minor, tax_rate=tax.tax_rate) for tax in taxes)
    postings.append(PostingDraft(Role.RECEIVABLE, -offset_minor))
    postings.append(PostingDraft(Role.REFUNDS_PAYABLE, -refund_minor))
    postings.append(PostingDraft(Role.CUSTOMER_CREDIT, -credit_minor))
    left = tuple(posting for posting in postings if posting.amount_minor)
    return EntryDraft("issue", left) if left else None


def payment_receipt(amount_minor: int, role: Role, detail: str = "") -> EntryDraft:
    """[2a, 8a] Money has arrived at the bank or the gateway (role); it is unapplied cash until it is
    allocated.
    """
    _require_money_role(role)
    return _transfer(
        "succeed", amount_minor, PostingDraft(role, 0, detail=detail), PostingDraft(Role.UNAPPLIED_CASH, 0)
    )


def allocation(amount_minor: int) -> EntryDraft:
    """[2b, 8b] Unapplied cash settles a receivable."""
    return _transfer(
        "apply", amount_minor, PostingDraft(Role.UNAPPLIED_CASH, 0), PostingDraft(Role.RECEIVABLE, 0)
    )


def allocation_reversal(amount_minor: int) -> EntryDraft:
    """[9e] The allocation is taken back: the invoice is open again."""
    return _transfer(
        "reverse", amount_minor, PostingDraft(Role.RECEIVABLE, 0), PostingDraft(Role.UNAPPLIED_CASH, 0)
    )


def recognize_fee(
    amount_minor: int,
    *,
    month: str,
    line_id: str = "",
    product_code: str = "",
    service_start_on: date | None = None,
    service_end_on: date | None = None,
) -> EntryDraft:
    """[3, 5b] The slice of a fee delivered in a month ("2023-11") becomes revenue. Negative takes it back."""
    deferred = PostingDraft(
        Role.DEFERRED, amount_minor, line_id, product_code, service_start_on, service_end_on
    )
    return _recognize(month, deferred, Role.SUBSCRIPTION_REVENUE)


def accrue_usage(
    amount_minor: int,
    *,
    month: str,
    line_id: str = "",
    product_code: str = "",
    service_start_on: date | None = None,
    service_end_on: date | None = None,
) -> EntryDraft:
    """[4] Usage delivered in a month ("2023-11") and not yet invoiced becomes revenue, net of tax."""
    unbilled = PostingDraft(
        Role.UNBILLED, amount_minor, line_id, product_code, service_start_on, service_end_on
    )
    return _recognize(month, unbilled, Role.USAGE_REVENUE)


def refund(amount_minor: int, role: Role, detail: str = "") -> EntryDraft:
    """[6d] The gateway or the bank (role) has paid a refund out."""
    _require_money_role(role)
    return _transfer(
        "succeed", amount_minor, PostingDraft(Role.REFUNDS_PAYABLE, 0), PostingDraft(role, 0, detail=detail)
    )


def _issue_postings(lines: Sequence[IssuedLine], taxes: Sequence[IssuedTax]) -> tuple[PostingDraft, ...]:
    total_minor = sum(line.amount_minor for line in lines) + sum(tax.amount_minor for tax in taxes)
    postings = [PostingDraft(Role.RECEIVABLE, total_minor)]
    for line in lines:
        role = Role.DEFERRED if line.timing is Timing.IN_ADVANCE else Role.UNBILLED
        postings.append(
            PostingDraft(
                role,
                -line.amount_minor,
                line.line_id,
                line.product_code,
                line.service_start_on,
                line.service_end_on,
            )
        )
    postings.extend(PostingDraft(Role.VAT, -tax.amount_minor, tax_rate=tax.tax_rate) for tax in taxes)
    return tuple(posting for posting in postings if posting.amount_minor)


def _recognize(month: str, debit: PostingDraft, revenue: Role) -> EntryDraft:
    credit = replace(debit, role=revenue, amount_minor=-debit.amount_minor)
    return EntryDraft(f"recognize {month}", (debit, credit))


def _transfer(purpose: str, amount_minor: int, debit: PostingDraft, credit: PostingDraft) -> EntryDraft:
    """Debit one account and credit another with a positive amount."""
    if amount_minor <= 0:
        raise InvalidInput("the amount is above zero", field="amount")
    return EntryDraft(
        purpose, (replace(debit, amount_minor=amount_minor), replace(credit, amount_minor=-amount_minor))
    )


def _require_money_role(role: Role) -> None:
    if role not in (Role.BANK, Role.GATEWAY_CLEARING):
        raise InvalidInput("money arrives at the bank or at gateway clearing", field="role")


def _require_not_negative(*amounts_minor: int) -> None:
    if any(amount_minor < 0 for amount_minor in amounts_minor):
        raise InvalidInput("the parts of a credit note are not negative", field="amount")
