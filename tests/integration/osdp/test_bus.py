"""Two readers on one RS-485 line: each is served, and one that falls silent does not take the other with it."""

from __future__ import annotations

import threading
from pathlib import Path

from edge.drivers.osdp.config import OsdpConfig
from edge.drivers.osdp.driver import OsdpDriver
from protocols.errors import LiandongError
from simulators.hardware.doors.reader import OsdpReader
from simulators.hardware.line import PtyLine
from tests.integration.osdp.rig import KEY, WANG, Agent, config, eventually


class Bus(PtyLine):
    """A line that several readers hear: what the panel sends is kept for each of them."""

    def __init__(self, path: Path, readers: int) -> None:
        super().__init__(path)
        self.taps = [Tap(self, path) for _ in range(readers)]
        self._hearing = threading.Lock()

    def hear(self) -> None:
        with self._hearing:
            data = super().read()
            for tap in self.taps:
                tap.heard += data


class Tap(PtyLine):
    """Where one reader is connected to the bus."""

    def __init__(self, bus: Bus, path: Path) -> None:
        super().__init__(path)
        self.bus = bus
        self.heard = bytearray()

    @property
    def plugged(self) -> bool:
        return self.bus.plugged

    def read(self, size: int = 4096, timeout_s: float = 0.0) -> bytes:
        threading.Event().wait(timeout_s / 4)
        self.bus.hear()
        data = bytes(self.heard[:size])
        del self.heard[: len(data)]
        return data

    def write(self, data: bytes) -> int:
        return self.bus.write(data)


OTHER_KEY = bytes(range(16, 32))


class Statuses(Agent):
    """Keeps the last status of each device."""

    def __init__(self) -> None:
        super().__init__()
        self.latest: dict[str, bool] = {}

    def status(
        self,
        device: str,
        *,
        online: bool,
        error: LiandongError | None = None,
        round_trip_s: float | None = None,
        jitter_s: float | None = None,
    ) -> None:
        self.latest[device] = online


def test_two_readers_share_a_line_each_with_its_own_key(tmp_path: Path) -> None:
    table = config(tmp_path).model_dump()
    other = tmp_path / "other.key"
    other.touch(mode=0o600)
    other.write_text(OTHER_KEY.hex())
    first = table["device"][0] | {"id": "door-1", "address": 1}
    table["device"] = [first, first | {"id": "door-2", "address": 2, "key_file": other}]
    driver, agent = OsdpDriver(OsdpConfig.model_validate(table)), Statuses()
    bus = Bus(tmp_path / "door", 2)
    bus.plug()
    keys = (KEY, OTHER_KEY)
    readers = [OsdpReader(bus.taps[index], index + 1, key, lambda now: None) for index, key in enumerate(keys)]
    for reader in readers:
        reader.start()
    thread = threading.Thread(target=driver.run, args=(agent,))
    thread.start()
    try:
        eventually(lambda: agent.latest == {"door-1": True, "door-2": True}, "both online")
        taken: list[int] = []
        for index, reader in enumerate(readers):
            reader.show_card(WANG.length, WANG.data, lambda index=index: taken.append(index))  # type: ignore[misc]
        eventually(lambda: agent.kinds() == ["access.granted"] * 2 and sorted(taken) == [0, 1], "both cards")
        readers[0].stop()
        eventually(lambda: agent.latest["door-1"] is False, "the first is away", 40.0)
        assert agent.latest["door-2"] is True
        driver.act("door-2", "release", True, 10.0)
        assert readers[1].strike_held
        readers[0] = OsdpReader(bus.taps[0], 1, KEY, lambda now: None)
        readers[0].start()
        eventually(lambda: agent.latest["door-1"] is True, "it comes back by itself", 40.0)
        assert agent.latest["door-2"] is True
    finally:
        agent.stop.set()
        thread.join(5.0)
        for reader in readers:
            reader.stop()
        bus.unplug()
