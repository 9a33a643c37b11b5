"""The place tree as it is needed while reading: lines from the street down, kept for a minute."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from threading import Lock
from typing import Final

from cloud.domain.places import Place, ancestors
from cloud.storage.database import Transaction
from cloud.storage.queries import load

KEPT_S: Final = 60.0
MOST: Final = 100_000


class Places:
    """A cache of places. Thread-safe. A place that was renamed or moved shows its new name within a minute."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._by_id: dict[int, Place] = {}
        self._by_path: dict[str, Place] = {}
        self._since = time.monotonic()

    def line(self, tx: Transaction, place_id: int | None) -> Sequence[Place]:
        """The place and all above it, from the street down; empty for None and for a place that does not exist."""
        if place_id is None:
            return ()
        for _ in range(2):  # another thread may drop what is stale between the two steps, once a minute
            self.prepare(tx, [place_id])
            with self._lock:
                place = self._by_id.get(place_id)
                above = [self._by_path.get(path) for path in ancestors(place.path)] if place else []
            line = tuple(found for found in above if found is not None)
            if line and len(line) == len(above):
                return line
        return ()

    def prepare(self, tx: Transaction, ids: Iterable[int | None]) -> None:
        """Read what is not known yet of these places, in one statement."""
        missing = self._missing({place_id for place_id in ids if place_id is not None})
        if not missing:
            return
        rows = tx.fetch(load("places")["lines"], {"ids": sorted(missing)})
        found = [
            Place(
                id=row["id"],
                path=row["path"],
                kind=row["kind"],
                name=row["name"],
                lat=row["lat"],
                lon=row["lon"],
                access=row["access"],
            )
            for row in rows
        ]
        with self._lock:
            self._by_id |= {place.id: place for place in found}
            self._by_path |= {place.path: place for place in found}

    def forget(self) -> None:
        """The database is another one: what places were called by there means nothing any more."""
        with self._lock:
            self._by_id, self._by_path = {}, {}

    def _missing(self, ids: Collection[int]) -> set[int]:
        with self._lock:
            if time.monotonic() - self._since > KEPT_S or len(self._by_id) > MOST:
                self._by_id, self._by_path, self._since = {}, {}, time.monotonic()
            return {place_id for place_id in ids if place_id not in self._by_id}
