"""The driver of one line of meters: visits each when its time has come, hands on what it tells, turns its valve."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from edge.drivers.meters.config import MeterDevice, MetersConfig
from edge.drivers.meters.line import line_of
from edge.drivers.polling import Polling, hand_on
from edge.drivers.port import DriverContext
from protocols.errors import DeviceError, RefusedError
from protocols.events import Reading, Value
from protocols.meters import Ask, Heard, Measured, Talk, order_valve, read_cjt188, read_dlt645, read_mbus
from protocols.meters.cjt188 import Learned
from protocols.meters.talk import LONGEST_ANSWER

_TRIES: Final = 3
"""A question whose answer was damaged is asked again at once; one that met silence is not."""
_GAP_S: Final = 0.5
"""DL/T 645-2007, 5.4: at most 500 ms between two bytes of an answer; serial servers need some of it, too."""
_ACKNOWLEDGED_S: Final = 0.3
"""An M-Bus meter that acknowledges does so within 330 bit times and 50 ms (EN 13757-2, 5.5)."""
_LISTEN_S: Final = 0.25
_MOVES_S: Final = 1.0
"""A motor needs seconds: the valve is looked at this often until it is where it was told to be."""
_BITS_PER_CHARACTER: Final = 11

_VALVE: Final = "valve-closed"

Begin = Callable[[Callable[[Measured], None]], Talk]


class MetersDriver:
    """Owns the line. An answer is handed on before the next question is sent."""

    def __init__(self, config: MetersConfig) -> None:
        self._config = config
        self._line = line_of(config)
        self._character_s = _BITS_PER_CHARACTER / config.baud
        self._devices = {device.id: device for device in config.device}
        self._learned = {device.id: Learned() for device in config.device}
        self._talks = {device.id: _talk(device, self._learned[device.id]) for device in config.device}
        self._stop = threading.Event()
        intervals_s = {device.id: device.interval_s for device in config.device}
        self._polling = Polling(config.name, intervals_s, self._line, self._visit, retry_max_s=config.retry_max_s)

    @property
    def devices(self) -> Sequence[MeterDevice]:
        """The meters of the line."""
        return self._config.device

    def run(self, ctx: DriverContext) -> None:
        """Read until `ctx.stop` is set; opens the line again by itself."""
        self._stop = ctx.stop
        self._polling.run(ctx)

    def act(self, device: str, output: str, value: Value, timeout_s: float) -> None:
        """``valve-closed`` of a meter with a valve: ordered once, and read back until the valve is there."""
        meter, until = self._devices[device], time.monotonic() + timeout_s
        if output != _VALVE or not meter.valve:
            raise RefusedError("edge.driver.meters.no-output", device=device, output=output)
        if not isinstance(value, bool):
            raise RefusedError("edge.driver.meters.needs-switch", device=device, output=output, value=value)
        where = {"device": device, "output": output, "value": value}
        late = DeviceError("edge.driver.meters.unconfirmed", **where, timeout_s=timeout_s)
        self._polling.act(device, timeout_s, lambda name, ctx: self._order(name, value, ctx), late)
        found: list[Measured] = []

        def look(name: str, ctx: DriverContext) -> float:
            return self._hold(name, self._talks[name], ctx, found)

        while (left := until - time.monotonic()) > 0:
            found.clear()
            self._polling.act(device, left, look, late)
            valve = next((one for one in found if one.metric == _VALVE), None)
            if valve is not None and valve.value is value:
                return
            if valve is not None and valve.quality == "bad":
                raise DeviceError("edge.driver.meters.valve-fault", device=device)
            if self._stop.wait(min(_MOVES_S, left)):
                raise DeviceError("edge.driver.down", driver=self._config.name)
        raise late

    def read(self, device: str, timeout_s: float) -> None:
        """Read a meter before those whose turn it is."""
        self._polling.read(device, timeout_s)

    def _visit(self, name: str, ctx: DriverContext) -> float:
        return self._hold(name, self._talks[name], ctx, [])

    def _order(self, name: str, closed: bool, ctx: DriverContext) -> float:
        meter, learned = self._devices[name], self._learned[name]
        if learned.order is None:
            self._visit(name, ctx)  # it tells in which order it takes the bytes of an identifier
        return self._hold(name, lambda tell: order_valve(meter.address, meter.meter_kind, closed, learned), ctx, [])

    def _hold(self, name: str, begin: Begin, ctx: DriverContext, found: list[Measured]) -> float:
        """Hold a talk with a meter and hand on what it tells, which is put into `found`, too."""
        told: list[Measured] = []
        slowest = 0.0
        talk = begin(told.append)
        try:
            ask = next(talk)
            while True:
                frame, took = self._exchange(self._devices[name], ask, ctx)
                slowest = max(slowest, took)
                try:
                    ask = talk.send(frame)
                except StopIteration:
                    return slowest
                finally:
                    found.extend(told)
                    self._hand_on(name, told, ctx)
        finally:
            talk.close()

    def _hand_on(self, name: str, told: list[Measured], ctx: DriverContext) -> None:
        at_ms = ctx.now_ms()
        readings = [
            Reading(device=name, metric=one.metric, value=one.value, at_ms=at_ms, quality=one.quality) for one in told
        ]
        told.clear()
        hand_on(readings, ctx)

    def _exchange(self, device: MeterDevice, ask: Ask, ctx: DriverContext) -> tuple[Any, float]:
        """The frame that answers `ask` and the seconds it took; None where an optional one is not answered."""
        for _ in range(_TRIES):
            began = time.monotonic()
            heard, data = self._listen(ask, ctx)
            if heard.frame is not None:
                return heard.frame, time.monotonic() - began
            if ask.optional:
                return None, 0.0
            if not data or heard.other or ctx.stop.is_set():
                break
        raise self._missing(device, heard, data)

    def _listen(self, ask: Ask, ctx: DriverContext) -> tuple[Heard, bytes]:
        """Send and listen; what was heard, and the bytes of it that are not the echo of the question."""
        self._line.write(ask.send)
        sent = time.monotonic() + len(ask.send) * self._character_s
        patience_s = min(_ACKNOWLEDGED_S, self._config.timeout_s) if ask.optional else self._config.timeout_s
        quiet = sent + patience_s
        end = quiet + LONGEST_ANSWER * self._character_s + _GAP_S
        data, heard = b"", Heard()
        while not ctx.stop.is_set() and (left := min(quiet, end) - time.monotonic()) > 0:
            more = self._line.read(min(left, _LISTEN_S))
            if not more:
                continue
            data = (data + more)[-2 * LONGEST_ANSWER :]
            heard = ask.listen(data)
            if heard.frame is not None:
                break
            quiet = max(quiet, time.monotonic() + _GAP_S)
        return heard, data.removeprefix(ask.send)

    def _missing(self, device: MeterDevice, heard: Heard, data: bytes) -> DeviceError:
        where, address = self._config.where, device.address
        if heard.other:
            return DeviceError("edge.driver.meters.other", address=address, line=where, other=heard.other)
        if data:
            return DeviceError("edge.driver.meters.garbled", address=address, line=where, heard=data[:16].hex(" "))
        return DeviceError("edge.driver.meters.silent", address=address, line=where)


def _talk(device: MeterDevice, learned: Learned) -> Begin:
    """What begins a visit to `device`; what is learned of a CJ/T 188 meter lives as long as the driver."""
    extra = [one.wanted() for one in device.extra]
    if device.protocol == "dlt645":
        lacks: set[int] = set()
        return lambda tell: read_dlt645(device.digits, device.edition, extra, lacks, tell)
    if device.protocol == "cjt188":
        kind, valve = device.meter_kind, device.valve
        return lambda tell: read_cjt188(device.address, kind, device.type, extra, learned, tell, valve=valve)
    address = device.secondary if device.primary is None else device.primary
    return lambda tell: read_mbus(address, device.type, extra, tell)
