"""Devices that a driver hears and its configuration does not name: listed for the installer, never live by themselves.

The list is bounded, survives a restart with the driver's state, and is told whenever it changes. What such a device
says is counted and its last words are kept; it becomes readings and events once the installer has approved the device.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

MOST: Final = 32
_LONGEST_ADDRESS: Final = 200
_LONGEST_TEXT: Final = 100
_STORED_EVERY_MS: Final = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """`address`: how its network calls it; `type` and `settings`: what its ``[[driver.device]]`` table may say.

    `heard` counts its messages, `last` is the newest of them, shortened; times are ms since 1970 UTC.
    """

    address: str
    name: str = ""
    model: str = ""
    type: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    first_ms: int = 0
    last_ms: int = 0
    heard: int = 0
    last: str = ""

    @property
    def described(self) -> tuple[object, ...]:
        """What is known of it, apart from what it says."""
        return self.name, self.model, self.type, dict(self.settings)

    def told(self) -> dict[str, Any]:
        """What the cloud hears of it."""
        found = asdict(self)
        return {key: found[key] for key in ("address", "name", "model", "type", "settings", "first_ms")}


class Strangers:
    """Used by one thread. `changed`: since it was last told; `worn`: so much that it should be stored."""

    def __init__(self, stored: object, known: Collection[str]) -> None:
        """`stored`: from `plain`; `known`: addresses that the configuration names by now."""
        self._known = frozenset(known)
        before = _read(stored)
        self._listed = {address: one for address, one in before.items() if address not in self._known}
        self._stored_ms = dict.fromkeys(self._listed, 0)
        self.gone = tuple(address for address in before if address in self._known)
        """Who was on the list when it was stored, and is named now."""
        self.changed = bool(before)
        self.worn = bool(self.gone)
        self.refused = 0
        """Messages of those for whom the list has no room."""

    @property
    def listed(self) -> tuple[Stranger, ...]:
        """Who waits, the longest first."""
        return tuple(self._listed.values())

    def meet(self, stranger: Stranger, now_ms: int, told: str | None = None) -> None:
        """`stranger` was heard of; `told`: what it said. What is not known of it now is kept from before."""
        address = stranger.address
        before = self._listed.get(address)
        if address in self._known or not address or len(json.dumps(address)) > _LONGEST_ADDRESS:
            return
        if before is None and len(self._listed) >= MOST:
            self.refused += 1
            self.changed = True
            return
        now = self._merged(before or Stranger(address=address, first_ms=now_ms), stranger)
        if told is not None:
            now = replace(now, last_ms=now_ms, heard=now.heard + 1, last=_cut(told))
        self._listed[address] = now
        told_anew = before is None or before.described != now.described
        self.changed = True
        if told_anew or now_ms - self._stored_ms[address] >= _STORED_EVERY_MS:
            self.worn, self._stored_ms[address] = True, now_ms

    def leave(self, address: str) -> None:
        """It is gone from its network."""
        if self._listed.pop(address, None) is not None:
            del self._stored_ms[address]
            self.refused = 0  # there is room again: whoever speaks next is listed
            self.changed = self.worn = True

    def plain(self) -> list[dict[str, Any]]:
        """What is stored with the driver's state."""
        return [asdict(one) for one in self._listed.values()]

    def _merged(self, before: Stranger, now: Stranger) -> Stranger:
        return replace(
            before,
            name=_cut(now.name) or before.name,
            model=_cut(now.model) or before.model,
            type=now.type or before.type,
            settings=dict(now.settings) or before.settings,
        )


def _cut(text: str) -> str:
    while len(json.dumps(text)) > _LONGEST_TEXT:
        text = text[: len(text) * 3 // 4]
    return text


def _read(stored: object) -> dict[str, Stranger]:
    """The list as it was stored; what cannot be read is left out, for it will be heard again."""
    found: dict[str, Stranger] = {}
    for row in stored if isinstance(stored, list) else ():
        try:
            one = Stranger(**row)
        except TypeError:
            continue
        found[one.address] = one
    return found
