"""Commands from the primary host: asked, ticketed, confirmed, carried out, answered (see `protocols.command`).

Everything about a command lives in RAM: after a restart there is no ticket left that an old message could use. Reading
a device at once goes the same way, in threads of its own, and so does an output that takes as long (a price): a slow
machine keeps no door waiting.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from edge.log import Log
from protocols import command, commissioning, configuration
from protocols import sets as delivered
from protocols.catalog import DEVICE_TYPES
from protocols.command import Ask, Confirm
from protocols.errors import DeviceError, LiandongError, ProtocolError, RefusedError
from protocols.events import Event, Value
from protocols.sparkplug.edge_node import Command
from protocols.sparkplug.payload import Metric

ACT_S: Final = 5.0
"""How long a device may take to confirm an output."""
MAX_WAITING: Final = 32
"""Commands that may wait to be looked at, and tickets that may be out, at one time."""
_REMEMBERED: Final = 1024
_WORKERS: Final = 4
MAX_READS: Final = 8
"""Devices that may be read, or wait to be, at one time."""
_READERS: Final = 2

Act = Callable[[str, str, Value, float], None]
Read = Callable[[str, float], None]
"""(device, timeout_s): read it now; returns once what it told is on the disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """An output that a host wants written. `until`: on the monotonic clock; after that it is too late."""

    id: UUID
    device: str
    output: str
    value: Value
    ticket: UUID
    until: float


class Commands:
    """Takes commands from the uplink's thread (`hear` never blocks), writes outputs in workers of its own."""

    def __init__(
        self,
        *,
        host: str,
        types: Mapping[str, str],
        away: Callable[[str], bool],
        act: Act,
        read: Read,
        configure: Callable[[object], None],
        deliver: Callable[[object], None],
        tell: Callable[[Event], None],
        now_ms: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
        walked: Callable[[object], None] = lambda _: None,
    ) -> None:
        """`host` alone is obeyed; `types`: device → row of the catalogue; `away`: whether a device is lost.

        `deliver` is given what is written to the gateway's sets, in its order; it must not block.

        `configure` is given what is written to the gateway's configuration, `walked` what is written to its walk test;
        they must not block.
        """
        self._host, self._types, self._away = host, types, away
        self._act, self._read_now, self._configure, self._walked = act, read, configure, walked
        self._deliver = deliver
        self._tell, self._now_ms, self._clock = tell, now_ms, clock
        self._log = Log("commands")
        self._lock = threading.Lock()
        self._wishes: OrderedDict[UUID, _Wish] = OrderedDict()
        self._taken: OrderedDict[UUID, None] = OrderedDict()
        self._running = 0
        self._closed = False
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="command")
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="read")
        self._reads = threading.BoundedSemaphore(MAX_READS)

    def hear(self, heard: Command) -> None:
        """A DCMD or NCMD, without what is the session's own business. Never blocks: with too many it is dropped."""
        if heard.device is None and any(metric.name == delivered.METRIC for metric in heard.metrics):
            for metric in heard.metrics:
                if metric.name == delivered.METRIC:
                    self._deliver(metric.value)
            return
        with self._lock:
            dropped = self._closed or self._running >= MAX_WAITING
            if not dropped:
                self._running += 1
                self._workers.submit(self._work, heard)
        if dropped:
            self._log.warning("command-dropped", device=heard.device or "-", limit=MAX_WAITING)

    def forget(self) -> None:
        """No ticket counts any more: what a device's name stands for is about to change."""
        with self._lock:
            self._wishes.clear()

    def close(self) -> None:
        """Start nothing new; wait for the outputs that are being written, at most `ACT_S` each."""
        with self._lock:
            self._closed = True
            self._wishes.clear()
        self._workers.shutdown(wait=True, cancel_futures=True)
        self._readers.shutdown(wait=True, cancel_futures=True)

    def _work(self, heard: Command) -> None:
        try:
            for metric in heard.metrics:
                self._read(heard.device, metric)
        except Exception:  # noqa: BLE001 - one command's fault must not hide in a future that nobody reads
            self._log.error("command-crashed", trace=True, device=heard.device or "-")
        finally:
            with self._lock:
                self._running -= 1

    def _read(self, device: str | None, metric: Metric) -> None:
        name = metric.name or ""
        output = command.output_of(name)
        if device is None and name == configuration.METRIC:
            self._configure(metric.value)
            return
        if device is None and name == commissioning.METRIC:
            self._walked(metric.value)
            return
        if device is None or output is None:
            self._log.warning("command-refused", device=device or "-", metric=name or metric.alias)
            return
        try:
            said = command.read(metric.value)
        except ProtocolError as error:
            self._log.warning("command-refused", device=device, metric=name, error=error)
            return
        if said.host != self._host:
            self._log.warning("command-of-another-host", device=device, output=output, host=said.host)
        elif isinstance(said, Ask):
            self._asked(said, device, output)
        else:
            self._confirmed(said, device, output)

    def _asked(self, ask: Ask, device: str, output: str) -> None:
        wish = _Wish(
            id=ask.id,
            device=device,
            output=output,
            value=ask.value,
            ticket=uuid.uuid4(),
            until=self._clock() + min(ask.ttl_ms, command.MAX_TICKET_MS) / 1000,
        )
        try:
            self._check(wish)
            if not self._keep(wish):
                self._log.info("command-known", id=ask.id, device=device, output=output)
                return
        except LiandongError as error:
            self._answer(wish, command.REFUSED, error)
        else:
            self._answer(wish, command.READY)

    def _check(self, wish: _Wish) -> None:
        """Raise RefusedError or DeviceError for what cannot be done anyway."""
        kind = self._types.get(wish.device)
        outputs = DEVICE_TYPES[kind].outputs if kind is not None else ()
        if wish.output == command.READ:
            if kind is None or not DEVICE_TYPES[kind].reads:
                raise RefusedError("edge.command.no-read", device=wish.device)
        elif wish.output not in outputs:
            allowed = ", ".join(outputs) or "-"
            raise RefusedError("edge.command.output", device=wish.device, output=wish.output, allowed=allowed)
        if self._away(wish.device):
            raise DeviceError("edge.command.away", device=wish.device)

    def _keep(self, wish: _Wish) -> bool:
        """Let the wish wait for its confirmation. False for one that has its ticket: that is stored and arrives."""
        now = self._clock()
        with self._lock:
            if wish.id in self._taken or wish.id in self._wishes or self._closed:
                return False
            for late in [key for key, kept in self._wishes.items() if kept.until <= now]:
                del self._wishes[late]
            if len(self._wishes) >= MAX_WAITING:
                raise DeviceError("edge.command.busy", limit=MAX_WAITING)
            self._wishes[wish.id] = wish
            return True

    def _confirmed(self, said: Confirm, device: str, output: str) -> None:
        wish = self._take(said, device, output)
        if wish is None:
            self._log.warning("command-without-ticket", id=said.id, device=device, output=output)
            return
        if not self._slow(wish):
            self._carry_out(wish)
        elif self._reads.acquire(blocking=False):
            try:
                self._readers.submit(self._carry_out, wish).add_done_callback(lambda _: self._reads.release())
            except RuntimeError:  # the agent stops
                self._reads.release()
        else:
            self._answer(wish, command.REFUSED, DeviceError("edge.command.busy", limit=MAX_READS))

    def _slow(self, wish: _Wish) -> bool:
        """Whether it takes as long as a reading: then it must not keep a door waiting."""
        kind = self._types.get(wish.device)
        return wish.output == command.READ or (kind is not None and wish.output in DEVICE_TYPES[kind].slow)

    def _carry_out(self, wish: _Wish) -> None:
        error: LiandongError | None = None
        try:
            if self._clock() >= wish.until:
                raise RefusedError("edge.command.late", device=wish.device, output=wish.output)
            self._check(wish)
            if wish.output == command.READ:
                self._read_now(wish.device, command.READ_S)
            else:
                self._act(wish.device, wish.output, wish.value, command.READ_S if self._slow(wish) else ACT_S)
        except LiandongError as failure:
            error = failure
        except Exception as failure:  # noqa: BLE001 - a driver's fault is an answer, too
            self._log.error("command-crashed", trace=True, device=wish.device, output=wish.output)
            error = DeviceError("edge.rules.action-crashed", device=wish.device, why=repr(failure))
        self._answer(wish, command.DONE if error is None else command.REFUSED, error)

    def _take(self, said: Confirm, device: str, output: str) -> _Wish | None:
        """The wish that this ticket is for, once."""
        with self._lock:
            wish = self._wishes.get(said.id)
            if wish is None or self._closed:
                return None
            if (wish.ticket, wish.device, wish.output) != (said.ticket, device, output):
                return None
            del self._wishes[said.id]
            self._taken[said.id] = None
            while len(self._taken) > _REMEMBERED:
                self._taken.popitem(last=False)
            return wish

    def _answer(self, wish: _Wish, kind: str, error: LiandongError | None = None) -> None:
        data: dict[str, Any] = {"id": str(wish.id), "device": wish.device, "output": wish.output, "value": wish.value}
        if kind == command.READY:
            data["ticket"] = str(wish.ticket)
        if error is not None:
            data |= {"error": error.code, "params": {key: str(value) for key, value in error.params.items()}}
        self._log.info(kind.replace(".", "-"), id=wish.id, device=wish.device, output=wish.output, error=error)
        self._tell(Event(device="", kind=kind, at_ms=self._now_ms(), data=data))
