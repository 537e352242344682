"""The verbs of documents: draft, finalize, void, credit, render, mail, and run all of it for many customers."""

from billing.invoices.services.credit_notes import cancel_invoice, credit_invoice
from billing.invoices.services.disclosing import note_exported, note_journal_export, note_shown
from billing.invoices.services.drafts import delete_draft, draft_due_invoices
from billing.invoices.services.holds import place_hold, release_hold
from billing.invoices.services.issuing import finalize_invoice, is_sent_by_run
from billing.invoices.services.mails import resend_document, send_due_mails, send_mail
from billing.invoices.services.rendering import render_document
from billing.invoices.services.reviewing import (
    exclude_customer,
    include_customer,
    look_at_draft,
    retriable_count,
    retry_customer,
    retry_failed,
    unlook_at_draft,
)
from billing.invoices.services.run_approval import (
    approve_bill_run,
    approve_bill_run_as_second,
    cancel_bill_run,
    finalize_bill_run,
    open_requests,
    withdraw_bill_run,
)
from billing.invoices.services.run_figures import gone_customers, issuing, noted_totals, run_totals
from billing.invoices.services.run_sending import (
    request_sending,
    send_bill_run,
    sending_plan,
    sendings_under_way,
    something_to_send,
    without_contact,
)
from billing.invoices.services.runs import (
    BILLING_LOCK,
    bill_due,
    continue_bill_run,
    perform_bill_run,
    something_is_due,
    start_bill_run,
    unfinished_runs,
)
from billing.invoices.services.voiding import void_invoice

__all__ = [
    "BILLING_LOCK",
    "approve_bill_run",
    "approve_bill_run_as_second",
    "bill_due",
    "cancel_bill_run",
    "cancel_invoice",
    "continue_bill_run",
    "credit_invoice",
    "delete_draft",
    "draft_due_invoices",
    "exclude_customer",
    "finalize_bill_run",
    "finalize_invoice",
    "gone_customers",
    "include_customer",
    "is_sent_by_run",
    "issuing",
    "look_at_draft",
    "note_exported",
    "note_journal_export",
    "note_shown",
    "noted_totals",
    "open_requests",
    "perform_bill_run",
    "place_hold",
    "release_hold",
    "render_document",
    "request_sending",
    "resend_document",
    "retriable_count",
    "retry_customer",
    "retry_failed",
    "run_totals",
    "send_bill_run",
    "send_due_mails",
    "send_mail",
    "sending_plan",
    "sendings_under_way",
    "something_is_due",
    "something_to_send",
    "start_bill_run",
    "unfinished_runs",
    "unlook_at_draft",
    "void_invoice",
    "withdraw_bill_run",
    "without_contact",
]
