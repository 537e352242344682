"""/metrics for Prometheus: requests and database by django-prometheus, the product's own by billing.platform."""

import os
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from billing.platform.metrics import OUTBOX_AGE
from valueverse.client_address import is_operator


def registry() -> CollectorRegistry:
    """What is shown: with PROMETHEUS_MULTIPROC_DIR the sum over web and worker processes, else this process."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    shared = CollectorRegistry()
    MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
    shared.register(OUTBOX_AGE)
    return shared


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    if not is_operator(request):
        return HttpResponse("Only for operators.", status=HTTPStatus.FORBIDDEN, content_type="text/plain")
    return HttpResponse(generate_latest(registry()), content_type=CONTENT_TYPE_LATEST)
