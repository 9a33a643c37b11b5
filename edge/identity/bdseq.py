"""The bdSeq of the next CONNECT, in a file of two sectors that is never longer or shorter: a full disk takes it, too.

Each record stands in a sector of its own: a count that always rises (8 bytes, big-endian), the bdSeq that is next
(1 byte), and the CRC-32 of both (4 bytes). They are written in turn, so a power cut tears at most the older one.
"""

from __future__ import annotations

import os
import struct
import threading
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Final

from protocols.errors import StorageError

_SECTOR: Final = 512
_RECORD: Final = struct.Struct(">QBI")


class BdSeq:
    """The counter. It begins at 0, adds 1 for each CONNECT, and is 0 again after 255. May be used from any thread.

    What cannot be stored (a disk that has become read-only, or fails) is kept in RAM and stored with the next one: a
    gateway that cannot write must still be able to connect and to say so. Only if it is killed in that state are the
    numbers since then given again.
    """

    def __init__(self, path: Path, *, begin: int = 0) -> None:
        """Open `path`, or make it with `begin` as the next one. Raises StorageError (``edge.storage.unusable``)."""
        self._lock = threading.Lock()
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                found = [record for sector in (0, 1) if (record := self._read(sector)) is not None]
                self._count, self._next = max(found, default=(0, begin))
                if not found:
                    os.posix_fallocate(self._file, 0, 2 * _SECTOR)
                    self._write(self._count, self._next)
                    os.fsync(self._file)
                    _sync_folder(path.parent)
            except BaseException:
                os.close(self._file)
                raise
        except OSError as error:
            raise StorageError("edge.storage.unusable", file=path, why=error.strerror or error) from error

    def take(self) -> int:
        """The bdSeq of the next CONNECT; never given again."""
        with self._lock:
            given = self._next
            self._count, self._next = self._count + 1, (given + 1) % 256
            with suppress(OSError):
                self._write(self._count, self._next)
            return given

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            os.close(self._file)

    def _read(self, sector: int) -> tuple[int, int] | None:
        raw = os.pread(self._file, _RECORD.size, sector * _SECTOR)
        if len(raw) < _RECORD.size:
            return None
        count, following, check = _RECORD.unpack(raw)
        return (count, following) if check == zlib.crc32(raw[:-4]) else None

    def _write(self, count: int, following: int) -> None:
        head = struct.pack(">QB", count, following)
        os.pwrite(self._file, head + zlib.crc32(head).to_bytes(4), count % 2 * _SECTOR)
        os.fdatasync(self._file)


def _sync_folder(folder: Path) -> None:
    """The name of a new file is on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
