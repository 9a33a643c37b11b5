"""A stand-in for zigbee2mqtt: topics, retained bridge state, availability, ``set``; QoS 1 towards the field broker.

Each message carries `last_seen` to the millisecond, so that one that is sent again is known.
"""

from __future__ import annotations

import json
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from protocols.errors import ConfigError
from simulators.hardware.field_client import FieldBroker, FieldClient, Told
from simulators.hardware.port import Ledger
from simulators.hardware.zigbee.devices import (
    LeakSensor,
    MotionSensor,
    Shown,
    Siren,
    SmokeDetector,
    SosButton,
    Valve,
    ZigbeeDevice,
)

_BURST_S: Final = 0.02

_D = TypeVar("_D", bound=ZigbeeDevice)


class ZigbeeBridge:
    """All zigbee devices of a gateway. Connects by itself, whenever the broker is there."""

    def __init__(
        self,
        broker: FieldBroker,
        devices: Sequence[ZigbeeDevice],
        *,
        ledger: Ledger,
        base_topic: str = "zigbee2mqtt",
    ) -> None:
        self._base = base_topic
        self._by_id = {device.id: device for device in devices}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._clock_off_ms = 0
        self._joined: dict[str, dict[str, object]] = {}
        self._client = FieldClient(
            broker,
            f"{base_topic}-stand-in",
            ledger,
            connected=self._begin,
            heard=self._hear,
            will=(self._topic("bridge/state"), '{"state":"offline"}'),
        )

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices' ids."""
        return tuple(self._by_id)

    def start(self) -> None:
        """Begin to connect."""
        self._client.start()

    def stop(self) -> None:
        """Say that the bridge goes, and leave."""
        self._stopping.set()
        self._client.stop((self._topic("bridge/state"), '{"state":"offline"}'))

    def step(self, now_ms: int, elapsed_s: float) -> None:
        """Let every device live; those that are offline live on unheard."""
        with self._lock:
            for device in self._by_id.values():
                self._tell(device, device.step(now_ms, elapsed_s))

    def triggers(self) -> Mapping[str, Callable[[str, Mapping[str, Any]], Mapping[str, Any]]]:
        """What can happen; ``smoke`` and ``leak`` take `clear` = true as well.

        ``flood``: the last device tells `readings_per_s` for `seconds`; ``clock``: the bridge, which runs on the
        gateway's machine, sees a clock that is wrong by `seconds`; ``join``: somebody pairs a device called `name`;
        ``stuck`` takes `on`: a valve stays as it is.
        """
        return {
            "smoke": lambda device, params: self._smoke(device, not params.get("clear")),
            "smoke-clear": lambda device, params: self._smoke(device, False),
            "leak": lambda device, params: self._leak(device, not params.get("clear")),
            "leak-clear": lambda device, params: self._leak(device, False),
            "sos": lambda device, params: self._sos(device),
            "motion": lambda device, params: self._motion(device),
            "stuck": self._make_stuck,
            "flood": self._flood,
            "clock": self._turn_clock,
            "join": self._join,
            "device-offline": lambda device, params: self._set_online(device, False),
            "device-online": lambda device, params: self._set_online(device, True),
        }

    def state(self) -> Mapping[str, Any]:
        """Dials, conditions, and how often each metric was observed."""
        with self._lock:
            return {"devices": {d.id: d.state() for d in self._by_id.values()}, "counters": self._client.counters()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take them up again."""
        self._client.restore(state.get("counters", {}))
        with self._lock:
            for device in self._by_id.values():
                device.restore(state.get("devices", {}).get(device.id, {}))

    def _topic(self, below: str) -> str:
        return f"{self._base}/{below}"

    def _begin(self) -> None:
        for device in self._by_id.values():
            if isinstance(device, Siren | Valve):
                for word in ("set", "get"):
                    self._client.subscribe(self._topic(f"{device.name}/{word}"))
        self._publish("bridge/state", '{"state":"online"}', retain=True)
        self._publish_list()
        for device in self._by_id.values():
            self._publish_availability(device)

    def _publish_list(self) -> None:
        rows: list[dict[str, object]] = [{"type": "Coordinator", "friendly_name": "Coordinator"}]
        rows += [*(self._row(device) for device in self._by_id.values()), *self._joined.values()]
        self._publish("bridge/devices", json.dumps(rows), retain=True)

    def _row(self, device: ZigbeeDevice) -> dict[str, object]:
        exposes = [{"property": name, "type": kind, "access": access} for name, kind, access in device.exposes]
        return {
            "type": "EndDevice",
            "friendly_name": device.name,
            "ieee_address": f"0x00158d00{zlib.crc32(device.id.encode()):08x}",
            "definition": {"model": device.model, "vendor": "simulated", "exposes": exposes},
        }

    def _publish_availability(self, device: ZigbeeDevice) -> None:
        text = json.dumps({"state": "online" if device.online else "offline"})
        self._publish(f"{device.name}/availability", text, retain=True)

    def _hear(self, topic: str, payload: bytes) -> None:
        try:
            command = json.loads(payload)
        except ValueError:
            return
        with self._lock:
            for device in self._by_id.values():
                if not isinstance(command, dict) or not isinstance(device, Siren | Valve) or not device.online:
                    continue
                if topic == self._topic(f"{device.name}/set"):
                    self._tell(device, device.set(command, _now_ms()))
                elif topic == self._topic(f"{device.name}/get"):
                    self._tell(device, device.get(command, _now_ms()))

    def _tell(self, device: ZigbeeDevice, messages: Iterable[Shown]) -> None:
        if not device.online:
            return
        for shown in messages:
            at_ms = _now_ms()
            seen = datetime.fromtimestamp((at_ms + self._clock_off_ms) / 1000, UTC).isoformat(timespec="milliseconds")
            payload = json.dumps({**shown.payload, "last_seen": seen.replace("+00:00", "Z")})
            told = Told(device=device.id, metric=shown.metric, value=shown.value, at_ms=at_ms)
            self._publish(device.name, payload, told=told if shown.metric else None)

    def _publish(self, below: str, payload: str, *, told: Told | None = None, retain: bool = False) -> None:
        self._client.publish(self._topic(below), payload, told=told, retain=retain)

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

    def _make_stuck(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        with self._lock:
            valve = self._find(device, Valve)
            valve.stuck = bool(params.get("on", True))
        return {"device": device, "stuck": valve.stuck}

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

    def _join(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """What zigbee2mqtt tells of a device that is paired: it joined, it was looked at, and what it says then."""
        name = str(params.get("name", "0x00124b0029f1a2b3"))
        exposes = [{"type": "binary", "name": "water_leak", "property": "water_leak", "access": 1}]
        definition = {"vendor": "Aqara", "model": "SJCGQ11LM", "exposes": exposes}
        joined = {"friendly_name": name, "ieee_address": "0x00124b0029f1a2b3"}
        looked = {**joined, "status": "successful", "supported": True, "definition": definition}
        for kind, data in (("device_joined", joined), ("device_interview", looked)):
            self._publish("bridge/event", json.dumps({"type": kind, "data": data}))
        self._joined[name] = {**joined, "type": "EndDevice", "definition": definition}
        self._publish_list()
        self._publish(name, json.dumps({"water_leak": False, "battery": 100, "linkquality": 88}))
        return {"name": name}

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
