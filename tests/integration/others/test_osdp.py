"""Our simulated reader and our control panel against somebody else's OSDP (osdp of PyPI), in an environment of its own.

That package is a control panel; a reader is put together from its check sums and its secure channel. It installs the
package `osdp`, as libosdp does: never both in one environment.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.drivers.osdp.driver import OsdpDriver
from protocols.access.wiegand import parse_card
from simulators.hardware.doors import Door
from simulators.hardware.line import PtyLine
from tests.integration.modbus.agent import Ledger, until
from tests.integration.osdp import rig as osdp
from tests.integration.others.conftest import Peer, cable

pytestmark = pytest.mark.needs("others")

ADDRESS = 5
MASTER = "00112233445566778899aabbccddeeff"
CARD = parse_card("H10301:42:12345")


class Panel:
    """Their panel, and what it said."""

    def __init__(self, port: Path) -> None:
        self.peer = Peer("osdp", "osdp_panel.py", str(port), str(ADDRESS), MASTER)

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [one["values"] for one in list(self.peer.said) if one["type"] == kind]

    def does(self, order: str) -> dict[str, Any]:
        before = len(self.told(order))
        self.peer.asks(order)
        until(lambda: len(self.told(order)) > before, 30)
        return self.told(order)[-1]


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def door(tmp_path: Path, ledger: Ledger) -> Iterator[Door]:
    """Fresh from the factory: it has no key of its own yet."""
    line, chance = PtyLine(tmp_path / "reader"), random.Random(4)
    made = Door(line, "door", address=ADDRESS, key=None, cards=[CARD], chance=chance, ledger=ledger)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def test_their_panel_installs_a_key_and_works_our_reader(door: Door, ledger: Ledger, tmp_path: Path) -> None:
    panel = Panel(tmp_path / "reader")
    try:
        until(lambda: any(not one["default"] for one in panel.told("secure")), 60)
        assert [one["default"] for one in panel.told("secure")] == [True, False], "first the key that everybody knows"
        assert door.reader.key is not None
        assert door.reader.key.hex() == panel.told("secure")[-1]["key"], "diversified from the master key, per reader"
        assert panel.does("status") == {"tamper": False, "power_failure": False}
        assert panel.does("inputs") == {"active": [False] * 4}
        assert panel.does("open") == {"done": True}
        held = door.reader.strike_held
        assert panel.does("outputs") == {"active": [True, False, False]}
        assert panel.does("shut") == {"done": True}
        assert (held, door.reader.strike_held) == (True, False)
        assert panel.does("light") == {"done": True}
        assert door.reader.light == "green"
        assert panel.does("beep") == {"done": True}
        assert door.reader.beeps == 2
        assert door.triggers()["card"]("door", {"card": CARD.text}) == {"device": "door", "card": CARD.text}
        until(lambda: panel.told("card"), 30)
        assert panel.told("card") == [{"bits": 26, "data": CARD.data.hex()}]
        until(lambda: ledger.values("door", "card") == [CARD.text], 30)
        door.triggers()["keys"]("door", {"keys": "12#"})
        until(lambda: panel.told("keys") == [{"data": "31320d"}], 30)
        door.triggers()["tamper"]("door", {"on": True})
        until(lambda: {"tamper": True, "power": False} in panel.told("local"), 30)
        panel.peer.leave()
    finally:
        panel.peer.kill()


def test_our_panel_works_a_reader_with_their_secure_channel(tmp_path: Path) -> None:
    ours, theirs = PtyLine(tmp_path / "door"), PtyLine(tmp_path / "reader")
    agent = osdp.Agent()
    driver = OsdpDriver(osdp.config(tmp_path, exit_input=1, more_inputs=[2]))
    thread = threading.Thread(target=driver.run, args=(agent,))
    with cable(ours, theirs):
        peer = Peer("osdp", "osdp_reader.py", str(theirs.path), str(osdp.ADDRESS), osdp.KEY.hex())
        thread.start()

        def told(kind: str) -> list[str]:
            return [one["values"].get("data", "") for one in list(peer.said) if one["type"] == kind]

        try:
            until(lambda: agent.online and agent.last("contact-open") is False, 60)
            assert told("secure") == [""]
            assert (agent.last("tamper"), agent.last("input-2")) == (False, False)
            assert driver.firmware(osdp.DEVICE) == "1.2.3"
            peer.asks(f"card 26 {CARD.data.hex()}")
            until(lambda: agent.kinds() == ["access.granted"], 30)
            until(lambda: told("output")[-1:] == ["00050f00"], 30)  # the first output, on for 1.5 s
            until(lambda: told("sound") and told("light"), 30)
            peer.asks("card 26 00000080")
            until(lambda: agent.kinds()[-1] == "access.denied", 30)
            peer.asks("input 2 1")
            until(lambda: agent.last("input-2") is True, 30)
            peer.asks("tamper 1")
            until(lambda: agent.last("tamper") is True, 30)
            driver.act(osdp.DEVICE, "release", True, 20)
            assert told("output")[-1] == "00020000"
            assert told("wrong-mac") == []
            peer.leave()
        finally:
            peer.kill()
            agent.stop.set()
            thread.join(10)


def test_a_reader_with_another_key_is_refused_by_our_panel(tmp_path: Path) -> None:
    ours, theirs = PtyLine(tmp_path / "door"), PtyLine(tmp_path / "reader")
    agent, driver = osdp.Agent(), OsdpDriver(osdp.config(tmp_path))
    thread = threading.Thread(target=driver.run, args=(agent,))
    with cable(ours, theirs):
        peer = Peer("osdp", "osdp_reader.py", str(theirs.path), str(osdp.ADDRESS), "00" * 16)
        thread.start()
        try:
            until(lambda: agent.error == "edge.driver.osdp.refused", 60)
            assert not [one for one in peer.said if one["type"] == "secure"]
        finally:
            peer.kill()
            agent.stop.set()
            thread.join(10)
