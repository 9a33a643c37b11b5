"""What pages are told, as plain JSON: alarms, incidents, offers, assignments, responders (docs/reference/api.md)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg.rows import DictRow

from cloud.domain.incident import possible
from cloud.domain.places import Place, building, full_name, position
from cloud.storage.database import Transaction
from cloud.storage.places import Places
from cloud.storage.queries import load

FIX_LASTS: Final = timedelta(minutes=10)
"""A page has no background location: a foreground fix older than this says nothing any more."""
LIST_LIMIT: Final = 1000
TIMELINE_LIMIT: Final = 2000
JUST_NOW: Final = timedelta(hours=1)

Json = dict[str, Any]


def stamp(at: datetime | None) -> str | None:
    """ISO 8601 UTC with milliseconds and `Z`."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def place_json(line: Sequence[Place]) -> Json | None:
    """A place inside others; `line` runs from the street down."""
    if not line:
        return None
    place = line[-1]
    return {"id": place.id, "path": place.path, "kind": place.kind, "name": place.name, "full_name": full_name(line)}


def alarms(tx: Transaction, places: Places, ids: Collection[int]) -> list[Json]:
    """These alarms: severity, then unacknowledged, then age."""
    if not ids:
        return []
    rows = tx.fetch(load("views")["alarms"], {"ids": list(ids)})
    places.prepare(tx, (row["place_id"] for row in rows))
    return [_alarm(row, places.line(tx, row["place_id"])) for row in rows]


def _alarm(row: DictRow, line: Sequence[Place]) -> Json:
    lat, lon = position(line)
    target = row["committed_at"] + timedelta(seconds=row["target_s"]) if row["target_s"] else None
    return {
        "id": row["id"],
        "rule": row["rule_code"],
        "severity": row["severity"],
        "response": row["response"],
        "active": row["cleared_at"] is None,
        "acknowledged": row["acknowledged_at"] is not None,
        "place": place_json(line),
        "lat": lat,
        "lon": lon,
        "device": {
            "id": row["device_id"],
            "code": row["device_code"],
            "type": row["device_type"],
            "name": row["device_name"],
        },
        "reason": row["reason"],
        "raised_at": stamp(row["raised_at"]),
        "committed_at": stamp(row["committed_at"]),
        "cleared_at": stamp(row["cleared_at"]),
        "acknowledged_at": stamp(row["acknowledged_at"]),
        "acknowledged_by": _person(row["acknowledged_by_id"], row["acknowledged_by"]),
        "repeats": row["repeats"],
        "incident_id": row["incident_id"],
        "target_at": stamp(target),
    }


def incidents(tx: Transaction, places: Places, ids: Collection[int]) -> list[Json]:
    """These incidents: open first, severity, newest first."""
    if not ids:
        return []
    rows = tx.fetch(load("views")["incidents"], {"ids": list(ids)})
    places.prepare(tx, (row["place_id"] for row in rows))
    return [_incident(row, places.line(tx, row["place_id"])) for row in rows]


def _incident(row: DictRow, line: Sequence[Place]) -> Json:
    lat, lon = position(line)
    task = {key: row[column] for key, column in _TASK.items()} if row["task_id"] else None
    seeking = task is not None and task["state"] in ("open", "filled")
    return {
        "id": row["id"],
        "kind": row["kind"],
        "severity": row["severity"],
        "response": row["response"],
        "state": row["state"],
        "place": place_json(line),
        "lat": lat,
        "lon": lon,
        "opened_at": stamp(row["opened_at"]),
        "closed_at": stamp(row["closed_at"]),
        "outcome": row["outcome"],
        "alarms": row["alarms"],
        "acknowledged": row["unacknowledged"] == 0,
        "task": task,
        "people": {key: row[key] or 0 for key in ("offered", "accepted", "on_the_way", "on_scene", "done")},
        "actions": possible(
            row["state"], unacknowledged=row["unacknowledged"] > 0, seeking=seeking, volunteers=row["volunteers"]
        ),
    }


_TASK: Final = {"id": "task_id", "kind": "task_kind", "state": "task_state", "wanted": "wanted", "wave": "wave"}


def incident_detail(tx: Transaction, places: Places, incident_id: int, candidates: list[Json]) -> Json | None:
    """Everything about one incident; None when there is none."""
    found = incidents(tx, places, [incident_id])
    if not found:
        return None
    sql, which = load("views"), {"incident": incident_id, "limit": TIMELINE_LIMIT}
    alarm_ids = [row["id"] for row in tx.fetch(sql["incident_alarms"], which | {"limit": LIST_LIMIT})]
    return found[0] | {
        "alarms": alarms(tx, places, alarm_ids),
        "offers": [_offer_row(row) for row in tx.fetch(sql["offers_of"], which)],
        "assignments": [_assignment_row(row) for row in tx.fetch(sql["assignments_of"], which)],
        "candidates": candidates,
        "timeline": [_timeline_row(row) for row in tx.fetch(sql["timeline_of"], which)],
    }


def _offer_row(row: DictRow) -> Json:
    times = ("offered_at", "expires_at", "seen_at", "answered_at")
    plain = {key: row[key] for key in ("id", "state", "wave", "distance_m", "why")}
    return plain | {"id": str(row["id"]), "person": _person(row["person_id"], row["name"])} | _stamps(row, times)


def _assignment_row(row: DictRow) -> Json:
    times = ("accepted_at", "on_the_way_at", "on_scene_at", "ended_at")
    person = _person(row["person_id"], row["name"])
    plain = {"offer_id": str(row["offer_id"]), "person": person, "state": row["state"], "note": row["note"]}
    return plain | _stamps(row, times)


def _timeline_row(row: DictRow) -> Json:
    person = _person(row["person_id"], row["name"])
    return {"id": row["id"], "at": stamp(row["at"]), "kind": row["kind"], "person": person, "data": row["data"]}


def offers(tx: Transaction, places: Places, ids: Collection[UUID]) -> list[tuple[UUID, Json]]:
    """These offers with whom they went to: class, distance and building, and once the incident is closed no place."""
    if not ids:
        return []
    rows = tx.fetch(load("views")["offers"], {"ids": list(ids)})
    return [(row["person_id"], _offer(row, building(places.line(tx, row["place_id"])))) for row in rows]


def _offer(row: DictRow, line: Sequence[Place]) -> Json:
    distance = row["distance_m"]
    rounded = None if distance is None else max(50, round(distance / 50) * 50)
    why = {key: value for key, value in row["why"].items() if key not in ("distance_m", "eta_s")}
    return {
        "id": str(row["id"]),
        "kind": row["kind"],
        "severity": row["severity"],
        "response": row["response"],
        "distance_m": rounded,
        "why": why | {"distance_m": rounded},
        "place": {"full_name": full_name(line)} if line and row["closed_at"] is None else None,
        "state": row["state"],
    } | _stamps(row, ("offered_at", "expires_at"))


def assignments(tx: Transaction, places: Places, offer_ids: Collection[UUID]) -> list[tuple[UUID, Json]]:
    """These assignments with whose they are: address and access while under way, nothing afterwards."""
    if not offer_ids:
        return []
    rows = tx.fetch(load("views")["assignments"], {"offers": list(offer_ids)})
    return [(row["person_id"], _assignment(row, places.line(tx, row["place_id"]))) for row in rows]


def _assignment(row: DictRow, line: Sequence[Place]) -> Json:
    over = row["ended_at"] is not None or row["closed_at"] is not None
    lat, lon = (None, None) if over else position(line)
    access = next((place.access for place in reversed(line) if place.access), None)
    return {
        "offer_id": str(row["offer_id"]),
        "incident_id": row["incident_id"],
        "kind": row["kind"],
        "severity": row["severity"],
        "response": row["response"],
        "state": row["state"],
        "place": None if over else place_json(line),
        "lat": lat,
        "lon": lon,
        "access": None if over else access,
        "thanks": row["state"] == "done",
    } | _stamps(row, ("accepted_at", "on_the_way_at", "on_scene_at", "ended_at"))


def responder_rows(tx: Transaction, params: dict[str, object], now: datetime) -> list[tuple[int, Json]]:
    """Responders with the place that their role holds at; `params`: of `Scope.params`, or one person everywhere."""
    asked = {"persons": None, "everywhere": False, "paths": [], "below": [], "above": [], "limit": LIST_LIMIT} | params
    return [(row["place_id"], _responder(row, now)) for row in tx.fetch(load("views")["responders"], asked)]


def _responder(row: DictRow, now: datetime) -> Json:
    idle = "offered" if row["offered"] else "free"
    status = row["assignment_state"] or (idle if row["on_duty"] else "off-duty")
    shown: Json = {"lat": None, "lon": None, "located_at": None, "source": "none"}
    if status != "off-duty":  # positions are shown only on duty
        if row["lat"] is not None and row["located_at"] is not None and now - row["located_at"] <= FIX_LASTS:
            shown = {"lat": row["lat"], "lon": row["lon"], "located_at": stamp(row["located_at"]), "source": "fix"}
        elif row["post_lat"] is not None:
            shown = {"lat": row["post_lat"], "lon": row["post_lon"], "located_at": None, "source": "post"}
    person = _person(row["person_id"], row["name"])
    return {"person": person, "status": status, "incident_id": row["incident_id"]} | shown


def _person(person_id: UUID | None, name: Json | None) -> Json | None:
    return None if person_id is None else {"id": str(person_id), "name": name}


def _stamps(row: DictRow, columns: Sequence[str]) -> Json:
    return {column: stamp(row[column]) for column in columns}
