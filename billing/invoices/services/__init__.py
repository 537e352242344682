"""The verbs of documents: draft, finalize, void, credit, render, mail, and run all of it for many customers."""

from billing.invoices.services.credit_notes import cancel_invoice, credit_invoice
from billing.invoices.services.disclosing import note_exported, note_journal_export, note_shown
from billing.invoices.services.drafts import delete_draft, draft_due_invoices
from billing.invoices.services.issuing import finalize_invoice
from billing.invoices.services.mails import resend_document, send_due_mails, send_mail
from billing.invoices.services.rendering import render_document
from billing.invoices.services.runs import (
    BILLING_LOCK,
    approve_bill_run,
    bill_due,
    cancel_bill_run,
    continue_bill_run,
    perform_bill_run,
    run_totals,
    something_is_due,
    start_bill_run,
    unfinished_runs,
)
from billing.invoices.services.voiding import void_invoice

__all__ = [
    "BILLING_LOCK",
    "approve_bill_run",
    "bill_due",
    "cancel_bill_run",
    "cancel_invoice",
    "continue_bill_run",
    "credit_invoice",
    "delete_draft",
    "draft_due_invoices",
    "finalize_invoice",
    "note_exported",
    "note_journal_export",
    "note_shown",
    "perform_bill_run",
    "render_document",
    "resend_document",
    "run_totals",
    "send_due_mails",
    "send_mail",
    "something_is_due",
    "start_bill_run",
    "unfinished_runs",
    "void_invoice",
]
