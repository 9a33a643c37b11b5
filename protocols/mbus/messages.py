"""The frames that a reader of meters and a meter send on an M-Bus (EN 13757-2, 5.7; EN 13757-3, 11 for selection)."""

from __future__ import annotations

from typing import Final

from protocols.errors import ProtocolError
from protocols.mbus.frame import ACKNOWLEDGE, END, LONG, SHORT

ACKNOWLEDGED: Final = bytes([ACKNOWLEDGE])
TEST_ADDRESS: Final = 0xFE
"""Whoever is alone on the bus answers to it."""
SELECTED: Final = 0xFD
"""The address of the meter that was selected by its secondary address."""

_INITIALISE: Final = 0x40
_REQUEST_DATA: Final = 0x5B
_FRAME_COUNT_BIT: Final = 0x20
_SEND_DATA: Final = 0x53
_RESPOND: Final = 0x08
_SELECT: Final = 0x52
_MOST_DATA: Final = 252


def short(control: int, address: int) -> bytes:
    """``10 C A CS 16``."""
    return bytes([SHORT, control, address, control + address & 0xFF, END])


def long(control: int, address: int, ci: int, data: bytes) -> bytes:
    """``68 L L 68 C A CI data… CS 16``. Raises ProtocolError for more than 252 bytes of data."""
    if len(data) > _MOST_DATA:
        raise ProtocolError("protocols.mbus.too-long", size=len(data), limit=_MOST_DATA)
    body = bytes([control, address, ci]) + data
    return bytes([LONG, len(body), len(body), LONG]) + body + bytes([sum(body) & 0xFF, END])


def initialise(address: int) -> bytes:
    """SND_NKE: the meter forgets which telegram it sent last; it acknowledges with E5."""
    return short(_INITIALISE, address)


def request_data(address: int, *, frame_count: bool) -> bytes:
    """REQ_UD2: asks for the user data. The same `frame_count` bit as before asks for the last telegram once more."""
    return short(_REQUEST_DATA | (_FRAME_COUNT_BIT if frame_count else 0), address)


def select(secondary: bytes) -> bytes:
    """Selects the meter whose secondary address matches these eight bytes (F digits and FF bytes match any)."""
    if len(secondary) != 8:
        raise ProtocolError("protocols.mbus.secondary", address=secondary.hex().upper())
    return long(_SEND_DATA, SELECTED, _SELECT, secondary)


def response(address: int, ci: int, data: bytes) -> bytes:
    """RSP_UD: a meter's user data."""
    return long(_RESPOND, address, ci, data)
