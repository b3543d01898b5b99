"""Counters and histograms in the text format of Prometheus.

Reference: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

import threading
from collections import Counter

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
ITEMS = (1, 2, 4, 8, 16, 32, 64, 128)


class Histogram:
    """Numbers of values up to each bound, for every label."""

    def __init__(self, name, text, label, bounds):
        self.name, self.text, self.label, self.bounds = name, text, label, bounds
        self.buckets, self.sums, self.counts = Counter(), Counter(), Counter()

    def add(self, label, value):
        """Count a value."""
        for bound in self.bounds:
            if value <= bound:
                self.buckets[label, bound] += 1
        self.sums[label] += value
        self.counts[label] += 1

    def lines(self):
        """The lines of the text format."""
        yield f"# HELP {self.name} {self.text}"
        yield f"# TYPE {self.name} histogram"
        for label, count in sorted(self.counts.items()):
            own = f'{self.label}="{label}"'
            for bound in self.bounds:
                number = self.buckets[label, bound]
                yield f'{self.name}_bucket{{{own},le="{bound}"}} {number}'
            yield f'{self.name}_bucket{{{own},le="+Inf"}} {count}'
            yield f"{self.name}_sum{{{own}}} {self.sums[label]:.6f}"
            yield f"{self.name}_count{{{own}}} {count}"


class Metrics:
    """What a server counts. Labels are endpoints, tasks and statuses only."""

    def __init__(self):
        self.lock = threading.Lock()
        self.requests = Counter()  # (endpoint, status)
        self.in_flight = 0
        self.latency = Histogram(
            "bert4keras3_request_seconds",
            "Seconds from a request's headers to the end of its answer.",
            "endpoint",
            SECONDS,
        )
        self.sizes = Histogram(
            "bert4keras3_batch_items", "Items of a model call.", "task", ITEMS
        )
        self.model = Histogram(
            "bert4keras3_batch_seconds", "Seconds of a model call.", "task", SECONDS
        )

    def begin(self):
        """A request has come."""
        with self.lock:
            self.in_flight += 1

    def end(self, endpoint, status, seconds):
        """It is answered."""
        with self.lock:
            self.in_flight -= 1
            self.requests[endpoint, status] += 1
            self.latency.add(endpoint, seconds)

    def batch(self, task, items, seconds):
        """A batch has run; the `observe` of a Batcher."""
        with self.lock:
            self.sizes.add(task, items)
            self.model.add(task, seconds)

    def text(self, **gauges):
        """The page of /metrics; gauges: further numbers of this moment, by name."""
        gauges = {"requests_in_flight": self.in_flight, **gauges}
        with self.lock:
            lines = [
                "# HELP bert4keras3_requests_total Answered requests.",
                "# TYPE bert4keras3_requests_total counter",
            ]
            for (endpoint, status), count in sorted(self.requests.items()):
                labels = f'endpoint="{endpoint}",status="{status}"'
                lines.append(f"bert4keras3_requests_total{{{labels}}} {count}")
            for one in (self.latency, self.sizes, self.model):
                lines += one.lines()
        for name, value in gauges.items():
            lines.append(f"# TYPE bert4keras3_{name} gauge")
            lines.append(f"bert4keras3_{name} {value}")
        return "\n".join(lines) + "\n"
