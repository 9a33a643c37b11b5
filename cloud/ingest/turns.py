"""Births and deaths, as rows of the registry and as events of the gateway or device that came or went."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from cloud.ingest.channels import Channels
from cloud.ingest.ids import Ids
from cloud.ingest.rows import Happened
from cloud.ingest.work import Born, Died, Turn
from cloud.registry import births
from cloud.registry.births import SeriesSpec
from cloud.storage.database import Transaction
from cloud.storage.received import LaneKey
from protocols.delivery import declarations_to_text
from protocols.events import Event

_ALIAS_MAX: Final = (1 << 63) - 1
_BDSEQ_MAX: Final = (1 << 15) - 1
"""What the column holds. Sparkplug stops at 255; other counters do not, and their birth counts all the same."""


def apply(tx: Transaction, turn: Turn, channels: Channels, ids: Ids) -> list[Happened]:
    """Write `turn`; what happened by it, if it changed anything."""
    if isinstance(turn, Born):
        return _born(tx, turn, ids)
    if isinstance(turn, Died):
        return _died(tx, turn, channels)
    births.devices_missing(tx, turn.node, turn.present, _moment(turn.at_ms))
    return []


def declared(turns: list[Turn]) -> dict[LaneKey, int]:
    """The lanes that births declare, with the highest number that any of them says was given."""
    found: dict[LaneKey, int] = {}
    for turn in turns:
        if isinstance(turn, Born) and turn.table.station.code == "":
            for lane, parts in turn.session.declared.items():
                for part in parts:
                    key = (part.epoch, lane)
                    found[key] = max(part.last_given, found.get(key, 0))  # a cloned card: two births name one epoch
    return found


def _born(tx: Transaction, turn: Born, ids: Ids) -> list[Happened]:
    session, station, at = turn.session, turn.table.station, _moment(turn.at_ms)
    if station.code == "":
        texts = {str(lane): declarations_to_text(parts) for lane, parts in session.declared.items()}
        birth = None if session.birth is None else str(session.birth)
        bdseq = session.bdseq if session.bdseq is not None and session.bdseq <= _BDSEQ_MAX else None
        arrival = births.node_born(tx, session.node, at, bdseq=bdseq, birth=birth, declared=texts)
    else:
        gateway_id = ids.gateway(session.node)
        if gateway_id is None:
            gateway_id = births.ensure_device(tx, session.node, "").gateway_id
        arrival = births.device_born(tx, gateway_id, station.code, at)
    ids.learn_station(station, arrival.gateway_id, arrival.device_id)
    ids.learn_series(tx, station, turn.table.by_name.values())
    given = {
        alias: SeriesSpec(metric=channel.name, datatype=int(channel.datatype))
        for alias, channel in turn.table.by_alias.items()
        if alias <= _ALIAS_MAX
    }
    births.aliases(tx, arrival.gateway_id, arrival.device_id, given)
    # A gateway of ours records its lost devices in events of its own.
    if not arrival.came_online or (station.code and session.birth is not None):
        return []
    kind = "device.online" if station.code else "gateway.online"
    return [Happened(station, Event(device=station.code, kind=kind, at_ms=turn.at_ms))]


def _died(tx: Transaction, turn: Died, channels: Channels) -> list[Happened]:
    at = _moment(turn.at_ms)
    station = channels.station(turn.node, turn.device or "")
    if turn.device is None:
        kind, changed = "gateway.offline", births.node_died(tx, turn.node, at)
    else:
        kind, changed = "device.offline", births.device_died(tx, turn.node, turn.device, at)
    if not changed or (turn.device is not None and not turn.plain):
        return []
    return [Happened(station, Event(device=station.code, kind=kind, at_ms=turn.at_ms, data={"reason": turn.reason}))]


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
