"""Lines out of a stream of bytes, of which none is longer than a bound. Pure."""

from __future__ import annotations


class Lines:
    """Collects bytes until a line is whole. What runs on without an end is thrown away up to the next one."""

    def __init__(self, end: bytes, most: int) -> None:
        """`end`: what a line ends with; `most`: bytes of a line without it."""
        self._end, self._most = end, most
        self._pending = b""
        self._too_long = False
        self.dropped = 0
        """Lines that were too long."""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are whole now, without their ends and without carriage returns around them."""
        *whole, self._pending = (self._pending + data).split(self._end)
        found: list[bytes] = []
        for line in whole:
            if self._too_long or len(line) > self._most:
                self._too_long = False
                self.dropped += 1
            else:
                found.append(line.strip(b"\r"))
        if len(self._pending) > self._most:
            self._too_long = True
            self._pending = self._pending[-len(self._end) :]
        return found

    def forget(self) -> None:
        """What came belongs to a question that is over, or to a line that was lost."""
        self._pending = b""
        self._too_long = False
