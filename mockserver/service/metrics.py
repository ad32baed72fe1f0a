"""How much was asked of one process, under the names of text-generation-inference's router.

Counts with plain numbers; prometheus_client is opened when somebody reads them. Knows no route.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Iterator
from itertools import accumulate
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client.core import Metric

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Seconds at which the durations are parted: prometheus_client's own."""

MOST_NOTED = 1000
"""Requests that are noted before they are counted, all at once, which is quicker."""


class Metrics:
    """Safe among threads."""

    def __init__(self) -> None:
        self._statuses: Counter[int] = Counter()
        self._durations = [0] * (len(BOUNDS) + 1)
        self._seconds = 0.0
        self._noted: deque[tuple[int, float]] = deque()
        self._lock = Lock()

    def note(self, status: int, seconds: float) -> None:
        """One request, answered with ``status`` after ``seconds``."""
        self._noted.append((status, seconds))
        if len(self._noted) >= MOST_NOTED:
            with self._lock:
                self._count()

    def _count(self) -> None:
        while self._noted:
            status, seconds = self._noted.popleft()
            self._statuses[status] += 1
            self._durations[bisect_left(BOUNDS, seconds)] += 1
            self._seconds += seconds

    def page(self) -> tuple[bytes, str]:
        """The metrics as Prometheus reads them, and their content type."""
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry), CONTENT_TYPE_LATEST

    def collect(self) -> Iterator[Metric]:
        """What prometheus_client asks of a collector."""
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

        with self._lock:
            self._count()
            statuses, durations, seconds = Counter(self._statuses), [*accumulate(self._durations)], self._seconds
        yield CounterMetricFamily("tgi_request", "Requests to generate.", statuses.total())
        yield CounterMetricFamily("tgi_request_success", "Requests answered with status 200.", statuses.pop(200, 0))
        failure = CounterMetricFamily("tgi_request_failure", "Requests refused, by status.", labels=["status"])
        for status, count in sorted(statuses.items()):
            failure.add_metric([str(status)], count)
        yield failure
        names = [*map(str, BOUNDS), "+Inf"]
        yield HistogramMetricFamily(
            "tgi_request_duration", "Seconds until a reply began.", [*zip(names, durations, strict=True)], seconds
        )
