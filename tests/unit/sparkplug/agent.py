"""What an Edge Node asks of its agent, for tests: a meter and a door."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from protocols.sparkplug.births import OutboxState
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.payload import Metric


@dataclass
class View:
    """An agent with a meter and a door."""

    node: list[Metric] = field(default_factory=lambda: [Metric(name="CPU", datatype=DataType.DOUBLE, value=0.5)])
    devices: dict[str, list[Metric]] = field(
        default_factory=lambda: {
            "meter": [Metric(name="Energy", datatype=DataType.INT32, value=-5, timestamp_ms=1)],
            "door": [Metric(name="Open", datatype=DataType.BOOLEAN, value=False, timestamp_ms=1)],
        }
    )
    live: list[str] = field(default_factory=lambda: ["meter", "door"])
    aliases: dict[tuple[str | None, str], int] = field(default_factory=dict)
    held: OutboxState | None = None

    def node_metrics(self) -> Sequence[Metric]:
        return self.node

    def live_devices(self) -> Sequence[str]:
        return self.live

    def device_metrics(self, device: str) -> Sequence[Metric]:
        return self.devices.get(device, [])

    def alias(self, device: str | None, name: str) -> int:
        return self.aliases.setdefault((device, name), len(self.aliases) + 2)

    def outbox(self) -> OutboxState | None:
        return self.held
