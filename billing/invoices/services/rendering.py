"""Rendering issued documents: once, from the snapshot, stored as bytes with their hash."""

from datetime import date

from django.db import transaction

from billing.activity import services as activity
from billing.core.errors import BillingError, Kind
from billing.core.events import EventName
from billing.invoices.documents.canonical import canonical_json, sha256_hex
from billing.invoices.documents.pdf import render_pdf
from billing.invoices.documents.serialization import from_dict
from billing.invoices.models import CreditNote, DocumentFormat, Invoice, StoredDocument
from billing.platform.actors import task_actor
from billing.platform.clock import now

RENDERER = task_actor("render_document")


class NotRendered(BillingError):
    """A draft has no document yet."""

    code = "document_not_issued"
    kind = Kind.CONFLICT


def render_document(*, document: Invoice | CreditNote, format: DocumentFormat = DocumentFormat.PDF) -> bytes:
    """The stored bytes of an issued document, rendered and stored first if that has not happened yet (I7).

    The same snapshot gives the same bytes, so that two renderers agree; the first one is stored. Emits
    invoice.rendered. Raises NotRendered for a draft.
    """
    if document.snapshot is None:
        raise NotRendered("A draft has no document yet; finalize it first.")
    stored = _stored(document, format)
    if stored is None:
        _store_all(document)
        stored = _stored(document, format)
    assert stored is not None, "rendering stores every format"
    return bytes(stored.content)


def _stored(document: Invoice | CreditNote, format: DocumentFormat) -> StoredDocument | None:
    return document.stored_documents.filter(format=format).first()


def _store_all(document: Invoice | CreditNote) -> None:
    assert document.snapshot is not None and document.issued_on is not None, (
        "only issued documents are rendered"
    )
    snapshot = from_dict(document.snapshot)
    contents = {DocumentFormat.PDF: render_pdf(snapshot), DocumentFormat.JSON: canonical_json(snapshot)}
    retain_until = date(document.issued_on.year + 1 + document.legal_entity.retention_years, 1, 1)
    with transaction.atomic():
        StoredDocument.objects.bulk_create(
            (
                StoredDocument(
                    invoice=document if isinstance(document, Invoice) else None,
                    credit_note=document if isinstance(document, CreditNote) else None,
                    format=format,
                    content=content,
                    sha256=sha256_hex(content),
                    retain_until=retain_until,
                    created_at=now(),
                )
                for format, content in contents.items()
            ),
            ignore_conflicts=True,
        )
        activity.record(
            name=EventName.INVOICE_RENDERED,
            object_kind="invoice" if isinstance(document, Invoice) else "credit_note",
            object_id=document.public_id,
            customer_id=document.customer.public_id,
            actor=RENDERER,
            at=now(),
            data={"number": document.number},
        )
