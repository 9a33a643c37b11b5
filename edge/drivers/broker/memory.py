"""What must survive a restart: which messages were taken, and who was there. Pure; stored with the observations.

A message may come twice: the broker sends again what was taken but whose acknowledgement was lost. Mosquitto marks it
and keeps its number; iotcore 0.4.0 does neither. What both leave unchanged is the content, which is unique where it
carries a time or an id (`last_seen` of zigbee2mqtt, `deduplicationId` of ChirpStack). Without one only a marked
message is known again, by number and content, and an unmarked one counts as new: an alarm told twice is better than
one not told.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import Any, Final

_KEPT: Final = 256  # more than any broker here sends without an acknowledgement (iotcore is set to 200)
_DIGITS: Final = 12
_CLOCKS: Final = 8


class Memory:
    """Digests of the newest messages taken, and each device's availability. `changed`: not yet stored. One thread.

    `ahead`: by how many ms our time was ahead of the bridge's clock a while ago. What waits in the broker while the
    agent is away was dated by that clock, which may be set right before the next agent sees it. `addresses`: hardware
    addresses of devices; `seen`: what the bridge wrote of when it heard each last; `calling`: the buttons that called
    for help when they were heard last.
    """

    def __init__(self, stored: Mapping[str, Any]) -> None:
        self._taken: OrderedDict[str, None] = OrderedDict.fromkeys(str(d) for d in stored.get("taken", []))
        self.changed = False
        self.ahead = tuple(int(ms) for ms in stored.get("ahead", ()))[:_CLOCKS]
        self.available: dict[str, bool] = {str(k): bool(v) for k, v in stored.get("available", {}).items()}
        self.addresses: dict[str, str] = {str(k): str(v) for k, v in stored.get("addresses", {}).items()}
        self.seen: dict[str, str] = {str(k): str(v) for k, v in stored.get("seen", {}).items()}
        self.calling: set[str] = {str(name) for name in stored.get("calling", ())}

    def knows(self, digest: str) -> bool:
        """Whether this message was taken before."""
        return digest in self._taken

    def take(self, digest: str) -> None:
        """Remember a message; the oldest beyond a fixed number are forgotten."""
        self._taken[digest] = None
        self.changed = True
        while len(self._taken) > _KEPT:
            self._taken.popitem(last=False)

    def note_ahead(self, ahead_ms: Collection[int]) -> None:
        """These are the clocks that the bridge dates by."""
        ahead = tuple(sorted(ms for ms in ahead_ms if ms))[:_CLOCKS]
        self.changed = self.changed or ahead != self.ahead
        self.ahead = ahead

    def stored(self) -> dict[str, Any]:
        """The plain form that `Memory` is made from."""
        return {
            "taken": list(self._taken),
            "available": dict(self.available),
            "ahead": list(self.ahead),
            "addresses": dict(self.addresses),
            "seen": dict(self.seen),
            "calling": sorted(self.calling),
        }


def digest(topic: str, payload: bytes, mid: int | None = None) -> str:
    """Names a message by what it says, and by its packet number where the content is not unique."""
    text = f"{topic}\0{'' if mid is None else mid}\0".encode() + payload
    return hashlib.sha256(text).hexdigest()[:_DIGITS]
