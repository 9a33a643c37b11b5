"""The driver of devices that are read over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from edge.drivers.polling import Polling, hand_on
from edge.drivers.port import DriverContext
from edge.drivers.web.config import WebConfig, WebDevice, WebPick
from edge.drivers.web.fetch import Answer, Fetch
from protocols.bridged import read_json
from protocols.errors import DeviceError, RefusedError
from protocols.events import Observation, Value
from protocols.patterns import Pattern, compiled
from protocols.picking import Rising, at_pointer

_SEARCHED: Final = 8192
"""Characters of an answer that a pattern is searched in."""


class _Network:
    """What devices hang on that are all in the network: there is nothing to open."""

    def open(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class WebDriver:
    """Asks device after device. An answer is handed on before the next question."""

    def __init__(self, config: WebConfig) -> None:
        self._config = config
        self._fetches = {device.id: Fetch(device) for device in config.device}
        self._devices = {device.id: device for device in config.device}
        texts = {pick.pattern for device in config.device for pick in device.value if pick.pattern}
        self._patterns = {text: compiled(text) for text in texts}
        self._rising = Rising()
        intervals_s = {device.id: device.interval_s for device in config.device}
        self._polling = Polling(config.name, intervals_s, _Network(), self._visit, retry_max_s=config.retry_max_s)

    @property
    def devices(self) -> Sequence[WebDevice]:
        """The devices that are asked."""
        return self._config.device

    def run(self, ctx: DriverContext) -> None:
        """Ask until `ctx.stop` is set."""
        self._polling.run(ctx)

    def act(self, device: str, output: str, value: Value, timeout_s: float) -> None:
        """Such devices are only read: always RefusedError."""
        raise RefusedError("edge.driver.http.no-output", device=device, output=output)

    def read(self, device: str, timeout_s: float) -> None:
        """Ask a device before those whose turn it is."""
        self._polling.read(device, timeout_s)

    def _visit(self, name: str, ctx: DriverContext) -> float:
        device = self._devices[name]
        answer = self._fetches[name].get()
        at_ms = ctx.now_ms()
        told: list[Observation] = []
        for place, (pick, raw) in enumerate(self._values(device, answer)):
            one = None if raw is None else pick.observation(name, device.type, raw, at_ms)
            news = self._rising.news(name, place, one)
            told += [] if news is None else [news]
        if not told and all(pick.metric for pick in device.value):
            raise DeviceError("edge.driver.http.nothing", device=name, url=device.where)
        hand_on(told, ctx)
        return answer.took_s

    def _values(self, device: WebDevice, answer: Answer) -> list[tuple[WebPick, object]]:
        """Each pick with what stands at its place. Raises DeviceError for what is no JSON and must be."""
        document: object = None
        if any(pick.pointer for pick in device.value):
            try:
                document = read_json(answer.body)
            except (ValueError, RecursionError) as error:
                raise DeviceError("edge.driver.http.not-json", device=device.id, url=device.where) from error
        text = answer.body.decode("utf-8", "replace")[:_SEARCHED]
        return [
            (pick, at_pointer(document, pick.pointer) if pick.pointer else _found(self._patterns[pick.pattern], text))
            for pick in device.value
        ]


def _found(pattern: Pattern, text: str) -> str | None:
    for line in text.splitlines():
        groups = pattern.search(line)
        if groups is not None:
            return groups["value"]
    return None
