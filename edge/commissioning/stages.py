"""How far a device has come on its way to being handed over. Pure.

unplaced → placed → tested. A new place, or another type under the same name, makes a device untested again: what was
proved was that *this* detector at *that* door is heard. Whether it is live is the cloud's to say: as soon as the cloud
knows its place its alarms call people, tested or not, for a detector that nobody tried must not be a silent one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Stage = Literal["unplaced", "placed", "tested"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A device was heard in a walk test. `what`: the event or metric; `at_ms`: UTC."""

    at_ms: int
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Where a device hangs: `place` below the estate, `name` for people, `version` as in `protocols.commissioning`."""

    type: str
    place: str
    name: str
    version: int
    at_ms: int
    tested: Proof | None = None


def stage(entry: Entry | None, type_now: str) -> Stage:
    """The stage of a device that is of `type_now`."""
    if entry is None:
        return "unplaced"
    return "tested" if entry.tested is not None and entry.type == type_now else "placed"


def place(before: Entry | None, *, type_now: str, place: str, name: str, now_ms: int) -> Entry:
    """The entry after a person has chosen; `before` itself when that says nothing new.

    The version is higher than any that was given before, also on a gateway whose book was lost.
    """
    same = before is not None and (before.type, before.place) == (type_now, place)
    if before is not None and same and before.name == name:
        return before
    version = max(now_ms, before.version + 1 if before is not None else 1)
    tested = before.tested if before is not None and same else None
    return Entry(type=type_now, place=place, name=name, version=version, at_ms=now_ms, tested=tested)


def tested(before: Entry | None, type_now: str, found: Proof) -> Entry | None:
    """The entry after a walk test has heard the device; one without a place keeps nothing."""
    if before is None:
        return None
    return replace(before, type=type_now, tested=found)
