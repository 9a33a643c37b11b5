"""The closed loop of an incident (after GB/T 30428, seven steps), as a table of moves.

filed ──dispatch──▶ dispatched ──handle──▶ handling ──feed-back──▶ fed-back ──close──▶ closed
every open state ──close──▶ closed, ──void──▶ void (a false alarm); dispatched, handling ──recall──▶ filed
"""

from __future__ import annotations

from typing import Final, Literal

from protocols.errors import RefusedError

State = Literal["reported", "filed", "dispatched", "handling", "fed-back", "closed", "evaluated", "void"]
Step = Literal["file", "dispatch", "handle", "feed-back", "recall", "close", "void", "evaluate"]
Action = Literal["acknowledge", "dispatch", "call-off", "false-alarm", "escalate", "close", "note"]

OPEN: Final[tuple[State, ...]] = ("reported", "filed", "dispatched", "handling", "fed-back")

_MOVES: Final[dict[tuple[State, Step], State]] = {
    ("reported", "file"): "filed",
    ("filed", "dispatch"): "dispatched",
    ("dispatched", "handle"): "handling",
    ("handling", "feed-back"): "fed-back",
    ("fed-back", "dispatch"): "dispatched",
    ("dispatched", "recall"): "filed",
    ("handling", "recall"): "filed",
    ("closed", "evaluate"): "evaluated",
    **{(state, "close"): "closed" for state in OPEN},
    **{(state, "void"): "void" for state in OPEN},
}
_STANDS: Final[dict[Step, State]] = {"dispatch": "dispatched", "handle": "handling"}


def move(state: State, step: Step) -> State:
    """The state after `step`. A step that was already taken changes nothing.

    Raises RefusedError (`cloud.incident.not-now`) when the loop has no such step from here.
    """
    if _STANDS.get(step) == state or (step == "dispatch" and state == "handling"):
        return state
    following = _MOVES.get((state, step))
    if following is None:
        raise RefusedError("cloud.incident.not-now", state=state, action=step)
    return following


def possible(state: State, *, unacknowledged: bool, seeking: bool, volunteers: bool) -> list[Action]:
    """What an operator can do now. `seeking`: a task is open or filled."""
    if state not in OPEN:
        return ["note"]
    actions: list[Action] = []
    if unacknowledged:
        actions.append("acknowledge")
    if volunteers:
        actions.append("dispatch")
    if seeking:
        actions.append("call-off")
    return [*actions, "escalate", "false-alarm", "close", "note"]
