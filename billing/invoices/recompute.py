"""Computing an invoice line again from what it is about: the events of its period and the price it names.

The proof behind "why this amount": quantity recounted from usage with the line's own bounds of service and receipt,
priced by the definition the line keeps, rounded by the same rules. It changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.catalog.models import Meter, Price
from billing.core.aggregation import Partial
from billing.core.billing_moments import service_period
from billing.core.errors import BillingError, Kind
from billing.core.invoice import (
    RULES_VERSION,
    Charge,
    ChargeKind,
    InvoiceInput,
    LineDraft,
    ResultLine,
    Timing,
    Working,
    prorate_lines,
    rate_charges,
    round_lines,
)
from billing.core.periods import Period
from billing.core.pricing import parse_price
from billing.core.proration import ProrationUnit, Share
from billing.core.tax import TaxCategory, TaxTreatment
from billing.invoices.models import Invoice, InvoiceLine
from billing.revenue.inputs import NOTHING, billable, usage_of_items
from billing.subscriptions.models import BilledPeriod, SubscriptionItem
from billing.subscriptions.selectors import terms_of
from billing.usage.selectors import late_totals, usage_totals


class OtherRules(BillingError):
    """The line was computed by rules of another version; this version cannot prove it."""

    code = "other_rules_version"
    kind = Kind.CONFLICT


@dataclass(frozen=True, slots=True)
class Receipt:
    """Which receipts of usage a line bills: (after, until]; None: from the beginning."""

    after: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Recomputed:
    """A line computed again, beside what it says. amounts: gross, in minor units; allowances are facts."""

    quantity: Decimal
    amount_minor: int
    stated_quantity: Decimal
    stated_minor: int
    price_is_unchanged: bool

    @property
    def matches(self) -> bool:
        """Whether quantity, price and amount are what the line says."""
        return (
            self.quantity == self.stated_quantity
            and self.amount_minor == self.stated_minor
            and self.price_is_unchanged
        )


def receipts_of(lines: Sequence[InvoiceLine]) -> dict[str, Receipt]:
    """The receipts that each usage line bills, by the line's public id; those taken back still name theirs.

    The lines of a meter's groups are billed together by the rectangle of the first; each keeps its receipts.
    """
    rows = BilledPeriod.objects.filter(line_id__in=[line.public_id for line in lines if line.meter_code])
    found = {row.line_id: Receipt(row.received_after, row.received_until) for row in rows}
    for line in lines:
        group = line.working.get("group")
        if group and line.public_id not in found:
            after, until = (
                None if group[name] is None else datetime.fromisoformat(group[name])
                for name in ("received_after", "received_until")
            )
            found[line.public_id] = Receipt(after, until)
    return found


def usage_behind(*, invoice: Invoice, line: InvoiceLine, meter: Meter, receipt: Receipt) -> Partial:
    """Count and sum of the events that a usage line bills, by its bounds of service and receipt."""
    start_at, end_at = line.service_start_at, line.service_end_at
    if receipt.after is None:
        found = usage_totals(
            customer=invoice.customer, meters=[meter], start_at=start_at, end_at=end_at,
            received_until=receipt.until,
        )  # fmt: skip
    else:
        assert receipt.until is not None, "late usage has both bounds of receipt"
        found = late_totals(
            customer=invoice.customer, meters=[meter], start_at=start_at, end_at=end_at,
            received_after=receipt.after, received_until=receipt.until,
        )  # fmt: skip
    return found.get(meter.pk, NOTHING)


def units_behind(*, line: InvoiceLine, until: datetime | None) -> Decimal:
    """The units that a usage line's item had in the line's period and group, as received until an instant."""
    item = (
        SubscriptionItem.objects.select_related(
            "price__meter", "price__plan_version", "subscription__customer"
        )
        .select_related("subscription__plan_version")
        .get(pk=line.item_id)
    )
    period = Period(line.service_start_at, line.service_end_at)
    used = usage_of_items(
        customer=item.subscription.customer,
        items=[item],
        period=period,
        received_until=until,
        whole=service_period(terms_of(item.subscription), period.start).whole,
    )[item.pk]
    wanted = (line.working.get("group") or {}).get("values", {})
    return sum((billable(one.quantity) for one in used if dict(one.group) == wanted), Decimal(0))


def recompute_line(*, invoice: Invoice, line: InvoiceLine) -> Recomputed:
    """Compute a line again. A fee's quantity is the one it was billed with; usage is recounted from its events.

    Raises OtherRules; BillingError where the usage no longer has a price (a negative quantity).
    """
    working = line.working
    if working.get("rules_version") != RULES_VERSION:
        raise OtherRules(f"The line was computed by rules version {working.get('rules_version')}.")
    quantity, before = Decimal(working["quantity"]), None
    if line.meter_code:
        receipt = receipts_of([line]).get(line.public_id) or Receipt(None, invoice.usage_cutoff_at)
        quantity = units_behind(line=line, until=receipt.until)
        if receipt.after is not None:
            before = units_behind(line=line, until=receipt.after)
            quantity -= before
    result = _calculate(invoice, line, quantity, before)
    price = Price.objects.filter(public_id=working["price_id"]).first()
    unchanged = price is not None and parse_price(price.model, price.definition) == result.model
    return Recomputed(quantity, result.gross_minor, Decimal(working["quantity"]), line.gross_minor, unchanged)


def _share(stated: Mapping[str, int]) -> Share:
    """The part of the period as the line keeps it: days or seconds of the whole."""
    unit = next(unit for unit in ProrationUnit if f"{unit}s" in stated)
    return Share(stated[f"{unit}s"], stated["of"], unit)


def _calculate(invoice: Invoice, line: InvoiceLine, quantity: Decimal, before: Decimal | None) -> ResultLine:
    """The line by the calculation that made it, from the definition it keeps."""
    working = line.working
    share = working.get("fraction")
    charge = Charge(
        code=line.code,
        description=line.description,
        kind=ChargeKind(line.kind),
        model=parse_price(working["model"], working["definition"]),
        price_id=working["price_id"],
        price_version=working["price_version"],
        quantity=quantity,
        quantity_before=before,
        unit_code=line.unit_code,
        period=Period(line.service_start_at, line.service_end_at),
        share=_share(share) if share else None,
        timing=Timing(line.timing),
        item_id=line.public_id,
        meter_code=line.meter_code or None,
    )
    treatment = TaxTreatment(TaxCategory(line.tax_category), line.tax_percent, "", None, None, "")
    drafted = Working(InvoiceInput(invoice.currency, (charge,), treatment), (LineDraft(charge),))
    (result,) = round_lines(prorate_lines(rate_charges(drafted))).lines
    return result
