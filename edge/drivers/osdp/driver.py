"""The driver of an OSDP line: it owns the line, asks the doors what to do, and does it.

One thread. Reports of a reader are decided and stored before the next poll goes out, which is what acknowledges them.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from edge.drivers.osdp.config import OsdpConfig, ReaderConfig
from edge.drivers.osdp.doors import Doors
from edge.drivers.osdp.keys import check_key, key_of
from edge.drivers.osdp.line import SerialLine
from edge.drivers.osdp.orders import OUTPUTS, Order, Orders, output_name
from edge.drivers.osdp.panel import OFF, ON, ON_TIMED, Inputs, KeyInstalled, Local, Panel, Told, nobody
from edge.drivers.osdp.people import People
from edge.drivers.port import DriverContext
from edge.drivers.reads import ReadRequest, ReadRequests
from protocols.access import keypad
from protocols.access.cardholders import Cardholders, Roll
from protocols.access.door import Fact, Release, Restore, Step
from protocols.errors import DeviceError, RefusedError, StorageError, UnavailableError
from protocols.events import Event, Observation, Value

_TICK_S: Final = 0.025  # the library must be called every 20 to 50 ms
_ASK_S: Final = 60.0  # a report that got lost on the line is made up for by then
_STATUS_S: Final = 1.0
_GRACE_S: Final = 5.0  # the handshake takes one or two; before this nobody is called away
_BLINK_S: Final = 1.5  # the library gives a reader up for one damaged answer; who is back by then was never away
_AT_ONCE_S: Final = 0.1
_RETRY_LINE_S: Final = (0.25, 5.0)
_RETRY_READER_S: Final = (2.0, 15.0)
_RETRY_EMIT_S: Final = 1.0
_RETRY_STRIKE_S: Final = 2.0
_EMIT_S: Final = 0.5  # longer, and the readers would think the panel gone
_MAX_UNTOLD: Final = 1000
_BEEPS: Final = 3


@dataclass(slots=True, kw_only=True, eq=False)
class _Presence:
    """Whether a reader is there, since when it is not, and what is due when (monotonic)."""

    away_since: float
    status_at: float
    revive_at: float
    ask_at: float = 0.0
    online: bool = False
    tries: int = 0


class OsdpDriver:
    """See `edge.drivers.port.Driver`. Raises ConfigError at once when a key or the cardholders cannot be used."""

    def __init__(self, config: OsdpConfig) -> None:
        self._config = config
        self._firmware: dict[str, str] = {}
        for reader in config.device:
            check_key(reader)
        self._people = People(config.cardholders, delivered=config.delivered)
        self._orders = Orders()
        self._reads = ReadRequests()
        self._read: list[tuple[ReadRequest, bool]] = []
        self._untold: list[Observation] = []
        self._emit_at = 0.0
        self._strikes: dict[int, float] = {}  # readers that did not confirm what the door wants, and when to try again
        self._chance = random.Random()  # noqa: S311 - only spreads retries

    @property
    def devices(self) -> Sequence[ReaderConfig]:
        """The readers of this line."""
        return self._config.device

    @property
    def cardholders(self) -> Roll:
        """Whom the doors of this line know now."""
        return self._people.roll

    def deliver(self, cardholders: Cardholders | None) -> None:
        """Whom the cloud has delivered counts from the next look on, see `edge.drivers.port.KnowsPeople`."""
        self._people.deliver(cardholders)

    def run(self, ctx: DriverContext) -> None:
        """Open the line, again and again where it is not there, and serve its doors until `ctx.stop`."""
        self._people.changed(time.monotonic())
        self._doors = Doors(self._config, self._people.roll, ctx.state(), now_s=time.monotonic())
        self._readers = self._doors.readers
        self._keys = [key_of(reader) for reader in self._config.device]
        self._people.start()
        try:
            if self._people.fault is not None:
                self._tell(ctx, self._doors.told_of_store(self._people.versions, self._people.fault, ctx.now_ms()))
            self._serve(ctx)
        finally:
            self._people.close()
            self._orders.refuse()
            self._reads.refuse(DeviceError("edge.driver.down", driver=self._config.name))

    def _serve(self, ctx: DriverContext) -> None:
        tries = 0
        while not ctx.stop.is_set():
            try:
                line = SerialLine(self._config.port, self._config.baudrate)
            except DeviceError as error:
                for reader in self._readers:
                    ctx.status(reader.config.id, online=False, error=error)
                tries += 1
                self._without_line(ctx, self._backoff(_RETRY_LINE_S, tries))
                continue
            tries = 0
            try:
                self._with_line(ctx, line)
            finally:
                line.close()

    def read(self, device: str, timeout_s: float) -> None:
        """Ask the reader for its inputs and its own condition."""
        self._reads.ask(device, timeout_s)

    def firmware(self, device: str) -> str:
        """As the reader said it when it came online last."""
        return self._firmware.get(device, "")

    def act(self, device: str, output: str, value: Value, timeout_s: float) -> None:
        """`release` (until `restore`), `restore`, `unlock` (once), `beep` or `forgive`, each with a true value.

        `forgive` ends what anti-passback knows of the areas at this door. ``output-N`` is switched on or off.

        Returns when the reader has carried it out. A release or restore that raises DeviceError is kept all the same,
        and takes effect when the reader is back.
        """
        reader = next((one for one in self._config.device if one.id == device), None)
        more = {} if reader is None else {output_name(number): number for number in reader.more_outputs}
        names = [
            *(name for name in OUTPUTS if name != "forgive" or (reader and (reader.enters or reader.leaves))),
            *more,
        ]
        if reader is None or output not in names:
            raise RefusedError("edge.driver.osdp.output", device=device, output=output, allowed=", ".join(names))
        if not (value is True or (output in more and value is False)):
            raise RefusedError("edge.driver.osdp.value", device=device, output=output, value=value)
        self._orders.give(device, output, timeout_s, number=more.get(output), on=value)

    # The line is there.

    def _with_line(self, ctx: DriverContext, line: SerialLine) -> None:
        panel = Panel(line, list(zip(self._config.device, self._keys, strict=True)))
        now = time.monotonic()
        presences = [
            _Presence(away_since=now, status_at=now + _GRACE_S, revive_at=now + _GRACE_S) for _ in self._readers
        ]
        try:
            while not ctx.stop.is_set() and line.failed is None:
                for index, told in panel.refresh():
                    self._heard(ctx, panel, index, told)
                self._answer_reads(ctx, panel)
                for index, presence in enumerate(presences):
                    self._watch(ctx, panel, line, index, presence)
                self._obey(ctx, panel)
                self._look(ctx)
                line.wait(_TICK_S)
        finally:
            panel.close()
            for index, reader in enumerate(self._readers):
                reader.away()
                self._doors.gone(index, time.monotonic())

    def _heard(self, ctx: DriverContext, panel: Panel, index: int, told: Told) -> None:
        reader, now_ms = self._readers[index], ctx.now_ms()
        if isinstance(told, Local | Inputs):
            self._tell(ctx, reader.conditions(told, now_ms))
        elif isinstance(told, KeyInstalled):
            self._tell(ctx, [Event(device=reader.config.id, kind="access.key-installed", at_ms=now_ms, data={})])
        for fact in self._doors.facts(index, told, now_ms, ctx.utc_ms()):
            self._take(ctx, panel, index, fact)
        if reader.wants_code:
            panel.light(index, "amber", keypad.BETWEEN_MS / 1000)
            panel.beep(index, 1, nobody)

    def _take(
        self, ctx: DriverContext, panel: Panel, index: int, fact: Fact, confirm: Callable[[bool], None] | None = None
    ) -> None:
        result, told = self._doors.take(index, fact, ctx.now_ms())
        self._perform(ctx, panel, index, result, confirm)
        self._tell(ctx, told)

    def _perform(
        self, ctx: DriverContext, panel: Panel, index: int, result: Step, confirm: Callable[[bool], None] | None
    ) -> None:
        config = self._readers[index].config
        if result.strike == "pulse":
            panel.output(index, config.strike_output, ON_TIMED, config.unlock_s, confirm or nobody)
        elif result.strike in ("hold", "lock"):
            self._set_strike(ctx, panel, index, confirm)
        elif confirm is not None:
            confirm(True)
        if result.feedback != "none":
            granted = result.feedback == "granted"
            panel.light(index, "green" if granted else "red", config.unlock_s if granted else 2.0)
            panel.beep(index, 1 if granted else 2, nobody)

    def _set_strike(
        self, ctx: DriverContext, panel: Panel, index: int, confirm: Callable[[bool], None] | None = None
    ) -> None:
        """Bring the strike where the door wants it, and tell `released` once the reader has confirmed."""
        reader = self._readers[index]
        released = reader.state.released
        self._strikes.pop(index, None)

        def confirmed(done: bool) -> None:
            if done:
                self._tell(ctx, [reader.reading("released", released, ctx.now_ms())])
            elif reader.state.released is released:
                self._strikes[index] = time.monotonic() + _RETRY_STRIKE_S
            if confirm is not None:
                confirm(done)

        panel.output(index, reader.config.strike_output, ON if released else OFF, 0, confirmed)

    def _watch(self, ctx: DriverContext, panel: Panel, line: SerialLine, index: int, presence: _Presence) -> None:
        reader, now, online = self._readers[index], time.monotonic(), panel.online(index)
        if online and not presence.online:
            self._doors.here(index)
            presence.tries, presence.ask_at = 0, now + _ASK_S
            self._firmware[reader.config.id] = panel.firmware(index)
            self._set_strike(ctx, panel, index)
            panel.ask(index)
        elif presence.online and not online:
            panel.forget(index)
            reader.away()
            self._doors.gone(index, now)
            presence.away_since, presence.status_at = now, now + _BLINK_S
            presence.tries, presence.revive_at = 0, now + _AT_ONCE_S
        came = online and not presence.online
        presence.online = online
        if came or now >= presence.status_at:
            presence.status_at = now + _STATUS_S
            self._report(ctx, line, reader.config, presence)
        if not online:
            if now >= presence.revive_at:
                presence.revive_at = now + self._backoff(_RETRY_READER_S, presence.tries)
                presence.tries += 1
                panel.revive(index)
            return
        if now >= presence.ask_at:
            presence.ask_at = now + _ASK_S
            panel.ask(index)
        if now >= self._strikes.get(index, now + 1):
            self._set_strike(ctx, panel, index)
        now_ms = ctx.now_ms()  # first: should this thread stand still in between, the answer only seems older
        reader.heard(now_ms - round((time.monotonic() - line.heard_at(reader.config.address)) * 1000))
        self._tell(ctx, reader.elapse(now_ms))
        for fact in self._doors.waited(index, ctx.now_ms(), ctx.utc_ms()):
            self._take(ctx, panel, index, fact)

    def _look(self, ctx: DriverContext) -> None:
        """Take up another cardholder file, notice areas that cannot be seen, and tell what waits to be told."""
        told = self._doors.look(time.monotonic(), ctx.now_ms())
        if self._people.changed(time.monotonic()):
            self._doors.cardholders = self._people.roll
            told += self._doors.told_of_store(self._people.versions, self._people.fault, ctx.now_ms())
        self._tell(ctx, told)

    def _report(self, ctx: DriverContext, line: SerialLine, config: ReaderConfig, presence: _Presence) -> None:
        if presence.online:
            ctx.status(config.id, online=True, round_trip_s=line.round_trip_s)
            return
        # A reader with another key answers each new try, and gets no further.
        latest = max(presence.away_since, time.monotonic() - 2 * _RETRY_READER_S[1])
        code = "refused" if line.heard_at(config.address) > latest else "silent"
        error = DeviceError(f"edge.driver.osdp.{code}", device=config.id, address=config.address)
        ctx.status(config.id, online=False, error=error)

    # Orders.

    def _obey(self, ctx: DriverContext, panel: Panel) -> None:
        for order in self._orders.taken():
            index = self._index(order.device)
            if order.output == "forgive":
                self._forgive(ctx, order)
            elif order.number is not None:
                panel.output(index, order.number, ON if order.on else OFF, 0, order.confirm)
            elif order.fact is None:
                panel.beep(index, _BEEPS, order.confirm)
            elif panel.online(index) or isinstance(order.fact, Release | Restore):
                self._take(ctx, panel, index, order.fact, order.confirm)
            else:
                order.confirm(False)

    def _forgive(self, ctx: DriverContext, order: Order) -> None:
        self._tell(ctx, self._doors.forgive(self._index(order.device), ctx.now_ms(), why="command"))
        order.finish()

    def _answer_reads(self, ctx: DriverContext, panel: Panel) -> None:
        """Begin what somebody wants read; end what has been: what the reader said was taken just before."""
        answered, self._read = self._read, []
        for request, done in answered:
            index = self._index(request.device)
            if done:
                self._tell(ctx, self._readers[index].readings(ctx.now_ms()))
            address = self._readers[index].config.address
            silent = DeviceError("edge.driver.osdp.silent", device=request.device, address=address)
            request.finish(None if done else silent)
        while (wanted := self._reads.take()) is not None:
            panel.ask(self._index(wanted.device), self._noted(wanted))

    def _noted(self, request: ReadRequest) -> Callable[[bool], None]:
        return lambda done: self._read.append((request, done))

    def _without_line(self, ctx: DriverContext, seconds: float) -> None:
        """Wait for the line. An emergency release or its end is kept meanwhile, and takes effect with the line."""
        until = time.monotonic() + seconds
        while not ctx.stop.wait(min(0.1, max(0.0, until - time.monotonic()))):
            for order in self._orders.taken():
                if order.output == "forgive":
                    self._forgive(ctx, order)
                elif isinstance(order.fact, Release | Restore):
                    self._tell(ctx, self._doors.take(self._index(order.device), order.fact, ctx.now_ms())[1])
                order.confirm(False)
            self._look(ctx)
            if time.monotonic() >= until:
                return

    def _index(self, device: str) -> int:
        return next(i for i, config in enumerate(self._config.device) if config.id == device)

    # What the agent is told.

    def _tell(self, ctx: DriverContext, observations: list[Observation]) -> None:
        """Hand on, with the doors' state. What the agent does not take (behind, disk full) waits; the doors go on."""
        self._untold += observations
        if not self._untold or (not observations and time.monotonic() < self._emit_at):
            return
        del self._untold[:-_MAX_UNTOLD]
        state = self._doors.to_state()
        try:
            ctx.emit(self._untold, state=state, durable=True, timeout_s=_EMIT_S)
        except (UnavailableError, StorageError):
            self._emit_at = time.monotonic() + _RETRY_EMIT_S
            return
        self._untold = []

    def _backoff(self, bounds: tuple[float, float], tries: int) -> float:
        first, longest = bounds
        return min(longest, first * float(2 ** min(tries, 10))) * self._chance.uniform(0.7, 1.3)
