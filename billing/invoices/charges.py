"""What is to be charged at a billing moment: rows turned into the plain charges that the calculation takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from billing.catalog import selectors as catalog
from billing.core.billing_moments import BillingMoment, ServicePeriod
from billing.core.invoice import Charge, ChargeKind, Timing
from billing.core.periods import Period, local_days
from billing.core.proration import day_fraction
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
    """Fees in advance; those of a stub are prorated by days of the customer's calendar."""
    zone = ZoneInfo(subscription.time_zone)
    billed = billed_periods(item_ids=[item.pk for item in items], reason=BilledReason.RECURRING)
    fraction: Fraction | None = None
    if due.service != due.whole:
        fraction = day_fraction(due.service, due.whole, zone)
    days = local_days(due.whole, zone) if fraction is not None else None
    charges = []
    for item in items:
        if any(_overlaps(period, due.service) for period in billed[item.pk]):
            continue
        charge = _charge(
            item, ChargeKind.RECURRING, item.quantity, due.service, fraction=fraction, fraction_of=days
        )
        charges.append(DueCharge(charge, item, BilledReason.RECURRING, None, None))
    return charges


def _overlaps(billed: BilledPeriod, period: Period) -> bool:
    return billed.start_at < period.end and billed.end_at > period.start


def _usage_charges(
    subscription: Subscription, items: Sequence[SubscriptionItem], moment: BillingMoment, cutoff: datetime
) -> dict[int, list[DueCharge]]:
    """Usage of the ended period and late usage of earlier ones, by item id."""
    if not items or moment.ended is None:
        return {}
    ended = moment.ended.service
    billed = billed_periods(item_ids=[item.pk for item in items], reason=BilledReason.USAGE)
    fresh = [item for item in items if not any(_overlaps(row, ended) for row in billed[item.pk])]
    quantities = usage_quantities(
        customer=subscription.customer, items=fresh, period=ended, received_until=cutoff
    )
    charges: dict[int, list[DueCharge]] = {item.pk: [] for item in items}
    for item in fresh:
        charge = _charge(item, ChargeKind.USAGE, quantities[item.pk], ended, cutoff=cutoff)
        charges[item.pk].append(DueCharge(charge, item, BilledReason.USAGE, None, cutoff))
    for item in items:
        charges[item.pk].extend(_late_charges(subscription, item, billed[item.pk], cutoff))
    return charges


def _late_charges(
    subscription: Subscription, item: SubscriptionItem, billed: Sequence[BilledPeriod], cutoff: datetime
) -> list[DueCharge]:
    """Usage of billed periods that was received after their cut-off, one charge per period that has any."""
    reached: dict[tuple[datetime, datetime], datetime] = {}
    for row in billed:
        if row.received_until is not None:
            key = (row.start_at, row.end_at)
            reached[key] = max(reached.get(key, row.received_until), row.received_until)
    if not reached or not usage.has_events_received_after(
        customer=subscription.customer,
        start_at=min(start_at for start_at, _ in reached),
        end_at=max(end_at for _, end_at in reached),
        received_after=min(reached.values()),
    ):
        return []
    meter = meter_of(item)
    charges = []
    for (start_at, end_at), received_until in sorted(reached.items())[-LATE_PERIODS_MAX:]:
        if received_until >= cutoff:
            continue
        totals = usage.late_totals(
            customer=subscription.customer,
            meters=[meter],
            start_at=start_at,
            end_at=end_at,
            received_after=received_until,
            received_until=cutoff,
        )
        quantity = quantity_of(meter, totals)
        if not quantity:
            continue
        period = Period(start_at, end_at)
        before = usage_quantities(
            customer=subscription.customer, items=[item], period=period, received_until=received_until
        )[item.pk]
        charge = _charge(item, ChargeKind.LATE_USAGE, quantity, period, cutoff=cutoff, quantity_before=before)
        charges.append(DueCharge(charge, item, BilledReason.USAGE, received_until, cutoff))
    return charges


def _charge(
    item: SubscriptionItem,
    kind: ChargeKind,
    quantity: Decimal,
    period: Period,
    *,
    cutoff: datetime | None = None,
    quantity_before: Decimal | None = None,
    fraction: Fraction | None = None,
    fraction_of: int | None = None,
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
        fraction=fraction,
        fraction_of=fraction_of,
        timing=Timing(price.timing),
        meter_code=price.meter.code if price.meter else None,
        item_id=item.public_id,
        cutoff=cutoff,
    )
