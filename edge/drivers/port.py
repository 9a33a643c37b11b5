"""The port between the agent and a driver.

A driver is a folder: code, ``sample.toml`` (tested; it is also the documentation), tests with data. It owns its line,
runs in a thread of its own, reconnects by itself with backoff and jitter, bounds every wait, and returns from `run`
within two seconds of `ctx.stop` being set. What it raises out of `run` is logged and shown in `status`, and the agent
starts it again with backoff.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from edge.drivers.strangers import Stranger
from protocols.errors import LiandongError
from protocols.events import Observation, Value

if TYPE_CHECKING:
    from protocols.access.cardholders import Cardholders


class DeviceConfig(BaseModel):
    """``[[driver.device]]``: a device of this gateway. `id` is its Sparkplug device id, `type` a row of the catalogue.

    Families subclass it for what they must know of each device (unit address, reader address, topic …).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    type: str


class DriverContext(Protocol):
    """What the agent gives a driver. All methods may be called from any thread."""

    @property
    def name(self) -> str:
        """The driver's name in the configuration."""

    @property
    def stop(self) -> threading.Event:
        """Set when the agent stops; `ctx.stop.wait(seconds)` is a driver's only sleep."""

    def now_ms(self) -> int:
        """The agent's time in ms, near UTC: for stamps and durations. It never steps."""

    def utc_ms(self) -> int:
        """UTC in ms since 1970 as well as it is known: for calendars. It jumps when a wrong clock is corrected."""

    def system_ms(self) -> int:
        """What other programs on this machine take for UTC, ms since 1970: to read their times by. It may be wrong."""

    def state(self) -> Mapping[str, Any]:
        """What this driver stored last (plain JSON, at most 64 KB); empty at first."""

    def emit(
        self,
        observations: Sequence[Observation],
        *,
        state: Mapping[str, Any] | None = None,
        durable: bool = False,
        timeout_s: float = 10.0,
    ) -> None:
        """Hand observations on. `state` replaces the driver's stored state in the same transaction as they are stored.

        With `durable` (or with `state`) it returns only once they are on the disk: then the source may be acknowledged.
        Blocks at most `timeout_s` when the agent is behind; raises UnavailableError then, and nothing was taken.
        With `durable` or `state` it raises StorageError, too, when the disk refuses: nothing was taken then, either.
        """

    def status(
        self,
        device: str,
        *,
        online: bool,
        error: LiandongError | None = None,
        round_trip_s: float | None = None,
        jitter_s: float | None = None,
    ) -> None:
        """Report a device's condition; call it at every poll or frame, only transitions are logged and published.

        Online with an `error`: this question failed, and the device is not given up yet. That makes its error rate.
        `jitter_s`: by how much the time since its turn before differs from its period, where it has one.
        """

    def waiting(self, strangers: Sequence[Stranger], *, gone: Sequence[str] = (), refused: int = 0) -> None:
        """Report every device that is heard and not in the configuration, whenever that list changes.

        `gone`: addresses that were on the list as it was stored and are in the configuration by now. `refused`: how
        many messages came from devices for which the list has no room.
        """


class Driver(Protocol):
    """A running driver of one `[[driver]]` table."""

    @property
    def devices(self) -> Sequence[DeviceConfig]:
        """The devices that it carries; fixed for its life."""

    def run(self, ctx: DriverContext) -> None:
        """Work until `ctx.stop` is set. Owns and closes the line."""

    def act(self, device: str, output: str, value: Value, timeout_s: float) -> None:
        """Write an output and wait for the device's confirmation, at most `timeout_s`. Called from another thread.

        Raises DeviceError when the device refuses or is silent, RefusedError for an output that it does not have.
        """


@runtime_checkable
class Reads(Protocol):
    """A driver that can read a device when somebody wants it, and not only when its turn comes."""

    def read(self, device: str, timeout_s: float) -> None:
        """Ask `device` now; returns when all that it answered was handed to `ctx.emit`. Called from another thread.

        Raises DeviceError when the device is silent for `timeout_s`, RefusedError for one that cannot be asked.
        """


@runtime_checkable
class KnowsFirmware(Protocol):
    """A driver whose devices say which firmware they run."""

    def firmware(self, device: str) -> str:
        """As `device` said it last; empty while it has not. Called from another thread."""


@runtime_checkable
class KnowsPeople(Protocol):
    """A driver whose doors open for cardholders."""

    def deliver(self, cardholders: Cardholders | None) -> None:
        """Whom the cloud has delivered, from now on; None: it delivers nobody. Called from another thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverFamily:
    """How the agent makes a driver: the `FAMILY` of each ``edge.drivers.<family>`` package."""

    name: str
    config: type[BaseModel]  # the [[driver]] table: family, name, line settings, device = list[DeviceConfig subclass]
    make: Callable[[Any], Driver]
