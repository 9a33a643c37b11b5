"""A driver on one side of a pty, a door on the other, and what the agent would have stored between them."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edge.drivers.osdp.config import OsdpConfig
from edge.drivers.osdp.driver import OsdpDriver
from edge.drivers.strangers import Stranger
from protocols.access.wiegand import Card, parse_card
from protocols.errors import LiandongError
from protocols.events import Event, Observation, Reading
from simulators.hardware.doors import Door
from simulators.hardware.line import PtyLine

DEVICE = "door-3-1"
ADDRESS = 5
KEY = bytes.fromhex("0f1e2d3c4b5a69788796a5b4c3d2e1f0")
WANG = parse_card("H10301:42:12345")
LATE = parse_card("H10301:42:12346")
STRANGER = parse_card("H10301:7:999")
CARDHOLDERS = """
[[cardholder]]
id = "wang-lan"
cards = ["H10301:42:12345"]

[[cardholder]]
id = "li-qiang"
cards = ["H10301:42:12346"]
valid_until = 2020-12-31
"""


def eventually(condition: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    """Wait until `condition` holds; fail with `what` after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.02)


class Agent:
    """The driver's context, with what was emitted; `stored` survives a driver."""

    name = "doors"

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.stored: str = "{}"
        self.emitted: list[Observation] = []
        self.statuses: list[tuple[bool, str | None]] = []
        self.refusal: LiandongError | None = None

    def now_ms(self) -> int:
        return round(time.time() * 1000)

    def utc_ms(self) -> int:
        return self.now_ms()

    def system_ms(self) -> int:
        return self.now_ms()

    def state(self) -> Mapping[str, Any]:
        stored: dict[str, Any] = json.loads(self.stored)
        return stored

    def emit(
        self,
        observations: Sequence[Observation],
        *,
        state: Mapping[str, Any] | None = None,
        durable: bool = False,
        timeout_s: float = 10.0,
    ) -> None:
        if self.refusal is not None:
            raise self.refusal
        if state is not None:
            self.stored = json.dumps(state)
        self.emitted += observations

    def waiting(self, strangers: Sequence[Stranger], *, gone: Sequence[str] = (), refused: int = 0) -> None:
        assert not strangers, "nobody joins here"

    def status(
        self,
        device: str,
        *,
        online: bool,
        error: LiandongError | None = None,
        round_trip_s: float | None = None,
        jitter_s: float | None = None,
    ) -> None:
        self.statuses.append((online, error.code if error else None))

    @property
    def online(self) -> bool:
        return bool(self.statuses) and self.statuses[-1][0]

    @property
    def error(self) -> str | None:
        return self.statuses[-1][1] if self.statuses else None

    def kinds(self) -> list[str]:
        return [o.kind for o in self.emitted if isinstance(o, Event)]

    def event(self, kind: str) -> Event:
        return next(o for o in self.emitted if isinstance(o, Event) and o.kind == kind)

    def denials(self) -> list[object]:
        return [o.data["reason"] for o in self.emitted if isinstance(o, Event) and o.kind == "access.denied"]

    def last(self, metric: str) -> object:
        values = [o.value for o in self.emitted if isinstance(o, Reading) and o.metric == metric]
        return values[-1] if values else None


class Ledger:
    """What the door knows to have been taken."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, int, object]] = []

    def observed(self, device: str, metric: str, counter: int, value: object, at_ms: int) -> None:
        self.lines.append((metric, counter, value))


class Rig:
    """Driver and door; `run` starts the driver, `halt` stops it as the agent does."""

    def __init__(self, directory: Path, *, key: bytes | None = KEY, **settings: Any) -> None:
        self.directory = directory
        self.agent = Agent()
        self.ledger = Ledger()
        self.line = PtyLine(directory / "door")
        cards: list[Card] = [WANG]
        self.door = Door(
            self.line, DEVICE, address=ADDRESS, key=key, cards=cards, chance=random.Random(1), ledger=self.ledger
        )
        self.config = config(directory, **settings)
        self._thread: threading.Thread | None = None

    def run(self) -> None:
        self.agent.stop.clear()
        self.driver = OsdpDriver(self.config)
        self._thread = threading.Thread(target=self.driver.run, args=(self.agent,))
        self._thread.start()

    def halt(self) -> None:
        self.agent.stop.set()
        if self._thread is not None:
            self._thread.join(2.0)
            assert not self._thread.is_alive()
            self._thread = None

    def up(self) -> None:
        self.door.start()
        self.run()
        eventually(lambda: self.agent.online and self.agent.last("contact-open") is not None, "door online")

    def close(self) -> None:
        self.halt()
        self.door.stop()

    def trigger(self, name: str, **params: Any) -> Mapping[str, Any]:
        return self.door.triggers()[name](DEVICE, params)

    def granted(self) -> int:
        return self.agent.kinds().count("access.granted")

    def told(self, *kinds: str) -> None:
        eventually(
            lambda: [k for k in self.agent.kinds() if k in kinds] == list(kinds), f"{kinds}: {self.agent.kinds()}"
        )


def config(directory: Path, *, line: Mapping[str, Any] | None = None, **settings: Any) -> OsdpConfig:
    """The table of `line` (what differs) with one door of `settings`; keys and cardholders are written."""
    key_file = directory / "door.key"
    key_file.touch(mode=0o600)
    key_file.write_text(KEY.hex())
    (directory / "cardholders.toml").write_text(CARDHOLDERS)
    device = {"id": DEVICE, "address": ADDRESS, "key_file": key_file, "unlock_s": 1.5} | settings
    table: dict[str, Any] = {"name": "doors", "port": directory / "door", "baudrate": 115200, "device": [device]}
    return OsdpConfig.model_validate({**table, "cardholders": directory / "cardholders.toml", **(line or {})})
