"""What can be done with usage: take events in, take a file in, correct it, count the past of a new meter."""

from billing.usage.services.corrections import (
    CorrectionRefused,
    CorrectionReverted,
    EventDoesNotCount,
    amend_event,
    backfill_usage,
    cancel_events,
    revert_correction,
)
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
from billing.usage.services.rejected import forget_rejected
from billing.usage.services.replaying import (
    RejectionResolved,
    StillRejected,
    dismiss_rejected,
    replay_rejected,
)

__all__ = [
    "BATCH_MAX",
    "BatchTooLarge",
    "CorrectionRefused",
    "CorrectionReverted",
    "EventDoesNotCount",
    "IncomingEvent",
    "Reason",
    "RejectionResolved",
    "StillRejected",
    "Verdict",
    "VerdictKind",
    "amend_event",
    "backfill_usage",
    "begin_import",
    "cancel_events",
    "count_past_events",
    "dismiss_rejected",
    "event_from_json",
    "finish_import",
    "forget_rejected",
    "import_events",
    "ingest",
    "preview_events",
    "replay_rejected",
    "revert_correction",
    "take_notices",
]
