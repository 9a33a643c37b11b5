"""The serial line as the library wants it: a channel whose reads and writes never wait and never raise."""

from __future__ import annotations

import fcntl
import os
import select
import termios
import time
import tty
from pathlib import Path

from protocols.errors import DeviceError

_SOM = 0x53  # start of message; the address follows, with bit 7 set in replies (IEC 60839-11-5, 5.9)
_REPLY = 0x80


class SerialLine:
    """An open line. After `failed` is set it only swallows bytes; the owner closes it and opens a new one."""

    def __init__(self, path: Path, baudrate: int) -> None:
        """Open `path`, 8N1, and lock it. Raises DeviceError when it is not there, or another program has it."""
        self.id = 0  # the library reads this name: readers with the same channel id share a bus
        self.failed: str | None = None
        self.round_trip_s: float | None = None
        self._heard: dict[int, float] = {}
        self._sent_at: float | None = None
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise DeviceError("edge.driver.osdp.port", port=path, why=error.strerror) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._set_up(baudrate)
        except (OSError, termios.error) as error:
            os.close(self._fd)
            raise DeviceError("edge.driver.osdp.port", port=path, why=error.args[-1]) from error
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)

    def _set_up(self, baudrate: int) -> None:
        tty.setraw(self._fd)
        attributes = termios.tcgetattr(self._fd)
        attributes[2] |= termios.CLOCAL | termios.CREAD
        attributes[4] = attributes[5] = getattr(termios, f"B{baudrate}")
        termios.tcsetattr(self._fd, termios.TCSANOW, attributes)
        termios.tcflush(self._fd, termios.TCIOFLUSH)

    def wait(self, timeout_s: float) -> None:
        """Return when bytes are there, at the latest after `timeout_s`."""
        for _, happened in self._poll.poll(timeout_s * 1000):
            if happened & (select.POLLHUP | select.POLLERR | select.POLLNVAL):
                self.failed = "hang-up"

    def heard_at(self, address: int) -> float:
        """When the last reply of this address came (monotonic); 0 when there was none since the line was opened."""
        return self._heard.get(address, 0.0)

    def close(self) -> None:
        """Give the line back."""
        os.close(self._fd)

    # What the library calls, inside `refresh`. An exception would be lost there, so a failure is kept instead.

    def read(self, size: int) -> bytes:
        """At most `size` bytes that are there now."""
        try:
            data = os.read(self._fd, size)
        except BlockingIOError:
            return b""
        except OSError as error:
            self.failed = error.strerror
            return b""
        if data:
            self._note(data)
        return data

    def write(self, data: bytes) -> int:
        """The count of bytes that the line took."""
        self._sent_at = time.monotonic()
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            return 0
        except OSError as error:
            self.failed = error.strerror
            return len(data)

    def flush(self) -> None:
        """Forget what came in; the library asks for it before it repeats a command."""
        try:
            termios.tcflush(self._fd, termios.TCIFLUSH)
        except (OSError, termios.error) as error:
            self.failed = str(error.args[-1])

    def _note(self, data: bytes) -> None:
        if self._sent_at is not None:
            self.round_trip_s = time.monotonic() - self._sent_at
            self._sent_at = None
        start = data.find(_SOM)
        if 0 <= start < len(data) - 1 and data[start + 1] & _REPLY:
            self._heard[data[start + 1] & 0x7F] = time.monotonic()
