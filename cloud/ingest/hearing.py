"""From what the broker brought to what must be committed: order, births, deaths, and which message is which."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from cloud.ingest.channels import Channels, Session, Table
from cloud.ingest.decode import UNKNOWN_ALIAS
from cloud.ingest.link import Heard
from cloud.ingest.waiting import Waiting, WaitingRoom
from cloud.ingest.work import Backlog, Born, Died, Message, Settled, Unread
from cloud.storage.readings import MAX_MS
from protocols.delivery import MessageId
from protocols.errors import ProtocolError
from protocols.sparkplug.actions import Malformed, Now, Publish
from protocols.sparkplug.host import (
    REORDER_TIMEOUT,
    Action,
    Data,
    DeviceBorn,
    DeviceDied,
    Host,
    NodeBorn,
    NodeDied,
    NodeKey,
    Unexplained,
)
from protocols.sparkplug.payload import RawPayload
from protocols.sparkplug.topics import MessageType

_LOG: Final = logging.getLogger("liandong.cloud.ingest")
LONGEST_TOPIC: Final = 400
"""Bytes; longer names would not fit an index."""
SETTLE_S: Final = 10.0
"""How long after NBIRTH the births of its devices may take; who is missing then is offline."""


class Hearing:
    """Feeds the backlog. `heard_at`: when each node last said something. Single-threaded: the worker's thread."""

    def __init__(
        self,
        channels: Channels,
        backlog: Backlog,
        publish: Callable[[Publish], object],
        count: Callable[[str], None],
        *,
        reorder_timeout: float = REORDER_TIMEOUT,
    ) -> None:
        self._host = Host(reorder_timeout=reorder_timeout)
        self._channels = channels
        self._backlog = backlog
        self._publish = publish
        self._count = count
        self._unsettled: dict[NodeKey, float] = {}
        self._deviant: set[NodeKey] = set()
        self._room = WaitingRoom()
        self._carried: frozenset[str] | None = None
        self.heard_at: dict[NodeKey, float] = {}

    def carry(self, groups: frozenset[str] | None) -> frozenset[str]:
        """Only these groups are ours from now on (None: all); those that were not ours before, unless all are.

        What is known of the nodes of others is forgotten: nobody here may say that they are gone.
        """
        before, self._carried = self._carried, groups
        if groups is None:
            return frozenset()
        lost = [node for node in {*self._channels.sessions, *self.heard_at} if node[0] not in groups]
        self._host.forget(lost)
        for node in lost:
            self._channels.sessions.pop(node, None)
            self._unsettled.pop(node, None)
            self.heard_at.pop(node, None)
        self._backlog.forget_turns(lambda group: group not in groups)
        return frozenset() if before is None else groups - before

    def carries(self, group: str) -> bool:
        """Whether nodes of this group are ours."""
        return self._carried is None or group in self._carried

    def hear(self, heard: Heard) -> None:
        """One message from the broker."""
        now = Now(at=heard.at, utc_ms=heard.utc_ms)
        if self._carried is not None and heard.topic.partition("/")[2].partition("/")[0] not in self._carried:
            return  # came in while it was given away
        if heard.retained or len(heard.topic.encode("utf-8", "replace")) > LONGEST_TOPIC:
            # Nothing in Sparkplug but STATE is retained; what a broker kept is old.
            self._count("ignored")
            return
        for action in self._host.received(heard.topic, heard.payload, now):
            self._act(action, now, heard)

    def tick(self, now: Now) -> None:
        """A few times a second: holes that did not fill, and births that did not come."""
        for action in self._host.tick(now):
            self._act(action, now, None)
        for node in [node for node, at in self._unsettled.items() if now.at - at >= SETTLE_S]:
            del self._unsettled[node]
            session = self._channels.sessions.get(node)
            if session is not None:
                self._backlog.turn(Settled(node=node, present=frozenset(session.tables), at_ms=now.utc_ms))
        for one in self._room.overdue(now.at):
            raw = one.payload.SerializeToString()
            self._backlog.unread(Unread(topic=one.topic, payload=raw, code=UNKNOWN_ALIAS, what="no birth came"))

    def unborn(self, message: Message, places: Sequence[int], now: Now) -> None:
        """No birth explains (a part of) `message`: a rebirth is asked for.

        Its metrics at `places` cannot be read without; of a message without a number, which never comes again, they
        wait for the birth.
        """
        self.ask_rebirth(message.session.node, now)
        if not places or message.id is not None:
            return
        rest = RawPayload(timestamp=message.payload.timestamp or message.received_ms)
        rest.metrics.extend(message.payload.metrics[place] for place in places)
        waiting = Waiting(
            node=message.session.node,
            device=message.table.station.code,
            kind=message.kind,
            payload=rest,
            size=rest.ByteSize(),
            since=now.at,
        )
        self._room.keep(waiting)

    def ask_rebirth(self, node: NodeKey, now: Now) -> None:
        """Ask for the whole birth sequence, unless this node was asked too recently."""
        for action in self._host.ask_rebirth(node, now):
            self._act(action, now, None)

    def gone(self, node: NodeKey, now: Now, reason: str) -> None:
        """A node is given up; its session is over."""
        self._host.forget([node])
        self._end(node, now.utc_ms, reason)

    def _act(self, action: Action, now: Now, heard: Heard | None) -> None:
        match action:
            case Data():
                self._data(action, now)
            case NodeBorn():
                self._node_born(action, now)
            case DeviceBorn():
                self._device_born(action, now)
            case NodeDied():
                self._end(action.node, action.utc_ms, "death")
            case DeviceDied():
                self._device_died(action, now)
            case Unexplained():
                self._unexplained(action, now)
            case Publish():
                self._count("rebirth")
                self._publish(action)
            case Malformed():
                self._malformed(action, heard)

    def _node_born(self, action: NodeBorn, now: Now) -> None:
        session = self._channels.node_born(action.node, action.metrics, action.payload)
        self.heard_at[action.node] = now.at
        self._unsettled[action.node] = now.at
        table = session.tables[""]
        self._backlog.turn(Born(session=session, table=table, at_ms=now.utc_ms))
        if action.deviations and action.node not in self._deviant:
            self._deviant.add(action.node)
            _LOG.info("node-deviates node=%s/%s rules=%s", *action.node, ",".join(action.deviations))
        self._birth_values(session, table, action.payload, MessageType.NBIRTH, now)
        self._explained(session, table, now)

    def _device_born(self, action: DeviceBorn, now: Now) -> None:
        session = self._channels.sessions.get(action.node)
        if session is None:
            return
        table = self._channels.device_born(action.node, action.device, action.metrics, action.payload)
        self._backlog.turn(Born(session=session, table=table, at_ms=now.utc_ms))
        self._birth_values(session, table, action.payload, MessageType.DBIRTH, now)
        self._explained(session, table, now)

    def _birth_values(self, session: Session, table: Table, payload: RawPayload, kind: MessageType, now: Now) -> None:
        """Births of a node with an outbox are never a reading; those of any other are observations."""
        if session.birth is None:
            self._message(session, table, payload, kind, now, identity=None)

    def _unexplained(self, action: Unexplained, now: Now) -> None:
        """Data before their birth: a numbered message comes again; of any other is read what names itself."""
        if action.kind not in (MessageType.NDATA, MessageType.DDATA) or _identity(action.payload) is not None:
            self._count("unexplained")
            return
        session, table = self._channels.unborn(action.node, action.device or "")
        self._message(session, table, action.payload, action.kind, now, identity=None)

    def _explained(self, session: Session, table: Table, now: Now) -> None:
        """What waited for this birth."""
        for one in self._room.born(session.node, table.station.code):
            self._message(session, replace(table, came_after=True), one.payload, one.kind, now, identity=None)

    def _data(self, action: Data, now: Now) -> None:
        session = self._channels.sessions.get(action.node)
        table = None if session is None else session.tables.get(action.device or "")
        if session is None or table is None:
            self._count("unexplained")
            return
        self.heard_at[action.node] = now.at
        kind = MessageType.NDATA if action.device is None else MessageType.DDATA
        self._message(session, table, action.payload, kind, now, identity=_identity(action.payload), raw=action.raw)

    def _message(
        self,
        session: Session,
        table: Table,
        payload: RawPayload,
        kind: MessageType,
        now: Now,
        *,
        identity: MessageId | None,
        raw: bytes = b"",
    ) -> None:
        forgotten = self._backlog.message(
            Message(
                session=session,
                table=table,
                kind=kind,
                payload=payload,
                size=len(raw) or payload.ByteSize(),
                id=identity,
                received_ms=now.utc_ms,
                arrived=now.at,
                heard=raw,
            )
        )
        for _ in range(forgotten):
            self._count("forgotten")

    def _device_died(self, action: DeviceDied, now: Now) -> None:
        session = self._channels.sessions.get(action.node)
        plain = session is not None and session.birth is None
        if session is not None:
            session.tables.pop(action.device, None)
        at_ms = action.utc_ms if 0 < action.utc_ms <= MAX_MS else now.utc_ms
        died = Died(node=action.node, device=action.device, at_ms=at_ms, reason="death", plain=plain)
        self._backlog.turn(died)

    def _end(self, node: NodeKey, at_ms: int, reason: str) -> None:
        session = self._channels.sessions.pop(node, None)
        self._unsettled.pop(node, None)
        self.heard_at.pop(node, None)
        plain = session is not None and session.birth is None
        self._backlog.turn(Died(node=node, device=None, at_ms=at_ms, reason=reason, plain=plain))

    def _malformed(self, action: Malformed, heard: Heard | None) -> None:
        self._count("malformed")
        raw = heard.payload if heard is not None and heard.topic == action.topic else b""
        self._backlog.unread(Unread(topic=action.topic, payload=raw, code=action.code, what=action.what))


def _identity(payload: RawPayload) -> MessageId | None:
    """Which message of which outbox; None for a plain one, and for a `uuid` that means something to somebody else."""
    if not payload.HasField("uuid"):
        return None
    try:
        return MessageId.parse(payload.uuid)
    except (ProtocolError, TypeError):
        return None
