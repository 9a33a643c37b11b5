"""Which rows stand for the stations and channels of a group: true once the transaction that found them commits."""

from __future__ import annotations

from collections.abc import Iterable

from cloud.ingest.channels import Channel, Channels, Station
from cloud.ingest.directory import Numbers
from cloud.registry import births
from cloud.registry.births import SeriesSpec
from cloud.storage.database import Transaction
from protocols.sparkplug.host import NodeKey


class Ids:
    """The ids of one transaction, over those that are committed."""

    def __init__(self, channels: Channels) -> None:
        self._channels = channels
        self._gateways: dict[NodeKey, int] = {}
        self._devices: dict[Station, int] = {}
        self._series: dict[Channel, int] = {}

    def gateway(self, node: NodeKey) -> int | None:
        """The row of a gateway, if a birth told it."""
        return self._gateways.get(node) or self._channels.gateways.get(node)

    def device(self, station: Station) -> int | None:
        """The row of a device, if it is known."""
        return self._devices.get(station) or station.device_id

    def series(self, channel: Channel) -> int | None:
        """The number of a channel's series, if it is known."""
        return self._series.get(channel) or channel.series_id

    def series_of(self, channels: Numbers) -> Numbers:
        """The numbers of the series of these channels; 0 for one that is not known."""
        directory = self._channels.directory
        found = directory.series[channels]
        if self._series and not found.all():
            fresh = directory.series.copy()
            for channel, number in self._series.items():
                if channel.number >= 0:
                    fresh[channel.number] = number
            found = fresh[channels]
        return found

    def learn_station(self, station: Station, gateway_id: int, device_id: int) -> None:
        """A birth touched these rows."""
        self._gateways[station.node] = gateway_id
        self._devices[station] = device_id

    def learn_series(self, tx: Transaction, channels: Iterable[Channel]) -> None:
        """Find or make the series of these channels, of stations whose rows are known."""
        missing: dict[int, dict[str, Channel]] = {}
        for channel in channels:
            device_id = self.device(channel.station)
            if channel.stored and device_id is not None and self.series(channel) is None:
                missing.setdefault(device_id, {})[channel.name] = channel
        wanted = {
            device_id: [SeriesSpec(metric=c.name, datatype=int(c.datatype), unit=c.unit) for c in named.values()]
            for device_id, named in missing.items()
        }
        for (device_id, name), number in births.series_of(tx, wanted).items():
            self._series[missing[device_id][name]] = number

    def require(self, tx: Transaction, stations: Iterable[Station], channels: Iterable[Channel]) -> None:
        """Find or make the rows of all of these, also of those whose birth this process never committed."""
        missing = [channel for channel in channels if self.series(channel) is None]
        unknown = {one for one in (*stations, *(c.station for c in missing)) if self.device(one) is None}
        for station in sorted(unknown, key=lambda one: (one.node, one.code)):
            row = births.ensure_device(tx, station.node, station.code)
            self.learn_station(station, row.gateway_id, row.device_id)
        self.learn_series(tx, missing)

    def settle(self) -> None:
        """The transaction is committed."""
        self._channels.gateways.update(self._gateways)
        for station, number in self._devices.items():
            station.device_id = number
        for channel, number in self._series.items():
            self._channels.directory.settle(channel, number)
