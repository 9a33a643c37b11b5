"""One reader with its door: what it reports becomes facts, what the door tells becomes observations. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge.drivers.osdp.config import ReaderConfig
from edge.drivers.osdp.panel import CardRead, Inputs, Local, Told
from protocols.access.cardholders import Cardholders, decide
from protocols.access.door import (
    CardShown,
    ContactIs,
    DoorSettings,
    DoorState,
    Elapsed,
    ExitPressed,
    Fact,
    Step,
    step,
)
from protocols.access.wiegand import decode
from protocols.errors import ProtocolError
from protocols.events import Event, Observation, Reading


class Reader:
    """`state` is the door's; it outlives the driver in the agent's store. `due_ms` is when `elapse` must be called."""

    def __init__(self, config: ReaderConfig, cardholders: Cardholders, stored: Mapping[str, Any]) -> None:
        self.config = config
        self.state = DoorState.from_json(stored)
        self.due_ms: int | None = None
        self._cardholders = cardholders
        self._exit: bool | None = None
        self._local: Local | None = None
        self._settings = DoorSettings(
            unlock_ms=round(config.unlock_s * 1000), held_open_ms=round(config.held_open_s * 1000)
        )

    def take(self, fact: Fact, now_ms: int) -> tuple[Step, list[Observation]]:
        """The door takes a fact; the step (for strike and feedback) and what there is to tell."""
        before = self.state
        result = step(before, fact, now_ms, self._settings)
        self.state, self.due_ms = result.state, result.due_ms
        told: list[Observation] = [
            Event(device=self.config.id, kind=kind, at_ms=now_ms, data=data) for kind, data in result.events
        ]
        if self.state.open is not None and self.state.open != before.open:
            told.insert(0, self.reading("contact-open", self.state.open, now_ms))
        return result, told

    def facts(self, told: Told, utc_ms: int) -> list[Fact]:
        """What a report of the reader means for the door."""
        if isinstance(told, CardRead):
            return self._card(told, utc_ms)
        return self._inputs(told.active) if isinstance(told, Inputs) else []

    def conditions(self, told: Local, now_ms: int) -> list[Observation]:
        """Readings of what changed in the reader's own condition since the last report."""
        last, self._local = self._local, told
        readings: list[Observation] = []
        if last is None or last.tamper != told.tamper:
            readings.append(self.reading("tamper", told.tamper, now_ms))
        if last is None or last.mains_lost != told.mains_lost:
            readings.append(self.reading("mains-lost", told.mains_lost, now_ms))
        return readings

    def readings(self, now_ms: int) -> list[Observation]:
        """Everything that is known of the door now, news or not."""
        known = {"released": self.state.released, "contact-open": self.state.open}
        if self._local is not None:
            known |= {"tamper": self._local.tamper, "mains-lost": self._local.mains_lost}
        return [self.reading(metric, value, now_ms) for metric, value in known.items() if value is not None]

    def elapse(self, now_ms: int) -> tuple[Step, list[Observation]] | None:
        """Take the time, when it is due."""
        if self.due_ms is None or now_ms < self.due_ms:
            return None
        return self.take(Elapsed(), now_ms)

    def away(self) -> None:
        """The reader is away: what it last said about itself and the exit button no longer counts."""
        self._exit = self._local = None
        self.due_ms = None

    def reading(self, metric: str, value: bool, now_ms: int) -> Reading:
        """A state metric of this door."""
        return Reading(device=self.config.id, metric=metric, value=value, at_ms=now_ms)

    def _card(self, told: CardRead, utc_ms: int) -> list[Fact]:
        try:
            card = decode(told.length, told.data)
        except ProtocolError:
            return []
        return [CardShown(card=card.text, decision=decide(card, self.config.id, self._cardholders, utc_ms))]

    def _inputs(self, active: tuple[bool, ...]) -> list[Fact]:
        facts: list[Fact] = []
        exit_input, contact = self.config.exit_input, self.config.contact_input
        if exit_input is not None and exit_input < len(active):
            pressed, self._exit = self._exit is False and active[exit_input], active[exit_input]
            if pressed:
                facts.append(ExitPressed())
        if contact is not None and contact < len(active):
            facts.append(ContactIs(open=active[contact] == (self.config.contact_open_is == "active")))
        return facts
