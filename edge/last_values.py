"""What each device showed last, over a restart of the agent: for people who look, not for births.

Drivers remember their states themselves and tell what is news: a door that stays closed says nothing after a restart,
a detector perhaps for a day. So the values go to the disk in the transaction that stores a state, and when the agent
ends. Measured values alone (temperatures, meters) are not written each time: they come again soon.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from edge.board import Board
from edge.outbox.stamp import is_unresolved
from protocols.events import Observation, Quality, Reading

_PREFIX: Final = "@last/"
_QUALITIES: Final[Mapping[str, Quality]] = {"good": "good", "uncertain": "uncertain", "bad": "bad"}
State = Mapping[str, Any]


class LastValues:
    """Owned by the pipeline's thread."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._unwritten: set[str] = set()

    def rows(
        self, states: Iterable[Observation], others: Iterable[Observation], *, ending: bool
    ) -> dict[str, dict[str, Any]]:
        """What a commit of these observations is to store beside them, by the name that it is stored under."""
        new: dict[str, dict[str, Reading]] = {}
        due: set[str] = set()
        for which in (others, states):
            for one in which:
                if isinstance(one, Reading) and one.device:
                    new.setdefault(one.device, {})[one.metric] = one
                    (due if which is states else self._unwritten).add(one.device)
        due |= self._unwritten if ending else set()
        self._unwritten -= due
        return {
            _PREFIX + device: self._row(device, new.get(device, {})) for device in due & self._board.devices().keys()
        }

    def _row(self, device: str, new: dict[str, Reading]) -> dict[str, Any]:
        readings = self._board.known(device) | new
        values = {name: [one.value, one.at_ms, one.quality] for name, one in readings.items()}
        return {"type": self._board.devices()[device].type, "values": values}


def name_of(device: str) -> str:
    """Under which name the last values of `device` are stored."""
    return _PREFIX + device


def read(device: str, kind: str, state: State) -> dict[str, Reading]:
    """The stored values of `device`; none when it was of another type then. One whose time nobody knew has 0."""
    if state.get("type") != kind:
        return {}
    return {
        name: Reading(
            device=device,
            metric=name,
            value=value,
            at_ms=0 if is_unresolved(at_ms) else at_ms,
            quality=_QUALITIES[quality],
        )
        for name, (value, at_ms, quality) in state["values"].items()
    }
