"""Questions about the books: trial balance, balances of a customer, journal export, what breaks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from django.db.models import Count, F, Max, OuterRef, Q, QuerySet, RowRange, Subquery, Sum, Window

from billing.activity.models import Activity
from billing.activity.selectors import activity_of
from billing.core.events import EventName
from billing.core.lifecycles import PeriodStatus
from billing.core.money import format_major
from billing.core.postings import ROLE_NAMES, Role
from billing.ledger.models import Account, AccountingPeriod, JournalEntry, Posting
from billing.platform.spreadsheets import safe_text
from customers.models import Customer, LegalEntity

JOURNAL_COLUMNS = (
    "entry",
    "accounting_on",
    "source_type",
    "source_id",
    "purpose",
    "reference",
    "is_late",
    "posted_at",
    "gl_code",
    "role",
    "account",
    "detail",
    "currency",
    "amount",
    "accounting_currency",
    "accounting_amount",
    "exchange_rate",
    "customer",
    "customer_name",
    "line",
    "product",
    "service_start_on",
    "service_end_on",
    "tax_rate",
)


@dataclass(frozen=True, slots=True)
class TrialBalanceRow:
    """One role's balance in accounting currency, minor units, debit positive; gl_codes: of its accounts, in order."""

    role: str
    name: str
    balance_minor: int
    gl_codes: tuple[str, ...] = ()

    @property
    def debit_minor(self) -> int:
        return max(self.balance_minor, 0)

    @property
    def credit_minor(self) -> int:
        return max(-self.balance_minor, 0)


def trial_balance(*, legal_entity: LegalEntity, as_of: date) -> list[TrialBalanceRow]:
    """The balance of every role with postings, as of the end of a day, by role code; the rows sum to zero."""
    sums = (
        Posting.objects.filter(legal_entity=legal_entity, entry__accounting_on__lte=as_of)
        .values(role=F("account__role"))
        .annotate(balance=Sum("accounting_amount_minor"))
        .order_by("role")
    )
    codes: dict[str, list[str]] = {}
    accounts = Account.objects.filter(legal_entity=legal_entity).order_by("role", "gl_code")
    for role, code in accounts.values_list("role", "gl_code").distinct():
        codes.setdefault(role, []).append(code)
    return [
        TrialBalanceRow(
            row["role"],
            ROLE_NAMES[Role(row["role"])],
            int(row["balance"]),
            tuple(codes.get(row["role"], ())),
        )
        for row in sums
    ]


def balance_minor(
    *, legal_entity: LegalEntity, role: Role, as_of: date | None = None, customer: Customer | None = None
) -> int:
    """The balance of one role, in minor units of the accounting currency, debit positive."""
    postings = Posting.objects.filter(legal_entity=legal_entity, account__role=role.value)
    if as_of is not None:
        postings = postings.filter(entry__accounting_on__lte=as_of)
    if customer is not None:
        postings = postings.filter(customer=customer)
    return int(postings.aggregate(balance=Sum("accounting_amount_minor"))["balance"] or 0)


def closed_months(*, legal_entity: LegalEntity) -> set[date]:
    """First days of the months that are closed for good."""
    closed = AccountingPeriod.objects.filter(legal_entity=legal_entity, status=PeriodStatus.CLOSED)
    return set(closed.values_list("start_on", flat=True))


def closed_until(*, legal_entity: LegalEntity) -> date | None:
    """The first day after the last closed period: nothing is dated before it any more. None if none is closed."""
    closed = AccountingPeriod.objects.filter(legal_entity=legal_entity, status=PeriodStatus.CLOSED)
    last: date | None = closed.aggregate(last=Max("end_on"))["last"]
    return last


def recent_periods(*, legal_entity: LegalEntity, until: date, limit: int) -> list[AccountingPeriod]:
    """The last accounting periods that had begun by a day, newest first."""
    begun = AccountingPeriod.objects.filter(legal_entity=legal_entity, start_on__lte=until)
    return list(begun.order_by("-start_on")[:limit])


def accounting_day(*, source_type: str, purpose: str) -> Subquery:
    """For a query over facts of one kind: the day their entry of a purpose is dated, null while there is none."""
    entries = JournalEntry.objects.filter(
        source_type=source_type, source_id=OuterRef("public_id"), purpose=purpose
    )
    return Subquery(entries.values("accounting_on")[:1])


def entries_about(*, source_ids: Sequence[str]) -> list[JournalEntry]:
    """The entries of several facts, oldest first, each with its debit in `debit_minor` (minor units)."""
    debits = Sum("postings__amount_minor", filter=Q(postings__amount_minor__gt=0))
    return list(
        JournalEntry.objects.filter(source_id__in=source_ids).annotate(debit_minor=debits).order_by("pk")
    )


def sources_booked(
    *, legal_entity: LegalEntity, source_type: str, start_on: date, end_on: date
) -> QuerySet[JournalEntry, str]:
    """Public ids of the facts of one kind with an entry dated in [start_on, end_on)."""
    entries = JournalEntry.objects.filter(
        legal_entity=legal_entity,
        source_type=source_type,
        accounting_on__gte=start_on,
        accounting_on__lt=end_on,
    )
    return entries.values_list("source_id", flat=True)


def journal_rows(*, legal_entity: LegalEntity, start_on: date, end_on: date) -> Iterator[tuple[str, ...]]:
    """The postings dated in [start_on, end_on) as rows of JOURNAL_COLUMNS, in order of entry; amounts as decimals."""
    postings = (
        Posting.objects.filter(
            legal_entity=legal_entity, entry__accounting_on__gte=start_on, entry__accounting_on__lt=end_on
        )
        .select_related("entry", "account", "customer")
        .order_by("entry__accounting_on", "entry_id", "pk")
    )
    for posting in postings.iterator(chunk_size=2000):
        entry, account = posting.entry, posting.account
        yield (
            entry.public_id,
            entry.accounting_on.isoformat(),
            entry.source_type,
            entry.source_id,
            entry.purpose,
            safe_text(entry.reference),
            "late" if entry.is_late else "",
            entry.posted_at.isoformat(timespec="seconds"),
            account.gl_code,
            account.role,
            ROLE_NAMES[Role(account.role)],
            account.detail,
            posting.currency,
            format_major(posting.amount_minor, posting.currency),
            entry.accounting_currency,
            format_major(posting.accounting_amount_minor, entry.accounting_currency),
            f"{entry.exchange_rate.normalize():f}",
            posting.customer.public_id if posting.customer else "",
            safe_text(posting.customer.name) if posting.customer else "",
            posting.line_id,
            posting.product_code,
            posting.service_start_on.isoformat() if posting.service_start_on else "",
            posting.service_end_on.isoformat() if posting.service_end_on else "",
            posting.tax_rate,
        )


@dataclass(frozen=True, slots=True)
class EffectRow:
    """What a role gains in debit and credit, in minor units of one accounting currency; both are positive."""

    role: str
    currency: str
    debit_minor: int
    credit_minor: int


def last_entry_pk() -> int:
    """A mark in the journal, for effect_since."""
    return JournalEntry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def effect_since(*, entry_pk: int, actor_id: str) -> list[EffectRow]:
    """What an actor has posted since a mark, by role and currency."""
    postings = Posting.objects.filter(entry_id__gt=entry_pk, entry__actor_id=actor_id)
    debit = Sum("accounting_amount_minor", filter=Q(accounting_amount_minor__gt=0))
    credit = Sum("accounting_amount_minor", filter=Q(accounting_amount_minor__lt=0))
    rows = (
        postings.order_by("account__role", "entry__accounting_currency")
        .values(role=F("account__role"), books=F("entry__accounting_currency"))
        .annotate(debit=debit, credit=credit)
    )
    return [
        EffectRow(row["role"], row["books"], int(row["debit"] or 0), -int(row["credit"] or 0)) for row in rows
    ]


@dataclass(frozen=True, slots=True)
class AccountRow:
    """One posting on an account's page: its entry, its side, and the balance after it, in minor units."""

    posting: Posting
    debit_minor: int
    credit_minor: int
    balance_minor: int


@dataclass(frozen=True, slots=True)
class AccountStatement:
    """A role's postings of some days in accounting currency: what stood before, each posting, what stands after.

    rows are one page of `count` postings; opening, debit, credit and closing cover all of them.
    """

    opening_minor: int
    rows: list[AccountRow]
    debit_minor: int
    credit_minor: int
    closing_minor: int
    count: int


def account_statement(
    *,
    legal_entity: LegalEntity,
    role: Role,
    start_on: date | None,
    as_of: date,
    customer: Customer | None = None,
    limit: int = 100,
    offset: int = 0,
) -> AccountStatement:
    """The postings of a role in [start_on, as_of], oldest first: `limit` of them from `offset` on.

    start_on: None for all since the beginning. customer: only their postings, and their balances. The balance after a
    posting counts all before it, those of earlier pages too.
    """
    postings = Posting.objects.filter(
        legal_entity=legal_entity, account__role=role.value, entry__accounting_on__lte=as_of
    )
    if customer is not None:
        postings = postings.filter(customer=customer)
    opening = 0
    if start_on is not None:
        before = postings.filter(entry__accounting_on__lt=start_on)
        opening = int(before.aggregate(balance=Sum("accounting_amount_minor"))["balance"] or 0)
        postings = postings.filter(entry__accounting_on__gte=start_on)
    amount = "accounting_amount_minor"
    sums = postings.aggregate(
        debit=Sum(amount, filter=Q(accounting_amount_minor__gt=0)),
        credit=Sum(amount, filter=Q(accounting_amount_minor__lt=0)),
        count=Count("pk"),
    )
    debit, credit = int(sums["debit"] or 0), -int(sums["credit"] or 0)
    order = [F("entry__accounting_on"), F("entry_id"), F("pk")]
    found = (
        postings.select_related("entry", "customer")
        .annotate(running=Window(Sum(amount), order_by=order, frame=RowRange(end=0)))
        .order_by("entry__accounting_on", "entry_id", "pk")[offset : offset + limit]
    )
    rows = [
        AccountRow(
            posting,
            max(posting.accounting_amount_minor, 0),
            max(-posting.accounting_amount_minor, 0),
            opening + int(posting.running),
        )
        for posting in found
    ]
    return AccountStatement(opening, rows, debit, credit, opening + debit - credit, sums["count"])


def last_export_of(*, period: AccountingPeriod) -> Activity | None:
    """Who exported the journal of a month last, and when; None if nobody has."""
    exports = activity_of(object_id=period.public_id).filter(name=EventName.JOURNAL_EXPORTED.value)
    return exports.first()
