"""What Prometheus reads on ``/metrics``: one registry per process, made by the composition root."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

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
        self.waiting = Gauge(
            "liandong_ingest_waiting_seconds",
            "How long the oldest message that is not stored yet has waited",
            registry=self.registry,
        )
        self.queue_depth = Gauge("liandong_ingest_queue_messages", "Messages that wait", registry=self.registry)
        self.poison = Counter("liandong_ingest_poison", "Messages kept unread", ["code"], registry=self.registry)
        self.rebirths = Counter("liandong_ingest_rebirth_requests", "Rebirths asked for", registry=self.registry)
        self.failures = Counter("liandong_ingest_commit_failures", "Groups that did not commit", registry=self.registry)
        self.connected = Gauge(
            "liandong_ingest_broker_connected", "1 while the broker is there", registry=self.registry
        )

        self.held = Gauge(
            "liandong_delivery_held_messages", "Messages that gateways hold back", ["lane"], registry=self.registry
        )
        self.missing = Gauge(
            "liandong_delivery_missing_messages",
            "Messages that were given and did not arrive: `lost` for good, `open` perhaps on their way",
            ["lane", "state"],
            registry=self.registry,
        )
        self.uncarried = Gauge(
            "liandong_groups_uncarried", "Sparkplug groups that no worker listens to", registry=self.registry
        )
        self._workers = _Workers()
        self.registry.register(self._workers)
        self.database_up = Gauge("liandong_database_up", "1 while the database answers", registry=self.registry)
        self.stream_clients = Gauge("liandong_stream_clients", "Pages that listen", registry=self.registry)
        self.timers = Gauge(
            "liandong_timers",
            "Timers late by a minute, or tried again after a failure",
            ["state"],
            registry=self.registry,
        )
        self.offers = Gauge("liandong_offers_open", "Offers that wait for an answer", registry=self.registry)
        self.alarms = Gauge("liandong_alarms_active", "Active alarms", ["severity"], registry=self.registry)
        self.incidents = Gauge("liandong_incidents_open", "Open incidents", registry=self.registry)
        self.gateways = Gauge("liandong_gateways_offline", "Gateways that are away", registry=self.registry)
        self.rollups = Gauge(
            "liandong_rollups_waiting_seconds",
            "How long the oldest readings wait for their summaries",
            registry=self.registry,
        )

    def stands(self, row: Mapping[str, Any] | None) -> None:
        """What the database told of itself (`health.standing`); None: it does not answer."""
        self.database_up.set(row is not None)
        if row is None:
            return
        self.timers.labels("late").set(row["late_timers"])
        self.timers.labels("failing").set(row["failing_timers"])
        self.offers.set(row["open_offers"])
        self.incidents.set(row["open_incidents"])
        self.gateways.set(row["gateways_offline"])
        self.rollups.set(row["rollups_wait_s"])
        for severity in ("P1", "P2", "P3", "P4"):
            self.alarms.labels(severity).set((row["active_alarms"] or {}).get(severity, 0))

    def delivers(self, lanes: Mapping[str, tuple[int, int, int]]) -> None:
        """Per lane: messages that gateways hold, that are lost, and that may be on their way."""
        for lane, (held, lost, open_) in lanes.items():
            self.held.labels(lane).set(held)
            self.missing.labels(lane, "lost").set(lost)
            self.missing.labels(lane, "open").set(open_)

    def totals(self) -> dict[str, int]:
        """What this process has counted since its start, for those who show all of them."""
        found = {"readings": _value(self.readings), "events": _value(self.events), "failures": _value(self.failures)}
        return found | {outcome: _value(self.messages.labels(outcome)) for outcome in ("stored", "dropped")}

    def share(self, rows: Sequence[Mapping[str, Any]], uncarried: int) -> None:
        """All workers that share (`workers.standing`), and how many groups none of them carries."""
        self._workers.rows = tuple(row for row in rows if row["alive"])
        self.uncarried.set(uncarried)

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)


class _Workers(Collector):
    """Figures of every worker, here and on other hosts, as they stand in the database."""

    def __init__(self) -> None:
        self.rows: Sequence[Mapping[str, Any]] = ()

    def collect(self) -> Iterator[Metric]:
        groups = GaugeMetricFamily("liandong_worker_groups", "Groups that a worker carries", labels=["worker"])
        waits = GaugeMetricFamily(
            "liandong_worker_waiting_seconds", "How long its oldest message has waited", labels=["worker"]
        )
        readings = CounterMetricFamily("liandong_worker_readings", "Readings stored by a worker", labels=["worker"])
        messages = CounterMetricFamily(
            "liandong_worker_messages", "Messages of a worker by what became of them", labels=["worker", "outcome"]
        )
        lagging = GaugeMetricFamily(
            "liandong_group_waiting_seconds", "How long a group's oldest message waits, if a second", labels=["group"]
        )
        for row in self.rows:
            name, told = row["name"], row["figures"]
            groups.add_metric([name], row["groups"])
            waits.add_metric([name], told.get("waiting_s", 0.0))
            readings.add_metric([name], told.get("readings", 0))
            for outcome in ("stored", "dropped"):
                messages.add_metric([name, outcome], told.get(outcome, 0))
            for group, seconds in told.get("lagging", {}).items():
                lagging.add_metric([group], seconds)
        yield from (groups, waits, readings, messages, lagging)


def _value(counter: Counter) -> int:
    """What a counter stands at, as it tells Prometheus."""
    return round(next(sample.value for metric in counter.collect() for sample in metric.samples))
