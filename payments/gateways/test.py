"""The built-in test gateway: no money, but a ledger of its own that survives a crash of ours.

It keeps its charges in a SQLite file beside the installation's data, outside our database, so that a transaction
of ours that rolls back or a process that dies leaves it as it is: as with a real gateway, its list is the truth.
The method's reference says how it behaves; everything after the first colon only tells methods apart.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from enum import StrEnum
from pathlib import Path

from django.conf import settings

from payments.gateways.base import (
    ChargeRequest,
    GatewayResult,
    GatewayUnanswered,
    MethodUnknown,
    Outcome,
    RefundRequest,
)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS charge (
    idempotency_key TEXT PRIMARY KEY, ref TEXT NOT NULL, method TEXT NOT NULL, kind TEXT NOT NULL,
    amount_minor INTEGER NOT NULL, currency TEXT NOT NULL, outcome TEXT NOT NULL, failure_code TEXT NOT NULL
)
"""
_BUSY_SECONDS = 5


class TestMethod(StrEnum):
    """How a test payment method behaves."""

    SUCCEEDS = "test_succeeds"
    DECLINES = "test_declines"
    DECLINES_ONCE = "test_declines_once"
    TIMES_OUT_AFTER_SUCCESS = "test_times_out_after_success"

    __test__ = False  # pytest: not a test class


class TestGateway:
    """A gateway for demo, tests and trial installations. It charges no fee."""

    code = "test"
    __test__ = False  # pytest: not a test class

    def check_method(self, method_ref: str) -> None:
        """Whether the reference begins with a behavior that there is."""
        _method(method_ref)

    def charge(self, request: ChargeRequest) -> GatewayResult:
        """Take no money, as the method's reference says: succeed, decline, or succeed and give no answer once."""
        method = _method(request.method_ref)
        with _ledger() as ledger:
            known = _find(ledger, request.idempotency_key)
            if known is not None:
                return known
            declined = method is TestMethod.DECLINES or (
                method is TestMethod.DECLINES_ONCE and not _has_charges(ledger, request.method_ref)
            )
            outcome = Outcome.FAILED if declined else Outcome.SUCCEEDED
            _store(ledger, "charge", request.idempotency_key, request.method_ref, request, outcome)
            result = _find(ledger, request.idempotency_key)
        assert result is not None
        if method is TestMethod.TIMES_OUT_AFTER_SUCCESS:
            raise GatewayUnanswered("The test gateway took the money and did not answer.")
        return result

    def find_charge(self, idempotency_key: str) -> GatewayResult | None:
        """What became of a charge made with a key."""
        with _ledger() as ledger:
            return _find(ledger, idempotency_key)

    def refund(self, request: RefundRequest) -> GatewayResult:
        """Give back what was never taken. The same key refunds once."""
        with _ledger() as ledger:
            if _find(ledger, request.idempotency_key) is None:
                _store(
                    ledger, "refund", request.idempotency_key, request.charge_ref, request, Outcome.SUCCEEDED
                )
            result = _find(ledger, request.idempotency_key)
        assert result is not None
        return result


def _method(method_ref: str) -> TestMethod:
    try:
        return TestMethod(method_ref.partition(":")[0])
    except ValueError:
        raise MethodUnknown(
            f"The test gateway has no method '{method_ref}'; there is: {', '.join(TestMethod)}."
        ) from None


def ledger_path() -> Path:
    """Where the test gateway keeps its charges."""
    return Path(settings.VAR_DIR) / "test_gateway.sqlite3"


@contextmanager
def _ledger() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(ledger_path(), timeout=_BUSY_SECONDS, isolation_level=None)) as connection:
        connection.execute(_SCHEMA)
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")


def _has_charges(ledger: sqlite3.Connection, method_ref: str) -> bool:
    return (
        ledger.execute("SELECT 1 FROM charge WHERE method = ? LIMIT 1", [method_ref]).fetchone() is not None
    )


def _store(
    ledger: sqlite3.Connection,
    kind: str,
    idempotency_key: str,
    method_ref: str,
    request: ChargeRequest | RefundRequest,
    outcome: Outcome,
) -> None:
    ref = f"test_{kind}_{idempotency_key[:24]}"
    failure_code = "insufficient_funds" if outcome is Outcome.FAILED else ""
    ledger.execute(
        "INSERT INTO charge VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            idempotency_key,
            ref,
            method_ref,
            kind,
            request.amount_minor,
            request.currency,
            outcome.value,
            failure_code,
        ],
    )


def _find(ledger: sqlite3.Connection, idempotency_key: str) -> GatewayResult | None:
    row = ledger.execute(
        "SELECT outcome, ref, amount_minor, currency, failure_code FROM charge WHERE idempotency_key = ?",
        [idempotency_key],
    ).fetchone()
    if row is None:
        return None
    outcome, ref, amount_minor, currency, failure_code = row
    return GatewayResult(
        outcome=Outcome(outcome),
        gateway_ref=ref,
        amount_minor=amount_minor,
        currency=currency,
        failure_code=failure_code,
        failure_message="The bank declined: insufficient funds." if failure_code else "",
        may_retry=bool(failure_code),
    )
