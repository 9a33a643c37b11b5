"""The driver of a zigbee2mqtt bridge."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Sequence
from typing import Final

from edge.drivers.broker.driver import BridgeDriver
from edge.drivers.broker.memory import digest
from edge.drivers.broker.session import Incoming
from edge.drivers.port import DeviceConfig
from edge.drivers.reads import ReadRequest, ReadRequests
from edge.drivers.strangers import Stranger
from edge.drivers.zigbee2mqtt.config import ZigbeeConfig, ZigbeeDevice
from edge.drivers.zigbee2mqtt.presence import BRIDGE, Presence
from protocols.bridged import observed_at
from protocols.errors import DeviceError, ProtocolError, RefusedError
from protocols.events import Observation, Value
from protocols.zigbee import (
    ASKABLE,
    SWITCHED,
    Payload,
    Row,
    get_command,
    observations,
    read_availability,
    read_bridge_event,
    read_devices,
    read_metrics,
    read_payload,
    read_topic,
    upright,
    valve_command,
    warning_command,
)

_AGAIN_S: Final = 2.0
_MOST_ASKED: Final = 15


class _Confirmation:
    """Somebody waits until `device` reports that `metric` is `value`, or until another value is wanted of it."""

    def __init__(self, device: ZigbeeDevice, metric: str, value: bool) -> None:
        self.device, self.metric, self.value = device, metric, value
        self.came = threading.Event()
        self.overtaken = False


class ZigbeeDriver(BridgeDriver):
    """`act` and `read` wait in their callers' threads."""

    def __init__(self, config: ZigbeeConfig) -> None:
        super().__init__(config, f"{config.base_topic}/#")
        self._config = config
        self._by_name = {device.friendly_name: device for device in config.device}
        self._by_id = {device.id: device for device in config.device}
        self._acting = threading.Lock()
        self._awaited: dict[str, tuple[_Confirmation, ...]] = {}
        self._reads = ReadRequests()
        self._wanted: dict[str, list[ReadRequest]] = {}
        self._presence = Presence(config.device, 0.0)

    @property
    def devices(self) -> Sequence[ZigbeeDevice]:
        """The devices that the configuration names."""
        return self._config.device

    @property
    def _addresses(self) -> Collection[str]:
        return self._by_name.keys()

    def _begin(self, now_s: float) -> None:
        self._presence = Presence(self._config.device, now_s)

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
        self._switch(target, output, _Confirmation(target, switched[1], value), timeout_s)

    def _switch(self, target: ZigbeeDevice, output: str, waiting: _Confirmation, timeout_s: float) -> None:
        name, value, deadline = target.friendly_name, waiting.value, time.monotonic() + timeout_s
        command = valve_command(value, target.closes)
        if target.type == "siren":
            command = warning_command(value, target.sound_s)
        with self._acting:
            for other in self._awaited.get(name, ()):
                if other.value is not value and not other.came.is_set():
                    other.overtaken = True
                    other.came.set()
            self._awaited[name] = (*self._awaited.get(name, ()), waiting)
        try:
            while (left := deadline - time.monotonic()) > 0:
                with self._acting:  # what was overtaken is not sent once more after what overtook it
                    sent = waiting.came.is_set() or self._session.publish(
                        f"{self._config.base_topic}/{name}/set", command
                    )
                if not sent:
                    raise self._broker_error()
                if waiting.came.wait(min(_AGAIN_S, left)):
                    break
            else:
                raise DeviceError(
                    "edge.driver.zigbee2mqtt.not-confirmed",
                    device=target.id,
                    output=output,
                    value=value,
                    timeout_s=timeout_s,
                )
        finally:
            with self._acting:
                self._awaited[name] = tuple(one for one in self._awaited[name] if one is not waiting)
        if waiting.overtaken:
            raise RefusedError("edge.output.overruled", device=target.id, output=output)

    def _tend(self) -> None:
        while (request := self._reads.take()) is not None:
            target = self._by_id[request.device]
            topic = f"{self._config.base_topic}/{target.friendly_name}/get"
            if self._session.publish(topic, get_command(target.type)):
                waiting = self._wanted.setdefault(target.friendly_name, [])
                waiting[:] = [*waiting[-_MOST_ASKED:], request]
            else:
                request.finish(self._broker_error())

    def _was_stored(self, message: Incoming) -> None:
        """What a device reports after it was asked is its answer."""
        topic = read_topic(self._config.base_topic, message.topic)
        if self._wanted and topic.kind == "device" and not message.retained:
            for request in self._wanted.pop(topic.name, ()):
                request.finish()

    def _hear(self, message: Incoming) -> None:
        """On the network thread: a confirmation must not wait for the disk."""
        topic = read_topic(self._config.base_topic, message.topic)
        waiting = self._awaited.get(topic.name, ()) if topic.kind == "device" and not message.retained else ()
        for one in waiting:
            try:
                payload = upright(read_payload(message.topic, message.payload), one.device.closes)
            except ProtocolError:
                return  # told when its turn comes
            if read_metrics(one.device.type, payload).get(one.metric) is one.value:
                one.came.set()

    def _read_one(self, message: Incoming, now_ms: int) -> Sequence[Observation]:
        topic = read_topic(self._config.base_topic, message.topic)
        match topic.kind:
            case "availability":
                self._presence.available(topic.name, read_availability(message.topic, message.payload), self._memory)
            case "bridge-state":
                self._presence.available(BRIDGE, read_availability(message.topic, message.payload), self._memory)
            case "bridge-devices":
                for row in read_devices(message.topic, message.payload):
                    self._meet(row, now_ms)
            case "bridge-event":
                self._joined(message, now_ms)
            case "device" if topic.name in self._by_name:
                return self._read_device(self._by_name[topic.name], message, now_ms)
            case "device":
                told = None if message.retained else message.payload.decode("utf-8", "replace")
                self._meet(Row(name=topic.name), now_ms, told)
        return ()

    def _read_device(self, device: ZigbeeDevice, message: Incoming, now_ms: int) -> Sequence[Observation]:
        payload = read_payload(message.topic, message.payload)
        shown = upright(payload, device.closes)
        at_ms = observed_at(payload.get("last_seen"), now_ms, self._clocks_ahead)
        if message.retained:
            return observations(device.id, device.type, shown, at_ms=at_ms, retained=True)
        self._presence.heard(device.friendly_name, time.monotonic(), self._memory)
        if self._taken_before(message, payload):
            return ()
        return observations(device.id, device.type, shown, at_ms=at_ms)

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
        else:
            self._meet(event.row, now_ms)

    def _meet(self, row: Row, now_ms: int, told: str | None = None) -> None:
        stranger = Stranger(address=row.name, model=row.model, type=row.type, settings={"topic": row.name})
        self._strangers.meet(stranger, now_ms, told)

    def _away(self, device: DeviceConfig, now_s: float) -> tuple[bool, DeviceError | None]:
        known = self._by_id[device.id]
        return self._presence.known(known.friendly_name, self._memory), self._presence.error(known, now_s, self._memory)
