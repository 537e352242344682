"""Issued documents: I6, I7, I9 and I29, on invoices and credit notes alike."""

import pytest

from billing.core.lifecycles import InvoiceStatus
from billing.invoices.services import void_invoice
from billing.platform.clock import now
from tests.billing_factories import (
    credit_note,
    draft_invoice,
    finalized_invoice,
    paid_invoice,
)
from tests.factories import ACTOR, START
from tests.invariants.hostile import (
    UNIQUE,
    accepted,
    check_deferred,
    copy_row,
    not_permitted,
    refused,
    sql,
    tampering,
)
from tests.invariants.raw_documents import (
    VOID,
    a_draft,
    issue_next,
    record,
    store_document,
    two_drafts,
)

pytestmark = pytest.mark.django_db

OUTLIVES_ISSUE = {
    "invoices_invoice": {
        *("status", "voided_at", "void_reason", "sent_at", "shown_at", "exported_at"),
        *("allocated_minor", "offset_minor", "credited_minor", "written_off_minor"),
    },
    "invoices_creditnote": {"sent_at", "shown_at", "exported_at", "refunded_minor"},
}
"""What may still be noted on an issued document, each under rules of its own."""


# I6: a document adds up


@pytest.mark.parametrize("kind", ["invoice", "credit_note"])
@pytest.mark.parametrize(
    ("part", "column"), [("line", "amount_minor"), ("tax", "tax_minor"), ("tax", "base_minor")]
)
def test_i06_document_whose_parts_do_not_add_up_is_not_issued(kind: str, part: str, column: str) -> None:
    draft = a_draft(kind)
    table = f"invoices_{kind.replace('_', '')}{part}"
    with accepted():
        issue_next(draft)
    with refused("i6_document_adds_up"):
        sql(f"UPDATE {table} SET {column} = {column} + 1 WHERE {kind}_id = %s", draft.pk)
        issue_next(draft)


@pytest.mark.parametrize("kind", ["invoice", "credit_note"])
@pytest.mark.parametrize(
    "change",
    [
        "allowance_minor = 1",
        "allowance_minor = -1",
        """allowances = '[{"kind": "coupon", "amount_minor": 5}]'""",
        """allowance_minor = 4, allowances = '[{"kind": "coupon", "amount_minor": 5}]'""",
        """allowance_minor = 4, allowances = '[{"amount_minor": 5}, {"amount_minor": -1}]'""",
        """allowance_minor = 5, allowances = '[{"amount_minor": 5}, {"kind": "coupon"}]'""",
    ],
)
def test_i06_allowances_of_a_line_are_above_zero_and_add_up(kind: str, change: str) -> None:
    draft = a_draft(kind)
    table = f"invoices_{kind.replace('_', '')}line"
    right = """allowance_minor = 5, allowances = '[{"amount_minor": 2}, {"amount_minor": 3}]'"""
    with accepted():
        sql(f"UPDATE {table} SET {right} WHERE {kind}_id = %s", draft.pk)
    with refused(f"i6_{kind}_line_allowances_add_up"):
        sql(f"UPDATE {table} SET {change} WHERE {kind}_id = %s", draft.pk)


def test_i06_document_without_lines_is_not_issued() -> None:
    draft = draft_invoice()
    with refused("i6_document_adds_up"):
        sql("DELETE FROM invoices_invoiceline WHERE invoice_id = %s", draft.pk)
        sql("DELETE FROM invoices_invoicetax WHERE invoice_id = %s", draft.pk)
        sql("UPDATE invoices_invoice SET subtotal_minor = 0, tax_minor = 0, total_minor = 0")
        issue_next(draft)


@pytest.mark.parametrize("kind", ["invoice", "credit_note"])
def test_i06_total_is_net_plus_tax_even_on_a_draft(kind: str) -> None:
    name = kind.replace("_", "")
    draft = a_draft(kind)
    with refused(f"i6_{name}_total_is_net_plus_tax"):
        covered = ", offset_minor = offset_minor + 1" if kind == "credit_note" else ""
        sql(f"UPDATE invoices_{name} SET total_minor = total_minor + 1{covered} WHERE id = %s", draft.pk)


# I7: an issued document never changes


@pytest.mark.parametrize("table", ["invoices_invoice", "invoices_creditnote"])
def test_i07_no_column_of_an_issued_document_changes(table: str) -> None:
    note = credit_note(paid_invoice())
    row_id = note.pk if table == "invoices_creditnote" else note.invoice_id
    by = {
        "invoices_invoice": "i7_issued_invoice_never_changes",
        "invoices_creditnote": "i7_issued_credit_note_never_changes",
    }
    frozen = {name: change for name, change in tampering(table).items() if name not in OUTLIVES_ISSUE[table]}
    assert {"total_minor", "customer_id", "snapshot", "number", "issued_on", "legal_entity_id"} <= set(frozen)
    for change in frozen.values():
        with refused(by[table]):
            sql(f"UPDATE {table} SET {change} WHERE id = %s", row_id)
    with accepted():
        sql(f"UPDATE {table} SET shown_at = now() WHERE id = %s", row_id)


@pytest.mark.parametrize("mark", ["sent_at", "shown_at", "exported_at"])
@pytest.mark.parametrize("kind", ["invoice", "creditnote"])
def test_i07_what_happened_to_a_document_is_noted_once(kind: str, mark: str) -> None:
    note = credit_note(paid_invoice())
    row_id = note.pk if kind == "creditnote" else note.invoice_id
    sql(f"UPDATE invoices_{kind} SET {mark} = now() WHERE id = %s", row_id)
    for other in (f"{mark} + interval '1 day'", "NULL"):
        with refused(f"i7_issued_{'credit_note' if kind == 'creditnote' else kind}_never_changes"):
            sql(f"UPDATE invoices_{kind} SET {mark} = {other} WHERE id = %s", row_id)


@pytest.mark.parametrize("part", ["invoiceline", "invoicetax", "creditnoteline", "creditnotetax"])
def test_i07_no_line_or_tax_of_an_issued_document_is_changed_added_or_removed(part: str) -> None:
    by = "i7_parts_of_issued_document_never_change"
    credit_note(finalized_invoice())
    table = f"invoices_{part}"
    ((row_id,),) = sql(f"SELECT id FROM {table}")
    for change in tampering(table).values():
        with refused(by):
            sql(f"UPDATE {table} SET {change}")
    with refused(by):
        sql(f"DELETE FROM {table}")
    with refused(by):
        copy_row(table, row_id, **({"position": 2} if part.endswith("line") else {"percent": "7"}))


def test_i07_a_line_of_a_draft_is_not_moved_onto_an_issued_invoice() -> None:
    first, second = two_drafts()
    issue_next(first)
    with refused("i7_parts_of_issued_document_never_change"):
        sql(
            "UPDATE invoices_invoiceline SET invoice_id = %s, position = 2 WHERE invoice_id = %s",
            first.pk,
            second.pk,
        )


def test_i07_issued_documents_are_not_deleted() -> None:
    note = credit_note(finalized_invoice())
    with refused("i7_issued_credit_note_never_changes"):
        sql("DELETE FROM invoices_creditnote WHERE id = %s", note.pk)
    with refused("i7_issued_invoice_never_changes"):
        sql("DELETE FROM invoices_invoice WHERE id = %s", note.invoice_id)
    for table in (
        "invoices_invoice",
        "invoices_creditnote",
        "invoices_invoiceline",
        "invoices_creditnotetax",
    ):
        with not_permitted():
            sql(f"TRUNCATE {table} CASCADE")


def test_i07_a_draft_may_be_deleted() -> None:
    draft = draft_invoice()
    with accepted():
        for part in ("line", "tax"):
            sql(f"DELETE FROM invoices_invoice{part} WHERE invoice_id = %s", draft.pk)
        sql("DELETE FROM invoices_invoice WHERE id = %s", draft.pk)


def test_i07_reason_and_time_of_a_void_never_change() -> None:
    invoice = finalized_invoice()
    void_invoice(invoice_id=invoice.public_id, reason="Wrong customer", actor=ACTOR, at=START)
    for change in ("void_reason = 'Another'", "voided_at = voided_at + interval '1 day'"):
        with refused("i7_issued_invoice_never_changes"):
            sql(f"UPDATE invoices_invoice SET {change} WHERE id = %s", invoice.pk)


# I7: stored bytes


def test_i07_stored_bytes_are_not_changed_by_the_application() -> None:
    store_document(finalized_invoice(), retain_until="2034-01-01")
    for change in tampering("invoices_storeddocument").values():
        with not_permitted():
            sql(f"UPDATE invoices_storeddocument SET {change}")
    with not_permitted():
        sql("TRUNCATE invoices_storeddocument")


def test_i07_stored_document_is_kept_until_its_retention_ends() -> None:
    kept = store_document(finalized_invoice(), retain_until=f"{now().year + 1}-01-01")
    with refused("i7_stored_document_is_retained"):
        sql("DELETE FROM invoices_storeddocument WHERE id = %s", kept)
    expired = store_document(finalized_invoice(), retain_until="2020-01-01")
    with accepted():
        sql("DELETE FROM invoices_storeddocument WHERE id = %s", expired)


def test_i07_a_document_is_rendered_once_per_format() -> None:
    invoice = finalized_invoice()
    store_document(invoice, retain_until="2034-01-01")
    with refused("one_rendering_per_invoice_and_format", UNIQUE):
        store_document(invoice, retain_until="2034-01-01")


# I9: lifecycles


@pytest.mark.parametrize("kind", ["invoice", "credit_note"])
def test_i09_a_draft_has_no_number_and_an_issued_document_has_one(kind: str) -> None:
    by = f"i9_{kind.replace('_', '')}_draft_has_no_number"
    draft = a_draft(kind)
    with refused(by):
        sql(f"UPDATE {draft._meta.db_table} SET number = 'X-1' WHERE id = %s", draft.pk)
    for missing in ("number", "finalized_at", "tax_point_on", "snapshot", "snapshot_hash"):
        with refused(by):
            issue_next(draft, **{missing: None})


def test_i09_an_issued_invoice_has_a_due_date() -> None:
    draft = draft_invoice()
    with refused("finalized_invoice_has_a_due_date"):
        issue_next(draft, due_on=None)


@pytest.mark.parametrize("kind", ["invoice", "creditnote"])
def test_i09_no_document_is_born_issued(kind: str) -> None:
    note = credit_note(finalized_invoice())
    row_id = note.pk if kind == "creditnote" else note.invoice_id
    with refused("i9_document_is_born_a_draft"):
        copy_row(f"invoices_{kind}", row_id)


def test_i09_no_draft_is_born_paid() -> None:
    draft = draft_invoice()
    with accepted():
        copy_row("invoices_invoice", draft.pk)
    for counter in ("allocated_minor", "offset_minor", "credited_minor", "written_off_minor"):
        with refused("i9_document_is_born_a_draft"):
            copy_row("invoices_invoice", draft.pk, **{counter: 1})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (InvoiceStatus.DRAFT, InvoiceStatus.VOIDED),
        (InvoiceStatus.FINALIZED, InvoiceStatus.DRAFT),
        (InvoiceStatus.VOIDED, InvoiceStatus.FINALIZED),
        (InvoiceStatus.VOIDED, InvoiceStatus.DRAFT),
    ],
)
def test_i09_an_invoice_only_moves_forward(old: InvoiceStatus, new: InvoiceStatus) -> None:
    draft = draft_invoice()
    if old != InvoiceStatus.DRAFT:
        issue_next(draft)
    if old == InvoiceStatus.VOIDED:
        sql(VOID, draft.pk)
    with refused("i9_invoice_status_moves"):
        if old == InvoiceStatus.DRAFT:
            issue_next(draft, status=new.value)
        else:
            sql("UPDATE invoices_invoice SET status = %s WHERE id = %s", new.value, draft.pk)


def test_i09_a_credit_note_is_never_voided_or_taken_back() -> None:
    note = credit_note(finalized_invoice())
    for status in ("voided", "draft"):
        with refused("i7_issued_credit_note_never_changes"):
            sql("UPDATE invoices_creditnote SET status = %s WHERE id = %s", status, note.pk)


@pytest.mark.parametrize("seen", ["sent_at", "shown_at", "exported_at"])
def test_i09_an_invoice_somebody_has_seen_is_not_voided(seen: str) -> None:
    invoice = finalized_invoice()
    with accepted():
        sql(VOID, invoice.pk)
    sql(f"UPDATE invoices_invoice SET {seen} = now() WHERE id = %s", invoice.pk)
    with refused("i9_only_an_unseen_invoice_is_voided"):
        sql(VOID, invoice.pk)


def test_i09_an_invoice_that_is_paid_or_credited_is_not_voided() -> None:
    for invoice in (paid_invoice(), credit_note(finalized_invoice()).invoice):
        with refused("i9_only_an_unseen_invoice_is_voided"):
            sql(VOID, invoice.pk)


# I29: every issue leaves its event


@pytest.mark.parametrize("kind", ["invoice", "credit_note"])
def test_i29_issue_without_its_event_is_refused_at_commit(kind: str) -> None:
    draft = a_draft(kind)
    with accepted():
        issue_next(draft)
    with refused("i29_issue_is_recorded"):
        issue_next(draft, is_recorded=False)
    with refused("i29_issue_is_recorded"):  # another event of the same document does not count
        issue_next(draft, is_recorded=False)
        record(draft.public_id, f"{kind}.drafted")
    check_deferred()
