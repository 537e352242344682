"""What is to be charged at a billing moment: rows turned into the plain charges that the calculation takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from billing.catalog import selectors as catalog
from billing.core.billing_moments import BillingMoment, ServicePeriod
from billing.core.invoice import Charge, ChargeKind, Timing
from billing.core.periods import Period
from billing.core.proration import ProrationPolicy, Share, share_of
from billing.core.tax import TaxTreatment, determine
from billing.revenue.inputs import meter_of, metered_items, quantity_of, usage_quantities
from billing.subscriptions.models import BilledPeriod, BilledReason, Subscription, SubscriptionItem
from billing.subscriptions.selectors import billed_periods
from billing.usage import selectors as usage
from customers.models import Customer, LegalEntity
from customers.selectors import customer_tax_party, legal_entity_tax_party

LATE_PERIODS_MAX = 36
"""How many billed periods of an item are searched for usage that arrived late."""


@dataclass(frozen=True, slots=True)
class DueCharge:
    """A charge, the item it belongs to, and the rectangle of service and receipt time that it bills."""

    charge: Charge
    item: SubscriptionItem
    reason: BilledReason
    received_after: datetime | None
    received_until: datetime | None


def tax_treatment(*, legal_entity: LegalEntity, customer: Customer, on: datetime) -> TaxTreatment:
    """How a supply of this seller to this customer is taxed on a day (the seller's zone). Raises TaxUndetermined."""
    day = on.astimezone(ZoneInfo(legal_entity.time_zone)).date()
    seller = legal_entity_tax_party(legal_entity, on=day)
    buyer = customer_tax_party(customer)
    return determine(seller, buyer, catalog.standard_rates(on=day))


def due_charges(*, subscription: Subscription, moment: BillingMoment, cutoff: datetime) -> list[DueCharge]:
    """Everything due at a moment and not billed yet: usage of the period that ended, late usage of earlier ones,
    fees of the period that starts. In the order of the plan's prices, late usage after the usage of its item.
    """
    items = list(
        subscription.items.select_related("price__meter", "price__plan_version__plan").order_by(
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
    ended = moment.ended.service
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
    ended: Period,
    billed: Sequence[BilledPeriod],
    cutoff: datetime,
) -> list[DueCharge]:
    """The first bill of a period: everything received until the cut-off.

    If the first bill was taken back while a later one over late usage stands, it is everything before that.
    """
    gaps = receipt_gaps([row for row in billed if _overlaps(row, ended)], until=cutoff)
    if not gaps or gaps[0][0] is not None:
        return []
    until = gaps[0][1]
    quantities = usage_quantities(
        customer=subscription.customer, items=[item], period=ended, received_until=until
    )
    charge = _charge(item, ChargeKind.USAGE, quantities[item.pk], ended, cutoff=until)
    return [DueCharge(charge, item, BilledReason.USAGE, None, until)]


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


def _late_charges(
    subscription: Subscription, item: SubscriptionItem, billed: Sequence[BilledPeriod], cutoff: datetime
) -> list[DueCharge]:
    """Usage of billed periods that was received outside the ranges of their bills, one charge per such range."""
    periods: dict[tuple[datetime, datetime], list[BilledPeriod]] = {}
    for row in billed:
        periods.setdefault((row.start_at, row.end_at), []).append(row)
    gaps = [
        (Period(*bounds), after, until)
        for bounds, rows in sorted(periods.items())[-LATE_PERIODS_MAX:]
        for after, until in receipt_gaps(rows, until=cutoff)
        if after is not None
    ]
    if not gaps or not usage.has_events_received_after(
        customer=subscription.customer,
        start_at=min(period.start for period, _, _ in gaps),
        end_at=max(period.end for period, _, _ in gaps),
        received_after=min(after for _, after, _ in gaps),
    ):
        return []
    charges = (_late_charge(subscription, item, *gap) for gap in gaps)
    return [charge for charge in charges if charge is not None]


def _late_charge(
    subscription: Subscription, item: SubscriptionItem, period: Period, after: datetime, until: datetime
) -> DueCharge | None:
    """What the usage received in (after, until] adds to the price of its period; None if there is none."""
    meter = meter_of(item)
    totals = usage.late_totals(
        customer=subscription.customer,
        meters=[meter],
        start_at=period.start,
        end_at=period.end,
        received_after=after,
        received_until=until,
    )
    quantity = quantity_of(meter, totals)
    if not quantity:
        return None
    before = usage_quantities(
        customer=subscription.customer, items=[item], period=period, received_until=after
    )[item.pk]
    charge = _charge(item, ChargeKind.LATE_USAGE, quantity, period, cutoff=until, quantity_before=before)
    return DueCharge(charge, item, BilledReason.USAGE, after, until)


def _charge(
    item: SubscriptionItem,
    kind: ChargeKind,
    quantity: Decimal,
    period: Period,
    *,
    cutoff: datetime | None = None,
    quantity_before: Decimal | None = None,
    share: Share | None = None,
) -> Charge:
    price = item.price
    return Charge(
        code=price.code,
        description=price.name,
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
    )
