"""Import of an estate's file: all of it or nothing, and a second time only what differs.

What the file does not name stays as it is: nothing is deleted, no role is taken away, nobody's duty changes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloud.registry import outline
from cloud.registry.estate_file import DeviceRow, EstateText, PlaceRow, read_estate
from cloud.storage.database import Database, Transaction
from cloud.storage.queries import load
from protocols.catalog import DEVICE_TYPES, NODE_TYPE


@dataclass(slots=True)
class Count:
    """Rows of one kind: new, different, as they were."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0


@dataclass(slots=True, kw_only=True)
class ImportResult:
    """What an import did."""

    places: Count = field(default_factory=Count)
    grids: Count = field(default_factory=Count)
    people: Count = field(default_factory=Count)
    roles: Count = field(default_factory=Count)
    responders: Count = field(default_factory=Count)
    gateways: Count = field(default_factory=Count)
    devices: Count = field(default_factory=Count)


@dataclass(frozen=True, slots=True)
class _Known:
    id: int
    kind: str
    outline: dict[str, Any] | None


def import_estate(database: Database, path: Path) -> ImportResult:
    """Bring what the file says into the database, in one transaction.

    Raises ConfigError with file, line and key for what cannot be; StorageError or UnavailableError as `Database` does.
    """
    text = read_estate(path)
    with database.transaction() as tx:
        return _Import(tx, text).run()


class _Import:
    def __init__(self, tx: Transaction, text: EstateText) -> None:
        self._tx = tx
        self._text = text
        self._sql = load("estate")
        self._places = {
            row["path"]: _Known(row["id"], row["kind"], row["outline"]) for row in tx.fetch(self._sql["places"])
        }
        self._result = ImportResult()

    def run(self) -> ImportResult:
        self._import_places()
        self._import_grids()
        self._import_people()
        self._import_gateways()
        self._import_devices()
        return self._result

    def _import_places(self) -> None:
        rows = list(enumerate(self._text.rows.place))
        for index, row in sorted(rows, key=lambda pair: pair[1].path.count("/")):
            parent_path, _, code = row.path.rpartition("/")
            parent = self._places.get(parent_path)
            if parent_path and parent is None:
                raise self._text.refuse(
                    "cloud.import.no-parent", "place", index, "path", value=row.path, parent=parent_path
                )
            number = self._write(
                self._result.places,
                "store_place",
                parent_id=parent.id if parent else None,
                code=code,
                path=row.path,
                kind=row.kind,
                name=json.dumps(row.name.stored(), ensure_ascii=False),
                lat=row.lat,
                lon=row.lon,
                outline=None if row.outline is None else json.dumps(row.outline),
                floor=row.floor,
                access=None if row.access is None else json.dumps(row.access.stored(), ensure_ascii=False),
            )
            self._places[row.path] = _Known(number, row.kind, row.outline)
            self._check_inside(index, row)

    def _check_inside(self, index: int, row: PlaceRow) -> None:
        """A point outside of its community's outline is a wrong datum or a slip of the finger."""
        parts = row.path.split("/")
        line = (self._places.get("/".join(parts[: depth + 1])) for depth in range(len(parts)))
        community = next((place for place in line if place is not None and place.kind == "community"), None)
        if community is None or community.outline is None or row.lat is None or row.lon is None:
            return
        if not outline.contains(community.outline, row.lat, row.lon):
            point = f"{row.lat}, {row.lon}"
            raise self._text.refuse("cloud.import.outside", "place", index, "lat", value=point, path=row.path)

    def _import_grids(self) -> None:
        for index, row in enumerate(self._text.rows.grid):
            self._write(
                self._result.grids,
                "store_grid",
                code=row.code,
                place_id=self._place("grid", index, row.place),
                name=json.dumps(row.name.stored(), ensure_ascii=False),
                outline=None if row.outline is None else json.dumps(row.outline),
            )

    def _import_people(self) -> None:
        for index, row in enumerate(self._text.rows.person):
            name = json.dumps(row.name.stored(), ensure_ascii=False)
            self._write(self._result.people, "store_person", login=row.login, name=name, language=row.language)
            for role in row.roles:
                place_id = self._place("person", index, role.place)
                params = {"login": row.login, "role": role.role, "place_id": place_id}
                self._note(self._result.roles, self._tx.one(self._sql["grant_role"], params))
            if row.responder is not None:
                post = row.responder
                params = {"login": row.login, "lat": post.post_lat, "lon": post.post_lon, "skills": list(post.skills)}
                self._note(self._result.responders, self._tx.one(self._sql["store_responder"], params))

    def _import_gateways(self) -> None:
        for index, row in enumerate(self._text.rows.gateway):
            place_id = self._place("gateway", index, row.place)
            name = json.dumps(row.name.stored(), ensure_ascii=False)
            params = {"group": row.group, "code": row.code, "place_id": place_id, "name": name}
            number = self._write(self._result.gateways, "store_gateway", **params)
            own = {"gateway_id": number, "code": "", "type": NODE_TYPE.code, "place_id": place_id, "name": name}
            self._tx.one(self._sql["store_device"], own)

    def _import_devices(self) -> None:
        for index, row in enumerate(self._text.rows.device):
            group, _, code = row.gateway.partition("/")
            gateway = self._tx.one(self._sql["gateway"], {"group": group, "code": code})
            if gateway is None:
                raise self._text.refuse("cloud.import.no-gateway", "device", index, "gateway", value=row.gateway)
            number = self._write(
                self._result.devices,
                "store_device",
                gateway_id=gateway["id"],
                code=row.code,
                type=row.type,
                place_id=self._place("device", index, row.place),
                name=json.dumps(row.name.stored(), ensure_ascii=False),
            )
            self._give_units(number, row)

    def _give_units(self, device_id: int, row: DeviceRow) -> None:
        """Series that a birth made before the type was known have no unit yet."""
        metrics = [metric for metric in DEVICE_TYPES[row.type].metrics if metric.unit]
        names, units = [metric.name for metric in metrics], [metric.unit for metric in metrics]
        self._tx.execute(self._sql["give_units"], {"device_id": device_id, "metrics": names, "units": units})

    def _place(self, table: str, index: int, path: str) -> int:
        known = self._places.get(path)
        if known is None:
            raise self._text.refuse("cloud.import.no-place", table, index, "place", value=path)
        return known.id

    def _write(self, count: Count, statement: str, **params: object) -> int:
        """Store a row; its id."""
        row = self._tx.one(self._sql[statement], params)
        self._note(count, row)
        assert row is not None
        return int(row["id"])

    @staticmethod
    def _note(count: Count, row: Mapping[str, Any] | None) -> None:
        if row is None or row["outcome"] == "unchanged":
            count.unchanged += 1
        elif row["outcome"] == "added":
            count.added += 1
        else:
            count.changed += 1
