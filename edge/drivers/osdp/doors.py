"""The doors of one line together: who may pass, where people are, and what of it outlives a restart. No I/O.

Anti-passback reaches as far as this line: doors of other lines and gateways are not seen from here, so an area must
lie on one line (docs/reference/doors.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from edge.drivers.osdp.config import OsdpConfig
from edge.drivers.osdp.panel import Told
from edge.drivers.osdp.reader import Reader
from protocols.access.cardholders import Roll
from protocols.access.door import CardShown, ContactIs, Fact, Release, Step
from protocols.access.entry import EntryRules, judge
from protocols.access.keypad import Shown
from protocols.access.lockout import LockoutRules
from protocols.access.passback import Places, Way
from protocols.errors import LiandongError
from protocols.events import Event, Observation

BLIND_S: Final = 30.0
"""How long a reader may be away before people count as having gone by unseen."""
_MOST_GOING: Final = 16


class Doors:
    """`readers` in the order of the configuration. `cardholders` may be replaced at any time."""

    def __init__(self, config: OsdpConfig, cardholders: Roll, stored: Mapping[str, Any], *, now_s: float = 0.0) -> None:
        """`stored` is what `to_state` gave; `now_s` is monotonic: until then no reader was seen."""
        self.cardholders = cardholders
        self._areas = {area.name: area.area for area in config.area}
        lockout = LockoutRules(
            denials=config.lockout_after,
            window_ms=round(config.lockout_window_s * 1000),
            lasts_ms=round(config.lockout_s * 1000),
        )
        doors = stored.get("doors", {})
        self.readers = [
            Reader(
                one,
                EntryRules(
                    door=one.id,
                    way=Way(enters=self._areas.get(one.enters), leaves=self._areas.get(one.leaves)),
                    lockout=lockout,
                ),
                doors.get(one.id, {}),
            )
            for one in config.device
        ]
        known = Places.from_json(stored.get("places", {}))
        self._places = known.forgiven(known.known.keys() - self._areas.keys())
        self._away: dict[int, float] = dict.fromkeys(range(len(self.readers)), now_s)
        self._blind: frozenset[str] = frozenset()

    def to_state(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "doors": {reader.config.id: reader.stored() for reader in self.readers},
            "places": self._places.to_json(),
        }

    def facts(self, index: int, told: Told, now_ms: int, utc_ms: int) -> list[Fact]:
        """What a report of a reader means: cards and codes are decided here, each before the next."""
        reader = self.readers[index]
        return [*self._decided(reader, reader.shown(told, now_ms), now_ms, utc_ms), *reader.facts(told)]

    def waited(self, index: int, now_ms: int, utc_ms: int) -> list[Fact]:
        """What is decided because nobody completed it in time."""
        reader = self.readers[index]
        return self._decided(reader, reader.waited(now_ms), now_ms, utc_ms)

    def take(self, index: int, fact: Fact, now_ms: int) -> tuple[Step, list[Observation]]:
        """A door takes a fact, see `Reader.take`; who went through it is remembered."""
        reader = self.readers[index]
        was_open, was_released = reader.state.open, reader.state.released
        result, told = reader.take(fact, now_ms)
        if isinstance(fact, CardShown) and fact.decision.granted and fact.decision.holder and not was_released:
            going = (fact.decision.holder, result.state.permitted_until_ms)
            reader.going = [*reader.going, going][-_MOST_GOING:]
            if was_open is not False:  # open, or nobody can see whether it opens
                self._passed(reader, now_ms)
        elif isinstance(fact, ContactIs) and fact.open and was_open is False:
            self._passed(reader, now_ms)
        elif isinstance(fact, Release) and not was_released:
            told = [*told, *self.forgive(index, now_ms, why="release")]
        return result, told

    def forgive(self, index: int, now_ms: int, *, why: str) -> list[Observation]:
        """Forget who is where in the areas of this reader."""
        reader = self.readers[index]
        names = [area.name for area in reader.rules.way.areas]
        return self._forgive(reader, names, now_ms, why)

    def here(self, index: int) -> None:
        """The reader answers."""
        self._away.pop(index, None)

    def gone(self, index: int, now_s: float) -> None:
        """The reader does not answer (monotonic)."""
        self._away.setdefault(index, now_s)

    def look(self, now_s: float, now_ms: int) -> list[Observation]:
        """Notice which areas cannot be seen as a whole: those that forgive forget, once."""
        away = [self.readers[index] for index, since in self._away.items() if now_s - since > BLIND_S]
        blind = {area.name: reader for reader in away for area in reader.rules.way.areas}
        fresh, self._blind = blind.keys() - self._blind, frozenset(blind)
        told: list[Observation] = []
        for name in sorted(fresh):
            if self._areas[name].when_blind == "forgive":
                told += self._forgive(blind[name], [name], now_ms, "blind")
        return told

    def told_of_store(self, versions: Mapping[str, str], fault: LiandongError | None, now_ms: int) -> list[Observation]:
        """What every door of this line goes by from now on, or why it goes on by what was before."""
        people: dict[str, Any] = {"people": self.cardholders.people, **versions}
        kind, data = "access.cardholders", people
        if fault is not None:
            kind, data = "access.cardholders-refused", people | fault.data()
        return [Event(device=reader.config.id, kind=kind, at_ms=now_ms, data=data) for reader in self.readers]

    def _decided(self, reader: Reader, shown: list[Shown], now_ms: int, utc_ms: int) -> list[Fact]:
        facts: list[Fact] = []
        for one in shown:
            judged = judge(
                one,
                reader.rules,
                cardholders=self.cardholders,
                places=self._places,
                lockouts=reader.lockouts,
                blind=self._blind,
                now_ms=now_ms,
                utc_ms=utc_ms,
            )
            reader.lockouts = judged.lockouts
            card = None if one.card is None else one.card.text
            facts.append(CardShown(card=card, decision=judged.decision, code=one.code is not None))
        return facts

    def _passed(self, reader: Reader, now_ms: int) -> None:
        for holder, until_ms in reader.going:
            if now_ms <= until_ms and reader.rules.way.areas:
                self._places = self._places.passed(holder, reader.rules.way, now_ms, self._blind)
        reader.going = []

    def _forgive(self, reader: Reader, names: list[str], now_ms: int, why: str) -> list[Observation]:
        if not names:
            return []
        self._places = self._places.forgiven(names)
        data = {"areas": names, "why": why}
        return [Event(device=reader.config.id, kind="access.forgiven", at_ms=now_ms, data=data)]
