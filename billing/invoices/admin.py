"""Back office pages of this app: to be read."""

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from billing.invoices.models import (
    BillRun,
    BillRunCustomer,
    CreditNote,
    CreditNoteLine,
    CreditNoteTax,
    DocumentMail,
    Invoice,
    InvoiceLine,
    InvoiceTax,
    StoredDocument,
)
from billing.platform.admin import ReadOnlyAdmin, ReadOnlyInline

_DOCUMENT_COLUMNS = ("number", "customer", "status", "issued_on", "total_minor", "currency", "legal_entity")
_LINE_FIELDS = ("position", "code", "description", "quantity", "unit_amount", "amount_minor", "tax_percent")


class InvoiceLineInline(ReadOnlyInline):
    model = InvoiceLine
    fields = _LINE_FIELDS


class InvoiceTaxInline(ReadOnlyInline):
    model = InvoiceTax


class CreditNoteLineInline(ReadOnlyInline):
    model = CreditNoteLine
    fields = _LINE_FIELDS


class CreditNoteTaxInline(ReadOnlyInline):
    model = CreditNoteTax


class BillRunCustomerInline(ReadOnlyInline):
    model = BillRunCustomer


@admin.register(Invoice)
class InvoiceAdmin(ReadOnlyAdmin):
    list_display = _DOCUMENT_COLUMNS
    list_filter = ["status", "legal_entity"]
    list_select_related = ["customer", "legal_entity"]
    search_fields = ["number", "public_id", "customer__name"]
    inlines = [InvoiceLineInline, InvoiceTaxInline]


@admin.register(CreditNote)
class CreditNoteAdmin(ReadOnlyAdmin):
    list_display = (*_DOCUMENT_COLUMNS, "invoice")
    list_filter = ["status", "legal_entity"]
    list_select_related = ["customer", "legal_entity", "invoice"]
    search_fields = ["number", "public_id", "customer__name", "invoice__number"]
    inlines = [CreditNoteLineInline, CreditNoteTaxInline]


@admin.register(BillRun)
class BillRunAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "as_of", "status", "customer", "actor_label", "created_at", "completed_at"]
    list_filter = ["status"]
    list_select_related = ["customer"]
    inlines = [BillRunCustomerInline]


@admin.register(StoredDocument)
class StoredDocumentAdmin(ReadOnlyAdmin):
    list_display = ["public_id", "invoice", "credit_note", "format", "sha256", "retain_until"]
    list_select_related = ["invoice", "credit_note"]
    exclude = ["content"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        return super().get_queryset(request).defer("content")


@admin.register(DocumentMail)
class DocumentMailAdmin(ReadOnlyAdmin):
    list_display = [
        "recipient",
        "status",
        "attempts",
        "invoice",
        "credit_note",
        "queued_at",
        "sent_at",
        "error",
    ]
    list_filter = ["status"]
    list_select_related = ["invoice", "credit_note"]
    search_fields = ["recipient", "invoice__number", "credit_note__number"]
