"""What other threads ask the driver of a line to do, in a bounded queue for its own thread."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from protocols.access.door import Fact, Release, Restore, Unlock
from protocols.catalog import DEVICE_TYPES
from protocols.errors import DeviceError, LiandongError

OUTPUTS: Final[dict[str, Fact | None]] = {
    "release": Release(),
    "restore": Restore(),
    "unlock": Unlock(),
    "beep": None,
    "forgive": None,
}
"""The outputs of a door, and what each is to the door's state machine."""


def output_name(number: int) -> str:
    """The output that a further output of a reader is."""
    return f"output-{number}"


_MOST_WAITING: Final = 16
_LASTING: Final = ("release", "restore")


@dataclass(slots=True, kw_only=True, eq=False)
class Order:
    """One output of one door. `until` is monotonic; afterwards nobody waits for it any more.

    `number` is that of a further output of the reader, which is to be `on` or not.
    """

    device: str
    output: str
    until: float
    number: int | None = None
    on: bool = True
    _done: threading.Event = field(default_factory=threading.Event)
    _error: LiandongError | None = None

    @property
    def fact(self) -> Fact | None:
        """What it is to the door."""
        return OUTPUTS.get(self.output)

    def finish(self, error: LiandongError | None = None) -> None:
        """It was done, or `error` says why not. The first call counts."""
        if not self._done.is_set():
            self._error = error
            self._done.set()

    @property
    def confirm(self) -> Callable[[bool], None]:
        """What is called with whether the reader has carried it out."""

        def confirmed(done: bool) -> None:
            failed = DeviceError("edge.driver.osdp.not-done", device=self.device, output=self.output)
            self.finish(None if done else failed)

        return confirmed

    def wait(self, timeout_s: float) -> None:
        """Return when it is done. Raises what it was finished with, and DeviceError after `timeout_s`."""
        if not self._done.wait(timeout_s):
            raise DeviceError(
                "edge.driver.osdp.unconfirmed", device=self.device, output=self.output, timeout_s=timeout_s
            )
        if self._error is not None:
            raise self._error


class Orders:
    """`give` is for any thread, `taken` and `refuse` for the driver's own."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[Order] = queue.Queue(_MOST_WAITING)

    def give(self, device: str, output: str, timeout_s: float, *, number: int | None = None, on: bool = True) -> None:
        """Have `output` done, and wait for it. Raises DeviceError."""
        order = Order(device=device, output=output, until=time.monotonic() + timeout_s, number=number, on=on)
        try:
            self._waiting.put_nowait(order)
        except queue.Full:
            raise DeviceError("edge.driver.osdp.busy", device=device, output=output) from None
        order.wait(timeout_s)

    def taken(self) -> list[Order]:
        """What somebody still waits for; an emergency counts also when nobody waits, unless a later order ends it."""
        orders: list[Order] = []
        while not self._waiting.empty():
            order = self._waiting.get_nowait()
            over = DEVICE_TYPES["door"].ended_by(order.output)
            for other in [one for one in orders if one.device == order.device and one.output in over]:
                if time.monotonic() >= other.until:
                    orders.remove(other)
            if time.monotonic() < order.until or order.output in _LASTING:
                orders.append(order)
        return orders

    def refuse(self) -> None:
        """Nothing can be done now: whoever waits is told."""
        while not self._waiting.empty():
            self._waiting.get_nowait().confirm(False)
