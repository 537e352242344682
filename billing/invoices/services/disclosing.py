"""Noting that an issued document was seen: from then on it is credited, never voided."""

from collections.abc import Iterable
from datetime import date, datetime

from billing.invoices.models import CreditNote, Invoice
from billing.ledger.selectors import sources_booked
from customers.models import LegalEntity

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


def note_journal_export(*, legal_entity: LegalEntity, start_on: date, end_on: date, at: datetime) -> int:
    """Every document booked in [start_on, end_on) has left in a journal export; returns how many are new to that."""
    changed = 0
    for kind, source_type in ((Invoice, "invoice"), (CreditNote, "credit_note")):
        ids = sources_booked(
            legal_entity=legal_entity, source_type=source_type, start_on=start_on, end_on=end_on
        )
        changed += kind.objects.filter(public_id__in=ids, exported_at=None).update(exported_at=at)
    return changed
