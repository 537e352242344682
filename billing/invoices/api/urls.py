"""The addresses of this app under /api/v1/."""

from billing.invoices.api.views import bill_runs, credit_notes, invoices, subscriptions
from billing.platform.api.views import endpoint

urlpatterns = [
    *endpoint("invoices", invoices.InvoiceList, "invoices"),
    *endpoint("invoices/<str:invoice_id>", invoices.InvoiceDetail, "invoice"),
    *endpoint("invoices/<str:invoice_id>/pdf", invoices.InvoicePdf, "invoice-pdf"),
    *endpoint("invoices/<str:invoice_id>/finalize", invoices.FinalizeInvoice, "invoice-finalize"),
    *endpoint("invoices/<str:invoice_id>/void", invoices.VoidInvoice, "invoice-void"),
    *endpoint("invoices/<str:invoice_id>/credit-notes", invoices.CreditInvoice, "invoice-credit-notes"),
    *endpoint("invoices/<str:invoice_id>/send", invoices.SendInvoice, "invoice-send"),
    *endpoint("credit-notes", credit_notes.CreditNoteList, "credit-notes"),
    *endpoint("credit-notes/<str:credit_note_id>", credit_notes.CreditNoteDetail, "credit-note"),
    *endpoint("credit-notes/<str:credit_note_id>/pdf", credit_notes.CreditNotePdf, "credit-note-pdf"),
    *endpoint("bill-runs", bill_runs.BillRunList, "bill-runs"),
    *endpoint("bill-runs/<str:bill_run_id>", bill_runs.BillRunDetail, "bill-run"),
    *endpoint("bill-runs/<str:bill_run_id>/customers", bill_runs.BillRunCustomers, "bill-run-customers"),
    *endpoint("bill-runs/<str:bill_run_id>/retry", bill_runs.RetryBillRun, "bill-run-retry"),
    *endpoint("bill-runs/<str:bill_run_id>/send", bill_runs.SendBillRun, "bill-run-send"),
    *endpoint(
        "bill-runs/<str:bill_run_id>/customers/<str:customer_id>/exclude",
        bill_runs.ExcludeFromBillRun,
        "bill-run-exclude",
    ),
    *endpoint(
        "bill-runs/<str:bill_run_id>/customers/<str:customer_id>/include",
        bill_runs.IncludeInBillRun,
        "bill-run-include",
    ),
    *endpoint(
        "bill-runs/<str:bill_run_id>/customers/<str:customer_id>/retry",
        bill_runs.RetryBillRunCustomer,
        "bill-run-retry-customer",
    ),
    *endpoint("billing-holds", bill_runs.BillingHoldList, "billing-holds"),
    *endpoint("billing-holds/<str:hold_id>/release", bill_runs.ReleaseBillingHold, "billing-hold-release"),
    *endpoint(
        "subscriptions/<str:subscription_id>/upcoming-invoice",
        subscriptions.UpcomingInvoice,
        "upcoming-invoice",
    ),
    *endpoint("subscriptions/<str:subscription_id>/late-usage", subscriptions.LateUsage, "late-usage"),
    *endpoint("subscriptions/<str:subscription_id>/usage", subscriptions.CurrentUsageView, "current-usage"),
]
