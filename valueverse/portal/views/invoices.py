"""Invoices: the list, one with its lines and why they cost what they cost, and the PDFs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.core.paginator import Paginator
from django.db.models import F, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from billing.core.lifecycles import CreditNoteStatus, InvoiceStatus
from billing.invoices import services
from billing.invoices.documents.formatting import format_money, format_percent
from billing.invoices.documents.page import bank_facts
from billing.invoices.documents.serialization import from_dict
from billing.invoices.documents.snapshot import Snapshot
from billing.invoices.documents.wording import legal_text
from billing.invoices.documents.wording import words as document_words
from billing.invoices.models import CreditNote, Invoice
from billing.invoices.selectors import invoices_visible_to, with_parts
from billing.platform.lookup import get_or_not_found
from customers.models import CollectionMethod
from payments.models import CollectionSchedule, Payment, PaymentMethod
from payments.selectors import default_method, live_attempt
from valueverse.portal.access import Member, for_members, note_seen, show
from valueverse.portal.explanation import explained_lines
from valueverse.portal.states import State, invoice_state, payment_state, seller_day

PAGE = 50


@dataclass(frozen=True, slots=True)
class Listed:
    """An invoice with its state in the customer's words."""

    invoice: Invoice
    state: State


def visible_invoices(member: Member) -> QuerySet[Invoice]:
    """The customer's invoices, newest first; drafts are the seller's own business."""
    return invoices_visible_to(customer_id=member.customer.pk).exclude(status=InvoiceStatus.DRAFT)


def open_only(invoices: QuerySet[Invoice]) -> QuerySet[Invoice]:
    """Those of which something is still owed."""
    return invoices.filter(
        status=InvoiceStatus.FINALIZED,
        total_minor__gt=F("allocated_minor") + F("offset_minor") + F("written_off_minor"),
    )


def issued_invoice(member: Member, invoice_id: str) -> Invoice:
    """One of them. Raises NotFound."""
    found = with_parts(visible_invoices(member).select_related("payer"))
    return get_or_not_found(found, kind="invoice", public_id=invoice_id)


def listed(invoices: Sequence[Invoice], member: Member) -> list[Listed]:
    """Invoices with their states."""
    return [
        Listed(
            invoice, invoice_state(invoice, language=member.language, today=seller_day(invoice, member.at))
        )
        for invoice in invoices
    ]


@require_safe
@for_members
def invoices(request: HttpRequest, member: Member) -> HttpResponse:
    """Every issued invoice; all, the open ones, or those of a year."""
    everything = visible_invoices(member)
    years = list(
        everything.order_by("-series_year").values_list("series_year", flat=True).distinct("series_year")
    )
    chosen = request.GET.get("show", "")
    found = everything
    if chosen == "open":
        found = open_only(found)
    elif chosen in {str(year) for year in years}:
        found = found.filter(series_year=int(chosen))
    else:
        chosen = ""
    page = Paginator(found.defer("snapshot"), PAGE).get_page(request.GET.get("page"))
    note_seen(member, list(page))
    content = {
        "chosen": chosen,
        "years": [str(year) for year in years],
        "page": page,
        "rows": listed(list(page), member),
        "sums": _sums(found),
        "count": page.paginator.count,
    }
    return show(request, "invoices", content, member=member)


def _sums(invoices: QuerySet[Invoice]) -> list[dict[str, Any]]:
    """Total and open amount of the filtered invoices that count, one row per currency."""
    settled = F("allocated_minor") + F("offset_minor") + F("written_off_minor")
    rows = (
        invoices.filter(status=InvoiceStatus.FINALIZED)
        .order_by("currency")
        .values("currency")
        .annotate(sum_minor=Sum("total_minor"), sum_open_minor=Sum(F("total_minor") - settled))
    )
    return [dict(row) for row in rows]


@require_safe
@for_members
def invoice(request: HttpRequest, member: Member, invoice_id: str) -> HttpResponse:
    """One invoice. Opening it notes that the customer has seen it."""
    found = issued_invoice(member, invoice_id)
    note_seen(member, [found])
    attempts = list(Payment.objects.filter(invoice=found).select_related("method").order_by("-id"))
    content = {
        **document_content(found, member.language, seller_day(found, member.at)),
        "attempts": [(one, payment_state(one, language=member.language)) for one in attempts],
        "credit_notes": list(found.credit_notes.exclude(status=CreditNoteStatus.DRAFT).order_by("id")),
        "ways": ways_to_pay(found, member),
        "section": "invoices",
    }
    return show(request, "invoice", content, member=member)


def document_content(invoice: Invoice, language: str, today: date) -> dict[str, Any]:
    """What a page says of an issued invoice, in a language."""
    snapshot = replace(from_dict(dict(invoice.snapshot or {})), language=language)
    rows = {line.public_id: line for line in invoice.lines.all()}
    lines = explained_lines(snapshot, rows, language=language)
    return {
        "invoice": invoice,
        "snapshot": snapshot,
        "state": invoice_state(invoice, language=language, today=today),
        "lines": [line for line in lines if not line.is_zero],
        "zero_lines": [line for line in lines if line.is_zero],
        "taxes": _taxes(snapshot),
    }


def _taxes(snapshot: Snapshot) -> list[dict[str, Any]]:
    """The tax table, with the sentence the law wants where no tax is charged."""
    words = document_words(snapshot.language)
    return [
        {
            "name": words[f"cat_{tax.category}"],
            "percent": format_percent(tax.percent, snapshot.language) if tax.percent else "",
            "base": format_money(tax.base_minor, snapshot.currency, snapshot.language),
            "tax_minor": tax.tax_minor,
            "law": legal_text(
                tax.category,
                tax.exemption_text,
                language=snapshot.language,
                seller_country=snapshot.seller.country,
            ),
        }
        for tax in snapshot.taxes
    ]


@dataclass(frozen=True, slots=True)
class WaysToPay:
    """How an open invoice can be paid: what is under way, what we charge by ourselves, and where to transfer to."""

    live: Payment | None
    method: PaymentMethod | None
    charged_automatically: bool
    next_attempt: Any
    bank: Sequence[tuple[str, str]]


def ways_to_pay(invoice: Invoice, member: Member) -> WaysToPay | None:
    """None if nothing is open, or if somebody else pays for this customer."""
    if not invoice.open_minor or invoice.payer_id != member.customer.pk:
        return None
    snapshot = replace(from_dict(dict(invoice.snapshot or {})), language=member.language)
    account = snapshot.payment.bank_account
    schedule = CollectionSchedule.objects.filter(invoice=invoice).first()
    by_transfer = invoice.customer.collection_method == CollectionMethod.SEND_INVOICE
    return WaysToPay(
        live=live_attempt(invoice=invoice),
        method=default_method(customer=invoice.payer),
        charged_automatically=not by_transfer,
        next_attempt=schedule.next_attempt_at if schedule else None,
        bank=bank_facts(account, snapshot) if account and by_transfer else (),
    )


@require_safe
@for_members
def invoice_pdf(request: HttpRequest, member: Member, invoice_id: str) -> HttpResponse:
    """The document as issued."""
    return pdf(issued_invoice(member, invoice_id), member)


@require_safe
@for_members
def credit_note_pdf(request: HttpRequest, member: Member, credit_note_id: str) -> HttpResponse:
    """The document as issued."""
    found = CreditNote.objects.select_related("customer", "legal_entity").filter(customer=member.customer)
    issued = found.exclude(status=CreditNoteStatus.DRAFT)
    return pdf(get_or_not_found(issued, kind="credit_note", public_id=credit_note_id), member)


def pdf(document: Invoice | CreditNote, member: Member) -> HttpResponse:
    """The stored PDF as a download; it counts as shown."""
    note_seen(member, [document])
    return pdf_answer(document)


def pdf_answer(document: Invoice | CreditNote) -> HttpResponse:
    """The stored PDF as a download."""
    answer = HttpResponse(services.render_document(document=document), content_type="application/pdf")
    answer["Content-Disposition"] = str(
        content_disposition_header(as_attachment=True, filename=f"{document.number}.pdf")
    )
    return answer
