"""What a connection gives, cut into frames as it comes: no frame waits behind a broken one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from protocols.capture import pieces
from protocols.gb26875.frame import END, Frame, measure, parse

MOST_KEPT: Final = 20_000
"""Bytes that may wait for their end: one frame of the longest kind, and what came with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """One whole frame and its bytes."""

    frame: Frame
    raw: bytes


class Inbox:
    """The bytes of one connection."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Arrived]:
        """The whole frames that `data` completes; a frame with a wrong check sum is among them (`Frame.fits`).

        A frame that was cut short does not keep those behind it waiting: they are recognised although its length says
        that they belong to it.
        """
        buffer = self._rest + data
        if END[:1] not in data and len(buffer) <= MOST_KEPT:
            self._rest = buffer  # nothing can have been completed: bytes that trickle in are not read again and again
            return []
        found: list[Arrived] = []
        waiting = len(buffer)
        for piece in pieces(buffer, measure):
            if piece.whole:
                found.append(Arrived(frame=parse(piece.data), raw=piece.data))
                waiting = len(buffer)
            elif piece.wanted:
                waiting = piece.at
        self._rest = buffer[waiting:] if len(buffer) - waiting <= MOST_KEPT else b""
        return found
