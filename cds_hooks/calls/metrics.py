"""What is counted, in Prometheus' text form.

Every label is one of this program's own words (a service, a hook, a status, a rule), never text of
a request. With a `directory` the numbers of all worker processes are added up: each keeps its own
in files there (prometheus_client, "Multiprocess Mode"), and a worker that ends leaves them behind.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector

from cds_hooks.calls.call_log import CallNote

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
_BYTES = (4_096, 16_384, 65_536, 262_144, 1_048_576, 5_242_880)


class Metrics:
    """The numbers of one application."""

    def __init__(self, directory: str | None = None) -> None:
        self._directory = directory
        self._registry = registry = CollectorRegistry()

        def counter(name: str, says: str, *labels: str) -> Counter:
            return Counter(f"vialwise_{name}", says, labels, registry=registry)

        def histogram(name: str, says: str, label: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"vialwise_{name}", says, [label], buckets=buckets, registry=registry)

        self._requests = counter("requests", "Requests, probes left out.", "kind", "status")
        self._calls = counter(
            "calls", "Service calls by what became of them.", "service", "hook", "outcome"
        )
        self._seconds = histogram("call_seconds", "Time of service calls.", "service", _SECONDS)
        self._hops = histogram("hop_seconds", "Time of parts of service calls.", "hop", _SECONDS)
        self._bytes = histogram("request_bytes", "Bodies of service calls.", "service", _BYTES)
        self._cards = counter("cards", "Cards shown.", "service", "topic", "indicator")
        self._findings = counter("findings", "Findings on cards shown.", "rule")
        self._gaps = counter("not_checked", "Checks that cards say could not be made.", "rule")
        self._held = counter(
            "cards_held_back", "Cards kept and not shown.", "service", "topic", "because"
        )
        self._database_failures = counter(
            "database_failures", "What the database did not do.", "what"
        )
        self._rule_set = Gauge(
            "vialwise_rule_set_info",
            "The rules and data in force.",
            ["rule_set"],
            registry=registry,
            multiprocess_mode="max",
        )

    def serves(self, rule_set: str) -> None:
        """Name the rules and data in force."""
        self._rule_set.labels(rule_set).set(1)

    def count(self, kind: str, service: str, status: int, seconds: float, note: CallNote) -> None:
        """Count one request."""
        self._requests.labels(kind, str(status)).inc()
        for what in note.database_failures:
            self._database_failures.labels(what).inc()
        if kind != "call" or not service:
            return
        self._calls.labels(service, note.hook or "unread", note.outcome).inc()
        self._seconds.labels(service).observe(seconds)
        self._bytes.labels(service).observe(len(note.body))
        for name, taken in note.hops.items():
            self._hops.labels(name).observe(taken)
        self._count_cards(service, note)

    def _count_cards(self, service: str, note: CallNote) -> None:
        for card in note.plan:
            self._cards.labels(service, card.topic.value, card.severity.value).inc()
            for gap in card.gaps:
                self._gaps.labels(gap.rule).inc()
        for rule in note.rules:
            self._findings.labels(rule).inc()
        for part in note.held:
            for card in part.cards:
                self._held.labels(service, card.topic.value, part.because).inc()

    def text(self) -> bytes:
        """All numbers, of all workers."""
        if self._directory is None:
            return generate_latest(self._registry)
        everyones = CollectorRegistry()
        MultiProcessCollector(everyones, path=self._directory)  # type: ignore[no-untyped-call]
        return generate_latest(everyones)
