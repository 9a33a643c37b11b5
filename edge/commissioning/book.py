"""The book of a gateway: which device hangs where. One JSON file below the data directory, replaced in one step."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from edge.commissioning.stages import Entry, Proof
from edge.config_store import replace_file
from edge.log import Log
from protocols.errors import StorageError

FOLDER: Final = "commissioning"
_FILE: Final = "book.json"
_VERSION: Final = 1


class Book:
    """Every method may be called from any thread."""

    def __init__(self, data: Path) -> None:
        """Open the book below `data`. One that cannot be read is set aside: the devices are then to be placed anew."""
        self._path = data / FOLDER / _FILE
        self._lock = threading.Lock()
        self._entries = self._read()

    def entries(self) -> Mapping[str, Entry]:
        """By device."""
        with self._lock:
            return dict(self._entries)

    def write(self, changed: Mapping[str, Entry]) -> None:
        """Keep these entries. Raises StorageError; then nothing changed."""
        with self._lock:
            entries = {**self._entries, **changed}
            text = json.dumps({"version": _VERSION, "devices": {name: asdict(one) for name, one in entries.items()}})
            try:
                self._path.parent.mkdir(mode=0o750, exist_ok=True)
            except OSError as error:
                raise StorageError("edge.storage.unusable", file=self._path, why=error.strerror or error) from error
            replace_file(self._path, text)
            self._entries = entries

    def _read(self) -> dict[str, Entry]:
        try:
            found = json.loads(self._path.read_text("utf-8"))
            return {name: _entry(one) for name, one in found["devices"].items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            Log("commissioning").error("book-set-aside", why=repr(error))
            aside = self._path.with_suffix(".damaged")
            try:
                self._path.replace(aside)
            except OSError as failure:
                raise StorageError("edge.storage.unusable", file=self._path, why=failure.strerror) from failure
            return {}


def _entry(row: Mapping[str, Any]) -> Entry:
    proof = row.get("tested")
    return Entry(
        type=str(row["type"]),
        place=str(row["place"]),
        name=str(row["name"]),
        version=int(row["version"]),
        at_ms=int(row["at_ms"]),
        tested=None if proof is None else Proof(at_ms=int(proof["at_ms"]), what=str(proof["what"])),
    )
