"""Commands down on the real processes: from the operator's tap to the strike, and never later than meant."""

from __future__ import annotations

import time
import uuid
from functools import partial
from typing import Any

from protocols.command import MAX_TICKET_MS
from tests.acceptance.people import Operator
from tests.acceptance.street import Street, eventually

HOME = "peach-garden/3/502"
TTL_S = 15


def row(operator: Operator, code: str) -> dict[str, Any]:
    """A device as the console sees it."""
    found: dict[str, Any] = next(one for one in operator.get("/devices") if one["code"] == code)
    return found


def is_released(operator: Operator, door: str) -> bool:
    """Whether the door stands under an emergency release."""
    latest = row(operator, door)["latest"].get("released")
    return latest is not None and bool(latest["value"])


def give(operator: Operator, code: str, output: str, value: object) -> tuple[int, str]:
    """Give a command; its device and its id."""
    device: int = row(operator, code)["id"]
    given = operator.post(f"/devices/{device}/commands", output=output, value=value, action_id=str(uuid.uuid4()))
    return device, str(given["id"])


def newest(operator: Operator, device: int, identity: str) -> dict[str, Any]:
    """The command's state now."""
    found: dict[str, Any] = next(one for one in operator.get(f"/devices/{device}/commands") if one["id"] == identity)
    return found


def ended(operator: Operator, device: int, identity: str) -> dict[str, Any]:
    """The command, once something has become of it."""

    def look() -> dict[str, Any] | None:
        found = newest(operator, device, identity)
        return found if found["state"] not in ("queued", "sent") else None

    found = eventually(f"command {identity} ends", look, TTL_S + MAX_TICKET_MS / 1000 + 30)
    assert found is not None
    return found


def test_after_a_fire_the_operator_restores_doors_and_siren(street: Street, operator: Operator) -> None:
    street.trigger("smoke", HOME)
    for door in ("door-1", "door-2"):
        eventually(f"{door} is released", partial(is_released, operator, door))
    street.trigger("smoke-clear", HOME)
    eventually("the smoke alarm clears", lambda: not any(a["active"] for a in operator.alarms("smoke")))

    for code, output, value in (("door-1", "restore", True), ("door-2", "restore", True), ("siren-3", "sound", False)):
        device, identity = give(operator, code, output, value)
        done = ended(operator, device, identity)
        assert (done["state"], done["error"]) == ("done", None), done
        events = [one for one in operator.get(f"/devices/{device}/events") if one["data"].get("id") == identity]
        assert [one["kind"] for one in events] == ["command.done", "command.ready"], "stored once, newest first"
        (audit,) = street.rows("SELECT * FROM audit WHERE detail ->> 'command' = %s", identity)
        assert (audit["action"], audit["subject"]) == ("command.give", str(device))
    for door in ("door-1", "door-2"):
        eventually(f"{door} is restored", lambda door=door: not is_released(operator, door))  # type: ignore[misc]
    operator.closes_everything()


def test_a_command_to_an_unplugged_gateway_expires_and_does_nothing_later(street: Street, operator: Operator) -> None:
    assert not is_released(operator, "door-2")
    street.trigger("gateway-unplug", "gw-2")
    try:
        device, identity = give(operator, "door-2", "release", True)
        gone = ended(operator, device, identity)
        assert (gone["state"], gone["error"]["code"]) == ("expired", "cloud.command.not-reached")
    finally:
        street.trigger("gateway-plug", "gw-2")
    eventually("gw-2 is back", lambda: row(operator, "door-2")["gateway"]["online"], 120)

    # A later command gets through; what was sent before the cable came back has had its chance.
    _, later = give(operator, "door-2", "beep", True)
    assert ended(operator, device, later)["state"] == "done"
    time.sleep(1)
    kinds = {one["kind"] for one in operator.get(f"/devices/{device}/events") if one["data"].get("id") == identity}
    assert "command.done" not in kinds
    assert not is_released(operator, "door-2")
    assert newest(operator, device, identity)["state"] == "expired"
    released = "SELECT * FROM event WHERE device_id = %s AND kind = 'access.emergency-release' AND received_at > %s"
    assert street.rows(released, device, gone["created_at"]) == []
    operator.closes_everything()
