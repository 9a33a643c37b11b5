"""What a node said in its births: its channels (one per metric), and what its outbox holds.

A channel outlives births: the same metric of the same device keeps its object, and with it the number of its series
once that is committed. A province has millions of channels: equal births share what they say (`Layout`), and a table is
a row of channels. Not thread-safe; the worker's thread alone uses this.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from weakref import WeakValueDictionary

from cloud.ingest.directory import Directory
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
    """A device, or with code '' the gateway itself. `device_id` is None until its row is committed.

    `table` is what its newest birth named; `former` what others named, and data without a birth.
    """

    node: NodeKey
    code: str
    device_id: int | None = None
    table: Table | None = None
    former: dict[str, Channel] | None = None

    def known(self, name: str) -> Channel | None:
        """The channel that a metric of this name had last, whoever told of it."""
        if self.former is not None and name in self.former:
            return self.former[name]
        return None if self.table is None else self.table.named(name)

    def channels(self) -> Iterator[Channel]:
        """Every channel it has."""
        yield from () if self.table is None else self.table.channels
        yield from () if self.former is None else self.former.values()

    def born(self, table: Table) -> None:
        """Its newest birth; what others named and this one does not is remembered."""
        before, former = self.table, self.former or {}
        if before is not None and before.layout is not table.layout:
            former = {name: before.channels[place] for name, place in before.layout.by_name.items()} | former
        left = {name: one for name, one in former.items() if name not in table.layout.by_name}
        self.table, self.former = table, left or None

    def told(self, channel: Channel) -> None:
        """Data have told of a metric, or of another type of it, that no birth named."""
        if self.former is None:
            self.former = {}
        self.former[channel.name] = channel


@dataclass(slots=True, kw_only=True, eq=False)
class Channel:
    """One metric of a station."""

    station: Station
    name: str
    datatype: DataType
    kind: Kind
    unit: str = ""
    series_id: int | None = None
    number: int = -1
    """Its place in the `Directory`; -1 while it has none."""

    @property
    def field(self) -> str:
        """Where its values stand in the protobuf message."""
        return FIELDS.get(self.datatype, "")

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers, or true and false."""
        return self.kind in (Kind.NUMBER, Kind.BOOLEAN)

    @property
    def stored(self) -> bool:
        """Whether its values belong to a series."""
        return self.kind in (Kind.NUMBER, Kind.BOOLEAN, Kind.TEXT)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Layout:
    """At which place a birth names what; aliases are counted from the birth's lowest. `reach` is behind the highest."""

    by_alias: Mapping[int, int]
    by_name: Mapping[str, int]
    reach: int


_EMPTY: Final = Layout({}, {}, 0)


@dataclass(slots=True, kw_only=True, eq=False)
class Table:
    """The channels of one birth, in its order.

    `came_after`: the data came before the birth, so its aliases may have meant something else.
    """

    station: Station
    layout: Layout = _EMPTY
    channels: tuple[Channel, ...] = ()
    lowest: int = 0
    came_after: bool = False
    _numbers: bytes | None = None

    def of_alias(self, alias: int) -> Channel | None:
        """The channel that the birth gave this alias to."""
        place = self.layout.by_alias.get(alias - self.lowest)
        return None if place is None else self.channels[place]

    def named(self, name: str) -> Channel | None:
        """The channel of a metric that the birth named."""
        place = self.layout.by_name.get(name)
        return None if place is None else self.channels[place]

    def aliases(self) -> Iterator[tuple[int, Channel]]:
        """Every alias that the birth gave, and its channel."""
        return ((self.lowest + alias, self.channels[place]) for alias, place in self.layout.by_alias.items())

    def by_name(self) -> Iterator[Channel]:
        """The channel of every name in the birth, once."""
        return (self.channels[place] for place in self.layout.by_name.values())

    def numbers(self, directory: Directory) -> bytes:
        """The numbers of the channels (int32) by alias from `lowest` on, -1 for an alias that nobody gave.

        Empty when aliases lie too far apart, or mean nothing certain.
        """
        if self.came_after:
            return b""
        if self._numbers is None:
            self._numbers = self._numbered(directory)
        return self._numbers

    def _numbered(self, directory: Directory) -> bytes:
        by_alias, size = self.layout.by_alias, self.layout.reach
        if size > _SPREAD + 4 * len(by_alias) or self.lowest + size > _HIGHEST:
            return b""
        numbers = array("i", [-1]) * size
        for alias, place in by_alias.items():
            numbers[alias] = directory.number(self.channels[place])
        return numbers.tobytes()

    def unborn(self, name: str, datatype: DataType | None) -> Channel | None:
        """The channel of a metric that the birth did not name: by the type it came with, or that it once had."""
        channel = self.station.known(name)
        if channel is None or datatype not in (None, channel.datatype):
            if datatype is None or not name:
                return None
            channel = new_channel(self.station, name, datatype)
            self.station.told(channel)
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
        self._stations: dict[NodeKey, dict[str, Station]] = {}
        self._layouts: WeakValueDictionary[tuple[tuple[str, int | None], ...], Layout] = WeakValueDictionary()
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
        session = self.sessions[node]
        table = self._table(session.node, device, metrics, payload)
        session.tables[table.station.code] = table
        return table

    def unborn(self, node: NodeKey, code: str) -> tuple[Session, Table]:
        """A session and a table for data of a station whose birth was not heard: no alias is known in it."""
        session = self.sessions.get(node)
        if session is None:
            session = self._unborn.setdefault(node, Session(node=node, bdseq=None, birth=None, declared={}))
        return session, Table(station=self.station(session.node, code))

    def forget_ids(self) -> None:
        """The database was restored: what its rows were called before means nothing any more."""
        self.gateways.clear()
        self.directory.forget_series()
        for stations in self._stations.values():
            for station in stations.values():
                station.device_id = None
                for channel in station.channels():
                    channel.series_id = None

    def station(self, node: NodeKey, code: str) -> Station:
        """The one object of a device (or, with code '', of the gateway)."""
        stations = self._stations.setdefault(node, {})
        found = stations.get(code)
        if found is None:
            code = sys.intern(code)
            found = stations[code] = Station(node=node, code=code)
        return found

    def _table(self, node: NodeKey, code: str, metrics: Iterable[BirthMetric], payload: RawPayload) -> Table:
        station = self.station(node, code)
        channels: dict[str, Channel] = {}
        row, shape = [], []
        for metric, raw in zip(metrics, payload.metrics, strict=True):
            channel = before = channels.get(metric.name) or station.known(metric.name)
            if channel is None or channel.datatype != metric.datatype:
                channel = new_channel(station, metric.name, metric.datatype)
                if before is not None:
                    self.directory.succeed(before, channel)
            channel.unit = _unit(raw) or channel.unit
            channels[metric.name] = channel
            row.append(channel)
            shape.append((metric.name, metric.alias))
        lowest = min((alias for _, alias in shape if alias is not None), default=0)
        table = Table(station=station, layout=self._layout(shape, lowest), channels=tuple(row), lowest=lowest)
        station.born(table)
        return table

    def _layout(self, shape: Iterable[tuple[str, int | None]], lowest: int) -> Layout:
        """The one layout of all births that name the same in the same order, with aliases at the same distances."""
        key = tuple((name, None if alias is None else alias - lowest) for name, alias in shape)
        layout = self._layouts.get(key)
        if layout is None:
            by_alias = {alias: place for place, (_, alias) in enumerate(key) if alias is not None}
            by_name = {name: place for place, (name, _) in enumerate(key)}
            layout = self._layouts[key] = Layout(by_alias, by_name, max(by_alias, default=-1) + 1)
        return layout


def new_channel(station: Station, name: str, datatype: DataType) -> Channel:
    """A metric that nobody has told of before."""
    kind = _kind(name, datatype)
    return Channel(station=station, name=name, datatype=datatype, kind=kind)


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
            return sys.intern(unit.replace("\x00", "")[:64])
    return ""
