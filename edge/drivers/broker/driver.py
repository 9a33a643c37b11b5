"""The driver of a bridge on the gateway's own broker: messages become observations, acknowledged once on the disk."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from edge.drivers.broker.config import BrokerTable
from edge.drivers.broker.memory import Memory
from edge.drivers.broker.session import Incoming, Session
from edge.drivers.port import DeviceConfig, DriverContext
from edge.drivers.strangers import Strangers
from edge.log import Log
from protocols.errors import DeviceError, ProtocolError, StorageError, UnavailableError
from protocols.events import Observation

_BATCH: Final = 32
_AGREE_MS: Final = 2000
_ON_ITS_WAY_S: Final = 600.0
_LISTEN_S: Final = 0.25
_STORE_S: Final = 1.5
_BEHIND_S: Final = 0.5
_BROKER_GRACE_S: Final = 5.0


class BridgeDriver:
    """Owns the session with the broker. `run` works in its thread; what a bridge says is its family's to read."""

    def __init__(self, config: BrokerTable, topics: str) -> None:
        """`topics`: the filter of all that the bridge says."""
        self._broker = config
        self._session = Session(config, topics, self._hear)
        self._log = Log(f"driver.{config.name}")
        self._told = (0, 0)
        self._ahead: dict[int, float] = {}
        self._memory = Memory({})
        self._strangers = Strangers((), ())

    @property
    def devices(self) -> Sequence[DeviceConfig]:
        """The devices that the configuration names."""
        raise NotImplementedError

    @property
    def _addresses(self) -> Collection[str]:
        """How the bridge calls them."""
        raise NotImplementedError

    def _begin(self, now_s: float) -> None:
        """Before the first message; the memory is there."""
        raise NotImplementedError

    def _read_one(self, message: Incoming, now_ms: int) -> Sequence[Observation]:
        """What a message says. Raises ProtocolError."""
        raise NotImplementedError

    def _away(self, device: DeviceConfig, now_s: float) -> tuple[bool, DeviceError | None]:
        """Whether anything is known of a device, and why it counts as lost; the broker is there."""
        raise NotImplementedError

    def _hear(self, message: Incoming) -> None:
        """On the network thread, at once."""

    def _tend(self) -> None:
        """Between two batches."""

    def _was_stored(self, message: Incoming) -> None:
        """What `message` told is on the disk."""

    def _leave(self) -> None:
        """The driver ends."""

    def run(self, ctx: DriverContext) -> None:
        """Listen until `ctx.stop` is set; the session connects again by itself."""
        stored: Mapping[str, Any] = ctx.state()
        self._memory = Memory(stored)
        self._ahead = dict.fromkeys(self._memory.ahead, time.monotonic())
        self._strangers = Strangers(stored.get("strangers"), self._addresses)
        self._begin(time.monotonic())
        self._session.open()
        try:
            while not ctx.stop.is_set():
                self._tend()
                batch = self._session.take(_BATCH, _LISTEN_S)
                self._compare_clocks(ctx, time.monotonic())
                if self._store(self._read(batch, ctx.now_ms()), ctx):
                    for message in batch:
                        self._session.acknowledge(message)
                        self._was_stored(message)
                self._tell_strangers(ctx)
                self._tell_presence(ctx)
                self._tell_session()
        finally:
            self._session.close()
            self._leave()

    def _read(self, batch: Sequence[Incoming], now_ms: int) -> list[Observation]:
        told: list[Observation] = []
        for message in batch:
            try:
                told += self._read_one(message, now_ms)
            except ProtocolError as error:
                self._log.warning("unreadable", topic=message.topic, error=error)
        return told

    def _compare_clocks(self, ctx: DriverContext, now_s: float) -> None:
        """By how much our time is ahead of the system clock, by which the bridge dates, and was a while ago."""
        ahead_ms = ctx.now_ms() - ctx.system_ms()
        near = next((known for known in self._ahead if abs(known - ahead_ms) <= _AGREE_MS), None)
        if near is None:
            near = ahead_ms if abs(ahead_ms) > _AGREE_MS else 0
        self._ahead[near] = now_s
        # What was dated before the clock was set may still be on its way.
        self._ahead = {known: at_s for known, at_s in self._ahead.items() if now_s - at_s <= _ON_ITS_WAY_S}
        self._memory.note_ahead(self._ahead)

    @property
    def _clocks_ahead(self) -> tuple[int, ...]:
        """What `observed_at` reads a bridge's time by: what waited in the broker may be of a time when both agreed."""
        return (0, *self._ahead)

    def _store(self, told: Sequence[Observation], ctx: DriverContext) -> bool:
        """Put observations and memory on the disk in one transaction; False when the agent stops before."""
        if not told and not self._memory.changed and not self._strangers.worn:
            return True
        while not ctx.stop.is_set():
            state = self._memory.stored() | {"strangers": self._strangers.plain()}
            try:
                ctx.emit(told, state=state, durable=True, timeout_s=_STORE_S)
            except (UnavailableError, StorageError) as error:
                self._log.warning("not-stored", error=error)
                ctx.stop.wait(_BEHIND_S)
            else:
                self._memory.changed = self._strangers.worn = False
                return True
        return False

    def _tell_strangers(self, ctx: DriverContext) -> None:
        if self._strangers.changed:
            self._strangers.changed = False
            ctx.waiting(self._strangers.listed, gone=self._strangers.gone, refused=self._strangers.refused)
            self._strangers.gone = ()

    def _tell_presence(self, ctx: DriverContext) -> None:
        lost = self._broker_error() if self._session.away_s > _BROKER_GRACE_S else None
        for device in self.devices:
            if lost is not None:
                ctx.status(device.id, online=False, error=lost)
                continue
            known, error = self._away(device, time.monotonic())
            if error is not None:
                ctx.status(device.id, online=False, error=error)
            elif known:
                ctx.status(device.id, online=True)

    def _tell_session(self) -> None:
        """Log what the broker cost us: a session that it forgot (what waited there is gone), a queue that ran over."""
        now = (self._session.forgotten, self._session.dropped)
        if now != self._told:
            self._log.warning("messages-may-be-lost", sessions_forgotten=now[0], queue_overflows=now[1])
            self._told = now

    def _broker_error(self) -> DeviceError:
        where = {"host": self._broker.host, "port": self._broker.port}
        if self._session.refusal is not None:
            return DeviceError("edge.driver.broker.refused", **where, why=self._session.refusal)
        return DeviceError("edge.driver.broker.away", **where)
