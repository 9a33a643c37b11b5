"""Gateways, devices, series and aliases as births and deaths tell them.

An unknown node or device gets a row without a place: its data are kept, it is listed for the installer, and nothing
is judged until somebody says where it hangs. Every function runs in the caller's transaction and publishes what pages
show. Times are aware UTC datetimes.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloud.registry import commands
from cloud.storage.database import StreamEvent, Transaction
from cloud.storage.queries import load
from protocols.catalog import DEVICE_TYPES, NODE_TYPE

NodeKey = tuple[str, str]
"""Group and node: an estate's code and a gateway's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A row that a birth touched. `device_id` of a gateway is that of its own device row, whose code is ''."""

    gateway_id: int
    device_id: int
    came_online: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesSpec:
    """A metric that a birth named. `datatype` is Sparkplug's number; `unit` is '' if the birth gave none."""

    metric: str
    datatype: int
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A device with its place, as judging needs it."""

    device_id: int
    code: str
    type: str | None
    gateway_id: int
    place_id: int | None
    place_path: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeBirth:
    """An NBIRTH. `birth`, `declared`: the texts of its Outbox metrics, None and {} without."""

    at: datetime
    bdseq: int | None
    birth: str | None
    declared: Mapping[str, str]


def node_born(
    tx: Transaction, node: NodeKey, at: datetime, *, bdseq: int | None, birth: str | None, declared: Mapping[str, str]
) -> Arrival:
    """NBIRTH: the gateway is online."""
    return nodes_born(tx, {node: NodeBirth(at=at, bdseq=bdseq, birth=birth, declared=declared)})[node]


def nodes_born(tx: Transaction, born: Mapping[NodeKey, NodeBirth]) -> dict[NodeKey, Arrival]:
    """NBIRTHs: these gateways are online."""
    sql, ordered = load("births"), sorted(born)
    params = {
        "groups": [group for group, _ in ordered],
        "codes": [code for _, code in ordered],
        "at": [born[node].at for node in ordered],
        "bdseqs": [born[node].bdseq for node in ordered],
        "births": [born[node].birth for node in ordered],
        "declared": [json.dumps(born[node].declared) for node in ordered],
    }
    tx.execute(sql["insert_gateways"], params)
    rows = tx.fetch(sql["gateways_online"], params)
    at = {row["id"]: born[row["group_code"], row["code"]].at for row in rows}
    own = devices_born(tx, {(gateway, ""): moment for gateway, moment in at.items()})
    commands.reborn(tx, {arrival.device_id: at[gateway] for (gateway, _), arrival in own.items()})
    found = {}
    for row in rows:
        if not row["was_online"]:
            _tell_gateway(tx, row, online=True)
        device_id = own[row["id"], ""].device_id
        found[row["group_code"], row["code"]] = Arrival(
            gateway_id=row["id"], device_id=device_id, came_online=not row["was_online"]
        )
    return found


def device_born(tx: Transaction, gateway_id: int, code: str, at: datetime) -> Arrival:
    """DBIRTH: the device is online."""
    return devices_born(tx, {(gateway_id, code): at})[gateway_id, code]


def devices_born(tx: Transaction, born: Mapping[tuple[int, str], datetime]) -> dict[tuple[int, str], Arrival]:
    """DBIRTHs, by gateway and code, each with its time: these devices are online."""
    sql, ordered = load("births"), sorted(born)
    params = {
        "gateways": [gateway for gateway, _ in ordered],
        "codes": [code for _, code in ordered],
        "at": [born[key] for key in ordered],
        "node_type": NODE_TYPE.code,
    }
    tx.execute(sql["insert_devices"], params)
    found = {}
    for row in tx.fetch(sql["devices_online"], params):
        if not row["was_online"]:
            _tell_device(tx, row, online=True)
        found[row["gateway_id"], row["code"]] = Arrival(
            gateway_id=row["gateway_id"], device_id=row["id"], came_online=not row["was_online"]
        )
    return found


def series(tx: Transaction, device_id: int, specs: Sequence[SeriesSpec]) -> dict[str, int]:
    """The number of each metric's series; missing ones are made, with the catalogue's unit if the birth gave none."""
    return {metric: number for (_, metric), number in series_of(tx, {device_id: specs}).items()}


def series_of(tx: Transaction, wanted: Mapping[int, Sequence[SeriesSpec]]) -> dict[tuple[int, str], int]:
    """As `series`, for many devices at once: numbers by device and metric."""
    given = {(device, spec.metric): spec for device, specs in wanted.items() for spec in specs}
    if not given:
        return {}
    sql, ordered = load("births"), sorted(given)
    types = {row["id"]: row["type"] for row in tx.fetch(sql["device_types"], {"devices": sorted(wanted)})}
    units = {device: _catalogue_units(types.get(device)) for device in wanted}
    params = {
        "devices": [device for device, _ in ordered],
        "metrics": [metric for _, metric in ordered],
        "datatypes": [given[key].datatype for key in ordered],
        "units": [given[key].unit or units[key[0]].get(key[1], "") for key in ordered],
    }
    tx.execute(sql["insert_series"], params)
    return {(row["device_id"], row["metric"]): row["id"] for row in tx.fetch(sql["series"], params)}


def aliases(tx: Transaction, given: Mapping[tuple[int, int], tuple[int, SeriesSpec]]) -> None:
    """Which alias (by gateway) the newest births gave to which metric of which device: commands name metrics by it."""
    if not given:
        return
    ordered = sorted(given)
    params = {
        "gateways": [gateway for gateway, _ in ordered],
        "aliases": [alias for _, alias in ordered],
        "devices": [given[key][0] for key in ordered],
        "metrics": [given[key][1].metric for key in ordered],
        "datatypes": [given[key][1].datatype for key in ordered],
    }
    tx.execute(load("births")["store_aliases"], params)


def lock(tx: Transaction, nodes: Collection[NodeKey], made: Collection[NodeKey] = ()) -> None:
    """Keep the rows of `nodes` until the transaction ends, after making those of `made` that are missing.

    Both in one order for everybody, so that workers that hear the same births never wait for each other in a ring.
    """
    for statement, which in (("insert_gateways", made), ("lock", nodes)):
        if which:
            ordered = sorted(which)
            params = {"groups": [group for group, _ in ordered], "codes": [code for _, code in ordered]}
            tx.execute(load("births")[statement], params)


def ensure_device(tx: Transaction, node: NodeKey, code: str) -> Arrival:
    """The rows of a node and one of its devices, made if they are missing, without saying that they are online."""
    sql = load("births")
    tx.execute(sql["insert_gateways"], {"groups": [node[0]], "codes": [node[1]]})
    gateway = tx.one(sql["gateway"], {"group": node[0], "code": node[1]})
    assert gateway is not None
    row = {"gateways": [gateway["id"]], "codes": [code], "node_type": NODE_TYPE.code}
    tx.execute(sql["insert_devices"], row)
    device = tx.one(sql["device"], {"gateway_id": gateway["id"], "code": code})
    assert device is not None
    return Arrival(gateway_id=gateway["id"], device_id=device["id"], came_online=False)


def node_died(tx: Transaction, node: NodeKey, at: datetime) -> bool:
    """The gateway and all of its devices are offline. False when it was so already, or nobody knows it."""
    sql = load("births")
    row = tx.one(sql["gateway_offline"], {"group": node[0], "code": node[1], "at": at})
    if row is None:
        return False
    _tell_gateway(tx, row, online=False)
    gone = tx.fetch(sql["devices_offline"], {"gateway_id": row["id"], "at": at, "keep": []})
    for device in gone:
        _tell_device(tx, device, online=False)
    return True


def device_died(tx: Transaction, node: NodeKey, code: str, at: datetime) -> bool:
    """The device is offline. False when it was so already, or nobody knows it."""
    params = {"group": node[0], "node": node[1], "code": code, "at": at}
    row = tx.one(load("births")["device_offline"], params)
    if row is None:
        return False
    _tell_device(tx, row, online=False)
    return True


def devices_missing(tx: Transaction, node: NodeKey, present: Collection[str], at: datetime) -> None:
    """The devices of a gateway that its newest birth sequence did not name are offline."""
    sql = load("births")
    row = tx.one(sql["gateway"], {"group": node[0], "code": node[1]})
    if row is None:
        return
    for device in tx.fetch(sql["devices_offline"], {"gateway_id": row["id"], "at": at, "keep": sorted({"", *present})}):
        _tell_device(tx, device, online=False)


def online_nodes(tx: Transaction) -> list[NodeKey]:
    """The gateways that are believed to be online."""
    return [(row["group_code"], row["code"]) for row in tx.fetch(load("births")["online_gateways"])]


def seen(tx: Transaction, gateways: Collection[int], at: datetime) -> None:
    """These gateways were heard of at `at`."""
    if gateways:
        tx.execute(load("births")["seen"], {"gateways": sorted(gateways), "at": at})


def subjects(tx: Transaction, device_ids: Collection[int]) -> dict[int, Subject]:
    """The devices with their places, as they are now."""
    rows = tx.fetch(load("births")["subjects"], {"devices": list(device_ids)})
    return {row["device_id"]: Subject(**row) for row in rows}


def _catalogue_units(device_type: str | None) -> dict[str, str]:
    if device_type == NODE_TYPE.code:
        return {metric.name: metric.unit for metric in NODE_TYPE.metrics}
    row = DEVICE_TYPES.get(device_type or "")
    return {metric.name: metric.unit for metric in row.metrics} if row else {}


def _tell_gateway(tx: Transaction, row: Mapping[str, Any], *, online: bool) -> None:
    data = {"id": row["id"], "group": row["group_code"], "code": row["code"], "online": online}
    key = f"{row['group_code']}/{row['code']}"
    tx.publish(StreamEvent(kind="gateway", key=key, data=data, place_id=row["place_id"]))


def _tell_device(tx: Transaction, row: Mapping[str, Any], *, online: bool) -> None:
    if row["code"]:
        data = {"id": row["id"], "online": online}
        tx.publish(StreamEvent(kind="device", key=str(row["id"]), data=data, place_id=row["place_id"]))
