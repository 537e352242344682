"""Invoices over HTTP."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from billing.approvals.services import ApprovalRequired
from billing.invoices import services
from billing.invoices.api.renderers import PdfRenderer
from billing.invoices.api.serializers import (
    CreditNoteDetailOutput,
    CreditNoteInput,
    InvoiceDetailOutput,
    InvoiceOutput,
    InvoiceQuery,
    QueuedMailsOutput,
    VoidInput,
)
from billing.invoices.api.views.shared import (
    credit_note_of,
    invoice_of,
    note_seen,
    pdf_answer,
    visible_invoices,
)
from billing.invoices.models import CreditReason
from billing.platform.api.idempotency import idempotent
from billing.platform.api.permissions import Needs
from billing.platform.api.schema import page_of
from billing.platform.api.views import ApiView, only
from billing.platform.scopes import Scope
from customers.selectors import now_for

_READ = Needs(Scope.INVOICES_READ, "invoices.view_invoice", bound_keys=True)


class InvoiceList(ApiView):
    access = {"GET": _READ}

    @extend_schema(
        operation_id="list_invoices",
        summary="List invoices",
        tags=["invoices"],
        parameters=[InvoiceQuery],
        responses=page_of(InvoiceOutput),
    )
    def get(self, request: Request) -> Response:
        """Newest first, without lines. A customer's own key sees no drafts."""
        wanted = only(
            self.query(InvoiceQuery),
            customer="customer__public_id",
            subscription="subscription__public_id",
            number="number",
            status="status",
        )
        return self.page(
            visible_invoices(self.visible_to).filter(**wanted),
            InvoiceOutput,
            seen=lambda rows: note_seen(self, rows),
        )


class InvoiceDetail(ApiView):
    access = {"GET": _READ}

    @extend_schema(
        operation_id="get_invoice", summary="Get an invoice", tags=["invoices"], responses=InvoiceDetailOutput
    )
    def get(self, request: Request, invoice_id: str) -> Response:
        """With its lines, their working, and the tax table."""
        invoice = invoice_of(invoice_id, self.visible_to)
        note_seen(self, [invoice])
        return self.answer(InvoiceDetailOutput, invoice)


class InvoicePdf(ApiView):
    access = {"GET": _READ}
    renderer_classes = [JSONRenderer, PdfRenderer]

    @extend_schema(
        operation_id="get_invoice_pdf",
        summary="Get the PDF of an invoice",
        tags=["invoices"],
        responses={(200, "application/pdf"): OpenApiResponse(OpenApiTypes.BINARY, "The document as issued.")},
    )
    def get(self, request: Request, invoice_id: str) -> HttpResponse:
        """The stored bytes, the same at every call. To a program it counts as exported: then no void any more."""
        return pdf_answer(self, invoice_of(invoice_id, self.visible_to))


class FinalizeInvoice(ApiView):
    access = {"POST": Needs(Scope.INVOICES_WRITE, "invoices.change_invoice")}

    @extend_schema(
        operation_id="finalize_invoice",
        summary="Finalize an invoice",
        tags=["invoices"],
        request=None,
        responses=InvoiceDetailOutput,
    )
    @idempotent()
    def post(self, request: Request, invoice_id: str) -> Any:
        """The draft gets its number, is frozen, booked and mailed. Finalizing it again changes nothing."""
        invoice = invoice_of(invoice_id, self.visible_to)
        services.finalize_invoice(invoice_id=invoice_id, actor=self.actor, at=now_for(invoice.customer))
        return self.answer(InvoiceDetailOutput, invoice_of(invoice_id, self.visible_to))


class VoidInvoice(ApiView):
    access = {"POST": Needs(Scope.INVOICES_WRITE, "invoices.change_invoice")}

    @extend_schema(
        operation_id="void_invoice",
        summary="Void an invoice",
        tags=["invoices"],
        request=VoidInput,
        responses=InvoiceDetailOutput,
    )
    @idempotent()
    def post(self, request: Request, invoice_id: str) -> Any:
        """Only one that was never sent, shown or exported; its number stays. Else issue a credit note."""
        invoice = invoice_of(invoice_id, self.visible_to)
        reason = self.read(VoidInput)["reason"]
        services.void_invoice(
            invoice_id=invoice_id, reason=reason, actor=self.actor, at=now_for(invoice.customer)
        )
        return self.answer(InvoiceDetailOutput, invoice_of(invoice_id, self.visible_to))


class CreditInvoice(ApiView):
    access = {"POST": Needs(Scope.INVOICES_WRITE, "invoices.add_creditnote")}

    @extend_schema(
        operation_id="credit_invoice",
        summary="Credit an invoice",
        tags=["invoices"],
        request=CreditNoteInput,
        responses={201: CreditNoteDetailOutput},
    )
    @idempotent(required=True, kept=(ApprovalRequired,))
    def post(self, request: Request, invoice_id: str) -> Any:
        """A document of its own over the whole invoice. Above the policy's limit somebody has to approve it first."""
        invoice = invoice_of(invoice_id, self.visible_to)
        given = self.read(CreditNoteInput)
        credit = services.cancel_invoice if given["is_cancellation"] else services.credit_invoice
        credit_note = credit(
            invoice_id=invoice_id,
            reason=CreditReason(given["reason"]),
            note=given.get("note", ""),
            actor=self.actor,
            at=now_for(invoice.customer),
        )
        made = credit_note_of(credit_note.public_id, self.visible_to)
        return self.answer(CreditNoteDetailOutput, made, status=201)


class SendInvoice(ApiView):
    access = {"POST": Needs(Scope.INVOICES_WRITE, "invoices.change_invoice")}

    @extend_schema(
        operation_id="send_invoice",
        summary="Send an invoice again",
        tags=["invoices"],
        request=None,
        responses={202: QueuedMailsOutput},
    )
    @idempotent()
    def post(self, request: Request, invoice_id: str) -> Any:
        """Queues a mail with the PDF to every contact with the billing role."""
        invoice = invoice_of(invoice_id, self.visible_to)
        mails = services.resend_document(document=invoice, actor=self.actor, at=now_for(invoice.customer))
        return self.answer(QueuedMailsOutput, {"data": mails}, status=202)
