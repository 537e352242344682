"""The catalog of event names: `object.fact`, past tense. The only names the activity log and the outbox
accept.

A name is public once released: consumers match on it, so it is never renamed, only followed by a new one.
"""

from enum import StrEnum


class EventName(StrEnum):
    """What happened, as integrators and the audit trail read it."""

    CUSTOMER_CREATED = "customer.created"
    CUSTOMER_UPDATED = "customer.updated"

    LEGAL_ENTITY_CREATED = "legal_entity.created"
    LEGAL_ENTITY_UPDATED = "legal_entity.updated"

    API_KEY_CREATED = "api_key.created"
    API_KEY_REVOKED = "api_key.revoked"

    TEST_CLOCK_CREATED = "test_clock.created"
    TEST_CLOCK_ADVANCED = "test_clock.advanced"

    LIST_EXPORTED = "list.exported"
    SAVED_VIEW_SAVED = "saved_view.saved"
    SAVED_VIEW_DELETED = "saved_view.deleted"

    METER_CREATED = "meter.created"

    PLAN_CREATED = "plan.created"

    PLAN_VERSION_CREATED = "plan_version.created"
    PLAN_VERSION_PUBLISHED = "plan_version.published"
    PLAN_VERSION_DISCARDED = "plan_version.discarded"

    SUBSCRIPTION_STARTED = "subscription.started"
    SUBSCRIPTION_CANCEL_SCHEDULED = "subscription.cancel_scheduled"
    SUBSCRIPTION_CANCEL_UNDONE = "subscription.cancel_undone"
    SUBSCRIPTION_CANCELED = "subscription.canceled"

    USAGE_IMPORTED = "usage.imported"
    USAGE_CORRECTED = "usage.corrected"
    REJECTED_EVENT_REPLAYED = "rejected_event.replayed"
    REJECTED_EVENT_DISMISSED = "rejected_event.dismissed"

    INVOICE_DRAFTED = "invoice.drafted"
    INVOICE_DELETED = "invoice.deleted"
    INVOICE_FINALIZED = "invoice.finalized"
    INVOICE_VOIDED = "invoice.voided"
    INVOICE_SETTLED = "invoice.settled"
    INVOICE_REOPENED = "invoice.reopened"
    INVOICE_MAIL_QUEUED = "invoice.mail_queued"
    INVOICE_MAIL_SENT = "invoice.mail_sent"
    INVOICE_MAIL_FAILED = "invoice.mail_failed"
    INVOICE_RENDERED = "invoice.rendered"

    CREDIT_NOTE_FINALIZED = "credit_note.finalized"

    PAYMENT_INITIATED = "payment.initiated"
    PAYMENT_SUCCEEDED = "payment.succeeded"
    PAYMENT_FAILED = "payment.failed"
    PAYMENT_UNKNOWN = "payment.unknown"
    PAYMENT_ALLOCATED = "payment.allocated"
    PAYMENT_MAIL_QUEUED = "payment.mail_queued"
    PAYMENT_MAIL_SENT = "payment.mail_sent"
    PAYMENT_MAIL_FAILED = "payment.mail_failed"

    PAYMENT_METHOD_CREATED = "payment_method.created"

    REFUND_INITIATED = "refund.initiated"
    REFUND_SUCCEEDED = "refund.succeeded"
    REFUND_FAILED = "refund.failed"

    BILL_RUN_CREATED = "bill_run.created"
    BILL_RUN_COMPLETED = "bill_run.completed"
    BILL_RUN_APPROVED = "bill_run.approved"
    BILL_RUN_CANCELED = "bill_run.canceled"
    BILL_RUN_PROGRESSED = "bill_run.progressed"
    BILL_RUN_DRAFTED = "bill_run.drafted"
    BILL_RUN_DRAFT_LOOKED_AT = "bill_run.draft_looked_at"
    BILL_RUN_CUSTOMER_HELD = "bill_run.customer_held"
    BILL_RUN_CUSTOMER_RELEASED = "bill_run.customer_released"
    BILL_RUN_CUSTOMER_EXCLUDED = "bill_run.customer_excluded"
    BILL_RUN_CUSTOMER_INCLUDED = "bill_run.customer_included"
    BILL_RUN_RETRIED = "bill_run.retried"
    BILL_RUN_APPROVAL_WITHDRAWN = "bill_run.approval_withdrawn"
    BILL_RUN_FINALIZE_REQUESTED = "bill_run.finalize_requested"
    BILL_RUN_SEND_REQUESTED = "bill_run.send_requested"
    BILL_RUN_SENT = "bill_run.sent"

    BILLING_HOLD_PLACED = "billing_hold.placed"
    BILLING_HOLD_RELEASED = "billing_hold.released"

    ACCOUNTING_PERIOD_SOFT_CLOSED = "accounting_period.soft_closed"
    ACCOUNTING_PERIOD_CLOSED = "accounting_period.closed"
    JOURNAL_EXPORTED = "journal.exported"

    REVENUE_RECOGNIZED = "revenue.recognized"

    USAGE_ACCRUED = "usage.accrued"
    LATE_USAGE_DECIDED = "late_usage.decided"

    APPROVAL_REQUESTED = "approval.requested"
    APPROVAL_APPROVED = "approval.approved"
    APPROVAL_REJECTED = "approval.rejected"

    APPROVAL_POLICY_SET = "approval_policy.set"
    APPROVAL_POLICY_REMOVED = "approval_policy.removed"

    TAX_RATE_CREATED = "tax_rate.created"
    TAX_RATE_ENDED = "tax_rate.ended"

    CUSTOMER_VAT_CHECK_REQUESTED = "customer.vat_check_requested"
    CUSTOMER_VAT_CHECKED = "customer.vat_checked"

    PRODUCT_CREATED = "product.created"
    PRODUCT_UPDATED = "product.updated"

    PRICE_CREATED = "price.created"
    PRICE_UPDATED = "price.updated"
    PRICE_REMOVED = "price.removed"

    USER_CREATED = "user.created"
    USER_INVITED = "user.invited"
    USER_GROUPS_CHANGED = "user.groups_changed"
    USER_DEACTIVATED = "user.deactivated"
    USER_REACTIVATED = "user.reactivated"
    USER_PASSWORD_CHANGED = "user.password_changed"  # noqa: S105

    SESSION_ENDED = "session.ended"

    SECOND_FACTOR_ADDED = "second_factor.added"
    SECOND_FACTOR_REMOVED = "second_factor.removed"
    SECOND_FACTOR_RESET = "second_factor.reset"
    RECOVERY_CODES_CREATED = "recovery_codes.created"
    RECOVERY_CODE_USED = "recovery_code.used"

    CUSTOMER_VISIT_STARTED = "customer_visit.started"
    CUSTOMER_VISIT_ENDED = "customer_visit.ended"

    PORTAL_INVITATION_CREATED = "portal_invitation.created"
    PORTAL_INVITATION_ACCEPTED = "portal_invitation.accepted"
    PORTAL_INVITATION_WITHDRAWN = "portal_invitation.withdrawn"

    PORTAL_MEMBERSHIP_GRANTED = "portal_membership.granted"
    PORTAL_MEMBERSHIP_REMOVED = "portal_membership.removed"

    SIGN_IN_LINK_CREATED = "sign_in_link.created"
    SIGN_IN_LINK_USED = "sign_in_link.used"
