"""The cardholders' file: read, watched, and kept in a copy that was good, so that a slip of the pen closes no door."""

from __future__ import annotations

import contextlib
import os
import tomllib
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

from protocols.access.cardholders import Cardholders, cardholders_from
from protocols.errors import ConfigError

LOOK_S: Final = 1.0
_Stamp = tuple[int, int, int]
"""Inode, size and time of the last change: another one is another file."""


def read_cardholders(path: Path) -> Cardholders:
    """The store of `path`. Raises ConfigError when it cannot be read, its content cannot be used, or codes lie open."""
    try:
        text, mode = path.read_text("utf-8"), path.stat().st_mode
        table = tomllib.loads(text)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else type(error).__name__ + _where(error)
        raise ConfigError("edge.driver.osdp.cardholders-unreadable", file=path, why=why) from None
    store = cardholders_from(table, source=str(path))
    if store.has_codes and mode & 0o077:
        raise ConfigError("edge.driver.osdp.cardholders-open", file=path)
    return store


def _where(error: ValueError) -> str:
    """Where a text is wrong, without the text: it may be a code."""
    place = str(error).rpartition("(at ")[2].removesuffix(")")
    return f" ({place})" if isinstance(error, tomllib.TOMLDecodeError) and place != str(error) else ""


class CardholderFile:
    """`store` is what counts now; `fault` why the file on the disk does not. Owned by one thread; `close` it."""

    def __init__(self, path: Path) -> None:
        """Read the file, or its good copy where it cannot be used. Raises ConfigError when there is neither."""
        self._path = path
        self._good = path.with_name(f"{path.name}.good")
        self._stamp = _stamp(path)
        self._seen: _Stamp | None = None
        self._next_s = 0.0
        self._reading: Future[Cardholders] | None = None
        self._reader: ThreadPoolExecutor | None = None
        self.fault: ConfigError | None = None
        try:
            self.store = read_cardholders(path)
        except ConfigError as error:
            self.fault = error
            try:
                self.store = read_cardholders(self._good)
            except ConfigError:
                raise error from None

    def start(self) -> None:
        """Begin to watch."""
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="cardholders")
        if self.fault is None:
            self._reader.submit(self._keep)

    def close(self) -> None:
        """Stop watching; what is being read or copied is finished."""
        if self._reader is not None:
            self._reader.shutdown(wait=True)
            self._reader = self._reading = None

    def changed(self, now_s: float) -> bool:
        """Look, at most every `LOOK_S` (monotonic): True when `store` or `fault` is another one since the last call.

        A file that is being written is left alone until it has stood still from one look to the next. It is parsed in a
        thread of its own: thousands of people take longer than a reader waits for its poll.
        """
        if self._reading is not None:
            return self._reading.done() and self._take(self._reading)
        if self._reader is None or now_s < self._next_s:
            return False
        self._next_s = now_s + LOOK_S
        before, self._seen = self._seen, _stamp(self._path)
        if self._seen != self._stamp and self._seen == before:
            self._stamp = self._seen
            self._reading = self._reader.submit(self._read)
        return False

    def _take(self, reading: Future[Cardholders]) -> bool:
        self._reading = None
        try:
            self.store, self.fault = reading.result(), None
        except ConfigError as error:
            self.fault = error
        return True

    def _read(self) -> Cardholders:
        store = read_cardholders(self._path)
        self._keep()
        return store

    def _keep(self) -> None:
        """Copy the file, which was good. On a disk that cannot be written the file itself must do."""
        fresh = self._good.with_name(f"{self._good.name}.new")
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
            file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(file, "wb") as copy:
                copy.write(self._path.read_bytes())
                copy.flush()
                os.fsync(copy.fileno())
            read_cardholders(fresh)  # the file may have changed since it was judged
            fresh.replace(self._good)


def _stamp(path: Path) -> _Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns)
