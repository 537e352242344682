"""The verbs of money: methods, collecting, receipts, allocations, refunds, asking gateways."""

from payments.services.allocations import allocate_payment, reverse_allocation
from payments.services.collecting import attempt_key, check_payment, collect_invoice, schedule_collection
from payments.services.mails import (
    mail_kind,
    queue_payment_mails,
    resend_payment_mails,
    send_due_payment_mails,
    send_payment_mail,
)
from payments.services.methods import add_payment_method
from payments.services.receipts import record_manual_payment
from payments.services.refunds import check_refund, complete_refund, refund_payment

__all__ = [
    "add_payment_method",
    "allocate_payment",
    "attempt_key",
    "check_payment",
    "check_refund",
    "collect_invoice",
    "complete_refund",
    "mail_kind",
    "queue_payment_mails",
    "record_manual_payment",
    "refund_payment",
    "resend_payment_mails",
    "reverse_allocation",
    "schedule_collection",
    "send_due_payment_mails",
    "send_payment_mail",
]
