"""What Prometheus reads on ``/metrics``: one registry per process, made by the composition root."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics:
    """Counters, gauges and histograms of the cloud service. Thread-safe."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.messages = Counter(
            "liandong_ingest_messages", "Messages by what became of them", ["outcome"], registry=self.registry
        )
        self.readings = Counter("liandong_ingest_readings", "Readings stored", registry=self.registry)
        self.events = Counter("liandong_ingest_events", "Events stored", registry=self.registry)
        self.commit_seconds = Histogram(
            "liandong_ingest_commit_seconds", "Time to commit a group", buckets=_SECONDS, registry=self.registry
        )
        self.lag_seconds = Histogram(
            "liandong_ingest_lag_seconds",
            "From arrival to commit, per message",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.queue_depth = Gauge("liandong_ingest_queue_messages", "Messages that wait", registry=self.registry)
        self.poison = Counter("liandong_ingest_poison", "Messages kept unread", ["code"], registry=self.registry)
        self.rebirths = Counter("liandong_ingest_rebirth_requests", "Rebirths asked for", registry=self.registry)
        self.failures = Counter("liandong_ingest_commit_failures", "Groups that did not commit", registry=self.registry)
        self.connected = Gauge(
            "liandong_ingest_broker_connected", "1 while the broker is there", registry=self.registry
        )

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)
