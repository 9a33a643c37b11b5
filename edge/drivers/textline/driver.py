"""The driver of a line of text: asks device after device, or listens to those that speak by themselves."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from typing import Final

from edge.drivers.meters.line import line_of
from edge.drivers.polling import LineError, Polling, hand_on
from edge.drivers.port import DriverContext
from edge.drivers.textline.config import TextDevice, TextlineConfig
from edge.drivers.textline.lines import Lines
from protocols.errors import DeviceError, RefusedError
from protocols.events import Observation, Value
from protocols.picking import Rising

_LISTEN_S: Final = 0.25
_REOPEN_S: Final = (0.25, 10.0)
_SHOWN: Final = 60


class TextlineDriver:
    """Owns the line. What a line says is handed on before the next one is read."""

    def __init__(self, config: TextlineConfig) -> None:
        self._config = config
        self._line = line_of(config)
        self._lines = Lines(config.line_end.encode(config.encoding), config.most_bytes)
        self._devices = {device.id: device for device in config.device}
        self._patterns = {device.id: device.compiled() for device in config.device}
        self._rising = Rising()
        intervals_s = {device.id: device.interval_s for device in config.device}
        self._polling = Polling(config.name, intervals_s, self._line, self._visit, retry_max_s=config.retry_max_s)
        self._heard_s: dict[str, float] = {}
        self._spoke: set[str] = set()

    @property
    def devices(self) -> Sequence[TextDevice]:
        """The devices of the line."""
        return self._config.device

    def run(self, ctx: DriverContext) -> None:
        """Ask or listen until `ctx.stop` is set; opens the line again by itself."""
        if self._config.asks:
            self._polling.run(ctx)
        else:
            self._listen(ctx)

    def act(self, device: str, output: str, value: Value, timeout_s: float) -> None:
        """Such devices are only read: always RefusedError."""
        raise RefusedError("edge.driver.line.no-output", device=device, output=output)

    def read(self, device: str, timeout_s: float) -> None:
        """Ask a device before those whose turn it is. Raises RefusedError for one that speaks by itself."""
        if not self._config.asks:
            raise RefusedError("edge.driver.line.speaks", device=device)
        self._polling.read(device, timeout_s)

    def _visit(self, name: str, ctx: DriverContext) -> float:
        device = self._devices[name]
        self._lines.forget()
        began = time.monotonic()
        self._line.write(device.request.encode(self._config.encoding))
        heard = ""
        while not ctx.stop.is_set() and (left := began + self._config.timeout_s - time.monotonic()) > 0:
            for text in self._read(min(left, _LISTEN_S)):
                said = self._said(device, text, ctx.now_ms())
                if said is not None:
                    took = time.monotonic() - began
                    hand_on(said, ctx)
                    return took
                heard = text or heard
        if heard:
            raise DeviceError("edge.driver.line.other", device=name, line=self._config.where, heard=heard[:_SHOWN])
        raise DeviceError("edge.driver.line.silent", device=name, line=self._config.where)

    def _listen(self, ctx: DriverContext) -> None:
        first, longest = _REOPEN_S
        pause = first
        self._heard_s = dict.fromkeys(self._devices, time.monotonic())
        try:
            while not ctx.stop.is_set():
                try:
                    self._line.open()
                    pause = first if self._hear(ctx) else pause
                    self._tell_silent(ctx)
                except LineError as error:
                    self._line.close()
                    self._lines.forget()
                    for name in self._devices:
                        ctx.status(name, online=False, error=error)
                    ctx.stop.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads attempts, hides nothing
                    pause = min(2 * pause, longest)
        finally:
            self._line.close()

    def _hear(self, ctx: DriverContext) -> bool:
        """Whether a device said something."""
        heard = False
        for text in self._read(_LISTEN_S):
            for name, device in self._devices.items():
                said = self._said(device, text, ctx.now_ms())
                if said is not None:
                    heard = True
                    hand_on(said, ctx)
                    self._heard_s[name] = time.monotonic()
                    self._spoke.add(name)
                    ctx.status(name, online=True)
        return heard

    def _tell_silent(self, ctx: DriverContext) -> None:
        for name, device in self._devices.items():
            if time.monotonic() - self._heard_s[name] > device.silent_s:
                where, seconds = self._config.where, device.silent_s
                error = DeviceError("edge.driver.line.speechless", device=name, line=where, seconds=seconds)
                ctx.status(name, online=False, error=error)

    def _read(self, timeout_s: float) -> list[str]:
        encoding = self._config.encoding
        return [line.decode(encoding, "replace") for line in self._lines.feed(self._line.read(timeout_s))]

    def _said(self, device: TextDevice, text: str, at_ms: int) -> list[Observation] | None:
        """What a line says about `device`; None when it is not one of its lines."""
        groups: Mapping[str, str | None] | None = self._patterns[device.id].search(text)
        if groups is None:
            return None
        told: list[Observation] = []
        for place, pick in enumerate(device.value):
            raw = groups[pick.group]
            one = None if raw is None else pick.observation(device.id, device.type, raw, at_ms)
            news = self._rising.news(device.id, place, one) if self._config.asks else one
            told += [] if news is None else [news]
        return told
