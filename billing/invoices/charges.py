"""What is to be charged at a billing moment: rows turned into the plain charges that the calculation takes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from billing.catalog import selectors as catalog
from billing.core.billing_moments import BillingMoment, ServicePeriod, service_period
from billing.core.invoice import (
    Charge,
    ChargeKind,
    InvoiceInput,
    InvoiceResult,
    NegativeTotal,
    Timing,
    calculate,
)
from billing.core.late_usage import LateUsagePolicy, is_forgiven
from billing.core.periods import Period
from billing.core.proration import ProrationPolicy, Share, share_of
from billing.revenue.inputs import GroupUsage, billable, metered_items, usage_of_items, usage_value_minor
from billing.revenue.models import LateUsageDecision
from billing.revenue.selectors import decision_after
from billing.subscriptions.models import BilledPeriod, BilledReason, Subscription, SubscriptionItem
from billing.subscriptions.selectors import billed_periods, terms_of
from billing.usage import selectors as usage

DESCRIPTION_MAX = 300
"""Characters of a line's text."""

LATE_PERIODS_MAX = 36
"""How many billed periods of an item are searched for usage that arrived late."""


@dataclass(frozen=True, slots=True)
class DueCharge:
    """A charge, the item it belongs to, and the rectangle of service and receipt time that it bills.

    bills_rectangle: of the lines of a meter's groups, which are billed together, the first one stands for all.
    forgiven_minor: late usage that is let go instead of charged, in minor units; it takes its rectangle and no line.
    """

    charge: Charge
    item: SubscriptionItem
    reason: BilledReason
    received_after: datetime | None
    received_until: datetime | None
    bills_rectangle: bool = True
    forgiven_minor: int | None = None


def due_charges(*, subscription: Subscription, moment: BillingMoment, cutoff: datetime) -> list[DueCharge]:
    """Everything due at a moment and not billed yet: usage of the period that ended, late usage of earlier ones,
    fees of the period that starts. In the order of the plan's prices, late usage after the usage of its item.
    """
    items = list(
        subscription.items.select_related("price__meter", "price__plan_version__plan__product").order_by(
            "price__position"
        )
    )
    for item in items:
        item.subscription = subscription
    usage_charges = _usage_charges(subscription, metered_items(items), moment, cutoff)
    charges: list[DueCharge] = []
    for item in items:
        if item.price.meter_id is not None:
            charges.extend(usage_charges.get(item.pk, []))
    fees = [item for item in items if item.price.meter_id is None]
    if moment.starting is not None:
        charges.extend(_fee_charges(subscription, fees, moment.starting))
    return charges


def _fee_charges(
    subscription: Subscription, items: Sequence[SubscriptionItem], due: ServicePeriod
) -> list[DueCharge]:
    """Fees in advance; those of a stub are prorated in the customer's calendar as the plan version says."""
    billed = billed_periods(item_ids=[item.pk for item in items], reason=BilledReason.RECURRING)
    policy = ProrationPolicy(subscription.plan_version.proration)
    # A start in the course of the first day counts that day in full, so a stub may have no share of its own.
    share = share_of(policy, due.service, due.whole, ZoneInfo(subscription.time_zone))
    charges = []
    for item in items:
        if any(_overlaps(period, due.service) for period in billed[item.pk]):
            continue
        charge = _charge(item, ChargeKind.RECURRING, item.quantity, due.service, share=share)
        charges.append(DueCharge(charge, item, BilledReason.RECURRING, None, None))
    return charges


def _overlaps(billed: BilledPeriod, period: Period) -> bool:
    return billed.start_at < period.end and billed.end_at > period.start


def _usage_charges(
    subscription: Subscription, items: Sequence[SubscriptionItem], moment: BillingMoment, cutoff: datetime
) -> dict[int, list[DueCharge]]:
    """Usage of the ended period and late usage of it and of earlier ones, by item id."""
    if not items or moment.ended is None:
        return {}
    ended = moment.ended
    billed = billed_periods(item_ids=[item.pk for item in items], reason=BilledReason.USAGE)
    charges: dict[int, list[DueCharge]] = {}
    for item in items:
        charges[item.pk] = [
            *_fresh_charges(subscription, item, ended, billed[item.pk], cutoff),
            *_late_charges(subscription, item, billed[item.pk], cutoff),
        ]
    return charges


def _fresh_charges(
    subscription: Subscription,
    item: SubscriptionItem,
    ended: ServicePeriod,
    billed: Sequence[BilledPeriod],
    cutoff: datetime,
) -> list[DueCharge]:
    """The first bill of a period: everything received until the cut-off.

    If the first bill was taken back while a later one over late usage stands, it is everything before that.
    """
    gaps = receipt_gaps([row for row in billed if _overlaps(row, ended.service)], until=cutoff)
    if not gaps or gaps[0][0] is not None:
        return []
    until = gaps[0][1]
    used = _used(subscription, item, ended.service, ended.whole, until)
    charges = [
        _charge(item, ChargeKind.USAGE, quantity, ended.service, cutoff=until, group=group)
        for group, quantity in used.items()
    ]
    return [
        DueCharge(charge, item, BilledReason.USAGE, None, until, place == 0)
        for place, charge in enumerate(charges)
    ]


Group = tuple[tuple[str, str | None], ...]


def _used(
    subscription: Subscription, item: SubscriptionItem, period: Period, whole: Period, until: datetime
) -> dict[Group, Decimal]:
    """The units to price of each group of an item's meter, as received until an instant.

    Less than nothing has no price and counts as nothing. A meter with groups and no usage has one empty line.
    """
    found: Sequence[GroupUsage] = usage_of_items(
        customer=subscription.customer, items=[item], period=period, received_until=until, whole=whole
    )[item.pk]
    return {one.group: billable(one.quantity) for one in found} or {(): Decimal(0)}


def receipt_gaps(
    billed: Sequence[BilledPeriod], *, until: datetime
) -> list[tuple[datetime | None, datetime]]:
    """The ranges of receipt (after, until] that the bills of a period leave open, in order.

    The first may begin with None, from the beginning; the last ends with `until`.
    """
    gaps: list[tuple[datetime | None, datetime]] = []
    reached: datetime | None = None
    for row in sorted(
        billed, key=lambda row: (row.received_after is not None, row.received_after or row.start_at)
    ):
        if row.received_after is not None and row.received_after != reached:
            gaps.append((reached, row.received_after))
        reached = row.received_until
    if reached is None or reached < until:
        gaps.append((reached, until))
    return gaps


Gap = tuple[Period, datetime, datetime, str]
"""A billed period, the receipts (after, until] that none of its bills holds, and the invoice that billed it last."""


def _late_gaps(
    subscription: Subscription, item: SubscriptionItem, billed: Sequence[BilledPeriod], cutoff: datetime
) -> list[Gap]:
    """Where usage of billed periods was received or corrected outside the ranges of their bills; empty if none was."""
    periods: dict[tuple[datetime, datetime], list[BilledPeriod]] = {}
    for row in billed:
        periods.setdefault((row.start_at, row.end_at), []).append(row)
    gaps = [
        (Period(*bounds), after, until, _billed_by(rows, after))
        for bounds, rows in sorted(periods.items())[-LATE_PERIODS_MAX:]
        for after, until in receipt_gaps(rows, until=cutoff)
        if after is not None
    ]
    if not gaps or not usage.has_events_received_after(
        customer=subscription.customer,
        start_at=min(period.start for period, *_ in gaps),
        end_at=max(period.end for period, *_ in gaps),
        received_after=min(after for _, after, *_ in gaps),
    ):
        return []
    return gaps


def _late_charges(
    subscription: Subscription, item: SubscriptionItem, billed: Sequence[BilledPeriod], cutoff: datetime
) -> list[DueCharge]:
    """Usage of billed periods that was found since, as the plan's policy for it says."""
    gaps = _late_gaps(subscription, item, billed, cutoff)
    return [charge for gap in gaps for charge in _as_policy_says(subscription, item, gap)]


def _as_policy_says(subscription: Subscription, item: SubscriptionItem, gap: Gap) -> list[DueCharge]:
    """The charges of a gap, one entry that lets them go, or nothing before somebody has decided."""
    period, after, until, corrects = gap
    policy = LateUsagePolicy(subscription.plan_version.late_usage)
    is_let_go = False
    if policy is LateUsagePolicy.ASK:
        decision = decision_after(item_id=item.pk, start_at=period.start, after=after)
        if decision is None:
            return []
        until = min(until, decision.received_until)
        is_let_go = decision.decision == LateUsageDecision.FORGIVE
    charges = _difference(subscription, item, (period, after, until, corrects))
    amount_minor = sum(_late_minor(item, entry.charge) for entry in charges)
    up_to_minor = subscription.plan_version.late_usage_up_to_minor
    if amount_minor and (is_let_go or is_forgiven(policy, amount_minor, up_to_minor)):
        return [replace(charges[0], forgiven_minor=amount_minor)]
    return charges


def _difference(subscription: Subscription, item: SubscriptionItem, gap: Gap) -> list[DueCharge]:
    """What was received or corrected in a gap changes the units of its period by; a line per group."""
    period, after, until, corrects = gap
    whole = _whole_of(subscription, period)
    before = _used(subscription, item, period, whole, after)
    now = _used(subscription, item, period, whole, until)
    charges: list[DueCharge] = []
    for group in sorted({*before, *now}, key=str):
        already, quantity = before.get(group, Decimal(0)), now.get(group, Decimal(0))
        if quantity == already:
            continue
        charge = _charge(
            item,
            ChargeKind.LATE_USAGE,
            quantity - already,
            period,
            cutoff=until,
            received_after=after,
            quantity_before=already,
            group=group,
            corrects=corrects,
        )
        charges.append(DueCharge(charge, item, BilledReason.USAGE, after, until, not charges))
    return charges


def late_usage_waiting(*, subscription: Subscription, cutoff: datetime) -> list[tuple[DueCharge, int]]:
    """Late usage of a plan that asks, about which nobody has decided yet: each line, and its amount in minor units."""
    if subscription.plan_version.late_usage != LateUsagePolicy.ASK:
        return []
    rows = subscription.items.select_related("price__meter", "price__plan_version__plan")
    items = metered_items(list(rows.order_by("price__position")))
    billed = billed_periods(item_ids=[item.pk for item in items], reason=BilledReason.USAGE)
    found = []
    for item in items:
        item.subscription = subscription
        for gap in _late_gaps(subscription, item, billed[item.pk], cutoff):
            if decision_after(item_id=item.pk, start_at=gap[0].start, after=gap[1]) is None:
                entries = _difference(subscription, item, gap)
                found += [(entry, _late_minor(item, entry.charge)) for entry in entries]
    return found


def _late_minor(item: SubscriptionItem, charge: Charge) -> int:
    """What a late line costs: the rounded price of everything less that of what was billed."""
    before = charge.quantity_before or Decimal(0)
    return usage_value_minor(item, before + charge.quantity) - usage_value_minor(item, before)


def _billed_by(rows: Sequence[BilledPeriod], after: datetime) -> str:
    """The invoice that billed a period up to an instant of receipt, which what came later corrects."""
    return next(row.invoice_id for row in rows if row.received_until == after)


def calculate_due(
    due: Sequence[DueCharge], given: InvoiceInput
) -> tuple[list[DueCharge], InvoiceResult | None]:
    """The invoice over what is due, and what of it is billed now.

    Where corrections take back more than the invoice charges, they wait for one that is large enough, the newest
    first: they stay due, since nothing marks them as billed. None if nothing is left. Raises as `calculate`.
    """
    left = [entry for entry in due if entry.forgiven_minor is None]
    while left:
        try:
            charges = tuple(entry.charge for entry in left)
            return left, calculate(replace(given, charges=charges))
        except NegativeTotal:
            taken_back = [entry for entry in left if _takes_back(entry)]
            if not taken_back:
                raise
            newest = max(taken_back, key=lambda entry: (entry.charge.period.start, entry.item.pk))
            rectangle = (newest.item.pk, newest.charge.period, newest.received_after)
            left = [
                entry
                for entry in left
                if (entry.item.pk, entry.charge.period, entry.received_after) != rectangle
            ]
    return [], None


def _takes_back(entry: DueCharge) -> bool:
    return entry.charge.kind is ChargeKind.LATE_USAGE and entry.charge.quantity < 0


def _whole_of(subscription: Subscription, period: Period) -> Period:
    """The whole service period that a billed one is, or is a part of."""
    return service_period(terms_of(subscription), period.start).whole


def _charge(
    item: SubscriptionItem,
    kind: ChargeKind,
    quantity: Decimal,
    period: Period,
    *,
    cutoff: datetime | None = None,
    received_after: datetime | None = None,
    corrects: str | None = None,
    quantity_before: Decimal | None = None,
    share: Share | None = None,
    group: Group = (),
) -> Charge:
    price = item.price
    values = ", ".join(f"{name}: {'none' if value is None else value}" for name, value in group)
    return Charge(
        code=price.code,
        description=f"{price.name} ({values})"[:DESCRIPTION_MAX] if values else price.name,
        kind=kind,
        model=catalog.price_model(price),
        price_id=price.public_id,
        price_version=f"{price.plan_version.plan.code} v{price.plan_version.version}",
        quantity=quantity,
        quantity_before=quantity_before,
        unit_code=price.unit_code,
        period=period,
        share=share,
        timing=Timing(price.timing),
        meter_code=price.meter.code if price.meter else None,
        item_id=item.public_id,
        cutoff=cutoff,
        received_after=received_after,
        group=group,
        corrects=corrects,
        plan_code=price.plan_version.plan.code,
    )
