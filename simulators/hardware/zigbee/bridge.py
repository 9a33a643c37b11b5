"""A stand-in for zigbee2mqtt: topics, retained bridge state, availability, ``set``; QoS 1 towards the field broker.

A message counts as observed when the broker has acknowledged it. Until then paho keeps it, and sends it again after a
reconnect: the same content, which carries `last_seen` to the millisecond.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from protocols.errors import ConfigError
from simulators.hardware.port import Ledger
from simulators.hardware.zigbee.devices import (
    LeakSensor,
    MotionSensor,
    Shown,
    Siren,
    SmokeDetector,
    SosButton,
    ZigbeeDevice,
)

_log = logging.getLogger(__name__)

_QUEUED: Final = 1000
_RECONNECT_S: Final = (1, 1)
_CONNECT_S: Final = 1.5
_KEEPALIVE_S: Final = 15
_FAREWELL_S: Final = 1.0
_BURST_S: Final = 0.02

_D = TypeVar("_D", bound=ZigbeeDevice)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    device: str
    metric: str
    value: object
    at_ms: int


class ZigbeeBridge:
    """All zigbee devices of a gateway. Connects by itself, whenever the broker is there."""

    def __init__(
        self,
        host: str,
        port: int,
        devices: Sequence[ZigbeeDevice],
        *,
        ledger: Ledger,
        base_topic: str = "zigbee2mqtt",
        username: str | None = None,
        password: str | None = None,
    ) -> None:
        self._host, self._port, self._base = host, port, base_topic
        self._by_id = {device.id: device for device in devices}
        self._ledger = ledger
        self._lock = threading.Lock()
        self._told_lock = threading.Lock()
        self._unconfirmed: dict[int, _Told | None] = {}
        self._early: set[int] = set()
        self._counters: dict[str, int] = {}
        self._stopping = threading.Event()
        self._clock_off_ms = 0
        self._client = self._make_client()
        if username is not None:
            self._client.username_pw_set(username, password)

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices' ids."""
        return tuple(self._by_id)

    def start(self) -> None:
        """Begin to connect."""
        self._client.connect_async(self._host, self._port, keepalive=_KEEPALIVE_S)
        self._client.loop_start()

    def stop(self) -> None:
        """Say that the bridge goes, and leave."""
        self._stopping.set()
        if self._client.is_connected():
            farewell = self._client.publish(self._topic("bridge/state"), '{"state":"offline"}', qos=1, retain=True)
            farewell.wait_for_publish(_FAREWELL_S)
        self._client.disconnect()
        self._client.loop_stop()

    def step(self, now_ms: int, elapsed_s: float) -> None:
        """Let every device live; those that are offline live on unheard."""
        with self._lock:
            for device in self._by_id.values():
                self._tell(device, device.step(now_ms, elapsed_s))

    def triggers(self) -> Mapping[str, Callable[[str, Mapping[str, Any]], Mapping[str, Any]]]:
        """What can happen; ``smoke`` and ``leak`` take `clear` = true as well.

        ``flood``: the last device tells `readings_per_s` for `seconds`; ``clock``: the bridge, which runs on the
        gateway's machine, sees a clock that is wrong by `seconds`.
        """
        return {
            "smoke": lambda device, params: self._smoke(device, not params.get("clear")),
            "smoke-clear": lambda device, params: self._smoke(device, False),
            "leak": lambda device, params: self._leak(device, not params.get("clear")),
            "leak-clear": lambda device, params: self._leak(device, False),
            "sos": lambda device, params: self._sos(device),
            "motion": lambda device, params: self._motion(device),
            "flood": self._flood,
            "clock": self._turn_clock,
            "device-offline": lambda device, params: self._set_online(device, False),
            "device-online": lambda device, params: self._set_online(device, True),
        }

    def state(self) -> Mapping[str, Any]:
        """Dials, conditions, and how often each metric was observed."""
        with self._lock, self._told_lock:
            return {"devices": {d.id: d.state() for d in self._by_id.values()}, "counters": dict(self._counters)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take them up again."""
        with self._lock, self._told_lock:
            self._counters = {str(k): int(v) for k, v in state.get("counters", {}).items()}
            for device in self._by_id.values():
                device.restore(state.get("devices", {}).get(device.id, {}))

    def _make_client(self) -> paho.Client:
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"{self._base}-stand-in", protocol=paho.MQTTv311)
        client.max_queued_messages_set(_QUEUED)
        client.connect_timeout = _CONNECT_S
        client.reconnect_delay_set(*_RECONNECT_S)
        client.will_set(self._topic("bridge/state"), '{"state":"offline"}', qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        return client

    def _topic(self, below: str) -> str:
        return f"{self._base}/{below}"

    def _on_connect(self, client: paho.Client, _user: Any, _flags: Any, reason: ReasonCode, _props: Any) -> None:
        if reason.is_failure:
            _log.warning("the field broker refuses the bridge: %s", reason)
            return
        for device in self._by_id.values():
            if isinstance(device, Siren):
                client.subscribe([(self._topic(f"{device.name}/{word}"), 0) for word in ("set", "get")])
        rows: list[dict[str, object]] = [{"type": "Coordinator", "friendly_name": "Coordinator"}]
        rows += [self._row(device) for device in self._by_id.values()]
        self._publish("bridge/state", '{"state":"online"}', retain=True)
        self._publish("bridge/devices", json.dumps(rows), retain=True)
        for device in self._by_id.values():
            self._publish_availability(device)

    def _row(self, device: ZigbeeDevice) -> dict[str, object]:
        return {
            "type": "EndDevice",
            "friendly_name": device.name,
            "ieee_address": f"0x00158d00{zlib.crc32(device.id.encode()):08x}",
            "definition": {"model": device.model, "vendor": "simulated"},
        }

    def _publish_availability(self, device: ZigbeeDevice) -> None:
        text = json.dumps({"state": "online" if device.online else "offline"})
        self._publish(f"{device.name}/availability", text, retain=True)

    def _on_message(self, _client: paho.Client, _user: Any, message: paho.MQTTMessage) -> None:
        try:
            command = json.loads(message.payload)
        except ValueError:
            return
        with self._lock:
            for device in self._by_id.values():
                if not isinstance(command, dict) or not isinstance(device, Siren) or not device.online:
                    continue
                if message.topic == self._topic(f"{device.name}/set"):
                    self._tell(device, device.set(command, _now_ms()))
                elif message.topic == self._topic(f"{device.name}/get"):
                    self._tell(device, device.get(command, _now_ms()))

    def _tell(self, device: ZigbeeDevice, messages: Iterable[Shown]) -> None:
        if not device.online:
            return
        for shown in messages:
            at_ms = _now_ms()
            seen = datetime.fromtimestamp((at_ms + self._clock_off_ms) / 1000, UTC).isoformat(timespec="milliseconds")
            payload = json.dumps({**shown.payload, "last_seen": seen.replace("+00:00", "Z")})
            told = _Told(device=device.id, metric=shown.metric, value=shown.value, at_ms=at_ms)
            self._publish(device.name, payload, told=told if shown.metric else None)

    def _publish(self, below: str, payload: str, *, told: _Told | None = None, retain: bool = False) -> None:
        """Hand a message to paho, which may have its confirmation before we have its number."""
        info = self._client.publish(self._topic(below), payload, qos=1, retain=retain)
        if info.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
            _log.warning("the field broker is away for long: a message on %s is lost", below)
            return
        with self._told_lock:
            confirmed = info.mid in self._early
            self._early.discard(info.mid)
            if not confirmed:
                self._unconfirmed[info.mid] = told
        if confirmed:
            self._enter(told)

    def _on_publish(self, _client: paho.Client, _user: Any, mid: int, _reason: Any, _props: Any) -> None:
        with self._told_lock:
            waiting = mid in self._unconfirmed
            told = self._unconfirmed.pop(mid, None)
            if not waiting:
                self._early.add(mid)
        self._enter(told)

    def _enter(self, told: _Told | None) -> None:
        if told is None:
            return
        key = f"{told.device}/{told.metric}"
        with self._told_lock:
            counter = self._counters[key] = self._counters.get(key, 0) + 1
        self._ledger.observed(told.device, told.metric, counter, told.value, told.at_ms)

    def _smoke(self, device: str, smoke: bool) -> Mapping[str, Any]:
        with self._lock:
            detector = self._find(device, SmokeDetector)
            detector.smoke = smoke
            self._tell(detector, detector.report(_now_ms()))
        return {"device": device, "smoke": smoke}

    def _leak(self, device: str, leak: bool) -> Mapping[str, Any]:
        with self._lock:
            sensor = self._find(device, LeakSensor)
            sensor.leak = leak
            self._tell(sensor, sensor.report(_now_ms()))
        return {"device": device, "leak": leak}

    def _sos(self, device: str) -> Mapping[str, Any]:
        with self._lock:
            button = self._find(device, SosButton)
            self._tell(button, button.press())
        return {"device": device, "action": "emergency"}

    def _motion(self, device: str) -> Mapping[str, Any]:
        with self._lock:
            sensor = self._find(device, MotionSensor)
            self._tell(sensor, sensor.seen(_now_ms()))
        return {"device": device, "occupancy": True}

    def _set_online(self, device: str, online: bool) -> Mapping[str, Any]:
        with self._lock:
            found = self._find(device, ZigbeeDevice)
            found.online = online
            self._publish_availability(found)
            self._tell(found, found.report(_now_ms()))
        return {"device": device, "online": online}

    def _flood(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """A device gone mad: the last of the list tells its state again and again."""
        chosen = list(self._by_id.values())[-1]
        rate, seconds = float(params.get("readings_per_s", 5000)), float(params.get("seconds", 5))
        threading.Thread(target=self._tell_often, args=(chosen, rate, seconds), name="flood", daemon=True).start()
        return {"device": chosen.id, "readings_per_s": rate, "seconds": seconds}

    def _turn_clock(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self._clock_off_ms = round(float(params.get("seconds", 0.0)) * 1000)
        return {"seconds": self._clock_off_ms / 1000}

    def _tell_often(self, device: ZigbeeDevice, readings_per_s: float, seconds: float) -> None:
        began, told = time.monotonic(), 0
        while (elapsed := time.monotonic() - began) < seconds and not self._stopping.wait(_BURST_S):
            with self._lock:
                while told < elapsed * readings_per_s:
                    shown = device.report(_now_ms())
                    self._tell(device, shown)
                    told += sum(len(one.payload) for one in shown)

    def _find(self, device: str, kind: type[_D]) -> _D:
        found = self._by_id.get(device)
        if not isinstance(found, kind):
            raise ConfigError("simulators.zigbee.wrong-device", device=device, allowed=", ".join(self._by_id))
        return found


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
