"""Turning invoiced fees and used service into revenue, in the month of the service."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Q, QuerySet

from billing.activity import services as activity
from billing.core.billing_moments import service_period
from billing.core.errors import BillingError, InvalidInput, Kind
from billing.core.events import EventName
from billing.core.periods import Period
from billing.core.postings import accrue_usage, recognize_fee
from billing.core.revenue import slices
from billing.ledger import selectors as ledger_selectors
from billing.ledger import services as ledger
from billing.platform.actors import Actor
from billing.platform.lookup import get_or_not_found
from billing.revenue.inputs import metered_items, usage_of_items, value_of_usage_minor
from billing.revenue.models import (
    ForgivenUsage,
    LateUsageDecision,
    RevenueSchedule,
    RevenueSlice,
    UsageAccrual,
)
from billing.revenue.selectors import accrued_minor, due_slices, forgiven_minor
from billing.subscriptions.models import BilledPeriod, BilledReason, Subscription, SubscriptionItem
from billing.subscriptions.selectors import terms_of
from billing.usage.selectors import receipt_cutoff
from customers.models import Customer, LegalEntity

CHUNK = 100
"""Slices released in one transaction, which holds their customers."""

ZONES_APART_MAX = timedelta(days=1)
"""More than any two time zones differ: by this much a month is searched wider than its own days."""


class DayNotOver(BillingError):
    """Revenue follows delivery: the last day to recognize has to be over."""

    code = "day_not_over"
    kind = Kind.CONFLICT


@dataclass(frozen=True, slots=True)
class DeferredLine:
    """An invoice line in advance: what of it is deferred, and over which days it is released."""

    line_id: str
    amount_minor: int
    product_code: str
    start_on: date
    end_on: date


@dataclass(frozen=True, slots=True)
class UsageLine:
    """An invoice line in arrears: what the item costs in total for the service period, all its lines together."""

    item: SubscriptionItem
    period: Period
    invoiced_minor: int


@dataclass(frozen=True, slots=True)
class CreditedSchedule:
    """What a credited line still was: not delivered, or revenue already. Minor units."""

    line_id: str
    deferred_minor: int
    recognized_minor: int


@dataclass(frozen=True, slots=True)
class RecognitionResult:
    """How many slices and accruals became revenue, and their sums in minor units."""

    slices: int
    slices_minor: int
    accruals: int
    accruals_minor: int


def defer_lines(
    *,
    lines: Iterable[DeferredLine],
    invoice_id: str,
    legal_entity: LegalEntity,
    customer: Customer,
    currency: str,
    at: datetime,
) -> None:
    """Make a schedule for each line in advance, in the transaction that finalizes its invoice."""
    for line in lines:
        if line.amount_minor == 0:
            continue
        schedule = RevenueSchedule.objects.create(
            line_id=line.line_id,
            invoice_id=invoice_id,
            legal_entity=legal_entity,
            customer=customer,
            product_code=line.product_code,
            currency=currency,
            amount_minor=line.amount_minor,
            start_on=line.start_on,
            end_on=line.end_on,
            created_at=at,
        )
        RevenueSlice.objects.bulk_create(
            RevenueSlice(
                schedule=schedule,
                month_on=part.start_on.replace(day=1),
                last_on=part.end_on - timedelta(days=1),
                amount_minor=part.amount_minor,
            )
            for part in slices(line.amount_minor, line.start_on, line.end_on)
        )


def forgive_usage(
    *,
    item: SubscriptionItem,
    period: Period,
    received_until: datetime,
    amount_minor: int,
    invoice_id: str,
    at: datetime,
) -> ForgivenUsage:
    """Note late usage that an invoice does not charge, in the transaction that drafts it. It is no revenue either:
    what was accrued of it is taken back when the invoice is issued.
    """
    return ForgivenUsage.objects.create(
        item=item,
        start_at=period.start,
        end_at=period.end,
        received_until=received_until,
        currency=item.subscription.currency,
        amount_minor=amount_minor,
        invoice_id=invoice_id,
        created_at=at,
    )


@transaction.atomic
def decide_late_usage(
    *, subscription_id: str, decision: str, reason: str, actor: Actor, at: datetime
) -> list[LateUsageDecision]:
    """Bill, or let go, all late usage of a subscription whose plan asks, as far as it was received until now.

    Periods billed so far get a decision each; the next invoice follows it. Locks: customer, then subscription.
    Emits late_usage.decided. Raises NotFound, InvalidInput.
    """
    _lock_customers(Customer.objects.filter(subscriptions__public_id=subscription_id))
    subscription = get_or_not_found(
        Subscription.objects.select_for_update(of=("self",)).select_related("customer"),
        kind="subscription",
        public_id=subscription_id,
    )
    if decision not in (LateUsageDecision.BILL, LateUsageDecision.FORGIVE):
        raise InvalidInput("A decision is bill or forgive.", field="decision")
    if not reason.strip() or len(reason) > 500:
        raise InvalidInput("A decision says why, in up to 500 characters.", field="reason")
    until = receipt_cutoff(customer=subscription.customer, at=at)
    billed = BilledPeriod.objects.filter(
        item__subscription=subscription, reason=BilledReason.USAGE, released_at=None, received_until__lt=until
    )
    periods = sorted({(row.item_id, row.start_at) for row in billed})
    made = [
        LateUsageDecision.objects.create(
            item_id=item_id,
            start_at=start_at,
            received_until=until,
            decision=decision,
            reason=reason.strip(),
            decided_at=at,
            actor_kind=actor.kind.value,
            actor_id=actor.public_id,
            actor_label=actor.label,
        )
        for item_id, start_at in periods
        if not LateUsageDecision.objects.filter(
            item_id=item_id, start_at=start_at, received_until=until
        ).exists()
    ]
    if made:
        activity.record(
            name=EventName.LATE_USAGE_DECIDED,
            object_kind="subscription",
            object_id=subscription.public_id,
            customer_id=subscription.customer.public_id,
            data={"decision": decision, "reason": reason.strip(), "periods": len(made)},
            actor=actor,
            at=at,
        )
    return made


def accrue_invoiced_usage(*, lines: Sequence[UsageLine], actor: Actor, at: datetime) -> None:
    """Accrue what an invoice bills and no accrual run has met yet, in the transaction that finalizes it.

    Each month of the service period gets its own part, dated the last day of service in it; if that is closed, the
    first day of the next open one, as late.
    """
    for line in lines:
        last_on = line.period.last_on(ZoneInfo(line.item.subscription.time_zone))
        if _accrued(line) < line.invoiced_minor:
            _accrue_earlier_months(line, last_on, actor, at)
        missing_minor = line.invoiced_minor - _accrued(line)
        if missing_minor < 0:
            # More than was invoiced is right for usage that arrived since. What is above even that was accrued when
            # the usage still cost more (a volume price fell, a negative event came) and is taken back.
            missing_minor = min(0, max(line.invoiced_minor, _value(line.item, line.period)) - _accrued(line))
        if missing_minor:
            _accrue(line.item, line.period, missing_minor, last_on, actor, at)


def _accrued(line: UsageLine) -> int:
    return accrued_minor(item_id=line.item.pk, start_at=line.period.start)


def _accrue_earlier_months(line: UsageLine, last_on: date, actor: Actor, at: datetime) -> None:
    """Accrue the months of a service period before its last one; most periods have none."""
    zone = ZoneInfo(line.item.subscription.time_zone)
    month_on = line.period.start_on(zone).replace(day=1)
    while _next_month(month_on) <= last_on:
        used = Period(line.period.start, _month_span(month_on, zone).end)
        missing_minor = _value(line.item, used) - accrued_minor(
            item_id=line.item.pk, start_at=line.period.start, through_month_on=month_on
        )
        if missing_minor:
            counts_on = _next_month(month_on) - timedelta(days=1)
            _accrue(line.item, line.period, missing_minor, counts_on, actor, at)
        month_on = _next_month(month_on)


def _value(item: SubscriptionItem, used: Period) -> int:
    """What an item's usage of a time costs, as far as it has been received."""
    whole = service_period(terms_of(item.subscription), used.start).whole
    found = usage_of_items(
        customer=item.subscription.customer, items=[item], period=used, received_until=None, whole=whole
    )
    gone = forgiven_minor(item_id=item.pk, start_at=used.start, end_at=used.end)
    return value_of_usage_minor(item, found[item.pk]) - gone


def _accrue(
    item: SubscriptionItem, period: Period, amount_minor: int, counts_on: date, actor: Actor, at: datetime
) -> UsageAccrual:
    """Post one accrual for usage that counts on a day."""
    subscription = item.subscription
    accounting_on, is_late = ledger.open_day(
        legal_entity=subscription.legal_entity, on=counts_on, source_type="usage_accrual"
    )
    accrual = UsageAccrual(
        item=item,
        customer=subscription.customer,
        legal_entity=subscription.legal_entity,
        start_at=period.start,
        end_at=period.end,
        month_on=counts_on.replace(day=1),
        currency=subscription.currency,
        amount_minor=amount_minor,
        created_at=at,
    )
    zone = ZoneInfo(subscription.time_zone)
    accrual.entry = ledger.post_entry(
        draft=accrue_usage(
            amount_minor,
            month=f"{counts_on:%Y-%m}",
            line_id=item.public_id,
            product_code=subscription.plan_version.plan.product.code,
            service_start_on=period.start_on(zone),
            service_end_on=period.last_on(zone),
        ),
        legal_entity=subscription.legal_entity,
        customer=subscription.customer,
        currency=subscription.currency,
        accounting_on=accounting_on,
        source_type="usage_accrual",
        source_id=accrual.public_id,
        actor=actor,
        is_late=is_late,
    )
    accrual.save()
    activity.record(
        name=EventName.USAGE_ACCRUED,
        object_kind="usage_accrual",
        object_id=accrual.public_id,
        customer_id=subscription.customer.public_id,
        actor=actor,
        at=at,
        data={"item": item.public_id, "amount_minor": amount_minor, "month": f"{counts_on:%Y-%m}"},
    )
    return accrual


def recognize_revenue(
    *, legal_entity: LegalEntity, as_of: date, actor: Actor, at: datetime, customer: Customer | None = None
) -> RecognitionResult:
    """Release every fee slice delivered by the end of `as_of`, and accrue the usage of every month that ends by then.

    Runs in small transactions and may be repeated: a slice is released once, and usage is accrued up to what it
    costs, so that a second run finds nothing left. `as_of` is over in the seller's zone at `at`: what is not delivered
    is not revenue. Raises DayNotOver, and PeriodClosed if no open period follows.
    """
    if as_of >= at.astimezone(ZoneInfo(legal_entity.time_zone)).date():
        raise DayNotOver(f"{as_of} is not over for {legal_entity}; recognize a day that is.", field="as_of")
    released = [
        amount
        for chunk in _chunks(_slice_ids(legal_entity, as_of, customer))
        for amount in _release_slices(chunk, actor, at)
    ]
    accrued = [
        amount
        for month_on in _months_to_accrue(legal_entity, as_of)
        for subscription_id in _metered_subscriptions(legal_entity, month_on, customer)
        for amount in _accrue_month(subscription_id, month_on, actor, at)
    ]
    return RecognitionResult(len(released), sum(released), len(accrued), sum(accrued))


def _slice_ids(legal_entity: LegalEntity, as_of: date, customer: Customer | None) -> list[int]:
    due = due_slices(legal_entity=legal_entity, as_of=as_of)
    if customer is not None:
        due = due.filter(schedule__customer=customer)
    return list(due.values_list("pk", flat=True))


def _chunks(ids: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]


@transaction.atomic
def _release_slices(slice_ids: list[int], actor: Actor, at: datetime) -> list[int]:
    """Post the release of these slices, those that are still unreleased; returns their amounts.

    Locks: customers, then slices.
    """
    scheduled = RevenueSchedule.objects.filter(slices__in=slice_ids)
    _lock_customers(Customer.objects.filter(pk__in=scheduled.values("customer")))
    due = (
        RevenueSlice.objects.select_for_update(of=("self",))
        .select_related("schedule__legal_entity", "schedule__customer")
        .filter(pk__in=slice_ids, entry=None, canceled_at=None)
        .order_by("pk")
    )
    released = []
    for part in due:
        schedule = part.schedule
        accounting_on, is_late = ledger.open_day(
            legal_entity=schedule.legal_entity, on=part.last_on, source_type="revenue_schedule_line"
        )
        if part.amount_minor:
            part.entry = ledger.post_entry(
                draft=recognize_fee(
                    part.amount_minor,
                    month=f"{part.month_on:%Y-%m}",
                    line_id=schedule.line_id,
                    product_code=schedule.product_code,
                    service_start_on=max(part.month_on, schedule.start_on),
                    service_end_on=part.last_on,
                ),
                legal_entity=schedule.legal_entity,
                customer=schedule.customer,
                currency=schedule.currency,
                accounting_on=accounting_on,
                source_type="revenue_schedule_line",
                source_id=part.public_id,
                actor=actor,
                is_late=is_late,
            )
            part.save(update_fields=["entry"])
        else:
            part.canceled_at = at  # nothing to post: an amount that rounded to zero is done
            part.save(update_fields=["canceled_at"])
        activity.record(
            name=EventName.REVENUE_RECOGNIZED,
            object_kind="revenue_slice",
            object_id=part.public_id,
            customer_id=schedule.customer.public_id,
            actor=actor,
            at=at,
            data={
                "line": schedule.line_id,
                "amount_minor": part.amount_minor,
                "month": f"{part.month_on:%Y-%m}",
            },
        )
        released.append(part.amount_minor)
    return released


def _lock_customers(customers: QuerySet[Customer]) -> None:
    """Lock customers in one statement: whoever finalizes, voids or credits for them waits, or has ended."""
    list(customers.select_for_update(of=("self",)).order_by("pk").values_list("pk"))


def _months_to_accrue(legal_entity: LegalEntity, as_of: date) -> list[date]:
    """First days of the months that end by `as_of` and are not closed, from the first month with service on."""
    first = (
        Subscription.objects.filter(legal_entity=legal_entity)
        .order_by("started_at")
        .values_list("started_at", flat=True)
    ).first()
    if first is None:
        return []
    closed = ledger_selectors.closed_months(legal_entity=legal_entity)
    month_on = (first - ZONES_APART_MAX).date().replace(day=1)
    months = []
    while _next_month(month_on) - timedelta(days=1) <= as_of:
        if month_on not in closed:
            months.append(month_on)
        month_on = _next_month(month_on)
    return months


def _next_month(month_on: date) -> date:
    return (month_on + timedelta(days=32)).replace(day=1)


def _month_span(month_on: date, zone: ZoneInfo) -> Period:
    """A month as instants in the customer's zone, by whose days service is counted, fees and usage alike."""
    return Period(
        datetime.combine(month_on, time.min, zone), datetime.combine(_next_month(month_on), time.min, zone)
    )


def _metered_subscriptions(legal_entity: LegalEntity, month_on: date, customer: Customer | None) -> list[int]:
    span = _month_span(month_on, ZoneInfo("UTC"))
    found = Subscription.objects.filter(
        Q(cancel_at=None) | Q(cancel_at__gt=span.start - ZONES_APART_MAX),
        legal_entity=legal_entity,
        started_at__lt=span.end + ZONES_APART_MAX,
        items__price__meter__isnull=False,
    )
    if customer is not None:
        found = found.filter(customer=customer)
    return list(found.distinct().order_by("pk").values_list("pk", flat=True))


@transaction.atomic
def _accrue_month(subscription_id: int, month_on: date, actor: Actor, at: datetime) -> list[int]:
    """Accrue what a subscription's usage costs by the end of a month and is not accrued yet; returns the amounts.

    Negative where usage costs less than it did: a volume price fell, or a negative event came.
    Locks: customer, then subscription.
    """
    _lock_customers(Customer.objects.filter(subscriptions=subscription_id))
    subscription = (
        Subscription.objects.select_for_update(of=("self",))
        .select_related("customer", "legal_entity", "plan_version__plan__product")
        .get(pk=subscription_id)
    )
    items = metered_items(
        list(subscription.items.select_related("price__meter", "price__plan_version").order_by("pk"))
    )
    for item in items:
        item.subscription = subscription
    span = _month_span(month_on, ZoneInfo(subscription.time_zone))
    counts_on = _next_month(month_on) - timedelta(days=1)
    amounts = []
    for period in _service_periods(subscription, span):
        used = Period(period.start, min(period.end, span.end))
        whole = service_period(terms_of(subscription), period.start).whole
        found = usage_of_items(
            customer=subscription.customer, items=items, period=used, received_until=None, whole=whole
        )
        for item in items:
            gone = forgiven_minor(item_id=item.pk, start_at=used.start, end_at=used.end)
            missing_minor = (
                value_of_usage_minor(item, found[item.pk])
                - gone
                - accrued_minor(item_id=item.pk, start_at=period.start, through_month_on=month_on)
            )
            if missing_minor:
                _accrue(item, period, missing_minor, counts_on, actor, at)
                amounts.append(missing_minor)
    return amounts


def _service_periods(subscription: Subscription, span: Period) -> Iterator[Period]:
    """The service periods of a subscription that overlap a span, in order."""
    terms = terms_of(subscription)
    at = max(span.start, subscription.started_at)
    end = span.end if subscription.cancel_at is None else min(span.end, subscription.cancel_at)
    while at < end:
        service = service_period(terms, at).service
        yield service
        at = service.end


def take_back_schedules(
    *, invoice_id: str, actor: Actor, at: datetime, accounting_on: date | None = None
) -> None:
    """Undo the schedules of an invoice that is canceled or voided: unreleased slices go, released ones are reversed.

    accounting_on: the day on which that counts; None for the day of each release, as if it had never been. A day in
    a closed period moves to the first open one, as late.
    """
    for part in _slices_of(invoice_id):
        if part.entry is None:
            _cancel(part, at)
        else:
            accounting_on_day, is_late = ledger.open_day(
                legal_entity=part.entry.legal_entity,
                on=accounting_on or part.entry.accounting_on,
                source_type="revenue_schedule_line",
            )
            part.reversal_entry = ledger.reverse_entry(
                entry=part.entry,
                accounting_on=accounting_on_day,
                source_type="revenue_schedule_line",
                source_id=part.public_id,
                actor=actor,
                is_late=is_late,
            )
            part.save(update_fields=["reversal_entry"])


def credit_schedules(*, invoice_id: str, at: datetime) -> list[CreditedSchedule]:
    """Take the schedules of a credited invoice apart: what was deferred is canceled, what was revenue is told."""
    credited: dict[str, list[int]] = {}
    for part in _slices_of(invoice_id):
        amounts = credited.setdefault(part.schedule.line_id, [0, 0])
        if part.entry is None:
            amounts[0] += part.amount_minor
            _cancel(part, at)
        else:
            amounts[1] += part.amount_minor
    return [CreditedSchedule(line_id, deferred, revenue) for line_id, (deferred, revenue) in credited.items()]


def _slices_of(invoice_id: str) -> list[RevenueSlice]:
    return list(
        RevenueSlice.objects.select_for_update(of=("self",))
        .select_related("schedule", "entry__legal_entity")
        .filter(schedule__invoice_id=invoice_id, canceled_at=None, reversal_entry=None)
        .order_by("pk")
    )


def _cancel(part: RevenueSlice, at: datetime) -> None:
    part.canceled_at = at
    part.save(update_fields=["canceled_at"])
