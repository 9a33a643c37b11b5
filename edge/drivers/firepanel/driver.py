"""The server for fire panels: a report is acknowledged only after everything that it tells is on the disk."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from hashlib import blake2s
from typing import Any, Final

from edge.drivers.firepanel.config import PANEL, FireDevice, FirePanelConfig
from edge.drivers.firepanel.links import Link, Links
from edge.drivers.firepanel.meaning import Meaning, PanelMemory
from edge.drivers.port import DriverContext
from protocols.errors import DeviceError, LiandongError, RefusedError, StorageError, UnavailableError
from protocols.events import Observation, Reading, Value
from protocols.gb26875 import (
    ACK,
    DENY,
    REPLY,
    SEND,
    Arrived,
    Frame,
    answer,
    decode_gb26875,
    encode,
    question,
    read_time,
)

_LISTEN_S: Final = 0.25
_STORE_S: Final = 3.0
_REPEATED_MS: Final = 10 * 60 * 1000
"""A panel repeats what was not acknowledged within seconds; the same number with the same data later is news."""
_MOST_REMEMBERED: Final = 256


class FirePanelDriver:
    """Owns the listening socket and its connections."""

    def __init__(self, config: FirePanelConfig) -> None:
        self._config = config
        self._panels = {one.id: one for one in config.device if one.type == PANEL}
        self._meanings = {name: Meaning(one, config.device) for name, one in self._panels.items()}
        self._zone = timezone(timedelta(minutes=config.utc_offset_minutes))
        self._memories: dict[str, PanelMemory] = {}
        self._taken: dict[str, int] = {}
        self._heard_s: dict[str, float] = {}
        self._away: set[str] = set()
        self._links: Links | None = None
        self._questions = 0

    @property
    def devices(self) -> Sequence[FireDevice]:
        """The panels, and the components that have a device of their own."""
        return self._config.device

    @property
    def port(self) -> int | None:
        """The port that is listened at; None before `run` and after it."""
        return None if self._links is None else self._links.port

    def run(self, ctx: DriverContext) -> None:
        """Serve until `ctx.stop` is set. Raises DeviceError when the address cannot be used."""
        self._recall(ctx.state())
        began = time.monotonic()
        self._heard_s = dict.fromkeys(self._panels, began)
        links = Links(self._config)
        try:
            links.open()
            self._links = links
            while not ctx.stop.is_set():
                for link, arrived in links.wait(_LISTEN_S):
                    self._take(links, link, arrived, ctx)
                self._watch(links, ctx)
        finally:
            self._links = None
            links.close()

    def act(self, device: str, output: str, value: Value, timeout_s: float) -> None:
        """Nothing is switched at a panel from afar: always RefusedError."""
        raise RefusedError("edge.driver.gb26875.no-output", device=device, output=output)

    def _take(self, links: Links, link: Link, arrived: Arrived, ctx: DriverContext) -> None:
        frame = arrived.frame
        if not frame.fits:
            self._answer(links, link, arrived, DENY, ctx)
            return
        panel = self._whose(frame.source)
        if panel is None:
            self._stranger(f"{frame.source:012X}", links, ctx)
            self._answer(links, link, arrived, DENY, ctx)
            return
        link.panel, link.last = panel, frame
        self._heard_s[panel] = time.monotonic()
        self._online(panel, ctx)
        if frame.command not in (SEND, REPLY):
            if frame.command not in (ACK, DENY):
                self._answer(links, link, arrived, DENY, ctx)
            return
        try:
            readable = self._store(panel, arrived, ctx)
        except (UnavailableError, StorageError):
            return  # not on the disk: no answer, the panel sends it again
        if frame.command == SEND:
            self._answer(links, link, arrived, ACK if readable else DENY, ctx)

    def _store(self, panel: str, arrived: Arrived, ctx: DriverContext) -> bool:
        """Put what a report tells on the disk, once however often it comes; whether it could be read.

        Raises UnavailableError or StorageError when it is not on the disk.
        """
        at_ms, meaning = ctx.now_ms(), self._meanings[panel]
        document = decode_gb26875(arrived.raw)
        told, readable = document["frames"][0], bool(document["ok"])
        key = f"{panel}/{arrived.frame.sequence}/{blake2s(arrived.frame.data, digest_size=8).hexdigest()}"
        if len(arrived.frame.data) < 2 or 0 <= at_ms - self._taken.get(key, -_REPEATED_MS) < _REPEATED_MS:
            ctx.emit(self._offset(panel, arrived, ctx))
            return readable
        memory = PanelMemory.from_json(self._memories.get(panel, PanelMemory()).to_json())
        observations: list[Observation] = []
        if readable:
            observations = meaning.observations(told, memory, at_ms)
        if not readable or "objects" not in told:
            observations.append(meaning.unreadable(arrived.raw, document["findings"], at_ms))
        taken = {one: when for one, when in self._taken.items() if 0 <= at_ms - when < _REPEATED_MS} | {key: at_ms}
        taken = dict(list(taken.items())[-_MOST_REMEMBERED:])
        memories = self._memories | {panel: memory}
        state = {"taken": taken, "panels": {name: one.to_json() for name, one in memories.items()}}
        ctx.emit([*observations, *self._offset(panel, arrived, ctx)], state=state, durable=True, timeout_s=_STORE_S)
        self._memories, self._taken = memories, taken
        return readable

    def _offset(self, panel: str, arrived: Arrived, ctx: DriverContext) -> list[Reading]:
        """How far the panel's clock is ahead, in seconds; nothing when it does not say the time."""
        moment, _ = read_time(arrived.frame.time)
        if moment is None:
            return []
        ahead = moment.replace(tzinfo=self._zone).timestamp() - ctx.utc_ms() / 1000
        return [Reading(device=panel, metric="clock-offset", value=round(ahead), at_ms=ctx.now_ms())]

    def _answer(self, links: Links, link: Link, arrived: Arrived, command: int, ctx: DriverContext) -> None:
        links.send(link, encode(answer(arrived.frame, command, self._local(ctx))))

    def _local(self, ctx: DriverContext) -> datetime:
        """The time on a panel's clock."""
        return datetime.fromtimestamp(ctx.utc_ms() / 1000, self._zone)

    def _whose(self, source: int) -> str | None:
        """The panel with this address, or the one that was configured without an address."""
        text = f"{source:012X}"
        exact = (name for name, one in self._panels.items() if one.source == text)
        return next(exact, next((name for name, one in self._panels.items() if not one.source), None))

    def _online(self, panel: str, ctx: DriverContext, error: LiandongError | None = None) -> None:
        if error is None:
            self._away.discard(panel)
        else:
            self._away.add(panel)
        for one in self._config.device:
            if panel in (one.id, one.panel):
                ctx.status(one.id, online=error is None, error=error)

    def _stranger(self, source: str, links: Links, ctx: DriverContext) -> None:
        """An address that nobody has: whoever installs is told at the panels that are not connected."""
        for panel in self._panels.keys() - links.panels():
            self._online(panel, ctx, DeviceError("edge.driver.gb26875.stranger", source=source))

    def _watch(self, links: Links, ctx: DriverContext) -> None:
        for link in links.quiet():
            self._questions = self._questions + 1 & 0xFFFF
            whom = link.last or self._expected(links)
            links.ask(link, encode(question(whom, self._questions, self._local(ctx))))
        connected = links.panels()
        for panel in self._panels:
            silent_s = time.monotonic() - self._heard_s[panel]
            if panel not in connected and panel not in self._away and silent_s > self._config.lost_after_s:
                error = DeviceError("edge.driver.gb26875.away", listen=self._config.listen)
                self._online(panel, ctx, error)

    def _expected(self, links: Links) -> Frame:
        """As if it came from the panel that is missing; from nobody in particular while several are."""
        missing = [one.source for name, one in self._panels.items() if name not in links.panels()]
        source = int(missing[0] or "0", 16) if len(missing) == 1 else 0
        return Frame(sequence=0, command=SEND, time=bytes(6), source=source)

    def _recall(self, state: Mapping[str, Any]) -> None:
        self._taken = {str(key): int(when) for key, when in state.get("taken", {}).items()}
        self._memories = {
            name: PanelMemory.from_json(one) for name, one in state.get("panels", {}).items() if name in self._panels
        }
