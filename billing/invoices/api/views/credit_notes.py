"""Credit notes over HTTP; they are issued on the invoice they credit."""

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from billing.invoices.api.renderers import PdfRenderer
from billing.invoices.api.serializers import CreditNoteDetailOutput, CreditNoteOutput, CreditNoteQuery
from billing.invoices.api.views.shared import credit_note_of, note_seen, pdf_answer, visible_credit_notes
from billing.platform.api.permissions import Needs
from billing.platform.api.schema import page_of
from billing.platform.api.views import ApiView, only
from billing.platform.scopes import Scope

_READ = Needs(Scope.INVOICES_READ, "invoices.view_creditnote", bound_keys=True)


class CreditNoteList(ApiView):
    access = {"GET": _READ}

    @extend_schema(
        operation_id="list_credit_notes",
        summary="List credit notes",
        tags=["invoices"],
        parameters=[CreditNoteQuery],
        responses=page_of(CreditNoteOutput),
    )
    def get(self, request: Request) -> Response:
        """Newest first, without lines."""
        wanted = only(
            self.query(CreditNoteQuery), customer="customer__public_id", invoice="invoice__public_id"
        )
        return self.page(
            visible_credit_notes(self.visible_to).filter(**wanted),
            CreditNoteOutput,
            seen=lambda rows: note_seen(self, rows),
        )


class CreditNoteDetail(ApiView):
    access = {"GET": _READ}

    @extend_schema(
        operation_id="get_credit_note",
        summary="Get a credit note",
        tags=["invoices"],
        responses=CreditNoteDetailOutput,
    )
    def get(self, request: Request, credit_note_id: str) -> Response:
        """With its lines and tax table."""
        credit_note = credit_note_of(credit_note_id, self.visible_to)
        note_seen(self, [credit_note])
        return self.answer(CreditNoteDetailOutput, credit_note)


class CreditNotePdf(ApiView):
    access = {"GET": _READ}
    renderer_classes = [JSONRenderer, PdfRenderer]

    @extend_schema(
        operation_id="get_credit_note_pdf",
        summary="Get the PDF of a credit note",
        tags=["invoices"],
        responses={(200, "application/pdf"): OpenApiResponse(OpenApiTypes.BINARY, "The document as issued.")},
    )
    def get(self, request: Request, credit_note_id: str) -> HttpResponse:
        """The stored bytes, the same at every call."""
        return pdf_answer(self, credit_note_of(credit_note_id, self.visible_to))
