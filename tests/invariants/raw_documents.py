"""Documents issued and bytes stored in plain SQL, with every column that the services would set."""

from datetime import date
from typing import Any

from billing.approvals import services as approvals
from billing.approvals.models import ApprovalAction
from billing.invoices.models import CreditNote, CreditReason, Invoice
from billing.invoices.services.credit_notes import _draft
from billing.platform.ids import new_public_id
from customers.models import DocumentType, LegalEntity, NumberSeries
from tests import factories
from tests.billing_factories import billed_customer, draft_invoice, finalized_invoice, version_with_fee
from tests.factories import ACTOR, START
from tests.invariants.hostile import sql

FIRST = date(2023, 11, 1)
VOID = (
    "UPDATE invoices_invoice SET status = 'voided', voided_at = now(), void_reason = 'Mistake' WHERE id = %s"
)


def series_of(entity: LegalEntity, document_type: DocumentType = DocumentType.INVOICE) -> NumberSeries:
    return NumberSeries.objects.get(legal_entity=entity, document_type=document_type)


def take_number(series: NumberSeries, number: int, *, issued_on: date = FIRST, year: int = 2023) -> None:
    """Move the counter to a number, as a raw write would."""
    sql(
        "INSERT INTO customers_numbercounter (series_id, year, last_number, last_issued_on) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (series_id, year) DO UPDATE SET last_number = excluded.last_number,"
        " last_issued_on = excluded.last_issued_on",
        *(series.pk, year, number, issued_on),
    )


def issue(document: Invoice | CreditNote, *, nth: int = 1, is_recorded: bool = True, **changes: Any) -> None:
    """Issue a draft in plain SQL, with every column that issuing sets."""
    is_invoice = isinstance(document, Invoice)
    document_type = DocumentType.INVOICE if is_invoice else DocumentType.CREDIT_NOTE
    columns: dict[str, Any] = {
        "status": "finalized",
        "series_id": series_of(document.legal_entity, document_type).pk,
        "series_year": 2023,
        "series_number": nth,
        "number": f"RAW-{document_type}-{nth}",
        "issued_on": FIRST,
        "tax_point_on": FIRST,
        "snapshot": "{}",
        "snapshot_hash": "0" * 64,
        "finalized_at": START,
        **({"due_on": FIRST} if is_invoice else {}),
        **changes,
    }
    assignments = ", ".join(f"{name} = %s" for name in columns)
    sql(f"UPDATE {document._meta.db_table} SET {assignments} WHERE id = %s", *columns.values(), document.pk)
    if is_recorded:
        event = "invoice.finalized" if is_invoice else "credit_note.finalized"
        record(document.public_id, event)


def record(object_id: str, event: str) -> None:
    sql(
        "INSERT INTO activity_activity (public_id, name, object_kind, object_id, customer_id, data, actor_kind,"
        " actor_id, actor_label, happened_at, recorded_at)"
        " VALUES (%s, %s, 'invoice', %s, '', '{}', 'command', 'tests', 'tests', now(), now())",
        *(new_public_id("act"), event, object_id),
    )


def issue_next(document: Invoice | CreditNote, **changes: Any) -> None:
    """Take the first number of the document's series, and issue it."""
    document_type = DocumentType.INVOICE if isinstance(document, Invoice) else DocumentType.CREDIT_NOTE
    take_number(series_of(document.legal_entity, document_type), 1)
    issue(document, **changes)


def draft_credit_note(invoice: Invoice) -> CreditNote:
    """A credit note over an invoice, approved and not issued yet."""
    approval = approvals.require(
        action=ApprovalAction.CREDIT_NOTE,
        object_kind="invoice",
        object_id=invoice.public_id,
        amount_minor=invoice.total_minor,
        currency=invoice.currency,
        actor=ACTOR,
        at=START,
    )
    approvals.mark_executed(approval=approval, at=START)
    invoice.refresh_from_db()
    return _draft(invoice, False, CreditReason.OTHER, "", approval, START)


def store_document(invoice: Invoice, *, retain_until: str) -> int:
    ((row_id,),) = sql(
        "INSERT INTO invoices_storeddocument (public_id, invoice_id, format, content, sha256, retain_until, created_at)"
        " VALUES (%s, %s, 'pdf', %s, encode(sha256(%s), 'hex'), %s, now()) RETURNING id",
        *(new_public_id("doc"), invoice.pk, b"%PDF", b"%PDF", retain_until),
    )
    return int(row_id)


def a_draft(kind: str) -> Invoice | CreditNote:
    return draft_invoice() if kind == "invoice" else draft_credit_note(finalized_invoice())


def two_drafts() -> tuple[Invoice, Invoice]:
    """Drafts of two customers of one legal entity."""
    clock, version = factories.test_clock(), version_with_fee()
    first, second = (draft_invoice(billed_customer(clock=clock, version=version)) for _ in range(2))
    return first, second
