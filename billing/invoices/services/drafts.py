"""Drafting invoices: what is due of a customer becomes drafts, in one transaction."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import transaction

from billing.activity import services as activity
from billing.core.allowances import allowances_json
from billing.core.billing_moments import BillingMoment, billing_moment
from billing.core.errors import BillingError, Kind
from billing.core.events import EventName
from billing.core.invoice import InvoiceResult, ResultLine
from billing.core.lifecycles import InvoiceStatus
from billing.invoices.charges import DueCharge, calculate_due, due_charges
from billing.invoices.models import BillingReason, BillRun, Invoice, InvoiceLine, InvoiceTax
from billing.invoices.taxes import taxable_price, taxed
from billing.platform.actors import Actor
from billing.revenue import services as revenue
from billing.subscriptions import services as subscriptions
from billing.subscriptions.models import BilledPeriod, Subscription
from billing.subscriptions.selectors import due_subscriptions, terms_of
from billing.usage import selectors as usage
from customers.models import Customer

MOMENTS_MAX = 120
"""How many moments of one subscription a run bills at most; more is taken for a mistake in its dates."""


class TooManyMoments(BillingError):
    """A subscription has more to bill than looks right; somebody should look at its start date."""

    code = "too_many_moments"
    kind = Kind.CONFLICT


class InvoiceNotDraft(BillingError):
    """Only a draft can be changed or deleted."""

    code = "invoice_not_draft"
    kind = Kind.CONFLICT


class InvoiceNotFinalized(BillingError):
    """Only a finalized invoice can be paid, credited or voided."""

    code = "invoice_not_finalized"
    kind = Kind.CONFLICT


def draft_due_invoices(
    *, customer: Customer, as_of: datetime, cutoff: datetime, actor: Actor, run: BillRun | None = None
) -> list[Invoice]:
    """Draft everything due of a customer up to `as_of`: one invoice per subscription and billing moment.

    cutoff: usage received up to here is in; later usage goes on a later invoice. (On a test clock it is what has
    been received by now: a clock stands still while events arrive.) Runs in the caller's transaction, which it needs:
    the customer is locked first, so that every event received by the cut-off is committed and a second run waits.
    Running it again drafts nothing. Emits invoice.drafted.
    Raises TooManyMoments, TaxUndetermined, and whatever else keeps this customer from being billed.
    """
    assert transaction.get_connection().in_atomic_block, "drafts are made in one transaction per customer"
    customer = Customer.objects.select_for_update(of=("self",)).select_related("payer").get(pk=customer.pk)
    if customer.test_clock_id is not None:
        cutoff = usage.receipt_cutoff(customer=customer, at=as_of)
    invoices = []
    for subscription in due_subscriptions(customer=customer, at=as_of):
        subscription.customer = customer
        moments = 0
        while subscription.next_billing_at is not None and subscription.next_billing_at <= as_of:
            if moments == MOMENTS_MAX:
                raise TooManyMoments(f"More than {MOMENTS_MAX} periods are due; look at the start date.")
            moment = billing_moment(terms_of(subscription), subscription.next_billing_at)
            invoice = _draft_moment(subscription, moment, as_of, cutoff, actor, run)
            subscriptions.advance_billing(
                subscription=subscription, next_at=moment.next_at, actor=actor, at=as_of
            )
            if invoice is not None:
                invoices.append(invoice)
            moments += 1
    return invoices


def _draft_moment(
    subscription: Subscription,
    moment: BillingMoment,
    as_of: datetime,
    cutoff: datetime,
    actor: Actor,
    run: BillRun | None,
) -> Invoice | None:
    due = due_charges(subscription=subscription, moment=moment, cutoff=cutoff)
    if not due:
        return None
    due, given = taxed(subscription=subscription, due=due, on=as_of)
    forgiven = [entry for entry in due if entry.forgiven_minor is not None]
    due, result = calculate_due(due, given)
    if result is None:
        return None
    invoice = _store_draft(subscription, moment, result, as_of, cutoff, run)
    lines = _store_lines(invoice, subscription, due, result)
    subscriptions.mark_billed(periods=_billed_periods(invoice, due, lines))
    _let_go(invoice, forgiven, as_of)
    activity.record(
        name=EventName.INVOICE_DRAFTED,
        object_kind="invoice",
        object_id=invoice.public_id,
        customer_id=subscription.customer.public_id,
        actor=actor,
        at=as_of,
        data={"total_minor": invoice.total_minor, "currency": invoice.currency},
    )
    return invoice


def _store_draft(
    subscription: Subscription,
    moment: BillingMoment,
    result: InvoiceResult,
    as_of: datetime,
    cutoff: datetime,
    run: BillRun | None,
) -> Invoice:
    customer = subscription.customer
    invoice = Invoice.objects.create(
        legal_entity=subscription.legal_entity,
        customer=customer,
        payer=customer.payer or customer,
        subscription=subscription,
        bill_run=run,
        billing_reason=_reason(moment),
        currency=subscription.currency,
        status=InvoiceStatus.DRAFT,
        usage_cutoff_at=cutoff,
        subtotal_minor=result.subtotal_minor,
        tax_minor=result.tax_minor,
        total_minor=result.total_minor,
        created_at=as_of,
    )
    store_taxes(invoice, result)
    return invoice


def store_taxes(invoice: Invoice, result: InvoiceResult) -> None:
    """Write the tax table of a draft: a row per category and rate."""
    InvoiceTax.objects.bulk_create(
        InvoiceTax(
            invoice=invoice,
            tax_country=treatment.country,
            category=subtotal.category.value,
            percent=subtotal.percent,
            base_minor=subtotal.base_minor,
            tax_minor=subtotal.tax_minor,
            exemption_code=treatment.exemption_code or "",
            exemption_text=treatment.exemption_text or "",
        )
        for subtotal, treatment in ((row, result.treatment_of(row)) for row in result.taxes)
    )


def _reason(moment: BillingMoment) -> BillingReason:
    if moment.ended is None:
        return BillingReason.SUBSCRIPTION_CREATE
    return BillingReason.SUBSCRIPTION_CYCLE if moment.starting else BillingReason.SUBSCRIPTION_CANCEL


def _store_lines(
    invoice: Invoice,
    subscription: Subscription,
    due: Sequence[DueCharge],
    result: InvoiceResult,
) -> list[InvoiceLine]:
    zone = ZoneInfo(subscription.time_zone)
    product_code = subscription.plan_version.plan.product.code
    return InvoiceLine.objects.bulk_create(
        _line(invoice, position, entry, line, zone, product_code)
        for position, (entry, line) in enumerate(zip(due, result.lines, strict=True), start=1)
    )


def _line(
    invoice: Invoice,
    position: int,
    entry: DueCharge,
    line: ResultLine,
    zone: ZoneInfo,
    product_code: str,
) -> InvoiceLine:
    treatment, taxable = line.treatment, taxable_price(entry.item.price)
    assert treatment is not None, "the calculation settles how every line is taxed"
    return InvoiceLine(
        invoice=invoice,
        item=entry.item,
        position=position,
        code=line.code,
        description=line.description,
        kind=line.kind.value,
        timing=line.timing.value,
        product_code=product_code,
        meter_code=line.meter_code or "",
        quantity=line.quantity,
        unit_code=line.unit_code,
        unit_amount=line.unit_amount,
        amount_minor=line.amount_minor,
        allowance_minor=line.gross_minor - line.amount_minor,
        allowances=allowances_json(line.allowances),
        service_start_at=line.period.start,
        service_end_at=line.period.end,
        service_start_on=line.period.start_on(zone),
        service_last_on=line.period.last_on(zone),
        tax_category=treatment.category.value,
        tax_percent=treatment.percent,
        tax_code=taxable.tax_code.value,
        own_tax_percent=taxable.own_percent,
        working=line.working,
    )


def _let_go(invoice: Invoice, forgiven: Sequence[DueCharge], at: datetime) -> None:
    """Note late usage that is not charged: its rectangle of receipts is taken, by this invoice and without a line."""
    for entry in forgiven:
        period = entry.charge.period
        assert entry.received_until is not None, "late usage has both bounds of receipt"
        subscriptions.mark_billed(
            periods=[
                BilledPeriod(
                    item=entry.item,
                    reason=entry.reason,
                    start_at=period.start,
                    end_at=period.end,
                    received_after=entry.received_after,
                    received_until=entry.received_until,
                    invoice_id=invoice.public_id,
                    line_id="",
                )
            ]
        )
        revenue.forgive_usage(
            item=entry.item,
            period=period,
            received_until=entry.received_until,
            amount_minor=entry.forgiven_minor or 0,
            invoice_id=invoice.public_id,
            at=at,
        )


def _billed_periods(
    invoice: Invoice, due: Sequence[DueCharge], lines: Sequence[InvoiceLine]
) -> list[BilledPeriod]:
    return [
        BilledPeriod(
            item=entry.item,
            reason=entry.reason,
            start_at=entry.charge.period.start,
            end_at=entry.charge.period.end,
            received_after=entry.received_after,
            received_until=entry.received_until,
            invoice_id=invoice.public_id,
            line_id=line.public_id,
        )
        for entry, line in zip(due, lines, strict=True)
        if entry.bills_rectangle
    ]


@transaction.atomic
def delete_draft(*, invoice_id: str, actor: Actor, at: datetime) -> None:
    """Throw a draft away; what it billed is due again and comes with the next run.

    Locks customer and invoice. Raises InvoiceNotDraft for anything issued.
    """
    invoice = lock_invoice(invoice_id)
    if invoice.status != InvoiceStatus.DRAFT:
        raise InvoiceNotDraft(f"Invoice {invoice.number} is {invoice.status}; only a draft is deleted.")
    subscriptions.release_billed_periods(invoice_id=invoice.public_id, at=at)
    activity.record(
        name=EventName.INVOICE_DELETED,
        object_kind="invoice",
        object_id=invoice.public_id,
        customer_id=invoice.customer.public_id,
        actor=actor,
        at=at,
        data={"total_minor": invoice.total_minor, "currency": invoice.currency},
    )
    invoice.lines.all().delete()
    invoice.taxes.all().delete()
    invoice.delete()


def lock_invoice(invoice_id: str) -> Invoice:
    """Lock the customer, then the invoice, and return it with what its services need."""
    found = Invoice.objects.only("customer_id").get(public_id=invoice_id)
    Customer.objects.select_for_update().get(pk=found.customer_id)
    return (
        Invoice.objects.select_for_update(of=("self",))
        .select_related(
            "customer", "payer", "legal_entity", "bill_run", "subscription__plan_version__plan__product"
        )
        .get(public_id=invoice_id)
    )
