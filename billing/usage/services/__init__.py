"""What can be done with usage: take events in, take a file in, count the past of a new meter."""

from billing.usage.services.events import (
    IncomingEvent,
    Reason,
    Verdict,
    VerdictKind,
    event_from_json,
)
from billing.usage.services.imports import begin_import, finish_import, import_events, preview_events
from billing.usage.services.ingestion import BATCH_MAX, BatchTooLarge, ingest
from billing.usage.services.meters import count_past_events
from billing.usage.services.notices import take_notices

__all__ = [
    "BATCH_MAX",
    "BatchTooLarge",
    "IncomingEvent",
    "Reason",
    "Verdict",
    "VerdictKind",
    "begin_import",
    "count_past_events",
    "event_from_json",
    "finish_import",
    "import_events",
    "ingest",
    "preview_events",
    "take_notices",
]
