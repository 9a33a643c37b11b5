"""The driver of one vending machine: reads its audit over DEX, hands on what it means, then lets the machine close."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import replace
from typing import Final

from edge.drivers.port import DeviceConfig, DriverContext
from edge.drivers.reads import ReadRequest, ReadRequests
from edge.drivers.vending.config import VendingConfig
from edge.drivers.vending.line import Line, LineError
from edge.drivers.vending.meaning import Memory, PriceWish, understand
from edge.drivers.vending.prices import OUTPUT, PriceOrders
from protocols.errors import DeviceError, LiandongError, RefusedError
from protocols.evadts import Audit, ddcmp, read
from protocols.evadts.dex import AuditReceived, Carrier, Closed, DexEvent, Failed, Greeted, Identity, Step, Timers
from protocols.evadts.facts import Slot
from protocols.evadts.prices import price_set
from protocols.events import Value

AnyCarrier = Carrier | ddcmp.Carrier

_log = logging.getLogger(__name__)

_REOPEN_S: Final = (0.25, 10.0)
_RETRY_S: Final = (0.2, 30.0)
_LISTEN_S: Final = 0.2
_BETWEEN_S: Final = 0.1  # the least pause between two sessions
_POLL_S: Final = 0.1
_BIDS: Final = 5
_DDCMP_TURNAROUND_S: Final = 0.040  # an optical head hears nothing sooner after it spoke (EVA-DTS 6.2, table 2)
_TOLERATED: Final = 2  # sessions that may fail in a row before the machine counts as offline


class VendingDriver:
    """Owns the line. The last block of an audit is acknowledged only when all that it tells is on the disk."""

    def __init__(self, config: VendingConfig) -> None:
        self._config = config
        self._device = config.device[0].id
        timers = Timers(byte=10 / config.baud, bids=_BIDS)
        self._timers = replace(timers, reply=_DDCMP_TURNAROUND_S) if config.link == "ddcmp" else timers
        self._identity = Identity(id=config.carrier, revision=config.revision)
        self._failures = 0
        self._damaged = 0
        self._next_s = 0.0
        self._asked_s: float | None = None
        self._round_trip_s: float | None = None
        self._memory: Memory | None = None  # since this start
        self._refused: LiandongError | None = None
        self._reads = ReadRequests()
        self._prices = PriceOrders(config.device[0])
        self._wanted: list[ReadRequest] = []

    @property
    def devices(self) -> Sequence[DeviceConfig]:
        """The one machine."""
        return self._config.device

    def run(self, ctx: DriverContext) -> None:
        """Read an audit every `interval_s`, and when the machine calls, until `ctx.stop` is set."""
        try:
            self._run(ctx)
        finally:
            down = DeviceError("edge.driver.down", driver=self._config.name)
            self._reads.refuse(down)
            self._prices.refuse(down)

    def read(self, device: str, timeout_s: float) -> None:
        """Read the machine's audit now: the session that begins next counts, not one that is under way."""
        self._reads.ask(device, timeout_s)

    def _run(self, ctx: DriverContext) -> None:
        first, longest = _REOPEN_S
        pause = first
        while not ctx.stop.is_set():
            opened = time.monotonic()
            try:
                with closing(Line(self._config)) as line:
                    self._serve(line, ctx)
            except LineError as error:
                self._reads.refuse(error)
                self._away(ctx, error)
                pause = first if time.monotonic() - opened > longest else pause
                ctx.stop.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter is no secret
                pause = min(2 * pause, longest)

    def act(self, device: str, output: str, value: Value, timeout_s: float) -> None:
        """`price` sets one, written ``selection=minor units`` (see `PriceOrders.give`); there is no other output."""
        if output != OUTPUT:
            raise RefusedError("edge.driver.vending.no-output", device=device, output=output)
        self._prices.give(value, timeout_s)

    def _away(self, ctx: DriverContext, error: LiandongError) -> None:
        ctx.status(self._device, online=False, error=error)

    def _serve(self, line: Line, ctx: DriverContext) -> None:
        """Sessions on an open line, until it is lost or `ctx.stop` is set."""
        carrier = self._carrier()
        self._next_s = time.monotonic()
        while not ctx.stop.is_set():
            now = time.monotonic()
            if not carrier.busy:
                while (request := self._reads.take()) is not None:
                    self._wanted.append(request)
            configuration = None if carrier.busy else self._next_price(ctx)
            if configuration is not None and isinstance(carrier, Carrier):
                self._next_s = now  # what it made of it is read right after
                step = carrier.send(configuration, now)
            elif not carrier.busy and (now >= self._next_s or self._wanted):
                self._asked_s = now
                self._next_s = now + self._config.interval_s
                step = carrier.start(now)
            else:
                data = line.read(self._patience(carrier, now))
                now = time.monotonic()
                step = carrier.feed(data, now) if data else carrier.poll(now)
                if data and self._asked_s is not None:
                    self._round_trip_s, self._asked_s = now - self._asked_s, None
            self._follow(step, carrier, line, ctx)

    def _carrier(self) -> AnyCarrier:
        return ddcmp.Carrier(self._timers) if self._config.link == "ddcmp" else Carrier(self._identity, self._timers)

    def _next_price(self, ctx: DriverContext) -> bytes | None:
        """The configuration to send now. That it may have been sent is on the disk before its first byte leaves.

        Whatever breaks off afterwards, the next audit says which price counts; nothing is sent a second time.
        """
        if self._memory is None or self._memory.wish is not None or self._memory.snapshot is None:
            return None  # the machine has not been read since this start, or owes an answer
        order = self._prices.take()
        if order is None:
            return None
        slot = self._memory.snapshot.slots.get(order.selection)
        if slot is None:
            known = ", ".join(self._memory.snapshot.slots) or "-"
            where = {"device": self._device, "selection": order.selection, "known": known}
            self._prices.refuse(RefusedError("edge.driver.vending.price-no-selection", **where))
            return None
        wish = PriceWish(selection=order.selection, price=order.price, before=slot.price)
        after = replace(self._memory, wish=wish)
        try:
            ctx.emit((), state=after.to_state(), durable=True)
        except LiandongError as error:
            self._prices.refuse(error)
            return None
        self._memory = after
        return price_set({order.selection: order.price}, communication_id=self._config.carrier)

    def _patience(self, carrier: AnyCarrier, now: float) -> float:
        """How long to listen: until a timer is due, and never longer than it takes to notice a stop."""
        times = [now + _LISTEN_S]
        if carrier.due is not None:
            times.append(carrier.due)
        elif not carrier.busy:
            times.append(self._next_s)
        return min(times) - now

    def _follow(self, step: Step, carrier: AnyCarrier, line: Line, ctx: DriverContext) -> None:
        if step.send:
            line.write(step.send)
        for event in step.events:
            self._on_event(event, carrier, line, ctx)

    def _on_event(self, event: DexEvent, carrier: AnyCarrier, line: Line, ctx: DriverContext) -> None:
        if isinstance(event, Greeted):
            _log.debug("device=%s machine=%s revision=%s word=%s", self._device, event.id, event.revision, event.word)
        elif isinstance(event, AuditReceived):
            try:
                self._store(event.data, carrier, line, ctx)
            except LineError:
                raise
            except LiandongError as error:
                self._refused = error
                self._follow(carrier.abandon(time.monotonic()), carrier, line, ctx)
            else:
                self._follow(carrier.confirm(time.monotonic()), carrier, line, ctx)
        elif isinstance(event, Closed):
            self._answer_reads(None)
            self._failures = 0
            self._next_s = max(self._next_s, time.monotonic() + _BETWEEN_S)
            ctx.status(self._device, online=True, round_trip_s=self._round_trip_s)
        elif isinstance(event, Failed):
            reason, self._refused = self._refused or event.error, None
            self._on_failure(reason, ctx)

    def _answer_reads(self, error: LiandongError | None) -> None:
        """The session has ended that those who want the audit read had begun."""
        wanted, self._wanted = self._wanted, []
        for request in wanted:
            request.finish(error)

    def _on_failure(self, error: LiandongError, ctx: DriverContext) -> None:
        self._answer_reads(error)
        self._failures += 1
        first, longest = _RETRY_S
        pause = min(first * 2.0 ** min(self._failures, 20), longest, self._config.interval_s)
        self._next_s = time.monotonic() + max(first, pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
        _log.debug("device=%s session failed: %s", self._device, error.code)
        if self._failures >= _TOLERATED:
            self._away(ctx, error)

    def _store(self, data: bytes, carrier: AnyCarrier, line: Line, ctx: DriverContext) -> None:
        """Hand on what the audit means, with the memory that goes with it, and return when it is on the disk.

        Meanwhile the machine is asked for patience. Raises DeviceError for an audit that had better be read again, and
        what `ctx.emit` raises.
        """
        audit = read(data)
        self._check(audit)
        memory = self._memory = Memory.from_state(ctx.state())
        observations, after = understand(memory, audit, device=self._device, now_ms=ctx.now_ms())
        with ThreadPoolExecutor(1, thread_name_prefix="vending store") as storing:
            stored = storing.submit(ctx.emit, observations, state=after.to_state(), durable=True)
            while not wait([stored], _POLL_S).done:
                self._follow(carrier.poll(time.monotonic()), carrier, line, ctx)
        stored.result()
        self._memory = after
        if memory.wish is not None and after.snapshot is not None:
            self._prices.settle(memory.wish, after.snapshot.slots.get(memory.wish.selection, Slot()).price)

    def _check(self, audit: Audit) -> None:
        """Refuse what is no audit; take a damaged one when it comes twice: every block fitted, so the machine errs."""
        if not audit.records:
            raise DeviceError("edge.driver.vending.unreadable", device=self._device)
        if audit.ok:
            self._damaged = 0
            return
        self._damaged += 1
        if self._damaged == 1:
            first = next(finding for finding in audit.findings if finding.level == "error")
            raise DeviceError("edge.driver.vending.damaged", device=self._device, why=first.what())
