"""The driver of a zigbee2mqtt bridge."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Final

from edge.drivers.broker.driver import BridgeDriver
from edge.drivers.broker.memory import digest
from edge.drivers.broker.session import Incoming
from edge.drivers.port import DeviceConfig
from edge.drivers.reads import ReadRequest, ReadRequests
from edge.drivers.strangers import Stranger
from edge.drivers.zigbee2mqtt.config import ZigbeeConfig, ZigbeeDevice
from edge.drivers.zigbee2mqtt.names import Names
from edge.drivers.zigbee2mqtt.presence import BRIDGE, Presence
from edge.drivers.zigbee2mqtt.switching import Switching, words_for
from protocols.bridged import observed_at
from protocols.errors import DeviceError, ProtocolError, RefusedError
from protocols.events import Observation, Value
from protocols.zigbee import (
    ASKABLE,
    SWITCHED,
    Payload,
    Row,
    calls,
    get_command,
    observations,
    read_availability,
    read_bridge_event,
    read_devices,
    read_payload,
    read_topic,
    upright,
)

_MOST_ASKED: Final = 15


class ZigbeeDriver(BridgeDriver):
    """`act` and `read` wait in their callers' threads."""

    def __init__(self, config: ZigbeeConfig) -> None:
        super().__init__(config, f"{config.base_topic}/#")
        self._config = config
        self._by_id = {device.id: device for device in config.device}
        self._names = Names(config.device, {})
        self._switching = Switching()
        self._reads = ReadRequests()
        self._wanted: dict[str, list[ReadRequest]] = {}
        self._presence = Presence(config.device, 0.0)

    @property
    def devices(self) -> Sequence[ZigbeeDevice]:
        """The devices that the configuration names."""
        return self._config.device

    @property
    def _addresses(self) -> Collection[str]:
        return [device.friendly_name for device in self._config.device]

    def _begin(self, now_s: float) -> None:
        self._presence = Presence(self._config.device, now_s)
        self._names = Names(self._config.device, self._memory.addresses)

    def _leave(self) -> None:
        self._reads.refuse(DeviceError("edge.driver.down", driver=self._config.name))

    def read(self, device: str, timeout_s: float) -> None:
        """Let zigbee2mqtt ask a device that listens (``/get``); one on a battery sleeps and tells by itself."""
        target = self._by_id[device]
        if target.type not in ASKABLE:
            raise RefusedError("edge.driver.zigbee2mqtt.sleeps", device=device)
        self._reads.ask(device, timeout_s)

    def act(self, device: str, output: str, value: Value, timeout_s: float) -> None:
        """``sound`` of a siren, ``valve-closed`` of a valve: sent again until the device's state topic confirms it.

        Another value for the same device ends it at once, with RefusedError.
        """
        target = self._by_id.get(device)
        switched = None if target is None else SWITCHED.get(target.type)
        if target is None or switched is None or output != switched[0]:
            allowed = "-" if switched is None else switched[0]
            raise RefusedError("edge.driver.zigbee2mqtt.no-output", device=device, output=output, allowed=allowed)
        if not isinstance(value, bool):
            raise RefusedError("edge.driver.zigbee2mqtt.needs-switch", device=device, output=output, value=value)
        row = self._names.row(target)
        words = words_for(target, value, None if row is None else row.siren)
        self._switching.switch(target, value, words, timeout_s, lambda verb, what: self._send(target, verb, what))

    def _send(self, device: ZigbeeDevice, verb: str, payload: bytes) -> None:
        """Publish at ``NAME/set`` or ``NAME/get`` now. Raises DeviceError without a broker."""
        if not self._session.publish(f"{self._config.base_topic}/{self._names.now(device)}/{verb}", payload):
            raise self._broker_error()

    def _tend(self) -> None:
        for device in self._config.device:
            question = self._switching.ended(device) if device.type == "siren" else b""
            if question:
                with suppress(DeviceError):
                    self._send(device, "get", question)
        while (request := self._reads.take()) is not None:
            target = self._by_id[request.device]
            try:
                self._send(target, "get", get_command(target.type))
            except DeviceError as away:
                request.finish(away)
            else:
                waiting = self._wanted.setdefault(target.id, [])
                waiting[:] = [*waiting[-_MOST_ASKED:], request]

    def _was_stored(self, message: Incoming) -> None:
        """What a device reports after it was asked is its answer."""
        device = self._device_of(message) if self._wanted else None
        for request in self._wanted.pop(device.id, ()) if device is not None else ():
            request.finish()

    def _hear(self, message: Incoming) -> None:
        """On the network thread: a confirmation must not wait for the disk."""
        device = self._device_of(message)
        if device is None or not self._switching.awaits(device):
            return
        with suppress(ProtocolError):  # told when its turn comes
            self._switching.heard(device, read_payload(message.topic, message.payload))

    def _device_of(self, message: Incoming) -> ZigbeeDevice | None:
        """Who speaks now."""
        topic = read_topic(self._config.base_topic, message.topic)
        return self._names.of(topic.name) if topic.kind == "device" and not message.retained else None

    def _read_one(self, message: Incoming, now_ms: int) -> Sequence[Observation]:
        topic = read_topic(self._config.base_topic, message.topic)
        device = self._names.of(topic.name)
        if not message.payload:
            return ()  # what was kept under this topic is taken away: somebody renamed or removed the device
        match topic.kind:
            case "availability" if device is not None:
                there = read_availability(message.topic, message.payload)
                self._presence.available(device.friendly_name, there, self._memory)
            case "bridge-state":
                self._presence.available(BRIDGE, read_availability(message.topic, message.payload), self._memory)
            case "bridge-devices":
                self._list(read_devices(message.topic, message.payload), now_ms)
            case "bridge-event":
                self._joined(message, now_ms)
            case "device" if device is not None:
                return self._read_device(device, message, now_ms)
            case "device" if self._names.is_device(topic.name):
                read_payload(message.topic, message.payload)  # a single property is no device
                told = None if message.retained else message.payload.decode("utf-8", "replace")
                self._meet(Row(name=topic.name), now_ms, told)
        return ()

    def _list(self, rows: Sequence[Row], now_ms: int) -> None:
        """Who is there by zigbee2mqtt's own list, and under which name."""
        known = dict(self._memory.addresses)
        for device, name in self._names.listed(rows):
            self._log.info("renamed", device=device.id, name=name)
        self._memory.changed = self._memory.changed or known != self._memory.addresses
        for stranger in self._strangers.listed:
            if not self._names.is_device(stranger.address) or self._names.of(stranger.address) is not None:
                self._strangers.leave(stranger.address)
        for row in rows:
            if self._names.of(row.name) is None:
                self._meet(row, now_ms)

    def _read_device(self, device: ZigbeeDevice, message: Incoming, now_ms: int) -> Sequence[Observation]:
        payload = read_payload(message.topic, message.payload)
        shown = self._switching.completed(device, upright(payload, device.closes))
        seen = payload.get("last_seen")
        at_ms = observed_at(seen, now_ms, self._clocks_ahead, kept=message.retained)
        called = self._note_call(device, payload)
        if message.retained:
            return observations(device.id, device.type, shown, at_ms=at_ms, retained=True)
        self._presence.heard(device.friendly_name, time.monotonic(), self._memory, seen)
        if self._taken_before(message, payload):
            return ()
        return observations(device.id, device.type, shown, at_ms=at_ms, called=called)

    def _note_call(self, device: ZigbeeDevice, payload: Payload) -> bool:
        """Whether a button of which the call is a state called before this message."""
        calling, called = calls(payload), device.id in self._memory.calling
        if calling is not None and calling is not called:
            (self._memory.calling.add if calling else self._memory.calling.discard)(device.id)
            self._memory.changed = True
        return called

    def _taken_before(self, message: Incoming, payload: Payload) -> bool:
        """Whether this very message was taken already; if not, it now is."""
        dated = payload.get("last_seen") is not None
        name = digest(message.topic, message.payload, None if dated else message.mid)
        if (dated or message.again) and self._memory.knows(name):
            return True
        self._memory.take(name)
        return False

    def _joined(self, message: Incoming, now_ms: int) -> None:
        """zigbee2mqtt tells that a device joined, was looked at, or left."""
        event = read_bridge_event(message.topic, message.payload)
        if event is None or message.retained:
            return
        if event.left:
            self._strangers.leave(event.row.name)
            return
        self._names.joined(event.row)
        if self._names.of(event.row.name) is None:
            self._meet(event.row, now_ms)

    def _meet(self, row: Row, now_ms: int, told: str | None = None) -> None:
        stranger = Stranger(address=row.name, model=row.model, type=row.type, settings={"topic": row.name})
        self._strangers.meet(stranger, now_ms, told)

    def _away(self, device: DeviceConfig, now_s: float) -> tuple[bool, DeviceError | None]:
        one = self._by_id[device.id]
        error = self._presence.error(one, now_s, self._memory, missing=self._names.missing(one))
        return self._presence.known(one.friendly_name, self._memory), error
