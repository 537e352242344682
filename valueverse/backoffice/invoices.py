"""The page of an invoice: what it says, why, what became of it, and what may be done to it."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Count, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse

from billing.activity.selectors import activity_of
from billing.catalog.models import Meter, Price
from billing.invoices.admin import InvoiceAdmin
from billing.invoices.models import DocumentFormat, Invoice, InvoiceLine
from billing.invoices.selectors import stored_document
from billing.invoices.services.disclosing import note_exported
from billing.ledger.selectors import entries_about
from billing.platform.clock import now
from billing.usage.models import UsageRollup
from valueverse.backoffice.invoice_verbs import INVOICE_VERBS
from valueverse.backoffice.pages import ObjectPage


@dataclass(frozen=True, slots=True)
class Explained:
    """A line with what explains its amount: the price version, the steps, and where the quantity comes from."""

    line: InvoiceLine
    price: Price | None
    steps: list[dict[str, Any]]
    meter: Meter | None
    rollups: int
    events: int
    rollups_address: str
    events_address: str


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
            "lines": explained_lines(row),
            "taxes": list(row.taxes.all()),
            "allocations": allocations,
            "notes": notes,
            "attempts": list(row.payment_attempts.all()[:20]),
            "mails": list(row.mails.all()[:20]),
            "entries": entries_about(source_ids=about) if may_see_books else [],
            "activity": list(activity_of(object_id=row.public_id)[:20]),
            "has_pdf": row.stored_documents.filter(format=DocumentFormat.PDF).exists(),
        }


def explained_lines(invoice: Invoice) -> list[Explained]:
    """The lines of an invoice with their prices, steps and usage, in a fixed number of queries but for usage."""
    lines = list(invoice.lines.order_by("position"))
    prices = {
        price.public_id: price
        for price in Price.objects.filter(
            public_id__in=[line.working.get("price_id", "") for line in lines]
        ).select_related("plan_version__plan")
    }
    codes = {line.meter_code for line in lines if line.meter_code}
    meters = {meter.code: meter for meter in Meter.objects.filter(code__in=codes)} if codes else {}
    return [_explain(invoice, line, prices, meters) for line in lines]


def _explain(
    invoice: Invoice, line: InvoiceLine, prices: dict[str, Price], meters: dict[str, Meter]
) -> Explained:
    meter = meters.get(line.meter_code)
    found = {"rollups": 0, "events": 0}
    rollups_address = events_address = ""
    if meter is not None:
        found = UsageRollup.objects.filter(
            customer_id=invoice.customer_id,
            meter=meter,
            bucket_at__gte=line.service_start_at,
            bucket_at__lt=line.service_end_at,
        ).aggregate(rollups=Count("pk"), events=Sum("event_count"))
        of_customer = {"customer__id__exact": invoice.customer_id}
        start, end = line.service_start_at.isoformat(), line.service_end_at.isoformat()
        rollups_address = _list(
            "usage_usagerollup",
            of_customer | {"meter__id__exact": meter.pk, "bucket_at__gte": start, "bucket_at__lt": end},
        )
        events_address = _list(
            "usage_usageevent",
            of_customer | {"event_type__exact": meter.event_type, "at__gte": start, "at__lt": end},
        )
    return Explained(
        line=line,
        price=prices.get(line.working.get("price_id", "")),
        steps=list(line.working.get("steps", [])),
        meter=meter,
        rollups=found["rollups"],
        events=int(found["events"] or 0),
        rollups_address=rollups_address,
        events_address=events_address,
    )


def _list(name: str, filters: dict[str, Any]) -> str:
    return f"{reverse(f'admin:{name}_changelist')}?{urlencode(filters)}"
