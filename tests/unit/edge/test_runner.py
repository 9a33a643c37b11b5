"""What the agent's side of a driver does between threads."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from edge.config import DriverEntry
from edge.drivers.port import DeviceConfig, DriverContext, DriverFamily
from edge.drivers.runner import DriverRunner
from protocols.access.cardholders import Cardholders
from protocols.events import Value

PATIENCE_S = 20.0


class Doors:
    """A driver whose doors only remember whom they were told of."""

    devices: Sequence[DeviceConfig] = ()

    def __init__(self, _settings: BaseModel) -> None:
        self.known: list[Cardholders | None] = []

    def run(self, ctx: DriverContext) -> None:
        raise NotImplementedError

    def act(self, device: str, output: str, value: Value, timeout_s: float) -> None:
        raise NotImplementedError

    def deliver(self, cardholders: Cardholders | None) -> None:
        self.known.append(cardholders)


def unused(*_: Any) -> Any:
    raise NotImplementedError


def test_whoever_is_slower_does_not_bring_withdrawn_cards_back() -> None:
    made: list[Doors] = []
    before, after = Cardholders(version="before"), Cardholders(version="after")
    newest, looked, go_on = before, threading.Event(), threading.Event()

    def delivered() -> Cardholders:
        found = newest
        if not looked.is_set():
            looked.set()
            assert go_on.wait(PATIENCE_S)
        return found

    def make(settings: BaseModel) -> Doors:
        made.append(Doors(settings))
        return made[-1]

    family = DriverFamily(name="doors", config=BaseModel, make=make)
    entry = DriverEntry(name="doors", family=family, settings=DeviceConfig(id="-", type="door"))
    runner = DriverRunner(
        entry, pipeline=unused, board=unused, stored_state=unused, told=unused, clock=unused, delivered=delivered
    )
    slow, fast = threading.Thread(target=runner.deliver), threading.Thread(target=runner.deliver)
    slow.start()
    assert looked.wait(PATIENCE_S)
    newest = after
    fast.start()
    fast.join(0.3)  # it may wait for the slow one, and must not be overtaken by it
    go_on.set()
    for thread in (slow, fast):
        thread.join(PATIENCE_S)
    assert made[0].known[-1] is after
