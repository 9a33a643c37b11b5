"""What the session machine asks of the agent at a birth: metrics with their current values, aliases, the outbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from edge.board import Board
from edge.identity.register import Register
from edge.outbox.stamp import is_unresolved
from edge.outbox.store import Outbox
from protocols import commissioning, configuration
from protocols import sets as delivered
from protocols.catalog import NODE_TYPE, Datatype, DeviceType
from protocols.command import READ, metric_name, output_of
from protocols.events import EVENT_METRIC, Quality, Reading
from protocols.sparkplug.births import OutboxState
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.payload import QUALITY_BAD, QUALITY_STALE, Metric

DATATYPES: Mapping[Datatype, DataType] = {
    "Double": DataType.DOUBLE,
    "Int64": DataType.INT64,
    "Boolean": DataType.BOOLEAN,
    "String": DataType.STRING,
}
QUALITIES: Mapping[Quality, int | None] = {"good": None, "uncertain": QUALITY_STALE, "bad": QUALITY_BAD}
"""Good is not said. Sparkplug has no word for uncertain but stale (tck-id-payloads-propertyset-quality-value-value)."""


def metric_of(reading: Reading, datatype: Datatype, *, historical: bool = False) -> Metric:
    """A reading as a metric, by name, with its own time if that is known."""
    return Metric(
        name=reading.metric,
        datatype=DATATYPES[datatype],
        value=reading.value,
        timestamp_ms=None if is_unresolved(reading.at_ms) else reading.at_ms,
        quality=QUALITIES[reading.quality],
        is_historical=historical,
    )


class AgentView:
    """The `NodeView` of an agent. `types` maps device ids ('' = the node) to rows of the catalogue."""

    def __init__(
        self,
        *,
        outbox: Outbox,
        register: Register,
        board: Board,
        types: Mapping[str, DeviceType],
        acknowledged: bool,
        resolve: Callable[[int], int] = lambda at_ms: at_ms,
    ) -> None:
        """`resolve`: a stamp as UTC, ms since 1970."""
        self._resolve = resolve
        self._outbox, self._register, self._board = outbox, register, board
        self._types, self._acknowledged = types, acknowledged
        register.give((device, name, datatype) for device in types for name, datatype in self.datatypes(device).items())

    def node_metrics(self) -> Sequence[Metric]:
        """Every metric of the node itself."""
        own = self.datatypes("")
        return [metric for metric in self._metrics("") if metric.name in own]

    def live_devices(self) -> Sequence[str]:
        """The devices that answer, or of which nothing is known yet."""
        return [device for device, condition in self._board.devices().items() if condition.online is not False]

    def device_metrics(self, device: str) -> Sequence[Metric]:
        """Every metric that `device` ever had: of its type, and what it told beyond that."""
        return self._metrics(device)

    def latest(self, device: str) -> dict[str, Reading]:
        """The latest stored reading of each metric of `device`, with its UTC (an estimate while that is unknown)."""
        found = self._board.latest(device)
        return {name: replace(reading, at_ms=self._resolve(reading.at_ms)) for name, reading in found.items()}

    def alias(self, device: str | None, name: str) -> int:
        """The alias of a metric, stored."""
        known = self.datatypes(device or "").get(name)
        datatype = known or (self.datatype(device, name) if device else "String")
        return self._register.alias(device or "", name, datatype)

    def outbox(self) -> OutboxState | None:
        """What the outbox holds; None when delivery is plain."""
        return self._outbox.declare() if self._acknowledged else None

    def datatype(self, device: str, metric: str) -> Datatype:
        """The type of one metric."""
        row = self._types.get(device)
        spec = row.metric(metric) if row is not None else None
        if spec is not None:
            return spec.datatype
        if metric == delivered.METRIC:
            return "String"
        if metric in (EVENT_METRIC, configuration.METRIC, commissioning.METRIC) or output_of(metric) is not None:
            return "String"
        return self._register.datatype(device, metric) or "Double"

    def datatypes(self, device: str) -> dict[str, Datatype]:
        """The type of every metric of `device`; those of the catalogue count."""
        row = self._types.get(device)
        found: dict[str, Datatype] = {EVENT_METRIC: "String"}
        if row is not None:
            found = {**{spec.name: spec.datatype for spec in row.metrics}, **found}
            controls = [metric_name(output) for output in (*row.outputs, *((READ,) if row.reads else ()))]
            found |= dict.fromkeys(controls, "String")
        known = self._register.metrics(device)
        if device == "":
            found[delivered.METRIC] = "String"
            found |= {configuration.METRIC: "String", commissioning.METRIC: "String"}
            known = {name: kind for name, kind in known.items() if "/" not in name and name != "bdSeq"}
        return {**known, **found}

    def _metrics(self, device: str) -> list[Metric]:
        latest = self.latest(device)
        row = self._types.get(device) if device else NODE_TYPE
        units = {spec.name: spec.unit for spec in row.metrics} if row is not None else {}
        metrics: list[Metric] = []
        for name, datatype in self.datatypes(device).items():
            reading = latest.get(name)
            unit = units.get(name) or None
            if reading is None:
                metrics.append(Metric(name=name, datatype=DATATYPES[datatype], unit=unit))
            else:
                metric = metric_of(reading, datatype)
                metrics.append(
                    Metric(
                        name=name,
                        datatype=metric.datatype,
                        value=metric.value,
                        timestamp_ms=metric.timestamp_ms,
                        quality=metric.quality,
                        unit=unit,
                    )
                )
        return metrics
