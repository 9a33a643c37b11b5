"""Frames of GB/T 26875.3-2011, the uplink of fire panels (clause 6.6):

``40 40 seq(2) version(2) time(6) source(6) destination(6) length(2) command data sum 23 23``

Numbers are sent low byte first. The sum is over all bytes from seq to the end of data, modulo 256. Six bytes of time
are second, minute, hour, day, month and year of the century, in binary (8.2.2), local time of the sender.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from protocols.capture import take_frame
from protocols.errors import ProtocolError

START: Final = b"@@"
END: Final = b"##"
MAX_DATA: Final = 1024

CONTROL: Final = 1
SEND: Final = 2
ACK: Final = 3
REQUEST: Final = 4
REPLY: Final = 5
DENY: Final = 6

_OWN_STATE: Final = bytes([81, 1, 0])
_HEAD: Final = 27
_TAIL: Final = 3
_LENGTH_AT: Final = 24
# Makers send more than 1024 bytes (many objects at once); what is longer than this is no frame.
_MAX_TOLERATED: Final = 16384


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame. Addresses are numbers of six bytes; `time` are the six bytes as sent.

    `said` is the check sum as it came; `big_length` is True when the length came high byte first.
    """

    sequence: int
    command: int
    time: bytes
    source: int = 0
    destination: int = 0
    version: tuple[int, int] = (1, 1)
    data: bytes = b""
    said: int | None = None
    big_length: bool = False

    @property
    def computed(self) -> int:
        """The check sum that the frame should have."""
        return sum(_body(self)) & 0xFF

    @property
    def fits(self) -> bool:
        """True when the check sum that came is right."""
        return self.said is None or self.said == self.computed


def encode(frame: Frame) -> bytes:
    """The bytes of `frame`. Raises ProtocolError for data above 1024 bytes, or a time that is not six bytes."""
    if len(frame.data) > MAX_DATA or len(frame.time) != 6:
        raise ProtocolError("protocols.gb26875.too-long", size=len(frame.data), limit=MAX_DATA)
    body = _body(frame)
    return START + body + bytes([sum(body) & 0xFF]) + END


def _body(frame: Frame) -> bytes:
    return b"".join(
        (
            (frame.sequence & 0xFFFF).to_bytes(2, "little"),
            bytes(frame.version),
            frame.time,
            frame.source.to_bytes(6, "little"),
            frame.destination.to_bytes(6, "little"),
            len(frame.data).to_bytes(2, "big" if frame.big_length else "little"),
            bytes([frame.command]),
            frame.data,
        )
    )


def measure(data: bytes, at: int) -> int:
    """How long the frame that begins at `at` is (it may end behind the data); 0 when none begins there."""
    if data[at] != START[0] or (len(data) > at + 1 and data[at + 1] != START[1]):
        return 0
    if len(data) < at + _HEAD:
        return _HEAD + _TAIL
    length = data[at + _LENGTH_AT : at + _LENGTH_AT + 2]
    sizes = [_HEAD + int.from_bytes(length, order) + _TAIL for order in ("little", "big")]
    for size in sizes:
        if size <= _MAX_TOLERATED and data[at + size - 2 : at + size] == END:
            return size
    return sizes[0] if sizes[0] <= _MAX_TOLERATED and at + sizes[0] > len(data) else 0


def parse(raw: bytes) -> Frame:
    """The frame that `raw` is, from ``@@`` to ``##``; a wrong check sum is kept (`Frame.fits`).

    Raises ProtocolError when `raw` is not exactly one frame.
    """
    if not raw or measure(raw, 0) != len(raw):
        raise ProtocolError("protocols.gb26875.not-a-frame", size=len(raw), at=0)
    length = len(raw) - _HEAD - _TAIL
    return Frame(
        sequence=int.from_bytes(raw[2:4], "little"),
        version=(raw[4], raw[5]),
        time=raw[6:12],
        source=int.from_bytes(raw[12:18], "little"),
        destination=int.from_bytes(raw[18:24], "little"),
        command=raw[26],
        data=raw[_HEAD:-_TAIL],
        said=raw[-_TAIL],
        big_length=int.from_bytes(raw[_LENGTH_AT : _LENGTH_AT + 2], "little") != length,
    )


def take(buffer: bytes) -> tuple[int, Frame | None]:
    """As `protocols.capture.take_frame`: a wrong check sum is kept, ask `Frame.fits`.

    Nothing longer than 16 KB is waited for.
    """
    return take_frame(buffer, measure, parse)


def time_bytes(moment: datetime) -> bytes:
    """The six bytes of `moment`, which is local time of the panel."""
    return bytes([moment.second, moment.minute, moment.hour, moment.day, moment.month, moment.year % 100])


def question(frame: Frame, sequence: int, now: datetime) -> Frame:
    """Asks the transmission device that sent `frame` for its own state (8.3.2.9, type 81); `now` is local time."""
    return Frame(
        sequence=sequence,
        version=frame.version,
        time=time_bytes(now),
        source=frame.destination,
        destination=frame.source,
        command=REQUEST,
        data=_OWN_STATE,
        big_length=frame.big_length,
    )


def answer(frame: Frame, command: int, now: datetime, data: bytes = b"") -> Frame:
    """The frame that answers `frame`: its sequence number and version, the addresses exchanged (6.3 to 6.5).

    `command` is ACK or DENY for what was sent, REPLY for what was asked; `now` is local time. A sender that counts the
    length high byte first gets it the same way.
    """
    return Frame(
        sequence=frame.sequence,
        version=frame.version,
        time=time_bytes(now),
        source=frame.destination,
        destination=frame.source,
        command=command,
        data=data,
        big_length=frame.big_length,
    )
