"""What follows from what: event name -> names of the tasks that are queued after the event's commit.

Each task gets the public id of the event's object. Tasks are queued at least once, so each is safe to run twice.
What pages hear of events, and which, stands in `valueverse/live/frames.py`: that follows from nearly all of them.
"""

REACTIONS: dict[str, tuple[str, ...]] = {
    "meter.created": ("usage.count_past_events",),
    "invoice.finalized": ("invoices.render_invoice", "payments.collect_finalized_invoice"),
    "bill_run.created": ("invoices.perform_bill_run",),
    "bill_run.approved": ("invoices.perform_bill_run",),
    "bill_run.finalize_requested": ("invoices.perform_bill_run",),
    "bill_run.retried": ("invoices.perform_bill_run",),
    "bill_run.send_requested": ("invoices.send_bill_run",),
    "credit_note.finalized": ("invoices.render_credit_note",),
    "test_clock.advanced": ("invoices.bill_test_clock",),
    "customer.vat_check_requested": ("customers.check_vat_number",),
    "user.invited": ("customers.send_staff_link",),
    "invoice.mail_queued": ("invoices.send_mail",),
    "payment.succeeded": ("payments.queue_receipt",),
    "payment.failed": ("payments.queue_failure_notice",),
    "payment.mail_queued": ("payments.send_mail",),
}
