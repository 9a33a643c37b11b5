"""The vending machine's end of a DDCMP session: it only answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from protocols.evadts.ddcmp.carrier import BLOCK, FINISH, OK, READ, READ_ANSWER, REFUSED, WHO, WHO_ANSWER
from protocols.evadts.ddcmp.frames import STACK, START, Control, Data, control
from protocols.evadts.ddcmp.station import Station
from protocols.evadts.dex.phases import Timers
from protocols.evadts.dex.session import AuditSent

_BLOCK: Final = 146  # bytes of the audit in a block, as in the recorded session
_AUDIT_LISTS: Final = (1, 2)
_UNKNOWN: Final = 0xFFFF


class Machine(Station):
    """`audit` gives the data at the moment of reading."""

    def __init__(self, audit: Callable[[], bytes], timers: Timers | None = None) -> None:
        super().__init__(timers or Timers())
        self._audit = audit
        self._data = b""
        self._blocks: list[bytes] | None = None
        self._counted = False  # the length was said, so no block is marked as the last

    def _on_control(self, frame: Control, now: float) -> None:
        if frame.type != START:
            super()._on_control(frame, now)
            return
        self._begin(now)
        self._blocks = None
        self._wire.send(control(STACK, parameter=frame.parameter), now)
        self._wait(now)

    def _take(self, frame: Data, now: float) -> None:
        self._acknowledge(now)
        command = frame.body[:2]
        if command == FINISH:
            self._close()
        elif command == WHO:
            self._say(WHO_ANSWER + bytes((OK,)) + bytes(18), now)
        elif command == READ:
            self._on_read(frame.body, now)

    def _on_read(self, asked: bytes, now: float) -> None:
        """All of an audit list is given, with its length where that fits into the answer."""
        if len(asked) < 9 or asked[3] not in _AUDIT_LISTS:
            self._say(READ_ANSWER + bytes((REFUSED,)), now)
            return
        self._data = self._audit()
        self._blocks = [self._data[at : at + _BLOCK] for at in range(0, len(self._data), _BLOCK)]
        self._counted = len(self._data) < _UNKNOWN
        length = len(self._data) if self._counted else _UNKNOWN
        self._say(READ_ANSWER + bytes((OK,)) + asked[3:7] + length.to_bytes(2, "little"), now)

    def _arrived(self, now: float) -> None:
        if self._blocks is None:
            return
        count = -(-len(self._data) // _BLOCK)
        if self._blocks:
            number = count - len(self._blocks)
            part = self._blocks.pop(0)
            self._say(bytes((BLOCK, number & 0xFF)) + part, now, last=not self._blocks and not self._counted)
        else:
            self._blocks = None
            self._events.append(AuditSent(data=self._data))
