"""When beat ticks. Due dates live in rows: an entry here only says how often somebody looks."""

from celery.schedules import crontab

BEAT_SCHEDULE: dict[str, dict[str, object]] = {
    # What follows from an event should follow within seconds: mails leave, cards are charged.
    "relay-outbox": {"task": "valueverse.relay_outbox", "schedule": 2.0},
    # Chaining may lag; it must only never stop for long.
    "chain-activity": {"task": "valueverse.chain_activity", "schedule": 30.0},
    # Subscriptions start and renew at any hour, since customers live in any time zone.
    "run-billing": {"task": "invoices.run_billing", "schedule": crontab(minute="5")},
    # Retries after declines, and first attempts on invoices that fall due today.
    "collect-due-invoices": {"task": "payments.collect_due", "schedule": 60.0},
    # Attempts without an answer: first asked about after five minutes.
    "check-open-payments": {"task": "payments.check_open_payments", "schedule": 60.0},
    # Mails whose first try failed, and those whose reaction a crash lost.
    "send-due-mails": {"task": "invoices.send_due_mails", "schedule": 60.0},
    "send-due-payment-mails": {"task": "payments.send_due_mails", "schedule": 60.0},
    # VAT numbers that VIES did not answer about; how often one is asked again stands in customers.services.vat_checks.
    "check-pending-vat-numbers": {
        "task": "customers.check_pending_vat_numbers",
        "schedule": crontab(minute="*/2"),
    },
    # A view as customer ends by itself at its time; this writes the end down for those nobody ended.
    "end-overdue-visits": {"task": "customers.end_overdue_visits", "schedule": 60.0},
    # Answers to repeated requests are kept 30 days, refresh tokens until they expire; a night late does not matter.
    "forget-expired": {"task": "valueverse.forget_expired", "schedule": crontab(hour="3", minute="10")},
    # Refused usage is kept 30 days, or until somebody has seen to it.
    "forget-rejected-usage": {"task": "usage.forget_rejected", "schedule": crontab(hour="3", minute="20")},
    # Finance looks at the day before in the morning: release what yesterday completed.
    "recognize-revenue": {"task": "revenue.recognize_revenue", "schedule": crontab(hour="2", minute="30")},
}
