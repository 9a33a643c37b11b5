"""Faultless traffic of one node and one host, as a script whose steps a test may spoil."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from protocols.sparkplug import sparkplug_b_pb2 as pb
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.monitor import Monitor, Violation
from protocols.sparkplug.payload import QUALITY, RawMetric, RawPayload
from protocols.sparkplug.state import HostState, decode_state, encode_state

NOW = 1_700_000_000_000


@dataclass(slots=True)
class Step:
    """One message; `raw` is what `payload` is made of, where it is a payload."""

    name: str
    topic: str
    raw: RawPayload
    at_ms: int
    qos: int = 0
    retain: bool = False
    data: bytes | None = None

    @property
    def payload(self) -> bytes:
        return self.raw.SerializeToString() if self.data is None else self.data

    def metric(self, name: str) -> RawMetric:
        """The metric of a birth by name, of data by its alias."""
        return next(m for m in self.raw.metrics if name in (m.name, f"alias {m.alias}"))


Script = list[Step]


def script() -> Script:
    """Host online, births, data, commands, a rebirth, the end of the device, of the node and of the host."""
    return [
        _state("online", True, 0),
        Step("nbirth", "spBv1.0/estate/NBIRTH/gw1", nbirth(1), NOW + 1),
        Step("dbirth", "spBv1.0/estate/DBIRTH/gw1/meter", dbirth(1, 2), NOW + 2),
        Step("ndata", "spBv1.0/estate/NDATA/gw1", _values(2, 3, 2), NOW + 3),
        Step("ddata", "spBv1.0/estate/DDATA/gw1/meter", _values(3, 4, 7), NOW + 4),
        Step("dcmd", "spBv1.0/estate/DCMD/gw1/meter", _command(5, 7), NOW + 5),
        Step("ncmd", "spBv1.0/estate/NCMD/gw1", rebirth_request(6), NOW + 6),
        Step("nbirth again", "spBv1.0/estate/NBIRTH/gw1", nbirth(7), NOW + 7),
        Step("dbirth again", "spBv1.0/estate/DBIRTH/gw1/meter", dbirth(1, 8), NOW + 8),
        Step("ddeath", "spBv1.0/estate/DDEATH/gw1/meter", RawPayload(timestamp=NOW + 9, seq=2), NOW + 9),
        Step("ndeath", "spBv1.0/estate/NDEATH/gw1", ndeath(4), NOW + 10, qos=1),
        Step("next nbirth", "spBv1.0/estate/NBIRTH/gw1", nbirth(11, bdseq=5), NOW + 11),
        _state("offline", False, 12),
    ]


def play(steps: Script, monitor: Monitor | None = None) -> list[Violation]:
    """What the monitor reports."""
    listening = monitor or Monitor(primary_hosts=["cloud"])
    found: list[Violation] = []
    for step in steps:
        found += listening.heard(step.topic, step.payload, qos=step.qos, retain=step.retain, at_ms=step.at_ms)
    return found


def shifted_to(steps: Script, now_ms: int) -> Script:
    """The same at another time."""
    for step in steps:
        if step.data is not None:
            state = decode_state(step.data)
            step.data = encode_state(HostState(online=state.online, timestamp_ms=state.timestamp_ms - NOW + now_ms))
            continue
        step.raw.timestamp += now_ms - NOW
        for metric in step.raw.metrics:
            metric.timestamp += now_ms - NOW
    return steps


def on(name: str, change: Callable[[Step], object]) -> Callable[[Script], None]:
    """Spoil one step."""

    def spoil(steps: Script) -> None:
        change(next(step for step in steps if step.name == name))

    return spoil


def nbirth(at: int, bdseq: int = 4) -> RawPayload:
    raw = RawPayload(timestamp=NOW + at, seq=0)
    raw.metrics.add(name="bdSeq", timestamp=NOW + at, datatype=DataType.INT64, long_value=bdseq)
    raw.metrics.add(name="Node Control/Rebirth", timestamp=NOW + at, datatype=DataType.BOOLEAN, boolean_value=False)
    raw.metrics.add(name="CPU", alias=2, timestamp=NOW + at, datatype=DataType.DOUBLE, double_value=0.5)
    raw.metrics.add(name="Load", alias=3, timestamp=NOW + at, datatype=DataType.DOUBLE, is_null=True)
    definition = raw.metrics.add(name="Pump", alias=4, timestamp=NOW + at, datatype=DataType.TEMPLATE).template_value
    definition.is_definition = True
    definition.version = "1"
    definition.metrics.add(name="Speed", datatype=DataType.INT32, is_null=True)
    definition.metrics.add(name="On", datatype=DataType.BOOLEAN, is_null=True)
    definition.parameters.add(name="Size", type=DataType.INT32, int_value=1)
    return raw


def dbirth(seq: int, at: int) -> RawPayload:
    raw = RawPayload(timestamp=NOW + at, seq=seq)
    energy = raw.metrics.add(name="Energy", alias=7, timestamp=NOW + at, datatype=DataType.INT32, int_value=5)
    energy.properties.keys.extend([QUALITY, "nested"])
    energy.properties.values.add(type=DataType.INT32, int_value=192)
    energy.properties.values.add(type=DataType.PROPERTY_SET).propertyset_value.SetInParent()
    table = raw.metrics.add(name="Table", alias=8, timestamp=NOW + at, datatype=DataType.DATASET).dataset_value
    table.num_of_columns = 2
    table.columns.extend(["a", "b"])
    table.types.extend([DataType.INT32, DataType.STRING])
    row = table.rows.add()
    row.elements.add(int_value=1)
    row.elements.add(string_value="x")
    instance = raw.metrics.add(name="Pump 1", alias=9, timestamp=NOW + at, datatype=DataType.TEMPLATE).template_value
    instance.is_definition = False
    instance.template_ref = "Pump"
    instance.metrics.add(name="Speed", datatype=DataType.INT32, int_value=1)
    instance.metrics.add(name="On", datatype=DataType.BOOLEAN, boolean_value=True)
    instance.parameters.add(name="Size", type=DataType.INT32, int_value=2)
    return raw


def ndeath(bdseq: int) -> RawPayload:
    raw = RawPayload(timestamp=NOW)
    raw.metrics.add(name="bdSeq", timestamp=NOW, datatype=DataType.INT64, long_value=bdseq)
    return raw


def rebirth_request(at: int) -> RawPayload:
    raw = RawPayload(timestamp=NOW + at)
    raw.metrics.add(name="Node Control/Rebirth", timestamp=NOW + at, boolean_value=True)
    return raw


def template(step: Step, name: str) -> pb.Payload.Template:
    return step.metric(name).template_value


def _values(seq: int, at: int, alias: int) -> RawPayload:
    raw = RawPayload(timestamp=NOW + at, seq=seq)
    field = "double_value" if alias == 2 else "int_value"
    for moment in (at - 1, at):
        setattr(raw.metrics.add(alias=alias, timestamp=NOW + moment), field, moment)
    raw.metrics.add(alias=alias, timestamp=NOW - 90_000, is_historical=True, is_null=True)
    return raw


def _command(at: int, alias: int) -> RawPayload:
    raw = RawPayload(timestamp=NOW + at)
    raw.metrics.add(alias=alias, timestamp=NOW + at, int_value=3)
    return raw


def _state(name: str, online: bool, at: int) -> Step:
    payload = encode_state(HostState(online=online, timestamp_ms=NOW + at))
    return Step(name, "spBv1.0/STATE/cloud", RawPayload(), NOW + at, qos=1, data=payload)
