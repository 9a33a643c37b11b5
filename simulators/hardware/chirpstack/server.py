"""A stand-in for ChirpStack v4: what its MQTT integration publishes of joins, uplinks and device status, as JSON.

ProtoJSON leaves out what has its default value, and so does this.
"""

from __future__ import annotations

import base64
import json
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from protocols.errors import ConfigError
from simulators.hardware.chirpstack.devices import Button, LoraDevice, Uplink, make_device
from simulators.hardware.field_client import FieldBroker, FieldClient, Told
from simulators.hardware.port import Ledger

APPLICATION: Final = "4d2f5f0e-6a54-4b4b-9c0a-2c1f6f6f1a01"
_STRANGER: Final = "24e124136b777777"

Trigger = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]


class NetworkServer:
    """All LoRaWAN devices of a gateway. Connects by itself, whenever the broker is there."""

    def __init__(
        self,
        broker: FieldBroker,
        devices: Sequence[LoraDevice],
        *,
        ledger: Ledger,
        rng: random.Random,
        topic_prefix: str = "",
    ) -> None:
        self._by_id = {device.id: device for device in devices}
        self._rng, self._prefix = rng, topic_prefix
        self._lock = threading.Lock()
        self._clock_off_ms = 0
        self._last: tuple[str, str] | None = None
        self._client = FieldClient(broker, f"{topic_prefix}chirpstack-stand-in", ledger, connected=lambda: None)

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices' ids."""
        return tuple(self._by_id)

    def start(self) -> None:
        """Begin to connect."""
        self._client.start()

    def stop(self) -> None:
        """Leave; ChirpStack says no farewell."""
        self._client.stop()

    def step(self, now_ms: int, elapsed_s: float) -> None:
        """Let every device live; those that nobody hears live on unheard."""
        with self._lock:
            for device in self._by_id.values():
                self._tell(device, device.step(elapsed_s))

    def triggers(self) -> Mapping[str, Trigger]:
        """What can happen. ``battery`` takes `percent`, ``join`` a stranger's `eui` and `profile`.

        ``again``: the last message comes once more, as after a lost acknowledgement; ``clock``: the server's clock is
        wrong by `seconds`.
        """
        return {
            "sos": self._press,
            "motion": lambda device, params: self._set(device, "occupancy", True),
            "smoke": lambda device, params: self._set(device, "smoke", not params.get("clear")),
            "smoke-clear": lambda device, params: self._set(device, "smoke", False),
            "leak": lambda device, params: self._set(device, "leak", not params.get("clear")),
            "leak-clear": lambda device, params: self._set(device, "leak", False),
            "window-open": lambda device, params: self._set(device, "contact-open", True),
            "window-closed": lambda device, params: self._set(device, "contact-open", False),
            "device-offline": lambda device, params: self._set_silent(device, True),
            "device-online": lambda device, params: self._set_silent(device, False),
            "battery": self._ask_battery,
            "join": self._join,
            "again": self._again,
            "clock": self._turn_clock,
        }

    def state(self) -> Mapping[str, Any]:
        """Conditions, frame counters, and how often each metric was observed."""
        with self._lock:
            return {"devices": {d.id: d.state() for d in self._by_id.values()}, "counters": self._client.counters()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take them up again."""
        self._client.restore(state.get("counters", {}))
        with self._lock:
            for device in self._by_id.values():
                device.restore(state.get("devices", {}).get(device.id, {}))

    def _tell(self, device: LoraDevice, uplinks: Iterable[Uplink]) -> None:
        for uplink in () if device.silent else uplinks:
            device.count += 1
            at_ms = time.time_ns() // 1_000_000
            told = Told(device=device.id, metric=uplink.metric, value=uplink.value, at_ms=at_ms)
            rssi, snr = self._rng.randint(-110, -70), self._rng.randint(-20, 40) / 4
            heard = {"gatewayId": "0016c001f153a14c", "rssi": rssi} | ({"snr": snr} if snr else {})
            body = {
                "devAddr": f"{int(device.eui[-8:], 16):08x}",
                "adr": True,
                "dr": 5,
                "fCnt": device.count,
                "fPort": uplink.port,
                "data": base64.b64encode(uplink.data).decode("ascii"),
                "rxInfo": [heard],
            }
            self._publish(device.eui, device.model, "up", body, told=told if uplink.metric else None)

    def _publish(self, eui: str, profile: str, kind: str, body: Mapping[str, Any], *, told: Told | None = None) -> None:
        moment = datetime.fromtimestamp(time.time() + self._clock_off_ms / 1000, UTC)
        event = {
            "deduplicationId": str(uuid.UUID(int=self._rng.getrandbits(128), version=4)),
            "time": f"{moment:%Y-%m-%dT%H:%M:%S.%f}000+00:00",
            "deviceInfo": {
                "tenantName": "Gateway",
                "applicationId": APPLICATION,
                "applicationName": "field",
                "deviceProfileName": f"Milesight {profile}",
                "deviceName": f"{profile} {eui[-4:]}",
                "devEui": eui,
            },
            **body,
        }
        topic = f"{self._prefix}application/{APPLICATION}/device/{eui}/event/{kind}"
        self._last = topic, json.dumps(event)
        self._client.publish(*self._last, told=told)

    def _press(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        with self._lock:
            button = self._find(device)
            if not isinstance(button, Button):
                raise self._wrong(device)
            self._tell(button, button.press())
        return {"device": device, "press": "short"}

    def _set(self, device: str, flag: str, on: bool) -> Mapping[str, Any]:
        with self._lock:
            found = self._find(device)
            if found.flag != flag:
                raise self._wrong(device)
            self._tell(found, found.set(on))
        return {"device": device, flag: on}

    def _set_silent(self, device: str, silent: bool) -> Mapping[str, Any]:
        with self._lock:
            found = self._find(device)
            found.silent = silent
            self._tell(found, found.report())
        return {"device": device, "silent": silent}

    def _ask_battery(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """ChirpStack asks for the device's status, and tells the answer; 0 % is left out, as every default."""
        with self._lock:
            found = self._find(device)
            found.battery = float(params.get("percent", found.battery))
            body = {"margin": 7} | ({"batteryLevel": found.battery} if found.battery else {})
            self._publish(found.eui, found.model, "status", body)
        return {"device": device, "battery": found.battery}

    def _join(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Somebody adds a device to ChirpStack that the gateway does not know: it joins and speaks."""
        eui, profile = str(params.get("eui", _STRANGER)), str(params.get("profile", "WS303"))
        with self._lock:
            self._publish(eui, profile, "join", {"devAddr": "01020304"})
            stranger = make_device("", profile, eui, self._rng)
            self._tell(stranger, [Uplink(data=uplink.data, port=uplink.port) for uplink in stranger.report()])
        return {"dev_eui": eui, "profile": profile}

    def _again(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        with self._lock:
            if self._last is not None:
                self._client.publish(*self._last)
        return {"again": self._last is not None}

    def _turn_clock(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self._clock_off_ms = round(float(params.get("seconds", 0.0)) * 1000)
        return {"seconds": self._clock_off_ms / 1000}

    def _find(self, device: str) -> LoraDevice:
        found = self._by_id.get(device)
        if found is None:
            raise self._wrong(device)
        return found

    def _wrong(self, device: str) -> ConfigError:
        return ConfigError("simulators.chirpstack.wrong-device", device=device, allowed=", ".join(self._by_id))
