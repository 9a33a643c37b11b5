"""The driver of a zigbee2mqtt bridge: messages become observations, acknowledged once those are on the disk."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Final

from edge.drivers.port import DriverContext
from edge.drivers.reads import ReadRequest, ReadRequests
from edge.drivers.zigbee2mqtt.config import ZigbeeConfig, ZigbeeDevice
from edge.drivers.zigbee2mqtt.memory import Memory, digest
from edge.drivers.zigbee2mqtt.presence import BRIDGE, Presence
from edge.drivers.zigbee2mqtt.session import Incoming, Session
from edge.log import Log
from protocols.catalog import DEVICE_TYPES
from protocols.errors import DeviceError, ProtocolError, RefusedError, StorageError, UnavailableError
from protocols.events import Observation, Value
from protocols.zigbee import (
    ASKABLE,
    Payload,
    get_command,
    observations,
    observed_at,
    read_availability,
    read_devices,
    read_metrics,
    read_payload,
    read_topic,
    warning_command,
)

_BATCH: Final = 32
_AGREE_MS: Final = 2000
_ON_ITS_WAY_S: Final = 600.0
_LISTEN_S: Final = 0.25
_STORE_S: Final = 1.5
_BEHIND_S: Final = 0.5
_AGAIN_S: Final = 2.0
_BROKER_GRACE_S: Final = 5.0
_MOST_STRANGERS: Final = 64
_MOST_ASKED: Final = 15


class _Confirmation:
    """Somebody waits until `name` reports that `metric` is `value`."""

    def __init__(self, name: str, device_type: str, metric: str, value: bool) -> None:
        self.name, self.device_type, self.metric, self.value = name, device_type, metric, value
        self.came = threading.Event()


class ZigbeeDriver:
    """Owns the session with the broker. `run` works in its thread; `act` waits in its caller's."""

    def __init__(self, config: ZigbeeConfig) -> None:
        self._config = config
        self._by_name = {device.friendly_name: device for device in config.device}
        self._by_id = {device.id: device for device in config.device}
        self._session = Session(config, self._hear)
        self._acting = threading.Lock()
        self._awaited: _Confirmation | None = None
        self._reads = ReadRequests()
        self._wanted: dict[str, list[ReadRequest]] = {}
        self._log = Log(f"driver.{config.name}")
        self._strangers: set[str] = set()
        self._told = (0, 0)
        self._ahead: dict[int, float] = {}
        self._memory = Memory({})
        self._presence = Presence(config.device, 0.0)

    @property
    def devices(self) -> Sequence[ZigbeeDevice]:
        """The devices that the configuration names."""
        return self._config.device

    @property
    def strangers(self) -> tuple[str, ...]:
        """Friendly names that zigbee2mqtt carries and the configuration does not name."""
        return tuple(sorted(self._strangers))

    def run(self, ctx: DriverContext) -> None:
        """Listen until `ctx.stop` is set; the session connects again by itself."""
        self._memory = Memory(ctx.state())
        self._presence = Presence(self._config.device, time.monotonic())
        self._session.open()
        try:
            while not ctx.stop.is_set():
                self._ask_wanted()
                batch = self._session.take(_BATCH, _LISTEN_S)
                self._compare_clocks(ctx, time.monotonic())
                if batch and self._store(self._read(batch, ctx.now_ms()), ctx):
                    for message in batch:
                        self._session.acknowledge(message)
                        self._answer_reads(message)
                self._tell_presence(ctx)
                self._tell_session()
        finally:
            self._session.close()
            self._reads.refuse(DeviceError("edge.driver.down", driver=self._config.name))

    def read(self, device: str, timeout_s: float) -> None:
        """Let zigbee2mqtt ask a device that listens (``/get``); one on a battery sleeps and tells by itself."""
        target = self._by_id[device]
        if target.type not in ASKABLE:
            raise RefusedError("edge.driver.zigbee2mqtt.sleeps", device=device)
        self._reads.ask(device, timeout_s)

    def act(self, device: str, output: str, value: Value, timeout_s: float) -> None:
        """``sound`` true or false on a siren; sent again until its state topic confirms it."""
        target = self._by_id.get(device)
        outputs = () if target is None else DEVICE_TYPES[target.type].outputs
        if target is None or output not in outputs:
            allowed = ", ".join(outputs) or "-"
            raise RefusedError("edge.driver.zigbee2mqtt.no-output", device=device, output=output, allowed=allowed)
        if not isinstance(value, bool):
            raise RefusedError("edge.driver.zigbee2mqtt.needs-switch", device=device, output=output, value=value)
        deadline = time.monotonic() + timeout_s
        if not self._acting.acquire(timeout=timeout_s):
            raise self._unconfirmed(device, output, value, timeout_s)
        try:
            self._sound(target, value, deadline, timeout_s)
        finally:
            self._acting.release()

    def _sound(self, siren: ZigbeeDevice, value: bool, deadline: float, timeout_s: float) -> None:
        self._awaited = waiting = _Confirmation(siren.friendly_name, siren.type, "sounding", value)
        try:
            while (left := deadline - time.monotonic()) > 0:
                topic = f"{self._config.base_topic}/{siren.friendly_name}/set"
                if not self._session.publish(topic, warning_command(value, siren.sound_s)):
                    raise self._broker_error()
                if waiting.came.wait(min(_AGAIN_S, left)):
                    return
        finally:
            self._awaited = None
        raise self._unconfirmed(siren.id, "sound", value, timeout_s)

    def _ask_wanted(self) -> None:
        while (request := self._reads.take()) is not None:
            target = self._by_id[request.device]
            topic = f"{self._config.base_topic}/{target.friendly_name}/get"
            if self._session.publish(topic, get_command(target.type)):
                waiting = self._wanted.setdefault(target.friendly_name, [])
                waiting[:] = [*waiting[-_MOST_ASKED:], request]
            else:
                request.finish(self._broker_error())

    def _answer_reads(self, message: Incoming) -> None:
        """What a device reports after it was asked is its answer, and on the disk."""
        topic = read_topic(self._config.base_topic, message.topic)
        if self._wanted and topic.kind == "device" and not message.retained:
            for request in self._wanted.pop(topic.name, ()):
                request.finish()

    def _unconfirmed(self, device: str, output: str, value: bool, timeout_s: float) -> DeviceError:
        return DeviceError(
            "edge.driver.zigbee2mqtt.not-confirmed", device=device, output=output, value=value, timeout_s=timeout_s
        )

    def _hear(self, message: Incoming) -> None:
        """On the network thread: a confirmation must not wait for the disk."""
        waiting = self._awaited
        if waiting is None or message.retained:
            return
        topic = read_topic(self._config.base_topic, message.topic)
        if topic.kind != "device" or topic.name != waiting.name:
            return
        try:
            metrics = read_metrics(waiting.device_type, read_payload(message.topic, message.payload))
        except ProtocolError:
            return  # told when its turn comes
        if metrics.get(waiting.metric) is waiting.value:
            waiting.came.set()

    def _read(self, batch: Sequence[Incoming], now_ms: int) -> list[Observation]:
        told: list[Observation] = []
        for message in batch:
            try:
                told += self._read_one(message, now_ms)
            except ProtocolError as error:
                self._log.warning("unreadable", topic=message.topic, error=error)
        return told

    def _read_one(self, message: Incoming, now_ms: int) -> Sequence[Observation]:
        topic = read_topic(self._config.base_topic, message.topic)
        match topic.kind:
            case "availability":
                self._presence.available(topic.name, read_availability(message.topic, message.payload), self._memory)
            case "bridge-state":
                self._presence.available(BRIDGE, read_availability(message.topic, message.payload), self._memory)
            case "bridge-devices":
                self._meet(read_devices(message.topic, message.payload))
            case "device" if topic.name in self._by_name:
                return self._read_device(self._by_name[topic.name], message, now_ms)
            case "device":
                self._meet((topic.name,))
        return ()

    def _read_device(self, device: ZigbeeDevice, message: Incoming, now_ms: int) -> Sequence[Observation]:
        payload = read_payload(message.topic, message.payload)
        if message.retained:
            return observations(device.id, device.type, payload, at_ms=self._at_ms(payload, now_ms), retained=True)
        self._presence.heard(device.friendly_name, time.monotonic(), self._memory)
        if self._taken_before(message, payload):
            return ()
        return observations(device.id, device.type, payload, at_ms=self._at_ms(payload, now_ms))

    def _compare_clocks(self, ctx: DriverContext, now_s: float) -> None:
        """By how much our time is ahead of the system clock, by which zigbee2mqtt dates, and was a while ago."""
        ahead_ms = ctx.now_ms() - ctx.system_ms()
        near = next((known for known in self._ahead if abs(known - ahead_ms) <= _AGREE_MS), None)
        if near is None:
            near = ahead_ms if abs(ahead_ms) > _AGREE_MS else 0
        self._ahead[near] = now_s
        # What was dated before the clock was set may still be on its way.
        self._ahead = {known: at_s for known, at_s in self._ahead.items() if now_s - at_s <= _ON_ITS_WAY_S}

    def _at_ms(self, payload: Payload, now_ms: int) -> int:
        """When a device was heard: zigbee2mqtt goes by the system clock, we may know better.

        What waited in the broker while we were away may be of a time when both agreed.
        """
        return observed_at(payload, now_ms, (0, *self._ahead))

    def _taken_before(self, message: Incoming, payload: Payload) -> bool:
        """Whether this very message was taken already; if not, it now is."""
        dated = payload.get("last_seen") is not None
        name = digest(message.topic, message.payload, None if dated else message.mid)
        if (dated or message.again) and self._memory.knows(name):
            return True
        self._memory.take(name)
        return False

    def _store(self, told: Sequence[Observation], ctx: DriverContext) -> bool:
        """Put observations and memory on the disk in one transaction; False when the agent stops before."""
        if not told and not self._memory.changed:
            return True
        while not ctx.stop.is_set():
            try:
                ctx.emit(told, state=self._memory.stored(), durable=True, timeout_s=_STORE_S)
            except (UnavailableError, StorageError) as error:
                self._log.warning("not-stored", error=error)
                ctx.stop.wait(_BEHIND_S)
            else:
                self._memory.changed = False
                return True
        return False

    def _meet(self, names: Sequence[str]) -> None:
        new = {name for name in names if name not in self._by_name} - self._strangers
        for name in sorted(new)[: _MOST_STRANGERS - len(self._strangers)]:
            self._strangers.add(name)
            self._log.info("unknown-device", topic=name)

    def _tell_presence(self, ctx: DriverContext) -> None:
        away = self._broker_error() if self._session.away_s > _BROKER_GRACE_S else None
        for device in self._config.device:
            if away is not None:
                ctx.status(device.id, online=False, error=away)
                continue
            error = self._presence.error(device, time.monotonic(), self._memory)
            if error is not None:
                ctx.status(device.id, online=False, error=error)
            elif self._presence.known(device.friendly_name, self._memory):
                ctx.status(device.id, online=True)

    def _tell_session(self) -> None:
        """Log what the broker cost us: a session that it forgot (what waited there is gone), a queue that ran over."""
        now = (self._session.forgotten, self._session.dropped)
        if now != self._told:
            self._log.warning("messages-may-be-lost", sessions_forgotten=now[0], queue_overflows=now[1])
            self._told = now

    def _broker_error(self) -> DeviceError:
        where = {"host": self._config.host, "port": self._config.port}
        if self._session.refusal is not None:
            return DeviceError("edge.driver.zigbee2mqtt.broker-refused", **where, why=self._session.refusal)
        return DeviceError("edge.driver.zigbee2mqtt.broker-away", **where)
