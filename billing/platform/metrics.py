"""The product's own figures for Prometheus, all with the prefix `vv_`. Services count here; /metrics shows them."""

from collections.abc import Callable, Iterator

from prometheus_client import REGISTRY, Counter, Histogram
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

USAGE_EVENTS = Counter("vv_usage_events_total", "Usage events received, by what became of them.", ["verdict"])
INVOICES_FINALIZED = Counter("vv_invoices_finalized_total", "Invoices that were given a number.")
PAYMENTS = Counter("vv_payments_total", "Payment attempts, by how they ended.", ["result"])
for _verdict in ("accepted", "duplicate", "conflict", "rejected"):
    USAGE_EVENTS.labels(
        verdict=_verdict
    )  # from the start at 0, so that ratios and alerts have something to read
for _result in ("succeeded", "failed", "processing", "unknown"):
    PAYMENTS.labels(result=_result)
RUN_DURATION = Histogram(
    "vv_run_duration_seconds",
    "How long a run took from start to end.",
    ["run"],
    buckets=(0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400),
)


class OutboxAge(Collector):
    """Age of the oldest event that the relay has not handed on, asked for when somebody looks.

    The app that owns the outbox gives the question with `ask`; before that, and when the question fails, there is
    no sample, and an alert on its absence tells.
    """

    def __init__(self) -> None:
        self._question: Callable[[], float] | None = None

    def ask(self, question: Callable[[], float]) -> None:
        """From now on `question()` gives the age in seconds (0 if nothing waits)."""
        self._question = question

    def collect(self) -> Iterator[Metric]:
        if self._question is None:
            return
        try:
            age = self._question()
        except Exception:  # noqa: BLE001  (a failing question must not take all other figures with it)
            return
        yield GaugeMetricFamily(
            "vv_outbox_age_seconds", "Age of the oldest event that was not relayed yet.", value=age
        )


OUTBOX_AGE = OutboxAge()
REGISTRY.register(OUTBOX_AGE)
