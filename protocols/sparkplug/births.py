"""The metrics of an agent's births: what it reports, what Sparkplug asks for, what the delivery scheme declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol
from uuid import UUID

from protocols.delivery.address import BirthId, Declaration, Lane, declarations_to_text
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.payload import Metric

BD_SEQ: Final = "bdSeq"
REBIRTH: Final = "Node Control/Rebirth"
OUTBOX_ACK: Final = "Node Control/Outbox Ack"
OUTBOX_ACK_ALIAS: Final = 1
OUTBOX_BIRTH: Final = "Outbox/Birth"
OUTBOX_LANE: Final = {lane: f"Outbox/{lane}" for lane in Lane}


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxState:
    """What an outbox holds: its current epoch, and per lane what it holds of that and of each older epoch."""

    epoch: UUID
    lanes: Mapping[Lane, Sequence[Declaration]]


class NodeView(Protocol):
    """What an `EdgeNode` asks of its agent, synchronously, at the moment of a birth. Called from one thread."""

    def node_metrics(self) -> Sequence[Metric]:
        """Every metric that the node itself ever reported: name, datatype, current value and its time."""
        ...

    def live_devices(self) -> Sequence[str]:
        """The devices that answer now, in the order of their births."""
        ...

    def device_metrics(self, device: str) -> Sequence[Metric]:
        """Every metric that `device` ever reported, also when it is lost."""
        ...

    def alias(self, device: str | None, name: str) -> int:
        """The alias of a metric: above 1, given once, stored before it is returned, never given again."""
        ...

    def outbox(self) -> OutboxState | None:
        """What the outbox holds; None when delivery is plain."""
        ...


def node_birth_metrics(
    view: NodeView, *, bdseq: int, birth: BirthId | None, outbox: OutboxState | None
) -> list[Metric]:
    """The metrics of NBIRTH without time and alias, Sparkplug's own first."""
    metrics = [bdseq_metric(bdseq), Metric(name=REBIRTH, datatype=DataType.BOOLEAN, value=False)]
    if birth is not None and outbox is not None:
        metrics.append(Metric(name=OUTBOX_ACK, datatype=DataType.STRING, value=None))
        metrics.append(Metric(name=OUTBOX_BIRTH, datatype=DataType.STRING, value=str(birth)))
        metrics += [
            Metric(name=OUTBOX_LANE[lane], datatype=DataType.STRING, value=declarations_to_text(outbox.lanes[lane]))
            for lane in Lane
        ]
    return [*metrics, *view.node_metrics()]


def bdseq_metric(bdseq: int) -> Metric:
    """The metric that ties an NDEATH to its NBIRTH."""
    return Metric(name=BD_SEQ, datatype=DataType.INT64, value=bdseq)


def with_alias(view: NodeView, device: str | None, metric: Metric) -> Metric:
    """`metric` with its alias. Rebirth has none, so that any host can ask for it; Outbox Ack has 1, always."""
    name = metric.name or ""
    if device is None and name == REBIRTH:
        return metric
    if device is None and name == OUTBOX_ACK:
        return replace(metric, alias=OUTBOX_ACK_ALIAS)
    alias = view.alias(device, name)
    if alias <= OUTBOX_ACK_ALIAS:
        raise ValueError(f"alias {alias} of {name} is reserved")
    return replace(metric, alias=alias)
