"""What the tests of usage start from: customers, clocks, meters and events, with honest defaults."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from django.db import connection

from billing.catalog.models import Meter
from billing.platform.clock import now
from billing.usage.services import IncomingEvent, Verdict, ingest
from customers.models import Customer, TestClock
from tests import factories

NOVEMBER = datetime(2023, 11, 16, 18, 0, tzinfo=UTC)


def clock(*, now_at: datetime = NOVEMBER) -> TestClock:
    return factories.test_clock(now_at=now_at)


def customer(*, on: TestClock | None = None, external_id: str | None = None) -> Customer:
    """A customer, on a test clock or in the present."""
    return factories.customer(test_clock=on, external_id=external_id)


def meter(
    *,
    code: str = "input_tokens",
    reads: str | None = "input_tokens",
    event_type: str = "llm_request",
    allow_negative: bool = False,
) -> Meter:
    """A meter that sums the property `reads`, or counts where that is None."""
    return factories.meter(
        code,
        event_type=event_type,
        aggregation="count" if reads is None else "sum",
        property=reads or "",
        allow_negative=allow_negative,
    )


def event(
    buyer: Customer,
    event_id: object = "e1",
    *,
    at: object = None,
    event_type: object = "llm_request",
    properties: object = None,
) -> IncomingEvent:
    return IncomingEvent(
        id=event_id,
        customer=buyer.public_id,
        type=event_type,
        at=now() if at is None else at,
        properties={"input_tokens": 10} if properties is None else properties,
    )


def send(*events: IncomingEvent) -> list[str]:
    """The verdicts in short: the kind, or the reason of what was refused."""
    return [shown(verdict) for verdict in ingest(events=list(events))]


def shown(verdict: Verdict) -> str:
    return verdict.reason.value if verdict.reason else verdict.kind.value


def rollups() -> dict[tuple[str, datetime], tuple[int, Decimal]]:
    """All rollups by meter code and bucket."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT code, bucket_at, event_count, quantity_sum FROM usage_usagerollup rollup"
            " JOIN catalog_meter meter ON meter.id = rollup.meter_id"
        )
        return {(code, bucket_at): (events, total) for code, bucket_at, events, total in cursor.fetchall()}


def as_json(buyer: Customer, event_id: str, **changes: object) -> Mapping[str, object]:
    """An event as an integrator sends it."""
    sent: dict[str, object] = {
        "id": event_id,
        "customer": buyer.public_id,
        "type": "llm_request",
        "at": now().isoformat(),
        "properties": {"input_tokens": 10},
    }
    return sent | changes
