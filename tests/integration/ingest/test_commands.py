"""What a gateway says about a command reaches the command's row with the commit that stores the event."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from cloud.registry import commands
from cloud.storage.database import Database
from protocols import command
from protocols.delivery import Lane
from protocols.sparkplug.datatype import DataType
from protocols.sparkplug.payload import Metric
from tests.integration.ingest.gateway import Gateway, boolean, event, wait_for

Rows = Callable[[str], list[dict[str, Any]]]
T0 = 1_753_000_000_000


def born(gateway: Gateway, database: Database, rows: Rows) -> int:
    """A gateway with one door; the door's row."""
    output = Metric(name="Output/release", alias=31, datatype=DataType.STRING, value=None, timestamp_ms=T0)
    door = (boolean("released", 30, False, T0), output, event(32, "x", T0))
    gateway.birth((event(5, "agent.started", T0),), devices={"door-1": door})
    wait_for(lambda: rows("SELECT FROM alias WHERE alias = 31"))
    (row,) = rows("SELECT id FROM device WHERE code = 'door-1'")
    found: int = row["id"]
    return found


def given(database: Database, device: int) -> uuid.UUID:
    """A command that was asked."""
    identity, now = uuid.uuid4(), datetime.now(UTC)
    with database.transaction() as tx:
        tx.execute("INSERT INTO person (login, name) VALUES ('chen', '{}') ON CONFLICT DO NOTHING")
        person = tx.one("SELECT id FROM person")
        assert person is not None
        commands.give(tx, identity, device=device, output="release", value=True, person=person["id"], now=now)
        tx.execute("UPDATE command SET state = 'sent'")
    return identity


def says(gateway: Gateway, number: int, kind: str, identity: uuid.UUID, **more: Any) -> None:
    data = {"id": str(identity), "device": "door-1", "output": "release", **more}
    gateway.data(number, (event(5, kind, T0 + number, data),), lane=Lane.URGENT)
    wait_for(lambda: gateway.acknowledged_up_to(number, Lane.URGENT))


def test_a_ticket_then_the_outcome_as_events_of_the_device(gateway: Gateway, database: Database, rows: Rows) -> None:
    door = born(gateway, database, rows)
    assert rows("SELECT metric FROM series") == [{"metric": "released"}], "an output is no series"
    identity = given(database, door)
    ticket = uuid.uuid4()
    says(gateway, 1, command.READY, identity, ticket=str(ticket))
    assert rows("SELECT ticket, state FROM command") == [{"ticket": ticket, "state": "sent"}]
    assert rows("SELECT ref FROM due WHERE kind = 'command.confirm'") == [{"ref": str(identity)}]
    says(gateway, 2, command.DONE, identity)
    assert [row["state"] for row in rows("SELECT state FROM command")] == ["done"]
    told = rows(f"SELECT kind FROM event WHERE device_id = {door} ORDER BY ts")
    assert [row["kind"] for row in told] == [command.READY, command.DONE]


def test_a_ticket_for_a_command_that_no_longer_stands_is_not_taken(
    gateway: Gateway, database: Database, rows: Rows
) -> None:
    door = born(gateway, database, rows)
    identity = given(database, door)
    with database.transaction() as tx:
        tx.execute("UPDATE command SET expires_at = %(at)s", {"at": datetime.now(UTC) - timedelta(seconds=1)})
    says(gateway, 1, command.READY, identity, ticket=str(uuid.uuid4()))
    assert rows("SELECT ticket FROM command") == [{"ticket": None}]
    assert rows("SELECT ref FROM due WHERE kind = 'command.confirm'") == []


def test_nonsense_in_an_answer_does_not_stop_the_stream(gateway: Gateway, database: Database, rows: Rows) -> None:
    door = born(gateway, database, rows)
    identity = given(database, door)
    odd: list[dict[str, Any]] = [
        {"id": "no", "device": "door-1"},
        {"id": str(identity), "device": ["door-1"]},
        {"id": str(identity), "device": "nobody"},
        {"id": str(identity), "device": "door-1", "ticket": {}},
        {},
    ]
    for number, data in enumerate(odd, 1):
        gateway.data(number, (event(5, command.READY, T0 + number, data),), lane=Lane.URGENT)
    wait_for(lambda: gateway.acknowledged_up_to(len(odd), Lane.URGENT))
    assert rows("SELECT state, ticket FROM command") == [{"state": "sent", "ticket": None}]
    says(gateway, len(odd) + 1, command.REFUSED, identity, error="edge.command.away", params=["no", "dict"])
    (row,) = rows("SELECT state, error FROM command")
    assert row == {"state": "refused", "error": {"code": "edge.command.away", "params": {}}}
