"""What waits in the gateways' outboxes, as each agent itself says: asked again and again, the last answer remembered.

A gateway that is dead or stands still confirms nothing, so what it said last still holds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge.local import ask
from protocols.errors import LiandongError

_EVERY_S: Final = 0.1
_WITHIN_S: Final = 0.4


@dataclass(slots=True)
class _Said:
    waiting: int = 0
    empty_ms: int = 0
    answered_ms: int = 0


class Outboxes:
    """One thread a gateway asks; `close` ends them. Everything else may be called from any thread."""

    def __init__(self, homes: Mapping[str, Path]) -> None:
        """`homes`: gateway → the directory that its agent works in."""
        self._said = {name: _Said() for name in homes}
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(name, home), name=f"lab-outbox-{name}", daemon=True)
            for name, home in homes.items()
        ]

    def start(self) -> None:
        """Begin to ask."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Ask no more."""
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(_WITHIN_S + 1)

    def waiting(self, gateways: Iterable[str]) -> int:
        """Messages of `gateways` that the cloud has not confirmed."""
        return sum(self._said[name].waiting for name in gateways)

    def empty_ms(self, gateway: str) -> int:
        """When nothing waited there last, ms since 1970 UTC; 0 for never. All from before that has arrived."""
        return self._said[gateway].empty_ms

    def not_empty_since(self, since_ms: int) -> dict[str, int]:
        """Gateways in which something has waited ever since `since_ms`, with how many messages wait now."""
        return {name: max(1, said.waiting) for name, said in self._said.items() if said.empty_ms < since_ms}

    def _ask(self, name: str, home: Path) -> None:
        said = self._said[name]
        while not self._stop.wait(_EVERY_S):
            asked_ms = time.time_ns() // 1_000_000
            try:
                parts = ask(home, {"ask": "status"}, _WITHIN_S)["parts"]
                data = next(part["data"] for part in parts if part["name"] == "outbox")
            except (LiandongError, KeyError, StopIteration):
                continue
            said.waiting = data["urgent"] + data["bulk"]
            if not said.waiting:
                said.empty_ms = asked_ms
