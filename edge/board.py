"""What is known right now: the latest stored value of every metric, and the condition of every device and driver."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from edge.commissioning.triggers import Triggers
from edge.drivers.strangers import Stranger
from edge.tally import Tally
from protocols.errors import LiandongError
from protocols.events import Observation, Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCondition:
    """Whether a device answers (None = not known yet), since when, and what it said last."""

    driver: str
    type: str
    online: bool | None = None
    since_ms: int = 0
    error: LiandongError | None = None
    round_trip_s: float | None = None
    heard_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverCondition:
    """Whether a driver runs, how often it was started again, and why it ended last. `line`: the port that it holds."""

    family: str
    line: str = ""
    running: bool = False
    restarts: int = 0
    error: LiandongError | None = None


class Board:
    """Shared by all parts of the agent; every method may be called from any thread."""

    def __init__(self, devices: Mapping[str, DeviceCondition], drivers: Mapping[str, DriverCondition]) -> None:
        self._lock = threading.Lock()
        self._devices = dict(devices)
        self._drivers = dict(drivers)
        self._latest: dict[str, dict[str, Reading]] = {}
        self._before: dict[str, dict[str, Reading]] = {}
        self._tallies = {name: Tally() for name in devices}
        self._waiting: dict[str, tuple[Stranger, ...]] = {}
        self._unlisted: dict[str, int] = {}
        self.triggers = Triggers()

    def stored(self, observations: Iterable[Observation]) -> None:
        """These are on the disk now."""
        with self._lock:
            for observation in observations:
                before: Reading | None = None
                if isinstance(observation, Reading):
                    rows = self._latest.setdefault(observation.device, {})
                    before, rows[observation.metric] = rows.get(observation.metric), observation
                condition = self._devices.get(observation.device)
                if condition is not None:
                    self._devices[observation.device] = replace(condition, heard_ms=observation.at_ms)
                    self.triggers.note(observation, before, condition.type)

    def latest(self, device: str) -> dict[str, Reading]:
        """The latest stored reading of each metric of `device` ('' = the gateway)."""
        with self._lock:
            return dict(self._latest.get(device, {}))

    def remember(self, device: str, readings: Mapping[str, Reading]) -> None:
        """`device` showed this before the agent was started."""
        with self._lock:
            self._before[device] = dict(readings)

    def known(self, device: str) -> dict[str, Reading]:
        """The latest reading of each metric of `device`, where there is none yet the one from before the start."""
        with self._lock:
            return self._before.get(device, {}) | self._latest.get(device, {})

    def condition(
        self,
        device: str,
        *,
        online: bool,
        error: LiandongError | None,
        round_trip_s: float | None,
        now_ms: int,
        jitter_s: float | None = None,
    ) -> bool | None:
        """A driver reports the condition of `device`. Returns what was known before, if that was something else."""
        with self._lock:
            before = self._devices[device]
            self._tallies[device].count(failed=error is not None or not online, now_ms=now_ms, jitter_s=jitter_s)
            changed = before.online is not online
            self._devices[device] = replace(
                before,
                online=online,
                since_ms=now_ms if changed else before.since_ms,
                error=error if error is not None or online else before.error,
                round_trip_s=before.round_trip_s if round_trip_s is None else round_trip_s,
            )
            return before.online

    def arrange(
        self, devices: Mapping[str, DeviceCondition], drivers: Mapping[str, DriverCondition], fresh: Collection[str]
    ) -> None:
        """These are the devices and drivers from now on; of those of the drivers in `fresh` nothing is known."""
        with self._lock:
            known = {name: one for name, one in self._devices.items() if one.driver not in fresh}
            running = {name: one for name, one in self._drivers.items() if name not in fresh}
            same = {
                name for name, one in devices.items() if name in self._devices and self._devices[name].type == one.type
            }
            self._devices = {name: known.get(name, one) for name, one in devices.items()}
            self._tallies = {name: self._tallies[name] if name in known else Tally() for name in devices}
            self._drivers = {name: running.get(name, one) for name, one in drivers.items()}
            self._latest = {name: rows for name, rows in self._latest.items() if name == "" or name in devices}
            self._before = {name: rows for name, rows in self._before.items() if name in same}
            self._waiting = {name: listed for name, listed in self._waiting.items() if name in drivers}
            self._unlisted = {name: refused for name, refused in self._unlisted.items() if name in running}

    def driver(self, name: str, *, running: bool, error: LiandongError | None = None) -> None:
        """A driver started or ended."""
        with self._lock:
            before = self._drivers[name]
            restarts = before.restarts + (before.running and not running)
            self._drivers[name] = replace(
                before, running=running, restarts=restarts, error=error if error is not None else before.error
            )

    def waiting(self, driver: str, strangers: Sequence[Stranger], refused: int = 0) -> tuple[Stranger, ...]:
        """These wait to be approved at `driver`, with no room for `refused` messages of others; who did before."""
        with self._lock:
            self._unlisted[driver] = refused
            before = self._waiting.get(driver, ())
            self._waiting[driver] = tuple(strangers)
            return before

    def strangers(self) -> dict[str, tuple[Stranger, ...]]:
        """By driver, who waits to be approved."""
        with self._lock:
            return {driver: listed for driver, listed in self._waiting.items() if listed}

    def unlisted(self) -> dict[str, int]:
        """By driver, how many messages came from devices for which its list has no room."""
        with self._lock:
            return {driver: refused for driver, refused in self._unlisted.items() if refused}

    def tally(self, device: str, now_ms: int) -> tuple[int, int]:
        """How often `device` was asked over the last minutes, and how often that failed."""
        with self._lock:
            return self._tallies[device].sums(now_ms)

    def jitter_s(self, device: str, now_ms: int) -> float | None:
        """By how much a period of `device` was missed at most over the last minutes; None where it has none."""
        with self._lock:
            return self._tallies[device].jitter_s(now_ms)

    def devices(self) -> dict[str, DeviceCondition]:
        """The condition of every device, in the order of the configuration."""
        with self._lock:
            return dict(self._devices)

    def drivers(self) -> dict[str, DriverCondition]:
        """The condition of every driver, in the order of the configuration."""
        with self._lock:
            return dict(self._drivers)
