"""Whom the doors of a line know: the file of the gateway, whom the cloud delivers, or both beside one another."""

from __future__ import annotations

from pathlib import Path

from edge.drivers.osdp.store import CardholderFile
from protocols.access.beside import UNUSABLE, Beside
from protocols.access.cardholders import Cardholders, Roll
from protocols.errors import ConfigError


class People:
    """`roll` is what counts now. Owned by one thread, but for `deliver`; `close` it."""

    def __init__(self, path: Path | None, *, delivered: bool = True) -> None:
        """Read the file, if one is named; without `delivered` it alone counts. Raises ConfigError."""
        self._file = None if path is None else CardholderFile(path)
        self._wanted = delivered
        self._delivered: Cardholders | None = None
        self._taken: Cardholders | None = None
        self.roll: Roll = self._joined()

    @property
    def fault(self) -> ConfigError | None:
        """Why the file on the disk does not count."""
        return None if self._file is None else self._file.fault

    @property
    def versions(self) -> dict[str, str]:
        """What the authors call what counts: `version` of the file, `delivered` of the set from the cloud."""
        found = {} if self._file is None else {"version": self._file.store.version}
        return found if self._taken is None else found | {"delivered": self._taken.version}

    def start(self) -> None:
        """Begin to watch the file."""
        if self._file is not None:
            self._file.start()

    def close(self) -> None:
        """Stop watching."""
        if self._file is not None:
            self._file.close()

    def deliver(self, cardholders: Cardholders | None) -> None:
        """Whom the cloud delivers; counts once `changed` has seen it. From any thread."""
        self._delivered = cardholders if self._wanted else None

    def changed(self, now_s: float) -> bool:
        """Look, often (monotonic): True when `roll` or `fault` is another one since the last call."""
        filed = self._file is not None and self._file.changed(now_s)
        delivered = self._delivered
        if not filed and delivered is self._taken:
            return False
        self._taken = delivered
        self.roll = self._joined()
        return True

    def _joined(self) -> Roll:
        if self._file is None or self._taken is UNUSABLE:
            return self._taken or Cardholders()
        return self._file.store if self._taken is None else Beside(self._taken, self._file.store)
