"""The driver of a ChirpStack bridge."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

from edge.drivers.broker.driver import BridgeDriver
from edge.drivers.broker.memory import digest
from edge.drivers.broker.session import Incoming
from edge.drivers.chirpstack.config import ChirpstackConfig, LoraDevice
from edge.drivers.port import DeviceConfig
from edge.drivers.strangers import Stranger
from protocols.bridged import observed_at
from protocols.chirpstack import TOPICS, LoraEvent, guess, read_event, read_topic, status, type_of, uplink
from protocols.errors import DeviceError, RefusedError
from protocols.events import Observation, Value


class ChirpstackDriver(BridgeDriver):
    """Only listens: what such devices can be told has to wait for them to speak."""

    def __init__(self, config: ChirpstackConfig) -> None:
        super().__init__(config, config.topic_prefix + TOPICS)
        self._config = config
        self._by_eui = {device.dev_eui: device for device in config.device}
        self._by_id = {device.id: device for device in config.device}
        self._heard_s: dict[str, float] = {}

    @property
    def devices(self) -> Sequence[LoraDevice]:
        """The devices that the configuration names."""
        return self._config.device

    @property
    def _addresses(self) -> Collection[str]:
        return self._by_eui.keys()

    def act(self, device: str, output: str, value: Value, timeout_s: float) -> None:
        """Nothing is written to these devices: always RefusedError."""
        raise RefusedError("edge.driver.chirpstack.no-output", device=device, output=output)

    def _begin(self, now_s: float) -> None:
        self._heard_s = dict.fromkeys(self._by_eui, now_s)

    def _read_one(self, message: Incoming, now_ms: int) -> Sequence[Observation]:
        topic = read_topic(self._config.topic_prefix, message.topic)
        if topic is None or message.retained:
            return ()  # ChirpStack's integration retains nothing; an old uplink is history
        event = read_event(topic.kind, message.payload, message.topic)
        device = self._by_eui.get(event.dev_eui)
        if device is None:
            self._meet(event, now_ms)
            return ()
        if event.kind in ("up", "join"):
            self._speaks(device)
        name = digest(f"{event.kind}/{event.dev_eui}", event.id.encode() or message.payload)
        if self._memory.knows(name):
            return ()
        self._memory.take(name)
        return self._said(device, event, now_ms)

    def _said(self, device: LoraDevice, event: LoraEvent, now_ms: int) -> Sequence[Observation]:
        at_ms = observed_at(event.time, now_ms, self._clocks_ahead)
        match event.kind:
            case "up":
                return uplink(device.id, device.type, device.codec, device.field, event, at_ms)
            case "status":
                return status(device.id, device.type, event, at_ms)
            case "log" if event.level in ("WARNING", "ERROR"):
                self._log.warning("network-server", device=device.id, code=event.code, text=event.text[:200])
        return ()

    def _speaks(self, device: LoraDevice) -> None:
        self._heard_s[device.dev_eui] = time.monotonic()
        self._note(device, heard=True)

    def _note(self, device: LoraDevice, *, heard: bool) -> None:
        """Whether it counts as there, also after a restart."""
        if self._memory.available.get(device.dev_eui, False) is not heard:
            self._memory.available[device.dev_eui] = heard
            self._memory.changed = True

    def _meet(self, event: LoraEvent, now_ms: int) -> None:
        """A device that joined or spoke and is not named here."""
        codec = guess(event)
        settings = {"dev_eui": event.dev_eui} | ({"codec": codec} if codec else {})
        stranger = Stranger(
            address=event.dev_eui,
            name=event.name,
            model=event.profile,
            type=type_of(codec) if codec else "",
            settings=settings,
        )
        self._strangers.meet(stranger, now_ms, _words(event) if event.kind == "up" else None)

    def _away(self, device: DeviceConfig, now_s: float) -> tuple[bool, DeviceError | None]:
        known = self._by_id[device.id]
        silent_s = now_s - self._heard_s[known.dev_eui]
        if silent_s > known.missed * known.interval_s:
            self._note(known, heard=False)
            hours = round(known.missed * known.interval_s / 3600, 1)
            return True, DeviceError(
                "edge.driver.chirpstack.silent", device=device.id, missed=known.missed, hours=hours
            )
        return self._memory.available.get(known.dev_eui, False), None


def _words(event: LoraEvent) -> str:
    return f"fPort {event.port}: {event.data.hex(' ').upper()}"
