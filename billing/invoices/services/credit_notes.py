"""Credit notes over whole invoices: a cancellation as if it had not been issued, or a credit for what was billed."""

from collections.abc import Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db import transaction

from billing.activity import services as activity
from billing.approvals import services as approvals
from billing.approvals.models import ApprovalAction, ApprovalRequest
from billing.core.errors import BillingError, Kind
from billing.core.events import EventName
from billing.core.invoice import ChargeKind
from billing.core.lifecycles import CreditNoteStatus, InvoiceStatus, Settlement
from billing.core.postings import CreditedLine, EntryDraft, IssuedTax, cancellation
from billing.core.postings import credit_note as credit_note_entry
from billing.invoices.documents.canonical import canonical_json, sha256_hex
from billing.invoices.documents.serialization import to_dict
from billing.invoices.models import (
    CreditNote,
    CreditNoteLine,
    CreditNoteTax,
    CreditReason,
    Invoice,
    InvoiceLine,
)
from billing.invoices.services.drafts import InvoiceNotFinalized, lock_invoice
from billing.invoices.services.issuing import PROVISIONAL_NUMBER, issued_lines, refuse_incomplete
from billing.invoices.services.mails import queue_mails
from billing.invoices.snapshots import credit_note_snapshot, tax_label
from billing.ledger import services as ledger
from billing.platform.actors import Actor
from billing.revenue import services as revenue
from billing.subscriptions import services as subscriptions
from customers.models import DocumentType
from customers.services import take_number


class InvoiceAlreadyCredited(BillingError):
    """The invoice has a credit note already; together they may not exceed it (I17)."""

    code = "invoice_already_credited"
    kind = Kind.CONFLICT


class InvoicePartlySettled(BillingError):
    """Something was paid or written off, so the invoice cannot be canceled as if it had never been issued."""

    code = "invoice_partly_settled"
    kind = Kind.CONFLICT


def cancel_invoice(
    *, invoice_id: str, reason: CreditReason, actor: Actor, at: datetime, note: str = ""
) -> CreditNote:
    """Cancel an unpaid invoice by a document of its own; its periods and usage can be billed again.

    Mirrors the entry of the issue, dated in an open period. Asks for approval first. Emits credit_note.finalized.
    Locks: customer, invoice, number series, accounting period.
    Raises ApprovalRequired, InvoiceNotFinalized, InvoiceAlreadyCredited, InvoicePartlySettled.
    """
    return _credit(invoice_id, True, reason, note, actor, at)


def credit_invoice(
    *, invoice_id: str, reason: CreditReason, actor: Actor, at: datetime, note: str = ""
) -> CreditNote:
    """Credit the whole of an invoice: first against what is open of it, the rest is owed back (refund).

    Undelivered service comes out of deferred revenue, delivered service out of revenue. What was billed stays
    billed. Asks for approval first. Emits credit_note.finalized. Locks and errors as for cancel_invoice.
    """
    return _credit(invoice_id, False, reason, note, actor, at)


def _credit(
    invoice_id: str, is_cancellation: bool, reason: CreditReason, note: str, actor: Actor, at: datetime
) -> CreditNote:
    invoice = Invoice.objects.get(public_id=invoice_id)
    _check_creditable(invoice, is_cancellation)
    approval = approvals.require(
        action=ApprovalAction.CREDIT_NOTE,
        object_kind="invoice",
        object_id=invoice_id,
        amount_minor=invoice.total_minor,
        currency=invoice.currency,
        actor=actor,
        at=at,
        reason=note or reason.label,
    )
    with transaction.atomic():
        invoice = lock_invoice(invoice_id)
        _check_creditable(invoice, is_cancellation)
        credit_note = _draft(invoice, is_cancellation, reason, note, approval, at)
        approvals.mark_executed(approval=approval, at=at)
        _issue(credit_note, at)
        _book(credit_note, list(invoice.lines.order_by("position")), actor, at)
        if is_cancellation:
            subscriptions.release_billed_periods(invoice_id=invoice.public_id, at=at)
        _record(credit_note, actor, at)
        queue_mails(document=credit_note, is_first=True, actor=actor, at=at)
    return credit_note


def _check_creditable(invoice: Invoice, is_cancellation: bool) -> None:
    if invoice.status != InvoiceStatus.FINALIZED:
        raise InvoiceNotFinalized(
            f"Invoice {invoice} is {invoice.status}; only a finalized invoice is credited."
        )
    if invoice.credit_notes.exclude(status=CreditNoteStatus.DRAFT).exists():
        raise InvoiceAlreadyCredited(f"Invoice {invoice.number} has been credited already.")
    if is_cancellation and (invoice.allocated_minor or invoice.written_off_minor):
        raise InvoicePartlySettled(
            f"Invoice {invoice.number} is paid in part or written off. Issue a credit note, or reverse that first."
        )


def _draft(
    invoice: Invoice,
    is_cancellation: bool,
    reason: CreditReason,
    note: str,
    approval: ApprovalRequest,
    at: datetime,
) -> CreditNote:
    credit_note = CreditNote.objects.create(
        invoice=invoice,
        is_cancellation=is_cancellation,
        reason=reason,
        note=note,
        approval=approval,
        legal_entity=invoice.legal_entity,
        customer=invoice.customer,
        currency=invoice.currency,
        subtotal_minor=invoice.subtotal_minor,
        tax_minor=invoice.tax_minor,
        total_minor=invoice.total_minor,
        offset_minor=invoice.open_minor,
        refund_minor=invoice.total_minor - invoice.open_minor,
        created_at=at,
    )
    copied = [
        "position",
        "code",
        "description",
        "kind",
        "timing",
        "product_code",
        "quantity",
        "unit_code",
        "unit_amount",
        "amount_minor",
        "allowance_minor",
        "allowances",
        "service_start_on",
        "service_last_on",
        "tax_category",
        "tax_percent",
        "working",
    ]
    CreditNoteLine.objects.bulk_create(
        CreditNoteLine(
            credit_note=credit_note, invoice_line=line, **{name: getattr(line, name) for name in copied}
        )
        for line in invoice.lines.order_by("position")
    )
    copied = [
        "tax_country",
        "category",
        "percent",
        "base_minor",
        "tax_minor",
        "exemption_code",
        "exemption_text",
    ]
    CreditNoteTax.objects.bulk_create(
        CreditNoteTax(credit_note=credit_note, **{name: getattr(row, name) for name in copied})
        for row in invoice.taxes.all()
    )
    return credit_note


def _issue(credit_note: CreditNote, at: datetime) -> None:
    issued_on = at.astimezone(ZoneInfo(credit_note.legal_entity.time_zone)).date()
    refuse_incomplete(credit_note_snapshot(credit_note, number=PROVISIONAL_NUMBER, issued_on=issued_on))
    taken = take_number(
        legal_entity=credit_note.legal_entity, document_type=DocumentType.CREDIT_NOTE, issued_on=issued_on
    )
    snapshot = credit_note_snapshot(credit_note, number=taken.text, issued_on=issued_on)
    credit_note.status = CreditNoteStatus.FINALIZED
    credit_note.series, credit_note.series_year, credit_note.series_number = (
        taken.series,
        taken.year,
        taken.number,
    )
    credit_note.number = taken.text
    credit_note.issued_on, credit_note.tax_point_on = issued_on, credit_note.invoice.tax_point_on
    credit_note.snapshot = to_dict(snapshot)
    credit_note.snapshot_hash = sha256_hex(canonical_json(snapshot))
    credit_note.finalized_at = at
    credit_note.save()


def _book(credit_note: CreditNote, lines: Sequence[InvoiceLine], actor: Actor, at: datetime) -> None:
    assert credit_note.issued_on is not None, "only issued credit notes are booked"
    accounting_on, is_late = ledger.open_day(
        legal_entity=credit_note.legal_entity, on=credit_note.issued_on, source_type="credit_note"
    )
    taxes = [IssuedTax(tax_label(row), row.tax_minor) for row in credit_note.taxes.all()]
    if credit_note.is_cancellation:
        draft = _cancellation_entry(credit_note, lines, taxes, accounting_on, actor, at)
    else:
        draft = credit_note_entry(
            _credited_lines(credit_note, lines, at),
            taxes,
            offset_minor=credit_note.offset_minor,
            refund_minor=credit_note.refund_minor,
        )
    if draft is not None:
        ledger.post_entry(
            draft=draft,
            legal_entity=credit_note.legal_entity,
            customer=credit_note.customer,
            currency=credit_note.currency,
            accounting_on=accounting_on,
            source_type="credit_note",
            source_id=credit_note.public_id,
            reference=credit_note.number or "",
            actor=actor,
            is_late=is_late,
        )


def _cancellation_entry(
    credit_note: CreditNote,
    lines: Sequence[InvoiceLine],
    taxes: Sequence[IssuedTax],
    accounting_on: date,
    actor: Actor,
    at: datetime,
) -> EntryDraft | None:
    revenue.take_back_schedules(
        invoice_id=credit_note.invoice.public_id,
        accounting_on=accounting_on,
        actor=actor,
        at=at,
    )
    return cancellation(issued_lines(lines), taxes)


def _credited_lines(
    credit_note: CreditNote, lines: Sequence[InvoiceLine], at: datetime
) -> list[CreditedLine]:
    """Each line by what it still is: deferred, or revenue already."""
    schedules = {
        schedule.line_id: schedule
        for schedule in revenue.credit_schedules(invoice_id=credit_note.invoice.public_id, at=at)
    }
    credited = []
    for line in lines:
        schedule = schedules.get(line.public_id)
        is_fee = line.kind == ChargeKind.RECURRING
        credited.append(
            CreditedLine(
                line.public_id,
                from_deferred_minor=schedule.deferred_minor if schedule else 0,
                from_subscription_revenue_minor=schedule.recognized_minor if schedule else 0,
                from_usage_revenue_minor=0 if is_fee else line.amount_minor,
                product_code=line.product_code,
                service_start_on=line.service_start_on,
                service_end_on=line.service_last_on,
            )
        )
    return credited


def _record(credit_note: CreditNote, actor: Actor, at: datetime) -> None:
    invoice = credit_note.invoice
    activity.record(
        name=EventName.CREDIT_NOTE_FINALIZED,
        object_kind="credit_note",
        object_id=credit_note.public_id,
        customer_id=credit_note.customer.public_id,
        actor=actor,
        at=at,
        data={
            "number": credit_note.number,
            "invoice": invoice.public_id,
            "total_minor": credit_note.total_minor,
            "currency": credit_note.currency,
        },
    )
    invoice.refresh_from_db()
    if credit_note.offset_minor and invoice.settlement == Settlement.SETTLED:
        activity.record(
            name=EventName.INVOICE_SETTLED,
            object_kind="invoice",
            object_id=invoice.public_id,
            customer_id=credit_note.customer.public_id,
            actor=actor,
            at=at,
            data={"number": invoice.number},
        )
