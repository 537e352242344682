"""The document behind the link of a mail: shown for 90 days without signing in, then after it."""

from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from billing.invoices.document_links import DocumentLinkExpired, DocumentLinkUnknown, document_behind
from billing.invoices.documents.formatting import supported_language
from billing.invoices.models import CreditNote, Invoice
from billing.invoices.selectors import with_parts
from billing.invoices.services.disclosing import note_shown
from customers.selectors import now_for
from valueverse.portal.access import language_of, show
from valueverse.portal.states import seller_day
from valueverse.portal.views.invoices import document_content, pdf_answer


@require_safe
@never_cache
def document(request: HttpRequest, token: str) -> HttpResponse:
    """The invoice or credit note of a mailed link."""
    found = _found(token)
    if isinstance(found, HttpResponse):
        return found
    at = now_for(found.customer)
    _note_seen(request, found, at)
    language = language_of(request, supported_language(found.customer.language))
    content: dict[str, Any] = {
        "token": token,
        "language": language,
        "seller": found.legal_entity.name,
        "clock_at": found.customer.test_clock and at,
    }
    if isinstance(found, CreditNote):
        return show(request, "document", {**content, "credit_note": found})
    invoice = with_parts(Invoice.objects.select_related("legal_entity", "customer")).get(pk=found.pk)
    return show(
        request, "document", {**content, **document_content(invoice, language, seller_day(invoice, at))}
    )


@require_safe
@never_cache
def document_pdf(request: HttpRequest, token: str) -> HttpResponse:
    """Its PDF."""
    found = _found(token)
    if isinstance(found, HttpResponse):
        return found
    _note_seen(request, found, now_for(found.customer))
    return pdf_answer(found)


def _note_seen(request: HttpRequest, found: Invoice | CreditNote, at: datetime) -> None:
    """The customer has seen it, unless somebody signed in on the staff tries the link."""
    if not getattr(request.user, "is_staff", False):
        note_shown(documents=[found], at=at)


def _found(token: str) -> Invoice | CreditNote | HttpResponse:
    """The document, or the way to it for a link that has run out."""
    try:
        return document_behind(token)
    except DocumentLinkUnknown as error:
        raise Http404 from error
    except DocumentLinkExpired as error:
        target = (
            reverse("portal:invoice", args=[error.document.public_id])
            if isinstance(error.document, Invoice)
            else reverse("portal:invoices")
        )
        return redirect(f"{reverse('portal:sign-in')}?{urlencode({'next': target, 'reason': 'document'})}")
