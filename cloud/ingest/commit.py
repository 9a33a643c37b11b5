"""One commit group, in one transaction: received sets, births and deaths, rows, judgement, poison.

The order of locks is the same for every worker: received sets first (in their own fixed order), then gateways by name,
then the newest values by series, then what judging locks, and the head of the stream last.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from cloud.ingest import turns
from cloud.ingest.bulk import Content, Numbers
from cloud.ingest.channels import Channels
from cloud.ingest.decode import Columns
from cloud.ingest.ids import Ids
from cloud.ingest.port import Judge, Watched
from cloud.ingest.rows import Rows
from cloud.ingest.run import RestoredError
from cloud.ingest.work import Born, Group, Message, Turn
from cloud.registry import births
from cloud.storage import readings, received
from cloud.storage.database import Transaction
from cloud.storage.queries import load
from cloud.storage.readings import NO_READINGS, Readings
from cloud.storage.received import LaneKey
from protocols.delivery import NumberSet
from protocols.sparkplug.host import NodeKey

PARTLY_KNOWN: Final = "cloud.ingest.partly-known"
TOUCH_MS: Final = 15_000
"""How often the time at which a gateway was last heard of is written."""

AnswerKey = tuple[NodeKey, LaneKey]
"""Whom to acknowledge to, and what."""


class OvertakenError(Exception):
    """The received sets are not what a group that went ahead took them to be; nothing of it may be committed."""


@dataclass(slots=True, kw_only=True)
class Stored:
    """What a group did. `answers`: the received sets to report; those in `prompt` at once, the others may wait."""

    ids: Ids
    answers: dict[AnswerKey, NumberSet] = field(default_factory=dict)
    prompt: set[AnswerKey] = field(default_factory=set)
    fresh: int = 0
    dropped: int = 0
    poisoned: list[str] = field(default_factory=list)
    readings: int = 0
    events: int = 0


class GroupWriter:
    """Writes one group in one transaction: `begin`, then the readings that it names are appended, then `finish`.

    The caller commits, and then settles the ids. A group that has only messages of known devices may `begin_ahead`, and
    is to `confirm` before it finishes: until then nothing is held that anybody waits for (see `flight`).
    """

    def __init__(
        self,
        tx: Transaction,
        channels: Channels,
        judge: Judge,
        watched: Watched,
        committed: Mapping[LaneKey, NumberSet],
    ) -> None:
        """`committed`: sets that earlier groups stored, as far as the worker remembers."""
        self._tx = tx
        self._channels = channels
        self._committed = committed
        self._judge = judge
        self._watched = watched
        self._rows = Rows(channels=channels)
        self._group = Group()
        self._before: dict[LaneKey, NumberSet] = {}
        self._sets: dict[LaneKey, NumberSet] = {}
        self._locked: set[NodeKey] = set()
        self._told = NO_READINGS
        self._stored = Stored(ids=Ids(channels))

    def write(self, group: Group, content: Content, now_ms: int) -> Stored:
        """All of it at once. Raises RestoredError."""
        readings.append(self._tx, self.begin(group, content))
        return self.finish(now_ms)

    def begin(self, group: Group, content: Content) -> Readings:
        """Decide which messages are new, and find or make the rows that they belong to; the readings to append.

        `content` is that of the group's messages, in their order. Raises RestoredError.
        """
        tx = self._tx
        self._before = self._locked_sets(_lanes(group) | set(turns.declared(group.turns)))
        made = self._unknown(group) | {turn.session.node for turn in group.turns if isinstance(turn, Born)}
        if made or group.turns:
            self._locked = made | {_node(turn) for turn in group.turns} | {one.session.node for one in group.messages}
            births.lock(tx, self._locked, made)
        self._rows.events += turns.apply(tx, group.turns, self._channels, self._stored.ids)
        kept = self._decide(group, content)
        for item in group.unread:
            self._set_aside(item.topic, item.payload, item.code, {"what": item.what})
        return kept

    def begin_ahead(self, group: Group, content: Content, coming: Mapping[LaneKey, NumberSet]) -> Readings:
        """As `begin`, by what the received sets will be when those `coming` are stored. Nothing is locked."""
        keys = _lanes(group)
        known = {key: numbers for key in keys if (numbers := coming.get(key, self._committed.get(key))) is not None}
        self._before = known | received.read(self._tx, keys - known.keys())
        return self._decide(group, content)

    @property
    def sets(self) -> Mapping[LaneKey, NumberSet]:
        """The received sets of the group's lanes, as they are when it is stored."""
        return self._sets

    def confirm(self) -> None:
        """Lock the received sets. Raises OvertakenError when they are not what `begin_ahead` took them to be.

        Equal sets decide alike: what was new by them is new. Raises RestoredError.
        """
        if self._locked_sets(self._before) != self._before:
            raise OvertakenError

    def finish(self, now_ms: int) -> Stored:
        """All the rest."""
        tx, stored, group = self._tx, self._stored, self._group
        due = self._nodes_to_touch(group, now_ms)
        births.lock(tx, due - self._locked)
        stored.readings, stored.events = self._rows.write(tx, stored.ids, self._told, now_ms)
        births.seen(tx, self._gateways(due), datetime.fromtimestamp(now_ms / 1000, UTC))
        facts = self._rows.facts(tx, stored.ids, self._watched)
        if facts:
            self._judge(tx, facts, now_ms)
        changed = {key: numbers for key, numbers in self._sets.items() if numbers != self._before[key]}
        received.store(tx, changed, turns.declared(group.turns), self._carriers(group))
        self._answer(group)
        return stored

    def _locked_sets(self, keys: Iterable[LaneKey]) -> dict[LaneKey, NumberSet]:
        found = received.lock(self._tx, keys)
        if any(self._committed[key] - found[key] for key in found if key in self._committed):
            raise RestoredError
        return found

    def _decide(self, group: Group, content: Content) -> Readings:
        """Which messages are new by the sets before, and what belongs to which row; the readings to append."""
        self._group, self._sets = group, dict(self._before)
        self._rows.numbers = self._take_new(group.messages, content)
        self._rows.identify(self._tx, self._stored.ids)
        self._told, kept = self._rows.ordered(self._stored.ids)
        return kept

    def _take_new(self, messages: Sequence[Message], content: Content) -> Numbers:
        """Take what the messages say that are new; their numbers."""
        new = np.zeros(len(messages), np.bool_)
        for index, (message, columns) in enumerate(zip(messages, content.columns, strict=True)):
            if self._is_new(message):
                new[index] = True
                self._take(message, columns)
        return content.numbers if new.all() else content.numbers.at(new[content.numbers.message])

    def _is_new(self, message: Message) -> bool:
        """Whether a message is to be stored: the received set alone says so."""
        if message.id is None:
            return True
        key, first, last = (message.id.epoch, message.id.lane), message.id.first, message.id.last
        known = self._sets[key]
        if known.contains(first, last):
            self._stored.dropped += 1
            return False
        self._sets[key] = known.add(first, last)
        self._stored.prompt.add((message.session.node, key))
        if known.overlaps(first, last):
            params = {"missing": str(known.missing(first, last))}
            self._set_message_aside(message, PARTLY_KNOWN, params)
            return False
        return True

    def _take(self, message: Message, content: Columns) -> None:
        self._stored.fresh += 1
        self._rows.add(content, message.table.station)
        for fault in content.faults[:1]:
            self._set_message_aside(message, fault.code, {**fault.params, "faults": len(content.faults)})

    def _set_message_aside(self, message: Message, code: str, params: Mapping[str, Any]) -> None:
        identity = None if message.id is None else str(message.id)
        self._set_aside(message.topic, message.raw, code, params, identity)

    def _set_aside(
        self, topic: str, payload: bytes, code: str, params: Mapping[str, Any], identity: str | None = None
    ) -> None:
        row = {"topic": topic, "message": identity, "payload": payload, "code": code}
        row["params"] = json.dumps(params, default=str).replace("\\u0000", "")
        self._tx.execute(load("observations")["insert_poison"], row)
        self._stored.poisoned.append(code)

    def _nodes_to_touch(self, group: Group, now_ms: int) -> set[NodeKey]:
        """The nodes heard of, each at most every 15 s: a row written per message would cost more than it tells."""
        nodes = {message.session.node for message in group.messages}
        due = {node for node in nodes if now_ms - self._channels.touched.get(node, 0) >= TOUCH_MS}
        self._channels.touched.update(dict.fromkeys(due, now_ms))
        return due

    def _unknown(self, group: Group) -> set[NodeKey]:
        """Nodes with stations whose rows must be found or made."""
        stations = (message.table.station for message in group.messages)
        return {station.node for station in stations if station.device_id is None}

    def _gateways(self, nodes: Iterable[NodeKey]) -> set[int]:
        return {number for node in nodes if (number := self._stored.ids.gateway(node)) is not None}

    def _carriers(self, group: Group) -> dict[LaneKey, int]:
        """Which gateway's row stands for a lane: whoever declares or carries it now."""
        found: dict[LaneKey, NodeKey] = {}
        for turn in group.turns:
            found |= dict.fromkeys(turns.declared([turn]), _node(turn))
        for message in group.messages:
            if message.id is not None:
                found[message.id.epoch, message.id.lane] = message.session.node
        ids = {node: self._stored.ids.gateway(node) for node in set(found.values())}
        return {key: number for key, node in found.items() if (number := ids[node]) is not None}

    def _answer(self, group: Group) -> None:
        """What to report: to births everything they declared, to messages the set of their lane."""
        stored = self._stored
        for turn in group.turns:
            if isinstance(turn, Born) and turn.table.station.code == "":
                for key in turns.declared([turn]):
                    stored.answers[turn.session.node, key] = self._sets[key]
                    stored.prompt.add((turn.session.node, key))
        for message in group.messages:
            if message.id is not None:
                key = (message.id.epoch, message.id.lane)
                stored.answers[message.session.node, key] = self._sets[key]


def _lanes(group: Group) -> set[LaneKey]:
    return {(message.id.epoch, message.id.lane) for message in group.messages if message.id is not None}


def _node(turn: Turn) -> NodeKey:
    return turn.session.node if isinstance(turn, Born) else turn.node
