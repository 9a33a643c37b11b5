"""What a node said in its births: its channels (one per metric), and what its outbox holds.

A channel outlives births: the same metric of the same device keeps its object, and with it the number of its series
once that is committed. Not thread-safe; the worker's thread alone uses this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import numpy as np

from cloud.ingest.directory import Directory, Numbers
from protocols.delivery import BirthId, Declaration, Lane, declarations_from_text
from protocols.errors import ProtocolError
from protocols.events import EVENT_METRIC
from protocols.sparkplug.births import BD_SEQ, OUTBOX_BIRTH, OUTBOX_LANE
from protocols.sparkplug.datatype import FIELDS, SIGNED, UNSIGNED, DataType
from protocols.sparkplug.host import BirthMetric, NodeKey
from protocols.sparkplug.payload import UNITS, RawPayload

_SERVICE: Final = ("Node Control/", "Device Control/", "Outbox/", "Output/", "Node Info/", "Device Info/")
LONGEST_NAME: Final = 512
_SPREAD: Final = 1024
_HIGHEST: Final = 1 << 56
"""Aliases that are kept as an array are few for their range, and small enough to be computed with."""
_NUMBERS: Final = frozenset((*SIGNED, *UNSIGNED, DataType.FLOAT, DataType.DOUBLE))
_TEXTS: Final = frozenset((DataType.STRING, DataType.TEXT, DataType.UUID))


class Kind(StrEnum):
    """What becomes of a channel's values.

    NUMBER, BOOLEAN and TEXT are readings; EVENT is the metric that carries our events. OBJECT has no place as a number
    (arrays, tables, templates, bytes, files, unknown types): each value is told as an event. NONE are service metrics,
    read elsewhere. REFUSED has a name that no column holds: each value is a fault.
    """

    NUMBER = "number"
    BOOLEAN = "boolean"
    TEXT = "text"
    EVENT = "event"
    OBJECT = "object"
    NONE = "none"
    REFUSED = "refused"


@dataclass(slots=True, kw_only=True, eq=False)
class Station:
    """A device, or with code '' the gateway itself. `device_id` is None until its row is committed."""

    node: NodeKey
    code: str
    device_id: int | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Channel:
    """One metric of a station. `field` is where its values stand in the protobuf message."""

    station: Station
    name: str
    datatype: DataType
    kind: Kind
    field: str
    unit: str = ""
    series_id: int | None = None
    number: int = -1
    """Its place in the `Directory`; -1 while it has none."""

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers, or true and false."""
        return self.kind in (Kind.NUMBER, Kind.BOOLEAN)

    @property
    def stored(self) -> bool:
        """Whether its values belong to a series."""
        return self.kind in (Kind.NUMBER, Kind.BOOLEAN, Kind.TEXT)


@dataclass(frozen=True, slots=True)
class Aliases:
    """The numbers of channels by alias, from alias `lowest` on; -1 for an alias that nobody gave."""

    lowest: int
    numbers: Numbers


_NO_ALIASES: Final = Aliases(0, np.empty(0, np.int32))


@dataclass(slots=True, kw_only=True, eq=False)
class Table:
    """The channels of one birth, by alias and by name. `known` are those that the station ever had, by name.

    `came_after`: the data came before the birth, so its aliases may have meant something else.
    """

    station: Station
    known: dict[str, Channel] = field(default_factory=dict)
    by_alias: dict[int, Channel] = field(default_factory=dict)
    by_name: dict[str, Channel] = field(default_factory=dict)
    came_after: bool = False
    _aliases: Aliases | None = None

    def aliases(self, directory: Directory) -> Aliases:
        """The channels by alias as an array; an empty one when aliases lie too far apart, or mean nothing certain."""
        if self.came_after:
            return _NO_ALIASES
        if self._aliases is None:
            self._aliases = _aliases(self.by_alias, directory)
        return self._aliases

    def unborn(self, name: str, datatype: DataType | None) -> Channel | None:
        """The channel of a metric that the birth did not name: by the type it came with, or that it once had."""
        channel = self.known.get(name)
        if channel is None or datatype not in (None, channel.datatype):
            if datatype is None or not name:
                return None
            channel = self.known[name] = new_channel(self.station, name, datatype)
        return channel


@dataclass(slots=True, kw_only=True, eq=False)
class Session:
    """A node from one NBIRTH to the next, or to its death. `birth` is None for a node without our delivery scheme."""

    node: NodeKey
    bdseq: int | None
    birth: BirthId | None
    declared: dict[Lane, tuple[Declaration, ...]]
    tables: dict[str, Table] = field(default_factory=dict)


class Channels:
    """The sessions of all nodes, and every channel that a birth ever named to this worker."""

    def __init__(self) -> None:
        self.sessions: dict[NodeKey, Session] = {}
        self.gateways: dict[NodeKey, int] = {}
        self.touched: dict[NodeKey, int] = {}
        self.directory = Directory()
        self._stations: dict[tuple[NodeKey, str], Station] = {}
        self._known: dict[tuple[NodeKey, str], dict[str, Channel]] = {}
        self._unborn: dict[NodeKey, Session] = {}

    def node_born(self, node: NodeKey, metrics: Iterable[BirthMetric], payload: RawPayload) -> Session:
        """Begin a session. With declarations that cannot be read it is a plain one: silence beats a wrong answer."""
        values = {metric.name: metric for metric in payload.metrics}
        birth: BirthId | None = None
        declared: dict[Lane, tuple[Declaration, ...]] = {}
        if OUTBOX_BIRTH in values:
            try:
                birth = BirthId.parse(values[OUTBOX_BIRTH].string_value)
                declared = {
                    lane: declarations_from_text(values[name].string_value)
                    for lane, name in OUTBOX_LANE.items()
                    if name in values
                }
            except ProtocolError:
                birth, declared = None, {}
        bdseq = values[BD_SEQ].long_value or values[BD_SEQ].int_value if BD_SEQ in values else None
        session = Session(node=node, bdseq=bdseq, birth=birth, declared=declared)
        session.tables[""] = self._table(node, "", metrics, payload)
        self.sessions[node] = session
        self._unborn.pop(node, None)
        return session

    def device_born(self, node: NodeKey, device: str, metrics: Iterable[BirthMetric], payload: RawPayload) -> Table:
        """A device of the node's session has told what it measures."""
        table = self._table(node, device, metrics, payload)
        self.sessions[node].tables[device] = table
        return table

    def unborn(self, node: NodeKey, code: str) -> tuple[Session, Table]:
        """A session and a table for data of a station whose birth was not heard: no alias is known in it."""
        session = self.sessions.get(node)
        if session is None:
            session = self._unborn.setdefault(node, Session(node=node, bdseq=None, birth=None, declared={}))
        return session, Table(station=self.station(node, code), known=self._known.setdefault((node, code), {}))

    def forget_ids(self) -> None:
        """The database was restored: what its rows were called before means nothing any more."""
        self.gateways.clear()
        for station in self._stations.values():
            station.device_id = None
        self.directory.forget_series()
        for known in self._known.values():
            for channel in known.values():
                channel.series_id = None

    def station(self, node: NodeKey, code: str) -> Station:
        """The one object of a device (or, with code '', of the gateway)."""
        key = (node, code)
        found = self._stations.get(key)
        if found is None:
            found = self._stations[key] = Station(node=node, code=code)
        return found

    def _table(self, node: NodeKey, code: str, metrics: Iterable[BirthMetric], payload: RawPayload) -> Table:
        known = self._known.setdefault((node, code), {})
        table = Table(station=self.station(node, code), known=known)
        for metric, raw in zip(metrics, payload.metrics, strict=True):
            channel = known.get(metric.name)
            if channel is None or channel.datatype != metric.datatype:
                before = channel
                channel = known[metric.name] = new_channel(table.station, metric.name, metric.datatype)
                if before is not None:
                    self.directory.succeed(before, channel)
            channel.unit = _unit(raw) or channel.unit
            table.by_name[metric.name] = channel
            if metric.alias is not None:
                table.by_alias[metric.alias] = channel
        return table


def _aliases(by_alias: Mapping[int, Channel], directory: Directory) -> Aliases:
    if not by_alias:
        return _NO_ALIASES
    lowest, size = min(by_alias), max(by_alias) - min(by_alias) + 1
    if size > _SPREAD + 4 * len(by_alias) or lowest + size > _HIGHEST:
        return _NO_ALIASES
    numbers = np.full(size, -1, np.int32)
    for alias, channel in by_alias.items():
        numbers[alias - lowest] = directory.number(channel)
    return Aliases(lowest, numbers)


def new_channel(station: Station, name: str, datatype: DataType) -> Channel:
    """A metric that nobody has told of before."""
    kind = _kind(name, datatype)
    return Channel(station=station, name=name, datatype=datatype, kind=kind, field=FIELDS.get(datatype, ""))


def _kind(name: str, datatype: DataType) -> Kind:
    if name == BD_SEQ or name.startswith(_SERVICE):
        return Kind.NONE
    if "\x00" in name or len(name) > LONGEST_NAME:
        return Kind.REFUSED
    if name == EVENT_METRIC and datatype in _TEXTS:
        return Kind.EVENT
    if datatype in _NUMBERS:
        return Kind.NUMBER
    if datatype is DataType.BOOLEAN:
        return Kind.BOOLEAN
    return Kind.TEXT if datatype in _TEXTS else Kind.OBJECT


def _unit(raw: RawPayload.Metric) -> str:
    if not raw.HasField("properties"):
        return ""
    for key, value in zip(raw.properties.keys, raw.properties.values, strict=False):
        unit: object = value.string_value
        if str(key).lower() in UNITS and isinstance(unit, str):
            return unit.replace("\x00", "")[:64]
    return ""
