"""Faults of a gateway's files: no room, read-only, torn by a power cut, broken by the disk."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from liandong.lab import torn
from liandong.lab.site import Site
from protocols.errors import UnavailableError

_HAS_ITS_PLACE: Final = 1024
_FILES: Final = ("outbox.db", "names.db")


@dataclass(slots=True)
class FullDisk:
    """The disk of a gateway takes nothing more (as a limit on the size of its files: no file system is filled).

    What has its place already, as the two sectors of the bdSeq, is still taken, as by a full disk.
    """

    site: Site
    gateway: str

    def start(self) -> None:
        """Full."""
        self.site.limit_files(self.gateway, _HAS_ITS_PLACE)

    def stop(self) -> None:
        """Room again; an agent that was started anew meanwhile never had the limit."""
        self.site.limit_files(self.gateway, None)


@dataclass(slots=True)
class ReadOnlyDisk:
    """The kernel turns the file system of a gateway read-only; the gateway is started anew in the end, as it must."""

    site: Site
    gateway: str

    def start(self) -> None:
        """No write is taken from now on. Raises UnavailableError where gateways have no file systems of their own."""
        if self.site.disks is None or self.site.disks.why_not:
            raise UnavailableError("liandong.lab.nothing-to-break", part=f"disk of {self.gateway}")
        self.site.disks.turn_read_only(self.gateway)

    def stop(self) -> None:
        """Check, mount, start."""
        assert self.site.disks is not None
        with self.site.held_down(self.gateway):
            self.site.disks.start_again(self.gateway)


@dataclass(slots=True)
class TornPage:
    """The power fails in the middle of a write: the tail of the log and pages of the main file are torn.

    Where a gateway has a file system of its own, that loses its power first: what was not synced is gone.
    """

    site: Site
    gateway: str
    seed: int

    def start(self) -> None:
        """Cut, tear, start."""
        chance = random.Random(self.seed)  # noqa: S311 - where a page is torn, no secret
        disks = self.site.disks
        own = disks is not None and not disks.why_not
        if own and disks is not None:
            disks.lose_power(self.gateway)
        with self.site.held_down(self.gateway):
            if own and disks is not None:
                disks.start_again(self.gateway)
            for name in _FILES:
                torn.tear(self.site.homes[self.gateway] / name, chance)

    def stop(self) -> None:
        """Nothing: it has been started."""


@dataclass(slots=True)
class CorruptFile:
    """The disk breaks pages of the outbox that were written and synced long ago."""

    site: Site
    gateway: str
    seed: int

    def start(self) -> None:
        """Break, start."""
        chance = random.Random(self.seed)  # noqa: S311 - which page is broken, no secret
        with self.site.held_down(self.gateway):
            torn.corrupt(self.site.homes[self.gateway] / _FILES[0], chance)

    def stop(self) -> None:
        """Nothing: it has been started."""
