"""Keeps what a real line says, with its times.

The recorder sits between the driver and the device: it opens the real line, offers a line of its own to the driver,
hands on what comes, and writes both ways down. Without a line of its own it only listens, as at a tap of an RS-485 bus.
"""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

import serial

from protocols.errors import ConfigError, StorageError, UnavailableError
from protocols.recording import Burst, Bursts, Way, head
from simulators.hardware.line import PtyLine
from simulators.hardware.served import Line
from simulators.hardware.tcp_line import TcpLine

MOST_BYTES: Final = 64_000_000
"""A recording grows no further: it ends there, and says so."""
_WAIT_S: Final = 0.05
_JOIN_S: Final = 2.0
_AGAIN_S: Final = 1.0
_CHUNK: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the real line is spoken on; a TCP line needs none of it. `parity`: N, E or O."""

    baud: int = 9600
    parity: str = "N"
    stop_bits: int = 1

    def __str__(self) -> str:
        return f"{self.baud} 8{self.parity}{self.stop_bits}"


def offered(at: str) -> Line:
    """The line that a driver opens: ``tcp:PORT`` on loopback (0 = any free one), or the path of a pty."""
    if not at.startswith("tcp:"):
        return PtyLine(Path(at))
    if not at[4:].isdecimal() or int(at[4:]) > 65535:
        raise ConfigError("simulators.recorder.port", at=at)
    return TcpLine(int(at[4:]))


def place(line: Line) -> str:
    """What a driver's configuration says to open it."""
    return str(line.path) if isinstance(line, PtyLine) else line.name.replace("tcp:", "127.0.0.1:")


class Recorder:
    """Between `start` and `close` two threads carry and write. `failure` is why it ended by itself, if it did."""

    def __init__(self, device: str, settings: Settings, offer: Line | None, file: IO[str], pause_s: float) -> None:
        """`device`: the real line, a path or ``host:port``. `pause_s` ends a burst. Raises UnavailableError."""
        self._device, self._settings = device, settings
        self._real = self._open()
        self._offer = offer
        self._file = file
        self._bursts = Bursts(pause_s)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._began = time.monotonic()
        ways = [self._from_device] if offer is None else [self._from_device, self._to_device]
        self._threads = [threading.Thread(target=way, name=f"record{way.__name__}", daemon=True) for way in ways]
        self.bursts = self.size = 0
        self.failure: Exception | None = None

    def start(self) -> None:
        """Begin. Raises OSError when the offered line cannot be placed."""
        if self._offer is not None:
            self._offer.plug()
        self._file.write(head(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} · {self._device} {self._settings}") + "\n")
        for thread in self._threads:
            thread.start()

    def wait(self, seconds: float) -> bool:
        """Whether it has ended by itself within `seconds`."""
        return self._stop.wait(seconds)

    def close(self) -> None:
        """End, with what was heard last."""
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(_JOIN_S)
        with self._lock, contextlib.suppress(OSError):
            for burst in self._bursts.end():
                self._write(burst)
        if self._offer is not None:
            self._offer.unplug()
        self._real.close()

    def _open(self) -> serial.Serial:
        tcp = ":" in self._device and not self._device.startswith("/")
        try:
            made: serial.Serial = serial.serial_for_url(
                f"socket://{self._device}" if tcp else self._device,
                baudrate=self._settings.baud,
                parity=self._settings.parity,
                stopbits=self._settings.stop_bits,
                timeout=_WAIT_S,
                write_timeout=_JOIN_S,
            )
            return made
        except (OSError, ValueError) as error:
            raise UnavailableError("simulators.recorder.device", device=self._device, why=error) from error

    def _from_device(self) -> None:
        way: Way = "line" if self._offer is None else "from"
        while not self._stop.is_set():
            try:
                data = bytes(self._real.read(1))
                while data and len(data) < _CHUNK and (more := self._real.in_waiting):
                    data += bytes(self._real.read(more))
            except (OSError, TypeError) as error:  # TypeError: pyserial, when its port is closed beneath it
                self._lost(error)
                continue
            if data and self._offer is not None:
                self._offer.write(data)
            self._heard(way, data)

    def _to_device(self) -> None:
        assert self._offer is not None
        while not self._stop.is_set():
            data = self._offer.read(_CHUNK, _WAIT_S)
            if not data:
                continue
            with contextlib.suppress(OSError):  # the other thread sees that the line is gone, and opens it again
                self._real.write(data)
            self._heard("to", data)

    def _lost(self, why: Exception) -> None:
        """The real line is gone: write it down, and open it again as soon as it is back."""
        with self._lock:
            self._comment(f"{time.monotonic() - self._began:.4f} lost: {why}")
        self._real.close()
        while not self._stop.wait(_AGAIN_S):
            with contextlib.suppress(UnavailableError):
                self._real = self._open()
                with self._lock:
                    self._comment(f"{time.monotonic() - self._began:.4f} back")
                return

    def _heard(self, way: Way, data: bytes) -> None:
        at_s = time.monotonic() - self._began
        with self._lock:
            try:
                for burst in self._bursts.add(at_s, way, data) if data else self._bursts.pause(at_s):
                    self._write(burst)
            except OSError as error:
                self.failure = StorageError("simulators.recorder.unwritten", why=error.strerror)
                self._stop.set()

    def _write(self, burst: Burst) -> None:
        line = burst.line()
        if self.size + len(line) >= MOST_BYTES:
            self.failure = StorageError("simulators.recorder.full", limit=MOST_BYTES)
            self._stop.set()
            return
        self._file.write(line + "\n")
        self._file.flush()
        self.bursts += 1
        self.size += len(line) + 1

    def _comment(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._file.write("# " + "".join(one if one.isprintable() else " " for one in text) + "\n")
            self._file.flush()
