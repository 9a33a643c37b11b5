"""Runs one driver in a thread of its own, starts it again with backoff when it ends, and is the context it sees."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from edge.board import Board
from edge.clock.clock import Clock
from edge.config import DriverEntry
from edge.drivers.port import DeviceConfig, Driver, KnowsFirmware, KnowsPeople, Reads
from edge.drivers.strangers import Stranger
from edge.log import Log
from edge.pipeline import Pipeline, check_devices
from protocols.approval import OVER, WAITING
from protocols.errors import DeviceError, LiandongError, RefusedError
from protocols.events import Event, Observation, Value

if TYPE_CHECKING:
    from protocols.access.cardholders import Cardholders

FIRST_PAUSE_S: Final = 0.5
MOST_PAUSE_S: Final = 60.0
JOIN_S: Final = 3.0

Told = Callable[[str, str, bool, LiandongError | None], None]
"""(driver, device, online, error): a device was lost or answers again."""


class DriverRunner:
    """One `[[driver]]` table at work. Also the `DriverContext` that the driver is given."""

    def __init__(
        self,
        entry: DriverEntry,
        *,
        pipeline: Callable[[], Pipeline],
        board: Callable[[], Board],
        stored_state: Callable[[str], Mapping[str, Any]],
        told: Told,
        clock: Callable[[], Clock],
        delivered: Callable[[], Cardholders | None] = lambda: None,
    ) -> None:
        """`delivered`: the cardholders that the cloud has delivered, at any time."""
        self._entry = entry
        self._delivered, self._delivering = delivered, threading.Lock()
        self._pipeline, self._board, self._told = pipeline, board, told
        self._stored_state, self._clock = stored_state, clock
        self._log = Log(f"driver.{entry.name}")
        self._stop = threading.Event()
        self._driver: Driver = entry.family.make(entry.settings)
        self._devices = tuple(self._driver.devices)
        self._ids = frozenset(device.id for device in self._devices)
        self._running = self._used = False
        self._thread = threading.Thread(target=self._supervise, name=f"driver-{entry.name}", daemon=True)

    @property
    def name(self) -> str:
        """The driver's name in the configuration."""
        return self._entry.name

    @property
    def entry(self) -> DriverEntry:
        """Its table."""
        return self._entry

    @property
    def family(self) -> str:
        """The family's name."""
        return self._entry.family.name

    @property
    def devices(self) -> Sequence[DeviceConfig]:
        """The devices that it carries."""
        return self._devices

    @property
    def stop(self) -> threading.Event:
        """Set when the agent stops."""
        return self._stop

    def start(self) -> None:
        """Start the driver's thread, unless it was started before."""
        if self._thread.ident is None:
            self._thread.start()

    def close(self) -> None:
        """Wait (bounded) for the thread, after `stop` was set."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(JOIN_S)
        if self._thread.is_alive():
            self._log.error("does-not-stop", seconds=JOIN_S)

    def now_ms(self) -> int:
        """The agent's time, see `DriverContext.now_ms`."""
        return self._clock().now_ms()

    def utc_ms(self) -> int:
        """UTC as well as it is known, see `DriverContext.utc_ms`."""
        return self._clock().wall_ms()

    def system_ms(self) -> int:
        """The system clock, see `DriverContext.system_ms`."""
        return self._clock().system_ms()

    def state(self) -> Mapping[str, Any]:
        """What this driver stored last."""
        return self._stored_state(self.name)

    def emit(
        self,
        observations: Sequence[Observation],
        *,
        state: Mapping[str, Any] | None = None,
        durable: bool = False,
        timeout_s: float = 10.0,
    ) -> None:
        """Hand observations on, see `DriverContext.emit`. Raises RefusedError for a device that is not the driver's."""
        check_devices(observations, self._ids)
        self._pipeline().emit(self.name, observations, state=state, durable=durable, timeout_s=timeout_s)

    def status(
        self,
        device: str,
        *,
        online: bool,
        error: LiandongError | None = None,
        round_trip_s: float | None = None,
        jitter_s: float | None = None,
    ) -> None:
        """Report a device's condition; a transition is logged and told."""
        if device not in self._ids:
            raise DeviceError("edge.driver.not-its-device", device=device)
        before = self._board().condition(
            device,
            online=online,
            error=error,
            round_trip_s=round_trip_s,
            jitter_s=jitter_s,
            now_ms=self.now_ms(),
        )
        if before is online:
            return
        if online:
            self._log.info("device-online", device=device)
        else:
            self._log.warning("device-offline", device=device, error=error)
        self._told(self.name, device, online, error)

    def waiting(self, strangers: Sequence[Stranger], *, gone: Sequence[str] = (), refused: int = 0) -> None:
        """Report who waits to be approved, see `DriverContext.waiting`; the cloud hears of each, and of who is gone."""
        before = self._board().waiting(self.name, strangers, refused)
        here = {one.address for one in strangers}
        known = {one.address: one.described for one in before}
        for one in strangers:
            if known.get(one.address) != one.described:
                self._log.info("device-waiting", address=one.address, model=one.model)
                self._tell(WAITING, one.told())
        for address in sorted({*gone, *known} - here):
            self._tell(OVER, {"address": address})

    def _tell(self, kind: str, data: Mapping[str, Any]) -> None:
        about = {"driver": self.name, "family": self.family, **data}
        self._pipeline().tell(Event(device="", kind=kind, at_ms=self.now_ms(), data=about))

    def act(self, device: str, output: str, value: Value, timeout_s: float) -> None:
        """Write an output, see `Driver.act`. Raises DeviceError while the driver is down."""
        if not self._running:
            raise DeviceError("edge.driver.down", driver=self.name)
        self._driver.act(device, output, value, timeout_s)

    def firmware(self, device: str) -> str:
        """Which firmware a device runs; empty where nobody knows."""
        return self._driver.firmware(device) if isinstance(self._driver, KnowsFirmware) else ""

    def read(self, device: str, timeout_s: float) -> None:
        """Read a device now; returns once what it told is on the disk, also what is no news.

        Raises DeviceError while the driver is down or when the device is silent, RefusedError for a device that tells
        by itself only, UnavailableError or StorageError when the values could not be stored.
        """
        if not isinstance(self._driver, Reads):
            raise RefusedError("edge.command.no-read", device=device)
        if not self._running:
            raise DeviceError("edge.driver.down", driver=self.name)
        self._pipeline().between(lambda: self._pipeline().forget(device))
        self._driver.read(device, timeout_s)
        self._pipeline().emit(self.name, (), durable=True)

    def deliver(self) -> None:
        """Let the driver know whom the cloud has delivered, if it asks for people at all."""
        with self._delivering:  # two at a time could leave the older ones with the driver
            if isinstance(self._driver, KnowsPeople):
                self._driver.deliver(self._delivered())

    def _supervise(self) -> None:
        pause = FIRST_PAUSE_S
        while not self._stop.is_set():
            started_ms = self.now_ms()
            error = self._run_once()
            if self._stop.is_set():
                return
            lived_s = (self.now_ms() - started_ms) / 1000
            pause = FIRST_PAUSE_S if lived_s > MOST_PAUSE_S else min(MOST_PAUSE_S, pause * 2)
            for device in self._ids:
                self.status(device, online=False, error=error)
            self._stop.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter

    def _run_once(self) -> LiandongError:
        """Run the driver until it ends; why it ended, unless the agent stops."""
        error: LiandongError = DeviceError("edge.driver.ended", driver=self.name)
        try:
            if self._used:
                self._driver = self._entry.family.make(self._entry.settings)
            self.deliver()
            self._running = self._used = True
            self._board().driver(self.name, running=True)
            self._log.info("driver-started", family=self.family)
            self._driver.run(self)
        except LiandongError as failure:
            error = failure
            self._log.warning("driver-failed", error=failure)
        except Exception as failure:  # noqa: BLE001 - one driver's fault must not touch the others
            error = DeviceError("edge.driver.crashed", driver=self.name, why=repr(failure))
            self._log.error("driver-crashed", trace=True)
        finally:
            self._running = False
            stopping = self._stop.is_set()
            self._board().driver(self.name, running=False, error=None if stopping else error)
        return error
