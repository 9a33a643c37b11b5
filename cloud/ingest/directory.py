"""Numbers for channels: columns name a channel by its number, and arrays by number tell what is known of each.

Numbers mean nothing outside of this process and are never given twice. Single-threaded: the worker's thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from protocols.sparkplug.datatype import SIGNED, UNSIGNED, DataType

if TYPE_CHECKING:
    from cloud.ingest.channels import Channel

Numbers = NDArray[np.int32]

BY_HAND: Final = 0
"""How values of a channel are read: one by one."""
DOUBLE: Final = 1
FLOAT: Final = 2
BOOLEAN: Final = 3
UNSIGNED_AT: Final = 64
SIGNED_AT: Final = 128
"""To these is added the place in `WIDTHS`."""
WIDTHS: Final = (8, 16, 32, 64)
_FIRST: Final = 1024


class Directory:
    """Every channel that columns may name. `how` and `series` are by number; a series of 0 is not known yet."""

    def __init__(self) -> None:
        self._channels: list[Channel] = []
        self._how = np.zeros(_FIRST, np.uint8)
        self._series = np.zeros(_FIRST, np.int32)

    def __len__(self) -> int:
        return len(self._channels)

    @property
    def how(self) -> NDArray[np.uint8]:
        """How the values of each channel are read."""
        return self._how

    @property
    def series(self) -> Numbers:
        """The committed number of each channel's series."""
        return self._series

    def number(self, channel: Channel) -> int:
        """The number of a channel; it gets one when it is asked for first."""
        if channel.number < 0:
            channel.number = len(self._channels)
            self._channels.append(channel)
            if channel.number == len(self._how):
                self._how = np.concatenate([self._how, np.zeros_like(self._how)])
                self._series = np.concatenate([self._series, np.zeros_like(self._series)])
            self._how[channel.number] = _how(channel)
            self._series[channel.number] = channel.series_id or 0
        return channel.number

    def succeed(self, before: Channel, after: Channel) -> None:
        """A metric's type has changed: its new channel stands where the one before stood."""
        if before.number >= 0:
            after.number = before.number
            self._channels[after.number] = after
            self._how[after.number] = _how(after)
            self._series[after.number] = 0

    def channel(self, number: int) -> Channel:
        """The channel of a number."""
        return self._channels[number]

    def settle(self, channel: Channel, series_id: int) -> None:
        """The series of a channel is committed."""
        channel.series_id = series_id
        if channel.number >= 0:
            self._series[channel.number] = series_id

    def forget_series(self) -> None:
        """What series were called means nothing any more."""
        self._series[:] = 0
        for channel in self._channels:
            channel.series_id = None

    def distinct(self, numbers: Numbers) -> Numbers:
        """The numbers that occur, rising."""
        seen = np.zeros(len(self._channels), bool)
        seen[numbers] = True
        return np.flatnonzero(seen).astype(np.int32)


def _how(channel: Channel) -> int:
    if not channel.is_number:
        return BY_HAND
    kind = channel.datatype
    if kind in SIGNED:
        return SIGNED_AT + WIDTHS.index(SIGNED[kind])
    if kind in UNSIGNED:
        return UNSIGNED_AT + WIDTHS.index(UNSIGNED[kind])
    return {DataType.DOUBLE: DOUBLE, DataType.FLOAT: FLOAT, DataType.BOOLEAN: BOOLEAN}.get(kind, BY_HAND)
