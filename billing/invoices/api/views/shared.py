"""Looking documents up for a caller, and noting that they were seen."""

from collections.abc import Iterable

from django.db.models import Prefetch, QuerySet
from django.http import HttpResponse
from django.utils.http import content_disposition_header

from billing.core.lifecycles import CreditNoteStatus, InvoiceStatus
from billing.invoices import services
from billing.invoices.models import CreditNote, CreditNoteLine, DocumentFormat, Invoice
from billing.invoices.selectors import invoices_visible_to, with_parts
from billing.platform.actors import ActorKind
from billing.platform.api.views import ApiView
from billing.platform.clock import now
from billing.platform.lookup import get_or_not_found


def visible_invoices(visible_to: int | None) -> QuerySet[Invoice]:
    """Invoices a caller may see; drafts are the seller's own business."""
    found = invoices_visible_to(customer_id=visible_to).select_related("payer", "customer__test_clock")
    return found if visible_to is None else found.exclude(status=InvoiceStatus.DRAFT)


def visible_credit_notes(visible_to: int | None) -> QuerySet[CreditNote]:
    """Credit notes a caller may see, newest first."""
    found = CreditNote.objects.select_related("customer__test_clock", "legal_entity", "invoice")
    if visible_to is None:
        return found
    return found.filter(customer_id=visible_to).exclude(status=CreditNoteStatus.DRAFT)


def invoice_of(invoice_id: str, visible_to: int | None) -> Invoice:
    """One invoice with its lines and tax table. Raises NotFound."""
    return get_or_not_found(with_parts(visible_invoices(visible_to)), kind="invoice", public_id=invoice_id)


def credit_note_of(credit_note_id: str, visible_to: int | None) -> CreditNote:
    """One credit note with its lines and tax table. Raises NotFound."""
    lines = CreditNoteLine.objects.select_related("invoice_line").order_by("position")
    found = visible_credit_notes(visible_to).prefetch_related(Prefetch("lines", lines), "taxes")
    return get_or_not_found(found, kind="credit_note", public_id=credit_note_id)


def note_seen(view: ApiView, documents: Iterable[Invoice | CreditNote]) -> None:
    """What a customer's own key has read counts as shown to the customer, and can no longer be voided."""
    if view.visible_to is not None:
        services.note_shown(documents=documents, at=now())


def pdf_answer(view: ApiView, document: Invoice | CreditNote) -> HttpResponse:
    """The stored PDF. In a customer's hands it counts as shown, in a program's as exported; staff may look."""
    content = services.render_document(document=document, format=DocumentFormat.PDF)
    note_seen(view, [document])
    if view.visible_to is None and view.actor.kind == ActorKind.API_KEY:
        services.note_exported(document=document, at=now())
    disposition = content_disposition_header(as_attachment=False, filename=f"{document.number}.pdf")
    headers = {"Content-Disposition": str(disposition)}
    return HttpResponse(content, content_type="application/pdf", headers=headers)
