"""Keeps the clock: looks once a second, remembers on the disk, places what has no time yet, tells what happened."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from edge.clock.clock import Clock
from edge.clock.placing import place
from edge.clock.values import Corrected, Known, Memory, News, Word
from edge.log import Log
from edge.outbox.stamp import Boot
from protocols.errors import StorageError
from protocols.events import Event

LOOK_S: Final = 1.0
SAVE_S: Final = 300.0
_MEMORY: Final = TypeAdapter(Memory)


class Boots(Protocol):
    """What the outbox knows of boots (`edge.outbox.stamp`)."""

    def boots(self) -> list[Boot]:
        """Every boot of which something is held, the oldest first."""

    def set_offset(self, boot: int, offset_ms: int, *, estimated: bool = False) -> bool:
        """Say once and for good what the time was in a boot. False when that was said before."""


def remembered(file: Path) -> Memory | None:
    """What an agent before this one left in `file`; None when there is nothing that can be read."""
    try:
        return _MEMORY.validate_json(file.read_bytes(), strict=True)
    except (OSError, ValidationError):
        return None


class ClockKeeper:
    """One thread. `hear` may be called from any thread."""

    def __init__(self, clock: Clock, boots: Boots, file: Path, tell: Callable[[Event], None]) -> None:
        """`file`: where `remembered` finds it again. `tell`: takes events of the agent, from any thread."""
        self._clock, self._boots, self._file, self._tell = clock, boots, file, tell
        self._log = Log("clock")
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._placed: bool | None = False
        """None: the disk refuses."""
        self._save_at = 0.0
        self._thread = threading.Thread(target=self._run, name="clock", daemon=True)

    def start(self) -> None:
        """Place what waits, if the time is known; then look, from now on."""
        self._work([])
        self._thread.start()

    def close(self) -> None:
        """End; remember the time."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(5.0)
        self._save()

    def hear(self, word: Word) -> None:
        """The primary host told its time."""
        news = self._clock.hear(word)
        if news:
            self._work(news)

    def _run(self) -> None:
        while not self._stop.wait(LOOK_S):
            try:
                self._work(self._clock.look())
            except Exception:  # noqa: BLE001 - a clock that nobody looks at any more would go wrong unseen
                self._log.error("clock-look-crashed", trace=True)

    def _work(self, news: list[News]) -> None:
        with self._lock:
            for one in news:
                self._tell_news(one)
            due = self._clock.steady_s() >= self._save_at
            if self._clock.known and (due or not self._placed):
                self._place()
            if due or any(isinstance(one, Known | Corrected) for one in news):
                self._save()

    def _tell_news(self, one: News) -> None:
        kind = {"Known": "clock.known", "Stepped": "clock.stepped", "Corrected": "clock.corrected"}[type(one).__name__]
        data: dict[str, Any] = asdict(one)
        self._log.warning(kind.replace(".", "-"), **data)
        self._event(kind, data)

    def _event(self, kind: str, data: dict[str, Any]) -> None:
        self._tell(Event(device="", kind=kind, at_ms=self._clock.now_ms(), data=data))

    def _place(self) -> None:
        """The time is known: say so of this boot, and put those before it that never learned it between the others."""
        learned = self._clock.learned_ms
        assert learned is not None
        try:
            boots = self._boots.boots()
            for boot in boots:
                if boot.uuid == UUID(self._clock.boot):
                    self._boots.set_offset(boot.row, learned)
            for found in place(self._boots.boots()):
                if self._boots.set_offset(found.row, found.offset_ms, estimated=True):
                    data = {"from_ms": found.first_ms, "to_ms": found.last_ms, "within_ms": found.within_ms}
                    self._log.warning("clock-time-estimated", **data)
                    self._event("clock.time-estimated", data)
        except StorageError as error:
            if self._placed is not None:
                self._log.error("not-placed", error=error)
            self._placed = None
        else:
            self._placed = True

    def _save(self) -> None:
        """The next agent must not begin with an older time, whatever the machine's clock shows then."""
        self._save_at = self._clock.steady_s() + SAVE_S
        written = self._file.with_name(self._file.name + ".new")
        try:
            with written.open("w", encoding="utf-8") as file:
                json.dump(asdict(self._clock.memory), file)
                file.flush()
                os.fsync(file.fileno())
            written.replace(self._file)
        except OSError as error:
            self._log.error("not-remembered", file=self._file, error=error)
