"""A door as a state machine: `step(state, fact, now, settings)` → the new state and what to do. Pure.

The state is plain data (`to_json`, `from_json`), because an emergency release and a running grant must outlive the
agent. Times are ms since 1970 UTC.

A grant, an exit request or an unlock permits an opening until the strike has locked again. An opening that nothing
permits is `access.forced`. An opening that came while nobody looked, and that a grant or an exit request may have
permitted, is `access.opened-unobserved`. A door that is open longer than `held_open_ms` is `access.held-open`, told
once. After any of them, closing it is `access.closed`. An emergency release overrides all of this until `Restore`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final, Literal

from protocols.access.cardholders import Decision

LATE_MS: Final = 1_000
"""A door that was pulled as the strike fell back, and a contact that is told one poll later. A longer gap is a gap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorSettings:
    """`unlock_ms`: how long a grant opens the strike. `held_open_ms`: how long a door may stand open; 0 = for ever.

    `exit_button`: people leave by one, which may open the strike also while nobody hears of it.
    """

    unlock_ms: int
    held_open_ms: int
    exit_button: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorState:
    """`open` is None until the contact was first heard. `open_since_ms` restarts at `Restore`."""

    open: bool | None = None
    open_since_ms: int = 0
    permitted_until_ms: int = 0
    released: bool = False
    forced: bool = False
    unobserved: bool = False
    held: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; `from_json` reads it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> DoorState:
        """The stored state; what is missing (an older agent wrote it) keeps its default."""
        return cls(**{f.name: data[f.name] for f in fields(cls) if f.name in data})


@dataclass(frozen=True, slots=True, kw_only=True)
class CardShown:
    """Somebody showed `card` (its text, None for a code alone) and perhaps a code, and this was decided."""

    card: str | None
    decision: Decision
    code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitPressed:
    """The exit request input became active."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactIs:
    """The door contact says open or closed; telling the same again changes nothing.

    `seen_ms`: up to when everything at the door is known to have been heard; None = until just now.
    """

    open: bool
    seen_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlock:
    """Someone at the console opens the door once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Emergency: the door stays unlocked until `Restore`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """The emergency is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Elapsed:
    """Time went by."""


Fact = CardShown | ExitPressed | ContactIs | Unlock | Release | Restore | Elapsed
StrikeAction = Literal["none", "pulse", "hold", "lock"]
Feedback = Literal["none", "granted", "denied"]
Told = tuple[tuple[str, Mapping[str, Any]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """`events` are (kind, data) to tell; `strike` and `feedback` are what the reader must do."""

    state: DoorState
    events: Told = ()
    strike: StrikeAction = "none"
    feedback: Feedback = "none"
    due_ms: int | None = None


def step(state: DoorState, fact: Fact, now_ms: int, settings: DoorSettings) -> Step:
    """Take one fact. `due_ms` of the result is when `Elapsed` must come, None when time changes nothing."""
    taken = _take(state, fact, now_ms, settings)
    after = _held(taken, now_ms, settings)
    return replace(after, due_ms=_due(after.state, settings))


def _take(state: DoorState, fact: Fact, now_ms: int, settings: DoorSettings) -> Step:
    match fact:
        case CardShown():
            return _card(state, fact, now_ms, settings)
        case ExitPressed():
            return _permit(state, now_ms, settings, events=(("access.exit-request", {}),))
        case Unlock():
            return _permit(state, now_ms, settings, events=())
        case ContactIs():
            return _contact(state, fact, now_ms, settings)
        case Release():
            events: Told = () if state.released else (("access.emergency-release", {}),)
            return Step(state=replace(state, released=True), events=events, strike="hold")
        case Restore():
            events = (("access.restored", {}),) if state.released else ()
            return Step(state=replace(state, released=False, open_since_ms=now_ms), events=events, strike="lock")
        case Elapsed():
            return Step(state=state)


def _card(state: DoorState, shown: CardShown, now_ms: int, settings: DoorSettings) -> Step:
    decision = shown.decision
    data: dict[str, Any] = {} if shown.card is None else {"card": shown.card}
    if shown.code:
        data["by"] = "code" if shown.card is None else "card-and-code"
    if decision.holder is not None:
        data["holder"] = decision.holder
    # Under threat everything at the door is as usual; only the event tells.
    silent: Told = (("access.duress", data | {"granted": decision.granted}),) if decision.duress else ()
    if decision.granted:
        told = data | ({"violation": "passback"} if decision.passback else {})
        events: Told = (("access.granted", told), *silent)
        return replace(_permit(state, now_ms, settings, events=events), feedback="granted")
    locked: Told = (("access.lockout", data | {"reason": decision.reason}),) if decision.locks else ()
    denied = ("access.denied", data | {"reason": decision.reason})
    return Step(state=state, events=(denied, *silent, *locked), feedback="denied")


def _permit(state: DoorState, now_ms: int, settings: DoorSettings, *, events: Told) -> Step:
    until = now_ms + settings.unlock_ms + LATE_MS
    permitted = replace(state, permitted_until_ms=max(state.permitted_until_ms, until))
    return Step(state=permitted, events=events, strike="none" if state.released else "pulse")


def _contact(state: DoorState, contact: ContactIs, now_ms: int, settings: DoorSettings) -> Step:
    if state.open == contact.open:
        return Step(state=state)
    if not contact.open:
        told = state.forced or state.unobserved or state.held
        closed = replace(state, open=False, forced=False, unobserved=False, held=False)
        return Step(state=closed, events=(("access.closed", {}),) if told else ())
    opened = replace(state, open=True, open_since_ms=now_ms)
    # The first word of a contact is no opening: nobody knows how long the door has stood like that.
    if state.open is None or state.released or now_ms <= state.permitted_until_ms:
        return Step(state=opened)
    unseen_ms = 0 if contact.seen_ms is None else now_ms - contact.seen_ms
    if 0 <= unseen_ms <= LATE_MS:
        return Step(state=replace(opened, forced=True), events=(("access.forced", {}),))
    data = {"unseen_s": round(max(0, unseen_ms) / 1000, 1)}
    missed = settings.exit_button or unseen_ms < 0 or now_ms - unseen_ms < state.permitted_until_ms
    if missed:
        return Step(state=replace(opened, unobserved=True), events=(("access.opened-unobserved", data),))
    return Step(state=replace(opened, forced=True), events=(("access.forced", data),))


def _held(taken: Step, now_ms: int, settings: DoorSettings) -> Step:
    due = _due(taken.state, settings)
    if due is None or now_ms < due:
        return taken
    seconds = round((now_ms - taken.state.open_since_ms) / 1000)
    held = ("access.held-open", {"open_s": seconds})
    return replace(taken, state=replace(taken.state, held=True), events=(*taken.events, held))


def _due(state: DoorState, settings: DoorSettings) -> int | None:
    if not state.open or state.held or state.released or not settings.held_open_ms:
        return None
    return state.open_since_ms + settings.held_open_ms
