"""Issuing: a draft gets its number, is frozen, and enters the books."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Sum

from billing.activity import services as activity
from billing.core.errors import BillingError, Kind
from billing.core.events import EventName
from billing.core.invoice import ChargeKind, Timing
from billing.core.lifecycles import InvoiceStatus, Settlement
from billing.core.periods import Period
from billing.core.postings import IssuedLine, IssuedTax, invoice_issue
from billing.core.tax import TaxCode
from billing.invoices.documents.canonical import canonical_json, sha256_hex
from billing.invoices.documents.completeness import missing_fields
from billing.invoices.documents.serialization import to_dict
from billing.invoices.documents.snapshot import Snapshot
from billing.invoices.models import Invoice, InvoiceLine
from billing.invoices.selectors import hold_in_force
from billing.invoices.services.drafts import lock_invoice
from billing.invoices.services.mails import queue_mails
from billing.invoices.snapshots import invoice_snapshot, tax_label
from billing.invoices.taxes import Taxable, tax_treatments
from billing.ledger import services as ledger
from billing.platform import metrics
from billing.platform.actors import Actor
from billing.revenue import services as revenue
from billing.revenue.models import ForgivenUsage
from customers.models import DocumentType
from customers.services import take_number

PROVISIONAL_NUMBER = "provisional"
"""Stands in for the number while the document is checked: numbers are taken last, when nothing can fail any more."""


class InvoiceVoided(BillingError):
    """A voided invoice stays voided."""

    code = "invoice_voided"
    kind = Kind.CONFLICT


class IncompleteDocument(BillingError):
    """Something that the law or EN 16931 wants on the document is missing; `fields` names each piece."""

    code = "incomplete_document"
    kind = Kind.CONFLICT


class TaxChanged(BillingError):
    """The tax treatment is not what the draft was computed with; delete the draft and draft it anew."""

    code = "tax_changed"
    kind = Kind.CONFLICT


class BillingOnHold(BillingError):
    """Somebody stopped the billing of this customer."""

    code = "billing_on_hold"
    kind = Kind.CONFLICT


@transaction.atomic
def finalize_invoice(*, invoice_id: str, actor: Actor, at: datetime) -> Invoice:
    """Give the draft its number, freeze it and book the receivable.

    Issue, due and tax point dates are days in the legal entity's zone. Idempotent: finalizing a finalized invoice
    returns it unchanged. Queues the mails to the billing contacts. Emits invoice.finalized.
    Locks: customer, invoice, then the number series and the accounting period.
    Raises BillingOnHold, IncompleteDocument, TaxChanged, InvoiceVoided, IssueDateBeforeLast, PeriodClosed.
    """
    invoice = lock_invoice(invoice_id)
    if invoice.status == InvoiceStatus.FINALIZED:
        return invoice
    if invoice.status == InvoiceStatus.VOIDED:
        raise InvoiceVoided(f"Invoice {invoice.number} was voided.")
    _refuse_on_hold(invoice, at)
    zone = ZoneInfo(invoice.legal_entity.time_zone)
    issued_on = at.astimezone(zone).date()
    due_on = issued_on + timedelta(days=invoice.customer.payment_terms_days)
    _check_tax(invoice, at)
    refuse_incomplete(
        invoice_snapshot(invoice, number=PROVISIONAL_NUMBER, issued_on=issued_on, due_on=due_on)
    )
    taken = take_number(
        legal_entity=invoice.legal_entity, document_type=DocumentType.INVOICE, issued_on=issued_on
    )
    snapshot = invoice_snapshot(invoice, number=taken.text, issued_on=issued_on, due_on=due_on)
    invoice.status = InvoiceStatus.FINALIZED
    invoice.series, invoice.series_year, invoice.series_number = taken.series, taken.year, taken.number
    invoice.number = taken.text
    invoice.issued_on, invoice.tax_point_on, invoice.due_on = issued_on, issued_on, due_on
    invoice.snapshot = to_dict(snapshot)
    invoice.snapshot_hash = sha256_hex(canonical_json(snapshot))
    invoice.finalized_at = at
    invoice.save()
    _book(invoice, issued_on, actor, at)
    _record_issue(invoice, actor, at)
    if not is_sent_by_run(invoice):
        queue_mails(document=invoice, is_first=True, actor=actor, at=at)
    transaction.on_commit(metrics.INVOICES_FINALIZED.inc)
    return invoice


def is_sent_by_run(invoice: Invoice) -> bool:
    """Whether its mail waits for somebody to send the run: stored with the run when it was started."""
    return invoice.bill_run is not None and invoice.bill_run.needs_review


def _refuse_on_hold(invoice: Invoice, at: datetime) -> None:
    hold = hold_in_force(customer=invoice.customer, at=at)
    if hold is not None:
        raise BillingOnHold(
            f"The billing of {invoice.customer} is on hold: {hold.reason} ({hold.actor_label}). Release it first."
        )


def _check_tax(invoice: Invoice, at: datetime) -> None:
    """Every line is still taxed as the draft says, in the country that its row of the tax table names."""
    lines = list(invoice.lines.order_by("position"))
    treatments = tax_treatments(
        legal_entity=invoice.legal_entity,
        customer=invoice.customer,
        on=at,
        lines=[Taxable(TaxCode(line.tax_code), line.own_tax_percent) for line in lines],
    )
    rows = {(row.category, row.percent): row for row in invoice.taxes.all()}
    for line, treatment in zip(lines, treatments, strict=True):
        row = rows[(line.tax_category, line.tax_percent)]
        if (row.tax_country, row.category, row.percent) != (
            treatment.country,
            treatment.category.value,
            treatment.percent,
        ):
            raise TaxChanged(
                f"The draft was computed with {tax_label(row)}, now {treatment.label} applies to {line.code}. "
                "Delete the draft and bill again."
            )


def refuse_incomplete(snapshot: Snapshot) -> None:
    """Raise IncompleteDocument naming every missing field with what to do about it."""
    missing = missing_fields(snapshot)
    if missing:
        fields: dict[str, list[str]] = {}
        for path, message in missing:
            fields.setdefault(path, []).append(message)
        raise IncompleteDocument("; ".join(message for _path, message in missing), fields=fields)


def issued_lines(lines: Sequence[InvoiceLine]) -> list[IssuedLine]:
    """Invoice lines as the ledger's builders take them."""
    return [
        IssuedLine(
            line.public_id,
            line.amount_minor,
            Timing(line.timing),
            line.product_code,
            line.service_start_on,
            line.service_last_on,
        )
        for line in lines
    ]


def _book(invoice: Invoice, issued_on: date, actor: Actor, at: datetime) -> None:
    """Accrue what was used and not accrued yet, post the issue, and defer what is still to be delivered."""
    lines = list(invoice.lines.select_related("item__price__meter").order_by("position"))
    accounting_on, is_late = ledger.open_day(
        legal_entity=invoice.legal_entity, on=issued_on, source_type="invoice"
    )
    revenue.accrue_invoiced_usage(lines=_usage_lines(invoice, lines), actor=actor, at=at)
    draft = invoice_issue(
        issued_lines(lines), [IssuedTax(tax_label(row), row.tax_minor) for row in invoice.taxes.all()]
    )
    if draft is not None:
        ledger.post_entry(
            draft=draft,
            legal_entity=invoice.legal_entity,
            customer=invoice.customer,
            currency=invoice.currency,
            accounting_on=accounting_on,
            source_type="invoice",
            source_id=invoice.public_id,
            reference=invoice.number or "",
            actor=actor,
            is_late=is_late,
        )
    revenue.defer_lines(
        lines=[
            revenue.DeferredLine(
                line.public_id,
                line.amount_minor,
                line.product_code,
                line.service_start_on,
                line.service_last_on + timedelta(days=1),
            )
            for line in lines
            if line.timing == Timing.IN_ADVANCE
        ],
        invoice_id=invoice.public_id,
        legal_entity=invoice.legal_entity,
        customer=invoice.customer,
        currency=invoice.currency,
        at=at,
    )


def _usage_lines(invoice: Invoice, lines: Sequence[InvoiceLine]) -> list[revenue.UsageLine]:
    """What each item has been invoiced in total for the service periods on this invoice."""
    billed = {
        (line.item, Period(line.service_start_at, line.service_end_at))
        for line in lines
        if line.kind != ChargeKind.RECURRING
    }
    forgiven = ForgivenUsage.objects.filter(invoice_id=invoice.public_id).select_related("item__price__meter")
    billed |= {(row.item, Period(row.start_at, row.end_at)) for row in forgiven}
    usage_lines = []
    for item, period in sorted(billed, key=lambda one: (one[0].pk, one[1].start)):
        invoiced = InvoiceLine.objects.filter(
            item_id=item.pk,
            service_start_at=period.start,
            invoice__status=InvoiceStatus.FINALIZED,
        ).exclude(invoice__credit_notes__is_cancellation=True, invoice__credit_notes__status="finalized")
        item.subscription = invoice.subscription  # type: ignore[assignment]
        usage_lines.append(
            revenue.UsageLine(
                item=item,
                period=period,
                invoiced_minor=int(invoiced.aggregate(total=Sum("amount_minor"))["total"] or 0),
            )
        )
    return usage_lines


def _record_issue(invoice: Invoice, actor: Actor, at: datetime) -> None:
    data = {"number": invoice.number, "total_minor": invoice.total_minor, "currency": invoice.currency}
    names = [EventName.INVOICE_FINALIZED]
    if invoice.settlement == Settlement.SETTLED:
        names.append(EventName.INVOICE_SETTLED)
    for name in names:
        activity.record(
            name=name,
            object_kind="invoice",
            object_id=invoice.public_id,
            customer_id=invoice.customer.public_id,
            actor=actor,
            at=at,
            data=data,
        )
