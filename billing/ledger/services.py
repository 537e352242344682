"""The only writers of the books: posting, reversing, opening and closing periods."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from django.db import transaction

from billing.activity import services as activity
from billing.core.errors import BillingError, Kind
from billing.core.events import EventName
from billing.core.lifecycles import PeriodStatus
from billing.core.postings import EntryDraft, PostingDraft, Role, reversed_postings
from billing.ledger import selectors as ledger
from billing.ledger.models import Account, AccountingPeriod, JournalEntry, Posting
from billing.platform.actors import Actor
from billing.platform.clock import now
from customers.models import Customer, LegalEntity

LOOK_AHEAD_MONTHS = 240
"""How many months in a row are skipped when looking for the first open one, before giving up."""

CLOSING_SOURCES = frozenset({"revenue_schedule_line", "usage_accrual", "fx_revaluation"})
"""What a soft-closed period still takes: recognition, accrual and revaluation."""


class PeriodClosed(BillingError):
    """The day lies in an accounting period that takes no more entries."""

    code = "period_closed"
    kind = Kind.CONFLICT


class PeriodNotOpenYet(BillingError):
    """An earlier period is still open; periods close in order."""

    code = "earlier_period_open"
    kind = Kind.CONFLICT


class AlreadyPosted(BillingError):
    """This fact is in the books already (I5)."""

    code = "already_posted"
    kind = Kind.CONFLICT


class ForeignCurrency(BillingError):
    """The document is not in the currency of the legal entity's books."""

    code = "foreign_currency"
    kind = Kind.CONFLICT


def ensure_period(*, legal_entity: LegalEntity, on: date) -> AccountingPeriod:
    """The accounting period (a calendar month) in which a day lies, made if it does not exist yet."""
    start_on = on.replace(day=1)
    end_on = (start_on + timedelta(days=32)).replace(day=1)
    period, _ = AccountingPeriod.objects.get_or_create(
        legal_entity=legal_entity, start_on=start_on, defaults={"end_on": end_on}
    )
    return period


def open_day(*, legal_entity: LegalEntity, on: date, source_type: str) -> tuple[date, bool]:
    """The day to date a fact of `on`: that day if its period takes it, else the first day of the next one that does.

    Returns the day and whether it is late (moved). source_type decides about soft-closed periods. Nothing is dated
    before a closed period either, since that would move its balances (I23).
    Raises PeriodClosed if no open period follows.
    """
    closed_until = ledger.closed_until(legal_entity=legal_entity)
    day = on if closed_until is None else max(on, closed_until)
    for _ in range(LOOK_AHEAD_MONTHS):
        period = ensure_period(legal_entity=legal_entity, on=day)
        if _takes(period, source_type):
            return day, day != on
        day = period.end_on
    raise PeriodClosed(f"{legal_entity} has no open period after {on:%B %Y}.")


def _takes(period: AccountingPeriod, source_type: str) -> bool:
    """Whether a period takes entries of a kind of fact, as far as its own status goes."""
    if period.status == PeriodStatus.SOFT_CLOSED:
        return source_type in CLOSING_SOURCES
    return period.status == PeriodStatus.OPEN


def post_entry(
    *,
    draft: EntryDraft,
    legal_entity: LegalEntity,
    customer: Customer | None,
    currency: str,
    accounting_on: date,
    source_type: str,
    source_id: str,
    actor: Actor,
    reference: str = "",
    is_late: bool = False,
    reverses: JournalEntry | None = None,
) -> JournalEntry:
    """Write one balanced entry in the caller's transaction.

    accounting_on: the day in the legal entity's time zone. (source_type, source_id, draft.purpose) posts once.
    Raises PeriodClosed, AlreadyPosted, ForeignCurrency (documents in another currency than the books need
    exchange rates, which are not kept yet). Locks: number counters before, accounts and period here.
    """
    if currency != legal_entity.accounting_currency:
        raise ForeignCurrency(
            f"{legal_entity} keeps its books in {legal_entity.accounting_currency}, this document is in {currency}."
        )
    period = ensure_period(legal_entity=legal_entity, on=accounting_on)
    closed_until = ledger.closed_until(legal_entity=legal_entity)
    if not _takes(period, source_type) or (closed_until is not None and accounting_on < closed_until):
        raise PeriodClosed(f"{period.start_on:%B %Y} is closed. Date this later or ask to reopen the month.")
    fact = {"source_type": source_type, "source_id": source_id, "purpose": draft.purpose}
    if JournalEntry.objects.filter(**fact).exists():
        raise AlreadyPosted(f"{source_type} {source_id} has its '{draft.purpose}' entry already.")
    entry = JournalEntry.objects.create(
        legal_entity=legal_entity,
        period=period,
        accounting_on=accounting_on,
        currency=currency,
        accounting_currency=legal_entity.accounting_currency,
        reverses=reverses,
        reference=reference,
        is_late=is_late,
        posted_at=now(),
        actor_kind=actor.kind.value,
        actor_id=actor.public_id,
        actor_label=actor.label,
        **fact,
    )
    Posting.objects.bulk_create(_posting(entry, posting, customer) for posting in draft.postings)
    return entry


def reverse_entry(
    *,
    entry: JournalEntry,
    accounting_on: date,
    source_type: str,
    source_id: str,
    actor: Actor,
    is_late: bool = False,
) -> JournalEntry:
    """Take an entry back by its mirror image, dated in an open period; an entry is reversed once (I4)."""
    postings = list(entry.postings.select_related("account", "customer").order_by("pk"))
    drafts = [
        PostingDraft(
            Role(posting.account.role),
            posting.amount_minor,
            posting.line_id,
            posting.product_code,
            posting.service_start_on,
            posting.service_end_on,
            posting.tax_rate,
            posting.account.detail,
        )
        for posting in postings
    ]
    return post_entry(
        draft=EntryDraft("reverse", reversed_postings(drafts)),
        legal_entity=entry.legal_entity,
        customer=postings[0].customer,
        currency=entry.currency,
        accounting_on=accounting_on,
        source_type=source_type,
        source_id=source_id,
        actor=actor,
        reference=entry.reference,
        is_late=is_late,
        reverses=entry,
    )


def _posting(entry: JournalEntry, draft: PostingDraft, customer: Customer | None) -> Posting:
    return Posting(
        entry=entry,
        account=_account(entry.legal_entity, draft.role, entry.currency, draft.detail),
        legal_entity=entry.legal_entity,
        currency=entry.currency,
        amount_minor=draft.amount_minor,
        accounting_amount_minor=draft.amount_minor,
        customer=customer,
        line_id=draft.line_id,
        product_code=draft.product_code,
        service_start_on=draft.service_start_on,
        service_end_on=draft.service_end_on,
        tax_rate=draft.tax_rate,
    )


def _account(legal_entity: LegalEntity, role: Role, currency: str, detail: str) -> Account:
    account, _ = Account.objects.get_or_create(
        legal_entity=legal_entity,
        role=role.value,
        currency=currency,
        detail=detail,
        defaults={"gl_code": f"{role.value}-{detail}" if detail else role.value},
    )
    return account


@transaction.atomic
def soft_close_period(*, period_id: str, actor: Actor, at: datetime) -> AccountingPeriod:
    """Stop documents and payments from being dated in a period; recognition and accrual still may.

    Idempotent. Raises PeriodClosed if it is closed for good. Locks the period. Emits accounting_period.soft_closed.
    """
    period = AccountingPeriod.objects.select_for_update().get(public_id=period_id)
    if period.status == PeriodStatus.CLOSED:
        raise PeriodClosed(f"{period.start_on:%B %Y} is closed already.")
    if period.status == PeriodStatus.OPEN:
        period.status = PeriodStatus.SOFT_CLOSED
        period.save(update_fields=["status"])
        _record(EventName.ACCOUNTING_PERIOD_SOFT_CLOSED, period, actor, at)
    return period


@transaction.atomic
def close_period(*, period_id: str, actor: Actor, at: datetime) -> AccountingPeriod:
    """Close a period for good: nothing is dated in it any more (I23).

    Idempotent. Raises PeriodNotOpenYet if an earlier period with entries is open: months close in order.
    Locks the period; entries being written wait or are seen. Emits accounting_period.closed.
    """
    period = AccountingPeriod.objects.select_for_update().get(public_id=period_id)
    if period.status == PeriodStatus.CLOSED:
        return period
    earlier = (
        AccountingPeriod.objects.filter(legal_entity=period.legal_entity, start_on__lt=period.start_on)
        .exclude(status=PeriodStatus.CLOSED)
        .order_by("start_on")
        .first()
    )
    if earlier is not None and earlier.entries.exists():
        raise PeriodNotOpenYet(f"Close {earlier.start_on:%B %Y} first: months close in order.")
    period.status = PeriodStatus.CLOSED
    period.closed_at = at
    period.save(update_fields=["status", "closed_at"])
    _record(EventName.ACCOUNTING_PERIOD_CLOSED, period, actor, at)
    return period


@transaction.atomic
def record_export(*, legal_entity: LegalEntity, month_on: date, actor: Actor, at: datetime) -> int:
    """Record that somebody took the journal of a month along; returns how many entries are in it.

    Every export is a fact of its own, so doing it again records it again; a month without a period has nothing to
    export, and nothing is recorded. month_on: its first day. Emits journal.exported.
    """
    periods = AccountingPeriod.objects.select_related("legal_entity")
    period = periods.filter(legal_entity=legal_entity, start_on=month_on).first()
    if period is None:
        return 0
    entries = period.entries.count()
    _record(EventName.JOURNAL_EXPORTED, period, actor, at, {"entries": entries})
    return entries


def set_gl_code(*, account_id: int, gl_code: str) -> Account:
    """Map a ledger account to an account number of the firm's general ledger, for the journal export."""
    account = Account.objects.get(pk=account_id)
    account.gl_code = gl_code
    account.save(update_fields=["gl_code"])
    return account


def _record(
    name: EventName,
    period: AccountingPeriod,
    actor: Actor,
    at: datetime,
    data: Mapping[str, object] | None = None,
) -> None:
    activity.record(
        name=name,
        object_kind="accounting_period",
        object_id=period.public_id,
        actor=actor,
        at=at,
        data={
            "legal_entity": period.legal_entity.public_id,
            "start_on": period.start_on.isoformat(),
            **(data or {}),
        },
    )


def entry_of_fact(*, source_type: str, source_id: str, purpose: str) -> JournalEntry | None:
    """The entry of one fact, or None if it posted nothing."""
    return (
        JournalEntry.objects.select_related("legal_entity")
        .filter(source_type=source_type, source_id=source_id, purpose=purpose)
        .first()
    )
