"""Which devices are there: by what zigbee2mqtt says, by what was heard, and by how long nothing was. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from edge.drivers.broker.memory import Memory
from edge.drivers.zigbee2mqtt.config import ZigbeeDevice
from protocols.errors import DeviceError

BRIDGE: Final = ""
"""zigbee2mqtt itself, among the names of its devices."""


class Presence:
    """When each device was last heard, in monotonic seconds. Used by one thread."""

    def __init__(self, devices: Iterable[ZigbeeDevice], now_s: float) -> None:
        self._heard_s = {device.friendly_name: now_s for device in devices}
        self._spoke: set[str] = set()

    def heard(self, name: str, now_s: float, memory: Memory, seen: object = None) -> None:
        """A message of the device itself: it is there, whatever was said before.

        `seen`: when zigbee2mqtt heard it, as it writes that. The same as before means that zigbee2mqtt tells what it
        remembers (it does when it starts, and when something of its own changes): the device itself may be dead.
        """
        if seen is not None and memory.seen.get(name) == str(seen):
            return
        if seen is not None:
            memory.seen[name] = str(seen)
        self._heard_s[name] = now_s
        self._spoke.add(name)
        if memory.available.get(name) is False:
            self.available(name, True, memory)

    def available(self, name: str, online: bool, memory: Memory) -> None:
        """zigbee2mqtt says so; names that the configuration does not hold are left out."""
        if (name == BRIDGE or name in self._heard_s) and memory.available.get(name) is not online:
            memory.available[name] = online
            memory.changed = True

    def known(self, name: str, memory: Memory) -> bool:
        """Whether anything is known of the device: it spoke, or was spoken of."""
        return name in self._spoke or name in memory.available

    def error(self, device: ZigbeeDevice, now_s: float, memory: Memory, *, missing: bool = False) -> DeviceError | None:
        """Why the device counts as lost, or None. `missing`: zigbee2mqtt does not list it."""
        if memory.available.get(BRIDGE) is False:
            return DeviceError("edge.driver.zigbee2mqtt.bridge-away")
        if missing:
            return DeviceError("edge.driver.zigbee2mqtt.not-listed", device=device.id, name=device.friendly_name)
        if memory.available.get(device.friendly_name) is False:
            return DeviceError("edge.driver.zigbee2mqtt.device-away", device=device.id)
        if now_s - self._heard_s[device.friendly_name] > device.silent_h * 3600:
            return DeviceError("edge.driver.zigbee2mqtt.device-silent", device=device.id, hours=device.silent_h)
        return None
