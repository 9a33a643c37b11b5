"""Photos of where devices hang: one small picture a device, kept on the gateway, without what a camera adds to it.

Whatever a picture says beside the picture (place, time, camera, owner, a second picture) is taken out before it is
kept. JPEG: ITU-T T.81, annex B; PNG: ISO/IEC 15948, clause 11.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Final

from edge.commissioning.book import FOLDER
from edge.commissioning.owner import as_owner
from protocols.errors import RefusedError, StorageError

MOST_BYTES: Final = 1_000_000
MOST_PHOTOS: Final = 200
_KINDS: Final = {"jpg": "image/jpeg", "png": "image/png"}
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT: Final = frozenset({b"IHDR", b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"IDAT", b"IEND"})
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_APP0, _APP14, _COMMENT = 0xE0, 0xEE, 0xFE


class Photos:
    """The photos of one gateway."""

    def __init__(self, data: Path) -> None:
        self._data, self._folder = data, data / FOLDER / "photos"

    def keep(self, device: str, content: bytes) -> None:
        """Keep `content` as the photo of `device`, in place of the one before.

        Raises RefusedError for what is no picture or too large, StorageError when it cannot be written.
        """
        if len(content) > MOST_BYTES:
            raise RefusedError("edge.photo.too-large", size=len(content), limit=MOST_BYTES)
        kind, cleaned = clean(content)
        try:
            with as_owner(self._data):
                self._put(device, kind, cleaned)
        except OSError as error:
            raise StorageError("edge.storage.unusable", file=self._folder, why=error.strerror or error) from error

    def find(self, device: str) -> tuple[str, bytes] | None:
        """Content type and bytes of the photo of `device`, which must be a device's id."""
        for suffix, kind in _KINDS.items():
            path = self._folder / f"{device}.{suffix}"
            if path.is_file():
                return kind, path.read_bytes()
        return None

    def _put(self, device: str, kind: str, picture: bytes) -> None:
        self._folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        kept = {path.stem for path in self._folder.iterdir()}
        if len(kept | {device}) > MOST_PHOTOS:
            raise RefusedError("edge.photo.too-many", limit=MOST_PHOTOS)
        path = self._folder / f"{device}.{kind}"
        fresh = path.with_suffix(".new")
        with fresh.open("wb") as file:
            fresh.chmod(0o640)
            file.write(picture)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        for other in _KINDS.keys() - {kind}:
            (self._folder / f"{device}.{other}").unlink(missing_ok=True)


def clean(content: bytes) -> tuple[str, bytes]:
    """``jpg`` or ``png``, and the picture alone. Raises RefusedError for anything else."""
    try:
        if content.startswith(b"\xff\xd8\xff"):
            return "jpg", _jpeg(content)
        if content.startswith(_PNG):
            return "png", _png(content)
    except (IndexError, struct.error):
        pass
    raise RefusedError("edge.photo.no-picture")


def _jpeg(content: bytes) -> bytes:
    kept, at = bytearray(content[:2]), 2
    while True:
        if content[at] != 0xFF:
            raise IndexError(at)
        marker = content[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker == _EOI:
            return bytes(kept + content[at : at + 2])
        (size,) = struct.unpack_from(">H", content, at + 2)
        end = at + 2 + size
        if size < 2 or end > len(content):
            raise IndexError(end)
        if marker == _SOS:
            end = _scan_end(content, end)
        private = _APP0 < marker <= 0xEF and marker != _APP14
        if not private and marker != _COMMENT:
            kept += content[at:end]
        at = end


def _scan_end(content: bytes, at: int) -> int:
    """Where the next marker after entropy-coded data begins; stuffed bytes and restarts belong to the data."""
    while True:
        at = content.find(b"\xff", at)
        if at < 0 or at + 1 >= len(content):
            raise IndexError(at)
        if content[at + 1] != 0 and not 0xD0 <= content[at + 1] <= 0xD7:
            return at
        at += 2


def _png(content: bytes) -> bytes:
    kept, at = bytearray(_PNG), len(_PNG)
    while True:
        (size,) = struct.unpack_from(">I", content, at)
        kind, end = content[at + 4 : at + 8], at + 12 + size
        if end > len(content):
            raise IndexError(end)
        if kind in _PNG_KEPT:
            kept += content[at:end]
        if kind == b"IEND":
            return bytes(kept)
        at = end
