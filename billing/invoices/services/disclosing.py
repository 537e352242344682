"""Noting that an issued document was seen: from then on it is credited, never voided."""

from collections.abc import Iterable
from datetime import datetime

from billing.invoices.models import CreditNote, Invoice

Document = Invoice | CreditNote


def note_shown(*, documents: Iterable[Document], at: datetime) -> None:
    """Note when the customer first opened these documents. Idempotent: the first time stays. Drafts are left out."""
    for kind in (Invoice, CreditNote):
        ids = [document.pk for document in documents if isinstance(document, kind) and document.number]
        kind.objects.filter(pk__in=ids, shown_at=None).update(shown_at=at)


def note_exported(*, document: Document, at: datetime) -> None:
    """Note when a document first left to another program, which may have passed it on. Idempotent."""
    if document.number:
        type(document).objects.filter(pk=document.pk, exported_at=None).update(exported_at=at)
