"""Births and deaths, as rows of the registry and as events of the gateway or device that came or went."""

from __future__ import annotations

from collections.abc import Sequence
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


def apply(tx: Transaction, given: Sequence[Turn], channels: Channels, ids: Ids) -> list[Happened]:
    """Write what came and went, in its order; what happened by it.

    Births of devices are by far the most: those between two departures are written together.
    """
    happened: list[Happened] = []
    born: list[Born] = []
    for turn in given:
        if isinstance(turn, Born):
            born.append(turn)
            continue
        happened += _born(tx, born, ids)
        born = []
        if isinstance(turn, Died):
            happened += _died(tx, turn, channels)
        else:
            births.devices_missing(tx, turn.node, turn.present, _moment(turn.at_ms))
    return happened + _born(tx, born, ids)


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


def _born(tx: Transaction, turns: Sequence[Born], ids: Ids) -> list[Happened]:
    """Births, those of nodes first: no device needs to be known for them. Of two of the same the last one counts."""
    nodes = {turn.session.node: turn for turn in turns if not turn.table.station.code}
    happened: list[Happened] = []
    if nodes:
        came = births.nodes_born(tx, {node: _birth(turn) for node, turn in nodes.items()})
        _learn(tx, [(turn, came[node]) for node, turn in nodes.items()], ids)
        happened += [_online(turn, "gateway.online") for node, turn in nodes.items() if came[node].came_online]
    devices: dict[tuple[int, str], Born] = {}
    for turn in turns:
        if turn.table.station.code:
            gateway_id = ids.gateway(turn.session.node) or births.ensure_device(tx, turn.session.node, "").gateway_id
            devices[gateway_id, turn.table.station.code] = turn
    if devices:
        found = births.devices_born(tx, {key: _moment(turn.at_ms) for key, turn in devices.items()})
        _learn(tx, [(turn, found[key]) for key, turn in devices.items()], ids)
        # A gateway of ours records its lost devices in events of its own.
        new = [turn for key, turn in devices.items() if found[key].came_online and turn.session.birth is None]
        happened += [_online(turn, "device.online") for turn in new]
    return happened


def _birth(turn: Born) -> births.NodeBirth:
    session = turn.session
    return births.NodeBirth(
        at=_moment(turn.at_ms),
        bdseq=session.bdseq if session.bdseq is not None and session.bdseq <= _BDSEQ_MAX else None,
        birth=None if session.birth is None else str(session.birth),
        declared={str(lane): declarations_to_text(parts) for lane, parts in session.declared.items()},
    )


def _online(turn: Born, kind: str) -> Happened:
    station = turn.table.station
    return Happened(station, Event(device=station.code, kind=kind, at_ms=turn.at_ms))


def _learn(tx: Transaction, born: Sequence[tuple[Born, births.Arrival]], ids: Ids) -> None:
    """The rows, the series and the aliases of these births."""
    given = {}
    for turn, arrival in born:
        ids.learn_station(turn.table.station, arrival.gateway_id, arrival.device_id)
        for alias, channel in turn.table.aliases():
            if alias <= _ALIAS_MAX:
                spec = SeriesSpec(metric=channel.name, datatype=int(channel.datatype))
                given[arrival.gateway_id, alias] = (arrival.device_id, spec)
    ids.learn_series(tx, [channel for turn, _ in born for channel in turn.table.by_name()])
    births.aliases(tx, given)


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
