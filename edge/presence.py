"""Which devices are lost: told when it changes, and remembered over a restart."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from edge.log import Log
from protocols.errors import LiandongError
from protocols.events import Event

AGENT: Final = "@agent"
"""Under this name the agent stores a state of its own beside those of the drivers."""

State = Mapping[str, Any]


class Presence:
    """May be used from any thread. `types` are the devices that there are now."""

    def __init__(
        self, types: Mapping[str, str], emit: Callable[[Event, State], None], now_ms: Callable[[], int]
    ) -> None:
        """`emit` puts an event and the state that goes with it on the disk together; it raises LiandongError."""
        self._types, self._emit, self._now_ms = types, emit, now_ms
        self._log = Log("agent")
        self._lock = threading.Lock()
        self._lost: set[str] = set()

    def restore(self, state: State) -> None:
        """Go on from what was stored."""
        with self._lock:
            self._lost = set(state.get("offline", ())) & self._types.keys()

    def arrange(self) -> None:
        """The devices are others now."""
        with self._lock:
            self._lost &= self._types.keys()

    def told(self, driver: str, device: str, *, online: bool, error: LiandongError | None) -> None:
        """A device was lost or answers again: the event and the list of the lost go to the disk together."""
        with self._lock:
            known_lost = device in self._lost
            (self._lost.discard if online else self._lost.add)(device)
            if online == known_lost:
                self._store(driver, device, online=online, error=error)

    def _store(self, driver: str, device: str, *, online: bool, error: LiandongError | None) -> None:
        data: dict[str, object] = {"device": device, "driver": driver}
        if error is not None:
            data |= error.data()
        kind = "device.online" if online else "device.offline"
        try:
            event = Event(device=device, kind=kind, at_ms=self._now_ms(), data=data)
            self._emit(event, {"offline": sorted(self._lost)})
        except LiandongError as failure:
            self._log.error("not-taken", what=kind, device=device, error=failure)
