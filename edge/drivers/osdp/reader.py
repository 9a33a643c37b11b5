"""One reader with its door: what it reports becomes facts, what the door tells becomes observations. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from edge.drivers.osdp.config import ReaderConfig
from edge.drivers.osdp.panel import CardRead, Inputs, KeysPressed, Local, Told
from protocols.access import keypad
from protocols.access.door import LATE_MS, ContactIs, DoorSettings, DoorState, Elapsed, ExitPressed, Fact, Step, step
from protocols.access.entry import EntryRules
from protocols.access.keypad import Pad, Shown
from protocols.access.lockout import Lockouts
from protocols.access.wiegand import decode
from protocols.errors import ProtocolError
from protocols.events import Event, Observation, Reading

_CATCH_UP_MS: Final = 2_000
"""How long a reader is heard again before it has told everything that waited in it: one report with each poll."""


class Reader:
    """`state` and `lockouts` outlive the driver in the agent's store."""

    def __init__(self, config: ReaderConfig, rules: EntryRules, stored: Mapping[str, Any]) -> None:
        self.config = config
        self.rules = rules
        self.state = DoorState.from_json(stored)
        self.lockouts = Lockouts.from_json(stored.get("lockouts", {}))
        # Who was let in and has not been seen to open the door yet, and until when that would be by this grant.
        self.going: list[tuple[str, int]] = [(who, until) for who, until in stored.get("going", [])]
        self._seen_ms = int(stored.get("seen_ms", 0))
        self._heard_ms = self._caught_up_ms = 0
        self._due_ms: int | None = None
        self._pad = Pad()
        self._exit: bool | None = None
        self._local: Local | None = None
        self._more: dict[int, bool] = {}  # the further inputs, as they were told last
        self._settings = DoorSettings(
            unlock_ms=round(config.unlock_s * 1000),
            held_open_ms=round(config.held_open_s * 1000),
            exit_button=config.exit_input is not None,
        )

    @property
    def wants_code(self) -> bool:
        """Whether a card waits for its owner's code."""
        return self._pad.card is not None and not self._pad.digits

    def stored(self) -> dict[str, Any]:
        """Plain JSON for the next start."""
        going = [list(one) for one in self.going]
        return self.state.to_json() | {"lockouts": self.lockouts.to_json(), "going": going, "seen_ms": self._seen_ms}

    def heard(self, at_ms: int) -> None:
        """The reader answered at this time. After a gap it is behind at first."""
        if at_ms - self._heard_ms > LATE_MS:
            self._caught_up_ms = at_ms + _CATCH_UP_MS
        self._heard_ms = at_ms
        if at_ms >= self._caught_up_ms:
            self._seen_ms = at_ms

    def take(self, fact: Fact, now_ms: int) -> tuple[Step, list[Observation]]:
        """The door takes a fact; the step (for strike and feedback) and what there is to tell."""
        before = self.state
        result = step(before, fact, now_ms, self._settings)
        self.state, self._due_ms = result.state, result.due_ms
        told: list[Observation] = [
            Event(device=self.config.id, kind=kind, at_ms=now_ms, data=data) for kind, data in result.events
        ]
        if self.state.open is not None and self.state.open != before.open:
            told.insert(0, self.reading("contact-open", self.state.open, now_ms))
        return result, told

    def shown(self, told: Told, now_ms: int) -> list[Shown]:
        """What somebody shows with this report: a card, a code, both, or half of it."""
        shown: list[Shown] = []
        if isinstance(told, CardRead):
            try:
                card = decode(told.length, told.data)
            except ProtocolError:
                return []
            self._pad, shown = keypad.shown_card(self._pad, card, self.config.entry, now_ms)
        elif isinstance(told, KeysPressed):
            self._pad, shown = keypad.pressed(self._pad, told.keys, self.config.entry, now_ms)
        return shown

    def waited(self, now_ms: int) -> list[Shown]:
        """What nobody completed in time."""
        self._pad, shown = keypad.elapsed(self._pad, now_ms)
        return shown

    def facts(self, told: Told) -> list[Fact]:
        """What the inputs mean for the door."""
        if not isinstance(told, Inputs):
            return []
        facts: list[Fact] = []
        exit_input, contact = self.config.exit_input, self.config.contact_input
        if exit_input is not None and exit_input < len(told.active):
            pressed, self._exit = self._exit is False and told.active[exit_input], told.active[exit_input]
            if pressed:
                facts.append(ExitPressed())
        if contact is not None and contact < len(told.active):
            is_open = told.active[contact] == (self.config.contact_open_is == "active")
            facts.append(ContactIs(open=is_open, seen_ms=self._seen_ms))
        return facts

    def conditions(self, told: Local | Inputs, now_ms: int) -> list[Observation]:
        """Readings of what changed in the reader's own condition, or at its further inputs, since the last report."""
        if isinstance(told, Inputs):
            return self._changed(told, now_ms)
        last, self._local = self._local, told
        readings: list[Observation] = []
        if last is None or last.tamper != told.tamper:
            readings.append(self.reading("tamper", told.tamper, now_ms))
        if last is None or last.mains_lost != told.mains_lost:
            readings.append(self.reading("mains-lost", told.mains_lost, now_ms))
        return readings

    def _changed(self, told: Inputs, now_ms: int) -> list[Observation]:
        there = {number: told.active[number] for number in self.config.more_inputs if number < len(told.active)}
        before, self._more = self._more, there
        return [
            self.reading(f"input-{number}", active, now_ms)
            for number, active in there.items()
            if before.get(number) is not active
        ]

    def readings(self, now_ms: int) -> list[Observation]:
        """Everything that is known of the door now, news or not."""
        known = {"released": self.state.released, "contact-open": self.state.open}
        if self._local is not None:
            known |= {"tamper": self._local.tamper, "mains-lost": self._local.mains_lost}
        known |= {f"input-{number}": active for number, active in self._more.items()}
        return [self.reading(metric, value, now_ms) for metric, value in known.items() if value is not None]

    def elapse(self, now_ms: int) -> list[Observation]:
        """Take the time, when it is due."""
        if self._due_ms is None or now_ms < self._due_ms:
            return []
        return self.take(Elapsed(), now_ms)[1]

    def away(self) -> None:
        """The reader is away: what it last said about itself, the exit button and the keypad no longer counts."""
        self._exit = self._local = None
        self._more = {}
        self._pad = Pad()
        self._due_ms = None

    def reading(self, metric: str, value: bool, now_ms: int) -> Reading:
        """A state metric of this door."""
        return Reading(device=self.config.id, metric=metric, value=value, at_ms=now_ms)
