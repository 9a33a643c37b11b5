"""Which topic is whose: a device keeps its place when somebody renames it in zigbee2mqtt. Pure; used by one thread.

The friendly name of the configuration counts first; where nothing has that name any more, the device whose hardware
address bore it before. A reader on another thread sees the names before a change or those after it.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping

from edge.drivers.zigbee2mqtt.config import ZigbeeDevice
from protocols.zigbee import Row


class Names:
    """`addresses`: friendly name of the configuration → hardware address, kept over restarts by who gives it."""

    def __init__(self, devices: Iterable[ZigbeeDevice], addresses: MutableMapping[str, str]) -> None:
        self._devices = tuple(devices)
        self._addresses = addresses
        self._owner = {device.friendly_name: device for device in self._devices}
        self._row: dict[str, Row] = {}
        self._listed: set[str] | None = None

    def of(self, name: str) -> ZigbeeDevice | None:
        """Whose messages come under `name` now."""
        return self._owner.get(name)

    def now(self, device: ZigbeeDevice) -> str:
        """What zigbee2mqtt calls it now."""
        row = self._row.get(device.friendly_name)
        return device.friendly_name if row is None else row.name

    def row(self, device: ZigbeeDevice) -> Row | None:
        """What zigbee2mqtt's list says of it; None without a list, and for one that is not on it."""
        return self._row.get(device.friendly_name)

    def missing(self, device: ZigbeeDevice) -> bool:
        """Whether there is a list and it is not on it: it left, is switched off there, or was never paired."""
        return self._listed is not None and device.friendly_name not in self._row

    def is_device(self, name: str) -> bool:
        """Whether `name` may be a device's, and not that of a group, of one that left or of a single property."""
        return self._listed is None or name in self._listed

    def joined(self, row: Row) -> None:
        """zigbee2mqtt tells of a device before it lists it."""
        if self._listed is not None:
            self._listed.add(row.name)

    def listed(self, rows: Iterable[Row]) -> list[tuple[ZigbeeDevice, str]]:
        """zigbee2mqtt's list; the devices that have another name since."""
        by_name = {row.name: row for row in rows}
        by_address = {row.address: row for row in by_name.values() if row.address}
        found: dict[str, Row] = {}
        for device in self._devices:
            wanted = device.friendly_name
            row = by_name.get(wanted) or by_address.get(wanted)
            if row is None:
                row = by_address.get(self._addresses.get(wanted, ""))
                row = None if row is not None and row.name in self._own_names() else row
            if row is not None:
                found[wanted] = row
        renamed = [
            (device, found[device.friendly_name].name)
            for device in self._devices
            if device.friendly_name in found and found[device.friendly_name].name != self.now(device)
        ]
        self._row, self._listed = found, set(by_name)
        self._addresses.update({wanted: row.address for wanted, row in found.items() if row.address})
        owner = {device.friendly_name: device for device in self._devices}
        self._owner = owner | {self.now(device): device for device in self._devices}
        return renamed

    def _own_names(self) -> set[str]:
        return {device.friendly_name for device in self._devices}
