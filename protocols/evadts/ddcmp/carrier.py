"""The gateway's end of a DDCMP session: START, who are you, read data, the blocks, finish."""

from __future__ import annotations

from typing import Final

from protocols.errors import DeviceError
from protocols.evadts.ddcmp.frames import STACK as STARTED
from protocols.evadts.ddcmp.frames import START, Control, Data, control
from protocols.evadts.ddcmp.station import Station
from protocols.evadts.dex.phases import Timers
from protocols.evadts.dex.session import AuditReceived, Step

WHO: Final = bytes.fromhex("77e0")
READ: Final = bytes.fromhex("77e2")
FINISH: Final = bytes.fromhex("77ff")
WHO_ANSWER: Final = bytes.fromhex("88e0")
READ_ANSWER: Final = bytes.fromhex("88e2")
BLOCK: Final = 0x99
OK: Final = 0x01
REFUSED: Final = 0x00
_MAX_AUDIT: Final = 1 << 18
# Security code, pass code, date, time and user are left empty; the last byte says that a route person asks.
_WHO: Final = WHO + bytes(13) + b"\x0c"
# The audit, record 1, from the beginning, all of it. List 2 resets nothing by being read; machines that do not know it
# refuse it, and then give list 1. All of it is written 0000 (EVA-DTS 6.2, 3.6.4.1.3), on some machines FFFF.
_READS: Final = tuple(
    READ + bytes.fromhex(which) for which in ("000201 0000 0000", "000101 0000 0000", "000101 0000 ffff")
)
_UNKNOWN_LENGTHS: Final = (0, 0xFFFF)  # then the last block says that it is
_TAIL: Final = 40  # bytes at the end of an audit that hold its DXE
_READ_S: Final = 15.0  # how long a machine may take to gather its audit


class Carrier(Station):
    """`start` a session, and `confirm` the audit when it is stored: its last block is acknowledged then."""

    def __init__(self, timers: Timers | None = None) -> None:
        super().__init__(timers or Timers())
        self._state = ""
        self._body = bytearray()
        self._reads = 0
        self._lengths: tuple[int, ...] = ()

    def start(self, now: float) -> Step:
        """Call the machine and ask for an audit. The line keeps its speed."""
        self._decoder.drop()
        self._begin(now)
        self._state = "start"
        self._body.clear()
        self._reads, self._lengths = 0, ()
        self._tell(control(START), now, tries=self.timers.bids)
        return self._step(now)

    def confirm(self, now: float) -> Step:
        """What `AuditReceived` told is on the disk: acknowledge it to the machine, and finish."""
        if self._active and self._state == "held":
            self._state = "finish"
            self._acknowledge(now)
            self._say(FINISH, now)
        return self._step(now)

    def abandon(self, now: float) -> Step:
        """Give the session up without acknowledging: the machine will offer the same again."""
        if self._active:
            self._fail(DeviceError("protocols.evadts.dex-abandoned"))
        return self._step(now)

    def _on_control(self, frame: Control, now: float) -> None:
        if self._active and self._state == "start" and frame.type == STARTED:
            self._state = "who"
            self._say(_WHO, now)
        elif self._state != "start":
            super()._on_control(frame, now)

    def _arrived(self, now: float) -> None:
        if self._state == "finish":
            self._close()
        elif self._state == "read":
            self._wait(now, _READ_S)

    def _take(self, frame: Data, now: float) -> None:
        body = frame.body
        if self._state == "who":
            if self._granted(body, WHO_ANSWER):
                self._state = "read"
                self._acknowledge(now)
                self._say(_READS[0], now)
        elif self._state == "read":
            self._on_read(body, now)
        elif self._state == "data":
            self._block(frame, now)

    def _on_read(self, body: bytes, now: float) -> None:
        if body[:2] == READ_ANSWER and body[2:3] == bytes((REFUSED,)) and self._reads + 1 < len(_READS):
            self._reads += 1
            self._acknowledge(now)
            self._say(_READS[self._reads], now)
        elif self._granted(body, READ_ANSWER):
            self._state = "data"
            said = body[7:9]
            if int.from_bytes(said, "little") not in _UNKNOWN_LENGTHS:  # which byte is first the standard leaves open
                self._lengths = int.from_bytes(said, "little"), int.from_bytes(said, "big")
            self._acknowledge(now)
            self._wait(now, _READ_S)

    def _granted(self, body: bytes, answer: bytes) -> bool:
        if body[:2] == answer and len(body) > 2 and body[2] == OK:
            return True
        self._fail(DeviceError("protocols.evadts.dex-refused", response=body[:3].hex() or "?"))
        return False

    def _block(self, frame: Data, now: float) -> None:
        if len(frame.body) < 2 or frame.body[0] != BLOCK or len(self._body) + len(frame.body) > _MAX_AUDIT:
            self._fail(DeviceError("protocols.evadts.dex-ended", phase="data"))
            return
        self._body += frame.body[2:]
        if not frame.last and not self._whole():
            self._acknowledge(now)
            self._wait(now)
            return
        self._announce()

    def _whole(self) -> bool:
        """All of the length that was said is here; with the smaller of two readings also the end of the text."""
        size = len(self._body)
        return bool(self._lengths) and (
            size >= max(self._lengths) or (size in self._lengths and b"DXE" in self._body[-_TAIL:])
        )

    def _announce(self) -> None:
        self._state, self._flying, self._timer = "held", None, None
        self._events.append(AuditReceived(data=bytes(self._body)))

    def _repeated(self, now: float) -> None:
        if self._state != "held":  # that one is acknowledged when it is on the disk
            super()._repeated(now)

    def _late(self, now: float) -> None:
        if self._state == "finish" and self._tries > 1:
            self._close()  # the machine has gone; everything had been acknowledged
        elif self._state == "data" and len(self._body) in self._lengths:
            self._announce()  # an audit without DXE
        else:
            super()._late(now)
