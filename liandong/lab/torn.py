"""What a power cut and a dying disk do to a SQLite file, done to it while nobody has it open.

A power cut may tear what was not synced: bytes behind the last whole transaction of the write-ahead log, and pages of
the main file that the log still holds (they are written during a checkpoint, and the log is only begun anew after the
main file was synced). File formats: https://www.sqlite.org/fileformat2.html, section 4 "The Write-Ahead Log".
"""

from __future__ import annotations

import contextlib
import random
import sqlite3
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_WAL_HEADER: Final = 32
_FRAME_HEADER: Final = 24
_MAGIC: Final = 0x377F0682
_SECTOR: Final = 512
_WRAP: Final = 0xFFFFFFFF


def tear(path: Path, chance: random.Random) -> int:
    """Leave `path` as a power cut in the middle of a transaction and of a checkpoint may. How many places were torn."""
    wal = path.with_name(path.name + "-wal")
    if not wal.exists() or wal.stat().st_size < _WAL_HEADER:
        return 0
    data = wal.read_bytes()
    page_bytes, pages, end = whole(data)
    if not page_bytes:
        return 0
    _tear_tail(wal, data, end, page_bytes, chance)
    chosen = chance.sample(sorted(pages), min(len(pages), 3))
    with path.open("r+b") as file:
        size = file.seek(0, 2)
        for page in chosen:
            begin = (page - 1) * page_bytes
            if begin + page_bytes <= size:  # a page that was never written there cannot be torn
                file.seek(begin + chance.randrange(page_bytes // _SECTOR) * _SECTOR)
                file.write(chance.randbytes(_SECTOR))
    return 1 + len(chosen)


def corrupt(path: Path, chance: random.Random) -> int:
    """Break pages of `path` that were written and synced. How many bytes were changed.

    The log is put into the main file first: a transaction that is broken in the log cannot be told from a torn tail by
    anybody.
    """
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page_bytes,) = file.execute("PRAGMA page_size").fetchone()
    pages = range(path.stat().st_size // page_bytes)
    broken = chance.sample(pages, min(len(pages), chance.randint(1, 3)))
    with path.open("r+b") as raw:
        for page in broken:
            raw.seek(page * page_bytes)
            raw.write(chance.randbytes(page_bytes))
    return len(broken) * int(page_bytes)


def whole(data: bytes) -> tuple[int, set[int], int]:
    """Of a write-ahead log: bytes of a page (0: no log), pages in whole transactions, where the last of them ends."""
    if len(data) < _WAL_HEADER:
        return 0, set(), 0
    magic, _version, page_bytes, *_ = struct.unpack_from(">IIII", data)
    if magic & ~1 != _MAGIC:
        return 0, set(), 0
    pages: set[int] = set()
    pending: set[int] = set()
    end = _WAL_HEADER
    for offset, page, commits in _frames(data, page_bytes, "<" if magic == _MAGIC else ">"):
        pending.add(page)
        if commits:
            pages |= pending
            pending = set()
            end = offset + _FRAME_HEADER + page_bytes
    return page_bytes, pages, end


def _frames(data: bytes, page_bytes: int, order: str) -> Iterator[tuple[int, int, bool]]:
    """(offset, page, whether it ends a transaction) of each frame up to the first that is not whole."""
    salts, sums = data[16:24], _checksum(data[:24], order, (0, 0))
    if sums != struct.unpack_from(">II", data, 24):
        return
    step = _FRAME_HEADER + page_bytes
    for offset in range(_WAL_HEADER, len(data) - step + 1, step):
        page, size_after = struct.unpack_from(">II", data, offset)
        if data[offset + 8 : offset + 16] != salts:
            return
        sums = _checksum(data[offset : offset + 8], order, sums)
        sums = _checksum(data[offset + _FRAME_HEADER : offset + step], order, sums)
        if sums != struct.unpack_from(">II", data, offset + 16):
            return
        yield offset, page, bool(size_after)


def _checksum(data: bytes, order: str, sums: tuple[int, int]) -> tuple[int, int]:
    one, two = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        one = (one + even + two) & _WRAP
        two = (two + odd + one) & _WRAP
    return one, two


def _tear_tail(wal: Path, data: bytes, end: int, page_bytes: int, chance: random.Random) -> None:
    """The next transaction was under way: a frame's header with the right salts, part of its page, garbage, an end."""
    header = struct.pack(">II", chance.randrange(1, 50), chance.randrange(2) * 50) + data[16:24] + chance.randbytes(8)
    torn = (header + chance.randbytes(2 * page_bytes))[: chance.randrange(1, 2 * page_bytes)]
    with wal.open("r+b") as file:
        file.seek(end)
        file.write(torn)
        if chance.random() < 0.5:
            file.truncate()
