"""A copy of each set that the gateway works by, beside the file of sets: if that is damaged, doors still know people.

A line of JSON (number, names and sizes of the pages), then the pages. Never an older set than the file's: it goes
before another set is held, and is written anew after it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from edge.log import Log
from protocols.sets import Kind, name_of

_MOST: Final = 64_000_000
_DRAFT: Final = ".part"


class Copies:
    """The copies beside `path`. A disk that refuses them costs the copy, and nothing else."""

    def __init__(self, path: Path) -> None:
        self._path, self._log = path, Log("sets")

    def read(self, kind: Kind) -> tuple[int, list[bytes]]:
        """The number and the pages of the copy; 0 and none where there is none, or not every page is what it was."""
        try:
            if self._of(kind).stat().st_size > _MOST:
                return 0, []
            head, _, body = self._of(kind).read_bytes().partition(b"\n")
            told = json.loads(head)
            pages, at = [], 0
            for name, size in told["pages"]:
                pages.append(body[at : at + size])
                at += size
                if name_of(pages[-1]) != name:
                    return 0, []
            return int(told["number"]), pages
        except (OSError, ValueError, TypeError, KeyError):
            return 0, []

    def write(self, kind: Kind, number: int, pages: Sequence[bytes]) -> None:
        """Put a copy there, for this user alone, whole or not at all."""
        draft = self._of(kind).with_name(self._of(kind).name + _DRAFT)
        head = json.dumps({"number": number, "pages": [(name_of(page), len(page)) for page in pages]})
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(head.encode() + b"\n" + b"".join(pages))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._of(kind))
        except OSError as error:
            self._log.warning("set-not-copied", file=self._of(kind), why=error)

    def remove(self, kind: Kind) -> None:
        """The copy is about to be older than what is held; gone also after a power cut."""
        try:
            self._of(kind).unlink(missing_ok=True)
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            self._log.warning("set-not-copied", file=self._of(kind), why=error)

    def _of(self, kind: Kind) -> Path:
        return self._path.with_name(f"{self._path.name}.{kind}.copy")
