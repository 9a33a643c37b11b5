"""People and rules from the cloud, on the real processes: a card opens, is withdrawn, and counts without a cloud."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from simulators.control import ask
from tests.acceptance.people import Operator
from tests.acceptance.street import Street, eventually

GARDEN = "donggang/taoyuan/peach-garden"
CARD = "H10301:77:501"
SETS = "/gateways/peach-garden/gw-2/sets"


class Door:
    """door-1 of gw-2, and whoever stands before it."""

    def __init__(self, street: Street, operator: Operator) -> None:
        self.street = street
        self.id = next(one["id"] for one in operator.get("/devices") if one["code"] == "door-1")

    def show(self, card: str = CARD) -> int:
        """Show a card, when the reader is there; the time before that (ms)."""
        run = json.loads((self.street.data / "run.json").read_text())
        request = {"cmd": "trigger", "name": "card", "at": "door-1", "params": {"card": card}}
        before = time.time_ns() // 1_000_000

        def shown() -> bool:
            return "refused" not in ask(Path(run["simulation"]), request)["did"]

        eventually("the reader takes the card", shown, 60)
        return before

    def decisions(self, since_ms: int) -> list[tuple[str, str | None]]:
        """What the gateway told of this card since then: granted or denied, and why."""
        rows = self.street.rows(
            "SELECT kind, data FROM event WHERE device_id = %s AND kind IN ('access.granted', 'access.denied')"
            " AND ts >= to_timestamp(%s / 1000.0) AND data ->> 'card' = %s ORDER BY ts",
            self.id,
            since_ms,
            CARD,
        )
        return [(row["kind"].removeprefix("access."), row["data"].get("reason")) for row in rows]

    def decides(self, *wanted: tuple[str, str | None], after: int) -> None:
        """Wait for these decisions and no others."""
        found: list[tuple[str, str | None]] = []

        def look() -> bool:
            found[:] = self.decisions(after)
            return len(found) >= len(wanted)

        eventually(f"{wanted} at the door", look, 60)
        assert found == list(wanted)


@pytest.fixture
def door(street: Street, operator: Operator) -> Door:
    return Door(street, operator)


def change(operator: Operator, method: str, path: str, body: object = None) -> Any:
    answer = operator.client.request(method, f"/api/v1{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def counts(operator: Operator, kind: str) -> None:
    """Wait until the gateway works by what is wanted."""

    def look() -> bool:
        shown = operator.get(SETS)[kind]
        return bool(shown["same"] and shown["wanted"] and shown["wanted"]["state"] == "applied")

    eventually(f"{kind} count at gw-2", look, 60)


def restarted(street: Street) -> None:
    """Kill gw-2, and wait until it is back at its doors: a reader gives a card to a panel that is dying, too."""
    street.kill_part("gw-2")
    config = str(street.data / "config" / "gw-2.toml")

    def online() -> bool:
        said = street.command("edge", "status", "--config", config, "--json").stdout
        parts = json.loads(said)["parts"] if said.startswith("{") else []
        return any(part["name"] == "device/door-1" and part["code"] == "edge.status.device-online" for part in parts)

    eventually("door-1 answers", online, 60)


def holder(**more: Any) -> dict[str, Any]:
    return {"place": GARDEN, "holder": {"code": "visitor-77", "cards": [CARD], "doors": ["gw-2/door-1"], **more}}


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that does nothing for a while, as if it were far away."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_card_from_the_cloud_opens_is_withdrawn_and_counts_without_a_cloud(
    street: Street, operator: Operator, door: Door, report: list[str]
) -> None:
    began = door.show()
    door.decides(("denied", "unknown"), after=began)
    change(operator, "PUT", "/access/cardholders/visitor-77", holder())
    counts(operator, "cardholders")
    began = door.show()
    door.decides(("granted", None), after=began)
    asked = time.monotonic()
    change(operator, "POST", "/access/cardholders/visitor-77/enabled", {"enabled": False})
    counts(operator, "cardholders")
    report.append(f"a withdrawn card counts at the gateway after {time.monotonic() - asked:.2f} s, seen by polling")
    began = door.show()
    door.decides(("denied", "disabled"), after=began)
    with stopped(street.pids()["cloud"]):
        restarted(street)
        alone = door.show()
        time.sleep(1)
    door.decides(("denied", "disabled"), after=alone)
    file = (street.data / "config" / "cardholders.toml").read_text()
    assert CARD not in file, "it came from the cloud"
    change(operator, "DELETE", "/access/cardholders/visitor-77")
    counts(operator, "cardholders")
    began = door.show()
    door.decides(("denied", "unknown"), after=began)


def test_a_rule_from_the_cloud_acts_without_it(street: Street, operator: Operator, door: Door) -> None:
    rule = {
        "code": "stranger-beeps",
        "where": {"devices": ["door-1"]},
        "when": {"type": "event", "kind": "access.denied", "match": {"reason": "unknown"}},
        "actions": [{"device": "door-2", "output": "beep"}],
    }
    wrong = {**rule, "code": "nowhere", "actions": [{"device": "siren-99", "output": "sound"}]}
    path = "/gateways/peach-garden/gw-2/rules"
    change(operator, "PUT", f"{path}/stranger-beeps", {"rule": rule})
    counts(operator, "rules")
    change(operator, "PUT", f"{path}/nowhere", {"rule": wrong})

    def refused() -> dict[str, Any] | None:
        wanted: dict[str, Any] = operator.get(SETS)["rules"]["wanted"]
        return wanted if wanted["state"] == "refused" else None

    shown = eventually("the rule is refused", refused)
    assert shown is not None
    assert "siren-99" in shown["error"]["sentence"]["en"]
    with stopped(street.pids()["cloud"]):
        restarted(street)
        began = door.show()
        time.sleep(1)

    def acted() -> list[dict[str, Any]]:
        return street.rows(
            "SELECT data FROM event WHERE kind = 'rule.acted' AND data ->> 'rule' = 'stranger-beeps'"
            " AND ts >= to_timestamp(%s / 1000.0)",
            began,
        )

    (done, *_) = eventually("the rule has acted", acted, 60)
    assert (done["data"]["device"], done["data"]["output"]) == ("door-2", "beep")
    for code in ("stranger-beeps", "nowhere"):
        change(operator, "DELETE", f"{path}/{code}")
    counts(operator, "rules")
    operator.closes_everything()
