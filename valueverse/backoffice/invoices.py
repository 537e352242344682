"""The page of an invoice: what it says, why, what became of it, and what may be done to it."""

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path

from billing.activity.models import Activity
from billing.activity.selectors import activity_of
from billing.catalog.models import Meter, Price
from billing.core.errors import BillingError
from billing.core.events import EventName
from billing.invoices.admin import InvoiceAdmin
from billing.invoices.documents.serialization import from_dict
from billing.invoices.models import DocumentFormat, Invoice, InvoiceLine
from billing.invoices.recompute import Receipt, Recomputed, receipts_of, recompute_line, usage_behind
from billing.invoices.selectors import stored_document
from billing.invoices.services.disclosing import note_exported
from billing.ledger.selectors import entries_about
from billing.platform.clock import now
from billing.usage.models import UsageCorrection, UsageRollup
from billing.usage.selectors import corrections_between
from customers.selectors import customer_tax_party
from valueverse.backoffice.invoice_verbs import INVOICE_VERBS
from valueverse.backoffice.pages import ObjectPage
from valueverse.backoffice.reading import list_address, page_address

CORRECTIONS_SHOWN = 20
TAX_WORDS = {
    "S": "standard or reduced rate",
    "Z": "zero rated",
    "E": "exempt",
    "AE": "reverse charge: the buyer owes the tax",
    "O": "outside the scope of tax",
    "G": "export outside the EU",
    "K": "goods to a business in the EU",
    "L": "tax of the Canary Islands",
    "M": "tax of Ceuta and Melilla",
    "B": "split payment",
}
"""Tax categories of EN 16931 in words."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a quantity comes from: a meter, its quarter hours and its events, by the receipts that the line bills."""

    meter: Meter
    receipt: Receipt
    rollups: int
    events: int
    rollups_address: str
    events_address: str
    days_address: str
    corrections: list[UsageCorrection]
    corrects: Invoice | None


@dataclass(frozen=True, slots=True)
class Proof:
    """A line computed again, or why it cannot be."""

    found: Recomputed | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Explained:
    """A line with what explains its amount: the price version, the steps, the source of its quantity, the tax rule."""

    line: InvoiceLine
    price: Price | None
    published_by: str
    steps: list[dict[str, Any]]
    source: Source | None
    proof: Proof | None
    tax: str


@admin.register(Invoice)
class InvoicePage(ObjectPage, InvoiceAdmin):
    """An invoice with everything around it."""

    page_template = "backoffice/invoice.html"
    verbs = INVOICE_VERBS

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.pdf_view)
        return [path("<int:pk>/pdf/", view, name="invoices_invoice_pdf"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("customer__test_clock", "payer", "legal_entity")

    def pdf_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The stored PDF: in the browser, or as a file by POST, which counts as leaving the house."""
        row = self.find(request, pk)
        stored = stored_document(document=row, format=DocumentFormat.PDF)
        if stored is None:
            raise Http404
        is_file = request.method == "POST"
        if is_file:
            note_exported(document=row, at=now())
        response = HttpResponse(bytes(stored.content), content_type="application/pdf")
        how = "attachment" if is_file else "inline"
        response["Content-Disposition"] = f'{how}; filename="{row.number}.pdf"'
        return response

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        allocations = list(row.allocations.select_related("payment", "reverses").order_by("pk"))
        notes = list(row.credit_notes.order_by("pk"))
        about = [row.public_id, *(a.public_id for a in allocations), *(n.public_id for n in notes)]
        may_see_books = request.user.has_perm("ledger.view_journalentry")
        return {
            "lines": explained_lines(row, recompute=request.GET.get("recompute", "")),
            "why": request.GET.get("why", ""),
            "parties": _tax_parties(row),
            "taxes": list(row.taxes.all()),
            "allocations": allocations,
            "notes": notes,
            "attempts": list(row.payment_attempts.all()[:20]),
            "mails": list(row.mails.all()[:20]),
            "entries": entries_about(source_ids=about) if may_see_books else [],
            "activity": list(activity_of(object_id=row.public_id)[:20]),
            "has_pdf": row.stored_documents.filter(format=DocumentFormat.PDF).exists(),
        }


def _tax_parties(invoice: Invoice) -> dict[str, Any]:
    """What decided the tax: both countries and the buyer's VAT number, as issued or as a draft has them."""
    if invoice.snapshot is not None:
        issued = from_dict(dict(invoice.snapshot))
        seller, buyer, vat = issued.seller.country, issued.buyer.country, issued.buyer.vat_number
    else:
        party = customer_tax_party(invoice.customer)
        seller, buyer, vat = invoice.legal_entity.country, party.country, party.vat_number or ""
    return {"seller": seller, "buyer": buyer, "vat": vat}


def explained_lines(invoice: Invoice, *, recompute: str = "") -> list[Explained]:
    """The lines of an invoice with what explains each; two questions per usage line, and a fixed number otherwise.

    recompute: the position of the line to compute again, or "all".
    """
    lines = list(invoice.lines.select_related("item__subscription").order_by("position"))
    prices = {
        price.public_id: price
        for price in Price.objects.filter(
            public_id__in=[line.working.get("price_id", "") for line in lines]
        ).select_related("plan_version__plan")
    }
    published = {
        row.object_id: row.actor_label
        for row in Activity.objects.filter(
            name=EventName.PLAN_VERSION_PUBLISHED.value,
            object_id__in={price.plan_version.public_id for price in prices.values()},
        )
    }
    codes = {line.meter_code for line in lines if line.meter_code}
    meters = {meter.code: meter for meter in Meter.objects.filter(code__in=codes)} if codes else {}
    receipts = receipts_of(lines) if codes else {}
    explained = []
    for line in lines:
        price = prices.get(line.working.get("price_id", ""))
        receipt = receipts.get(line.public_id) or Receipt(None, invoice.usage_cutoff_at)
        meter = meters.get(line.meter_code)
        explained.append(
            Explained(
                line=line,
                price=price,
                published_by=published.get(price.plan_version.public_id, "") if price else "",
                steps=list(line.working.get("steps", [])),
                source=_source(invoice, line, meter, receipt) if meter is not None else None,
                proof=_proof(invoice, line) if recompute in (str(line.position), "all") else None,
                tax=TAX_WORDS.get(line.tax_category, line.tax_category),
            )
        )
    return explained


def _proof(invoice: Invoice, line: InvoiceLine) -> Proof:
    """The line computed again, or why it cannot be."""
    try:
        return Proof(recompute_line(invoice=invoice, line=line))
    except BillingError as error:
        return Proof(None, error.message)


def _source(invoice: Invoice, line: InvoiceLine, meter: Meter, receipt: Receipt) -> Source:
    """Where a usage line's quantity comes from, with the ways down to the quarter hours and the events."""
    start, end = line.service_start_at, line.service_end_at
    zone = ZoneInfo(line.item.subscription.time_zone)
    rollups = UsageRollup.objects.filter(
        customer_id=invoice.customer_id, meter=meter, bucket_at__gte=start, bucket_at__lt=end
    ).count()
    received = {
        "received_after": receipt.after.isoformat() if receipt.after else "",
        "received_until": receipt.until.isoformat() if receipt.until else "",
    }
    narrowed = {"customer": invoice.customer.public_id, "meter": meter.code, **received}
    return Source(
        meter=meter,
        receipt=receipt,
        rollups=rollups,
        events=usage_behind(invoice=invoice, line=line, meter=meter, receipt=receipt).count,
        rollups_address=list_address(
            "usage_usagerollup",
            customer__id__exact=invoice.customer_id,
            meter__id__exact=meter.pk,
            bucket_at__gte=start.isoformat(),
            bucket_at__lt=end.isoformat(),
        ),
        events_address=page_address(
            "usage_events", **narrowed, at_from=start.isoformat(), at_to=end.isoformat()
        ),
        days_address=page_address(
            "usage_explorer",
            **narrowed,
            **{"from": start.astimezone(zone).date(), "to": line.service_last_on, "by": "day"},
        ),
        corrections=list(
            corrections_between(
                customer=invoice.customer,
                meter=meter,
                start_at=start,
                end_at=end,
                after=receipt.after,
                until=receipt.until,
            )[:CORRECTIONS_SHOWN]
        ),
        corrects=Invoice.objects.filter(public_id=line.working.get("corrects") or "").first(),
    )
