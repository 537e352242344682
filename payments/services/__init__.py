"""The verbs of money: methods, collecting, receipts, allocations, refunds, asking gateways."""

from payments.services.allocations import allocate_payment, reverse_allocation
from payments.services.collecting import attempt_key, check_payment, collect_invoice, schedule_collection
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
    "record_manual_payment",
    "refund_payment",
    "reverse_allocation",
    "schedule_collection",
]
