"""Ingest and the courier of sets lock timers and versions in one order: neither ends the other as a deadlock."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from cloud.registry import births
from cloud.registry import sets as registry
from cloud.storage.queries import load
from protocols import sets
from protocols.events import Event
from tests.integration.api.conftest import Street, wait_for

NODE = ("peach-garden", "gw-2")
RULE = {
    "code": "open-all",
    "where": {"devices": ["door-1"]},
    "when": {"type": "event", "kind": "access.forced"},
    "actions": [{"device": "door-2", "output": "beep"}],
}
OTHER = "0" * 64
WAITING = """
    SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%%INSERT INTO due%%'
"""


def version(street: Street, state: str) -> dict[str, Any]:
    """The gateway has a rule; its version is in this state."""
    now = datetime.now(UTC)
    with street.database.transaction() as tx:
        births.node_born(tx, NODE, now, bdseq=0, birth=None, declared={})
        gateway = births.ensure_device(tx, NODE, "").gateway_id
        new = {"gateway": gateway, "code": "open-all", "enabled": True, "now": now, "person": None}
        tx.execute(load("sets")["put_rule"], new | {"body": json.dumps(RULE)})
        made = registry.build(tx, gateway, "rules", time_zone="Asia/Shanghai", now=now)
        tx.execute("UPDATE delivered_set SET state = %(state)s WHERE id = %(id)s", {"state": state, "id": made})
    (row,) = street.rows(
        "SELECT delivered_set.*, device.id AS own FROM delivered_set JOIN device USING (gateway_id) WHERE code = ''"
    )
    return row


@pytest.mark.parametrize(
    ("state", "event", "timer"),
    [
        ("sent", sets.READY, registry.SEND),
        ("applied", sets.RUNNING, registry.OFFER),
        ("sent", sets.APPLIED, registry.BUILD),
    ],
)
def test_what_a_gateway_says_while_the_courier_is_at_its_version(
    street: Street, state: str, event: str, timer: str
) -> None:
    row = version(street, state)
    ref = f"{row['gateway_id']}/rules" if timer == registry.BUILD else str(row["id"])
    number = {registry.BUILD: 9, registry.OFFER: 0}.get(timer, 1)
    data = {"kind": "rules", "number": number, "hash": OTHER, "id": str(row["id"]), "ticket": str(uuid4())}
    now = datetime.now(UTC)

    def hear() -> None:
        with street.database.transaction() as tx:
            registry.take_told(tx, [(row["own"], Event(device="", kind=event, at_ms=0, data=data))], 1)

    with ThreadPoolExecutor(1) as ingest:
        with street.database.transaction() as courier:
            courier.execute(load("sets")["soon"], {"kind": timer, "ref": ref, "at": now})
            heard = ingest.submit(hear)
            wait_for(lambda: heard.done() or street.rows(WAITING))
            found = courier.one(load("sets")["lock"], {"id": row["id"], "metric": sets.METRIC})
            assert found is not None
        heard.result(timeout=20)
    (after,) = street.rows("SELECT state, ticket FROM delivered_set")
    expected = {sets.READY: ("sent", True), sets.RUNNING: ("queued", False), sets.APPLIED: ("applied", False)}
    assert (after["state"], after["ticket"] is not None) == expected[event]
