"""One transaction's work on incidents: what it touches is told to the pages, once, at its end."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from cloud.storage import views
from cloud.storage.database import Database, StreamEvent, Transaction
from cloud.storage.places import Places
from cloud.storage.queries import load


@dataclass(slots=True)
class Touched:
    """Ids of what has changed and is shown somewhere."""

    alarms: set[int] = field(default_factory=set)
    incidents: set[int] = field(default_factory=set)
    offers: set[UUID] = field(default_factory=set)
    assignments: set[UUID] = field(default_factory=set)
    responders: set[UUID] = field(default_factory=set)
    tests: set[UUID] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """An open transaction, the moment it stands for, and who acts (None: the machine)."""

    tx: Transaction
    places: Places
    now: datetime
    person: UUID | None = None
    touched: Touched = field(default_factory=Touched)

    def note(self, incident_id: int, kind: str, **data: Any) -> None:
        """One more line of the incident's timeline."""
        line = {"incident": incident_id, "kind": kind, "person": self.person, "now": self.now, "data": to_json(data)}
        self.tx.execute(load("incidents")["note"], line)
        self.touched.incidents.add(incident_id)

    def timer(self, kind: str, ref: str, at: datetime) -> None:
        """Let the due worker handle `kind` at a time, if no such timer exists."""
        self.tx.execute(load("due")["set"], {"kind": kind, "ref": ref, "at": at})
        if at <= self.now:
            self.tx.wake_due()

    def announce(self) -> None:
        """Publish the new state of all that was touched."""
        touched, tx, places = self.touched, self.tx, self.places
        for alarm in views.alarms(tx, places, touched.alarms):
            tx.publish(_placed("alarm", alarm))
        for incident in views.incidents(tx, places, touched.incidents):
            tx.publish(_placed("incident", incident))
        for person, offer in views.offers(tx, places, touched.offers):
            tx.publish(StreamEvent(kind="offer", key=offer["id"], data=offer, person_id=person))
        for person, given in views.assignments(tx, places, touched.assignments):
            tx.publish(StreamEvent(kind="assignment", key=given["offer_id"], data=given, person_id=person))
        if touched.tests:
            for row in tx.fetch(load("walktests")["told"], {"tests": sorted(touched.tests)}):
                data = {"id": str(row["id"]), "group": row["group_code"], "code": row["code"]}
                tx.publish(StreamEvent(kind="walk-test", key=data["id"], data=data, person_id=row["person_id"]))
        if touched.responders:
            everywhere = {"persons": list(touched.responders), "everywhere": True}
            for place_id, row in views.responder_rows(tx, everywhere, self.now):
                tx.publish(StreamEvent(kind="responder", key=row["person"]["id"], data=row, place_id=place_id))


@contextmanager
def working(database: Database, places: Places, now: datetime, person: UUID | None = None) -> Iterator[Work]:
    """A transaction of its own for a piece of work: commits and tells the pages, or does nothing at all."""
    with database.transaction() as tx:
        work = Work(tx=tx, places=places, now=now, person=person)
        yield work
        work.announce()


def to_json(data: Mapping[str, Any]) -> str:
    """For jsonb parameters."""
    return json.dumps(data, ensure_ascii=False, default=str)


def _placed(kind: str, shown: dict[str, Any]) -> StreamEvent:
    place = shown["place"]
    return StreamEvent(kind=kind, key=str(shown["id"]), data=shown, place_id=place["id"] if place else None)
