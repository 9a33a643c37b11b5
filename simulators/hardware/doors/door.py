"""A door of the estate: its reader on the wire, and the people who use it."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from protocols.access.wiegand import Card, decode, encode, parse_card
from protocols.errors import LiandongError
from simulators.hardware.doors.reader import CONTACT, EXIT, OsdpReader
from simulators.hardware.line import PtyLine
from simulators.hardware.port import Ledger

_PRESS_S: Final = 0.4
_WALK_S: Final = 0.8  # from the click of the strike to the hand on the door
_PATIENCE_S: Final = 2.0  # how long someone waits for the click
_PASS_S: Final = 3.0
_LOCKED_S: Final = 2.0  # how long the strike must have been shut for a forced opening to be one
_EXIT_SHARE: Final = 0.3
_UNKNOWN_SHARE: Final = 0.1
_UNKNOWN_FACILITY: Final = 250


class Door:
    """One OSDP door on a pty: `simulators.hardware.port.Hardware`.

    In `step`, about `visits_per_minute` people (simulated time) come: they show one of `cards` or a card nobody knows,
    or press the exit button from inside; when the strike opens they walk through. Chance decides in `step` only.
    """

    def __init__(
        self,
        line: PtyLine,
        device: str,
        *,
        address: int,
        key: bytes | None,
        cards: Sequence[Card],
        chance: random.Random,
        ledger: Ledger,
        visits_per_minute: float = 1.0,
    ) -> None:
        self._line = line
        self._device = device
        self._cards = tuple(cards)
        self._chance = chance
        self._ledger = ledger
        self._visits = visits_per_minute
        self._lock = threading.RLock()
        self._plan: list[tuple[float, Callable[[float], None]]] = []
        self._counters = {"card": 0, "forced": 0}
        self._strike_seen = 0.0
        self.reader = OsdpReader(line, address, key, self._live)

    @property
    def devices(self) -> tuple[str, ...]:
        """The one door."""
        return (self._device,)

    def start(self) -> None:
        """Plug the line and power the reader."""
        self._line.plug()
        self.reader.start()

    def stop(self) -> None:
        """Cut the power, then the line."""
        self.reader.stop()
        self._line.unplug()

    def step(self, now_ms: int, elapsed_s: float) -> None:
        """Perhaps someone comes to the door; one at a time."""
        comes = self._chance.random() < self._visits * elapsed_s / 60
        inside = self._chance.random() < _EXIT_SHARE
        card = self._someone()
        with self._lock:
            if not comes or self._plan or not self.reader.secure:
                return
            if inside:
                self._leave()
            else:
                self._arrive(card)

    def triggers(self) -> Mapping[str, Callable[[str, Mapping[str, Any]], Mapping[str, Any]]]:
        """What can be made to happen; each refuses with a sentence's code under ``refused`` instead of raising.

        ``noise`` takes `replies` (how many are damaged), ``slow`` takes `seconds`.
        """
        return {
            "card": self._trigger_card,
            "keys": self._trigger_keys,
            "exit-request": self._trigger_exit,
            "door-forced": self._trigger_forced,
            "door-held": self._trigger_held,
            "door-closed": self._trigger_closed,
            "tamper": self._trigger_tamper,
            "power-cut": lambda device, params: self._mains(device, on=False),
            "power-restore": lambda device, params: self._mains(device, on=True),
            "noise": self._make_noise,
            "slow": self._make_slow,
            "unplug": self._trigger_unplug,
            "plug": self._trigger_plug,
        }

    def state(self) -> Mapping[str, Any]:
        """The reader's own counters, and how the door stands."""
        with self._lock:
            return {"counters": dict(self._counters), "open": self.reader.inputs[CONTACT]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up the counters. A door that stood open has been closed meanwhile."""
        with self._lock:
            self._counters |= {name: int(state["counters"][name]) for name in self._counters}

    # People.

    def _someone(self) -> Card:
        known = self._chance.random() >= _UNKNOWN_SHARE and self._cards
        stranger = encode("H10301", _UNKNOWN_FACILITY, self._chance.randrange(1, 65536))
        return self._chance.choice(self._cards) if known else stranger

    def _arrive(self, card: Card) -> bool:
        """Show a card, and walk through when the strike clicks."""
        shown = self.reader.show_card(card.length, card.data, lambda: self._card_taken(card))
        if shown:
            self._when_unlocked(time.monotonic() + _PATIENCE_S, _PASS_S)
        return shown

    def _leave(self, open_s: float = _PASS_S) -> None:
        """Press the exit button, and walk through."""
        self.reader.set_input(EXIT, True)
        self._after(_PRESS_S, lambda now: self.reader.set_input(EXIT, False))
        self._when_unlocked(time.monotonic() + _PATIENCE_S, open_s)

    def _when_unlocked(self, until: float, open_s: float) -> None:
        def look(now: float) -> None:
            if self.reader.strike:
                self._after(_WALK_S, lambda now: self._open(open_s))
            elif now < until:
                self._after(0.05, look)

        self._after(0.05, look)

    def _open(self, open_s: float) -> None:
        if self.reader.strike:
            self.reader.set_input(CONTACT, True)
            self._after(open_s, lambda now: self.reader.set_input(CONTACT, False))

    def _force(self, open_s: float) -> None:
        """Break the door open, once the strike has been shut for a while; an open strike needs no breaking."""

        def push(now: float) -> None:
            if self.reader.strike_held or self.reader.inputs[CONTACT]:
                return
            if now - self._strike_seen < _LOCKED_S:
                self._after(0.1, push)
                return
            self.reader.set_input(CONTACT, True, self._forced_taken)
            self._after(open_s, lambda now: self.reader.set_input(CONTACT, False))

        self._after(0.0, push)

    def _after(self, seconds: float, act: Callable[[float], None]) -> None:
        self._plan.append((time.monotonic() + seconds, act))

    def _live(self, now: float) -> None:
        with self._lock:
            if self.reader.strike:
                self._strike_seen = now
            due = [act for at, act in self._plan if at <= now]
            self._plan = [(at, act) for at, act in self._plan if at > now]
            for act in due:
                act(now)

    # What was taken.

    def _card_taken(self, card: Card) -> None:
        self._took("card", "card", decode(card.length, card.data).text)

    def _forced_taken(self) -> None:
        self._took("forced", "access.forced", True)

    def _took(self, counter: str, metric: str, value: object) -> None:
        with self._lock:
            self._counters[counter] += 1
            count = self._counters[counter]
        self._ledger.observed(self._device, metric, count, value, round(time.time() * 1000))

    # Triggers.

    def _trigger_card(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            card = parse_card(str(params["card"])) if "card" in params else self._cards[0]
        except (LiandongError, IndexError) as error:
            return {"device": device, "refused": str(error)}
        with self._lock:
            shown = self._arrive(card)
        return {"device": device, "card": card.text} | ({} if shown else {"refused": "reader-offline"})

    def _trigger_keys(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Somebody types `keys` (digits, ``*``, ``#``), and walks through when the strike clicks."""
        keys = str(params.get("keys", ""))
        if not keys or any(key not in "0123456789*#" for key in keys):
            return {"device": device, "refused": "not-on-the-keypad"}
        with self._lock:
            typed = self.reader.press(keys)
            if typed:
                self._when_unlocked(time.monotonic() + _PATIENCE_S, _PASS_S)
        return {"device": device, "keys": len(keys)} | ({} if typed else {"refused": "reader-offline"})

    def _trigger_exit(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        with self._lock:
            self._leave()
        return {"device": device, "exit-request": True}

    def _trigger_forced(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        open_s = float(params.get("open_s", 10.0))
        with self._lock:
            if self.reader.strike_held or self.reader.inputs[CONTACT]:
                return {"device": device, "refused": "door-not-locked"}
            self._force(open_s)
        return {"device": device, "forced": True, "open_s": open_s}

    def _trigger_held(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        open_s = float(params.get("open_s", 45.0))
        with self._lock:
            self._leave(open_s)
        return {"device": device, "open_s": open_s}

    def _trigger_closed(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        with self._lock:
            self._plan.clear()
            self.reader.set_input(EXIT, False)
            self.reader.set_input(CONTACT, False)
        return {"device": device, "open": False}

    def _trigger_tamper(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        tamper = bool(params.get("on", True))
        self.reader.set_condition(tamper=tamper)
        return {"device": device, "tamper": tamper}

    def _mains(self, device: str, *, on: bool) -> Mapping[str, Any]:
        """The reader lives on; it tells that it lives on its battery."""
        self.reader.set_condition(mains_lost=not on)
        return {"device": device, "mains-lost": not on}

    def _make_noise(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self.reader.noise = int(params.get("replies", 3))
        return {"device": device, "replies": self.reader.noise}

    def _make_slow(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self.reader.slow_s = float(params.get("seconds", 0.1))
        return {"device": device, "seconds": self.reader.slow_s}

    def _trigger_unplug(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        with self._lock:  # in the reader's thread, which may be waiting for the line
            self._after(0.0, lambda now: self._line.unplug())
        return {"device": device, "plugged": False}

    def _trigger_plug(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self._line.plug()
        return {"device": device, "plugged": True}
