"""The book of a gateway: which device hangs where. One JSON file below the data directory, replaced in one step."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from edge.commissioning.stages import Entry, Proof
from edge.config_store import replace_file
from edge.log import Log
from protocols.errors import StorageError

FOLDER: Final = "commissioning"
PLACES: Final = "places.json"
_FILE: Final = "book.json"
_VERSION: Final = 1


class Book:
    """Every method may be called from any thread."""

    def __init__(self, data: Path) -> None:
        """Open the book below `data`. One that is damaged is set aside: the devices are then to be placed anew.

        One that the disk does not give now (an I/O error, too many open files) stays where it is, and the agent starts
        all the same: it is read again at every later look, and nothing is written before that.
        """
        self._path = data / FOLDER / _FILE
        self._lock = threading.Lock()
        self._entries: dict[str, Entry] | None = None
        self._told = False
        with suppress(StorageError):
            self._known()

    def entries(self) -> Mapping[str, Entry]:
        """By device; empty while the disk does not give the book."""
        with self._lock, suppress(StorageError):
            return dict(self._known())
        return {}

    def write(self, changed: Mapping[str, Entry]) -> None:
        """Keep these entries. Raises StorageError; then nothing changed."""
        with self._lock:
            entries = {**self._known(), **changed}
            text = json.dumps({"version": _VERSION, "devices": {name: asdict(one) for name, one in entries.items()}})
            try:
                self._path.parent.mkdir(mode=0o750, exist_ok=True)
            except OSError as error:
                raise StorageError("edge.storage.unusable", file=self._path, why=error.strerror or error) from error
            replace_file(self._path, text)
            self._entries = entries

    def _known(self) -> dict[str, Entry]:
        """What the book holds. Raises StorageError while it cannot be had; that is logged once."""
        if self._entries is None:
            try:
                self._entries = self._read()
            except OSError as error:
                if not self._told:
                    Log("commissioning").error("book-not-read", file=self._path, why=repr(error))
                self._told = True
                raise StorageError("edge.storage.unusable", file=self._path, why=error.strerror or error) from error
        return self._entries

    def _read(self) -> dict[str, Entry]:
        try:
            found = json.loads(self._path.read_text("utf-8"))
            return {name: _entry(one) for name, one in found["devices"].items()}
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            self._path.replace(self._path.with_suffix(".damaged"))
            Log("commissioning").error("book-set-aside", why=repr(error))
            return {}


def write_places(data: Path, group: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep the places that the cloud has delivered, for `edge.commissioning.known`. Raises StorageError."""
    text = json.dumps({"group": group, "places": list(rows)}, ensure_ascii=False)
    try:
        (data / FOLDER).mkdir(mode=0o750, exist_ok=True)
    except OSError as error:
        raise StorageError("edge.storage.unusable", file=data, why=error.strerror or error) from error
    replace_file(data / FOLDER / PLACES, text)


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
