"""The addresses of this app under /api/v1/."""

from billing.platform.api.views import endpoint
from billing.usage.api.views import UsageEventBatch, UsageEvents

urlpatterns = [
    *endpoint("usage/events", UsageEvents, "usage-events"),
    *endpoint("usage/events/batch", UsageEventBatch, "usage-event-batch"),
]
