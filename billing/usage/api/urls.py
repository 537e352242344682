"""The addresses of this app under /api/v1/."""

from billing.platform.api.views import endpoint
from billing.usage.api.views import (
    CorrectionDetail,
    CorrectionList,
    RejectedList,
    ReplayRejected,
    RevertCorrection,
    UsageEventBatch,
    UsageEvents,
)

urlpatterns = [
    *endpoint("usage/events", UsageEvents, "usage-events"),
    *endpoint("usage/events/batch", UsageEventBatch, "usage-event-batch"),
    *endpoint("usage/corrections", CorrectionList, "usage-corrections"),
    *endpoint("usage/corrections/<str:correction_id>", CorrectionDetail, "usage-correction"),
    *endpoint("usage/corrections/<str:correction_id>/revert", RevertCorrection, "usage-correction-revert"),
    *endpoint("usage/rejected-events", RejectedList, "rejected-events"),
    *endpoint("usage/rejected-events/<str:rejected_id>/replay", ReplayRejected, "rejected-event-replay"),
]
