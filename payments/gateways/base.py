"""What every gateway does, in value types; a gateway knows nothing of our tables."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from billing.core.errors import BillingError, Kind


class Outcome(StrEnum):
    """What became of a charge or refund, as far as the gateway says."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PROCESSING = "processing"


@dataclass(frozen=True, slots=True)
class ChargeRequest:
    """Take money by a stored method. idempotency_key: ours; the same key never takes the money twice."""

    idempotency_key: str
    method_ref: str
    amount_minor: int
    currency: str
    description: str


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """Give money of a charge back. idempotency_key as for charges."""

    idempotency_key: str
    charge_ref: str
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class GatewayResult:
    """The gateway's answer. may_retry: whether another attempt with the same method can make sense."""

    outcome: Outcome
    gateway_ref: str
    amount_minor: int
    currency: str
    failure_code: str = ""
    failure_message: str = ""
    may_retry: bool = False


class GatewayUnanswered(BillingError):
    """No answer came: the money may or may not have moved. Never a failure; ask later with the same key."""

    code = "gateway_unanswered"
    kind = Kind.UNAVAILABLE


class MethodUnknown(BillingError):
    """The gateway does not know this payment method."""

    code = "payment_method_unknown"
    kind = Kind.CONFLICT


class Gateway(Protocol):
    """A payment provider. Every call carries our idempotency key and has a time limit of its own."""

    code: str

    def check_method(self, method_ref: str) -> None:
        """See that the gateway knows a method; it moves no money. Raises MethodUnknown, GatewayUnanswered."""

    def charge(self, request: ChargeRequest) -> GatewayResult:
        """Take the money. Raises GatewayUnanswered, MethodUnknown."""

    def find_charge(self, idempotency_key: str) -> GatewayResult | None:
        """What became of a charge; None if the gateway never saw it. Raises GatewayUnanswered."""

    def refund(self, request: RefundRequest) -> GatewayResult:
        """Give money back. Raises GatewayUnanswered."""
