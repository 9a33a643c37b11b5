"""The whole machine: people buy, spirals jam, the cabinet warms up, and a gateway reads the audit."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from protocols.evadts.dex import Identity
from protocols.evadts.prices import prices_of
from simulators.hardware.port import Ledger
from simulators.hardware.vending.link import DexPlug
from simulators.hardware.vending.memory import COOLING, DOOR, JAM, Memory, Selection

_COOLED: Final = 4.0
_OUTSIDE: Final = 24.0
_TOO_WARM: Final = 9.0
_COLD_AGAIN: Final = 7.0
_RESTOCK_BELOW: Final = 0.2


class VendingMachine:
    """A machine on a pty at `path`. A sale counts as observed when an audit that holds it was acknowledged to its end.

    In the ledger it is the metric ``vending.sale/<selection>`` with the selection's own counter and its value in minor
    units: what the gateway's event of that kind says in its data.
    """

    def __init__(
        self,
        path: Path,
        device: str,
        selections: Sequence[Selection],
        *,
        ledger: Ledger,
        rng: random.Random,
        serial: str = "LDG1000001",
        sales_per_hour: float = 30.0,
        baud: int = 9600,
        link: Literal["dex", "ddcmp"] = "dex",
    ) -> None:
        self._device = device
        self._ledger = ledger
        self._rng = rng
        self._sales_per_hour = sales_per_hour
        self._lock = threading.Lock()
        self.memory = Memory(serial=serial, selections={s.number: s for s in selections}, initialised_ms=_now_ms())
        self._id = Identity(id=serial)
        self.plug = DexPlug(
            path,
            self._id,
            audit=self._make_audit,
            taken=self._audit_taken,
            configure=self._take_prices,
            rng=random.Random(rng.random()),
            baud=baud,
            link=link,
        )
        self._untold: list[dict[str, Any]] = []  # sales that no acknowledged audit has held yet
        self._in_audit: list[dict[str, Any]] = []
        self._read_before = False  # the first audit of a machine is where its gateway begins to count

    @property
    def devices(self) -> tuple[str, ...]:
        """The machine."""
        return (self._device,)

    def start(self) -> None:
        """Plug in and begin to answer."""
        self.plug.start()

    def stop(self) -> None:
        """Unplug."""
        self.plug.stop()

    def step(self, now_ms: int, elapsed_s: float) -> None:
        """People buy, the refill comes when little is left, the cabinet follows its compressor."""
        with self._lock:
            target = _COOLED if self.plug.powered else _OUTSIDE
            drift = (target - self.memory.temperature) * min(1.0, elapsed_s / 1800)
            self.memory.temperature = round(self.memory.temperature + drift + self._rng.uniform(-0.05, 0.05), 2)
            if not self.plug.powered:
                return
            self._watch_cooling(now_ms)
            capacity = sum(selection.capacity for selection in self.memory.selections.values())
            if self.memory.stock < _RESTOCK_BELOW * capacity:
                self._fill(now_ms)
            expected = self._sales_per_hour * elapsed_s / 3600
            for _ in range(int(expected) + (self._rng.random() < expected % 1)):
                self._sell(None, now_ms)

    def _watch_cooling(self, now_ms: int) -> None:
        """A cabinet that is too warm is an event, and the machine calls; so is one that is cold again."""
        if self.memory.temperature > _TOO_WARM:
            changed = self.memory.raise_fault(COOLING, now_ms)
        else:
            changed = self.memory.temperature < _COLD_AGAIN and self.memory.clear_fault(COOLING)
        if changed:
            self.plug.call()

    def warm(self, degrees: float) -> Mapping[str, Any]:
        """The compressor has stood still: the cabinet has `degrees` °C, and cools down from there."""
        with self._lock:
            self.memory.temperature = degrees
        return {"temperature": degrees}

    def sell(self, selection: str | None = None) -> Mapping[str, Any]:
        """One purchase of `selection` (None = what somebody fancies); says whether it came out, and why not."""
        with self._lock:
            return self._sell(selection, _now_ms())

    def jam(self, selection: str | None = None) -> Mapping[str, Any]:
        """A spiral turns and nothing falls: the selection is blocked, and the machine calls the gateway."""
        with self._lock:
            chosen = (
                selection if selection in self.memory.selections else self._rng.choice(list(self.memory.selections))
            )
            self.memory.raise_fault(f"{JAM}_{chosen}", _now_ms())
        self.plug.call()
        return {"selection": chosen}

    def clear(self) -> Mapping[str, Any]:
        """Somebody frees all jammed spirals."""
        with self._lock:
            names = self.memory.active(JAM)
            for name in names:
                self.memory.clear_fault(name)
        if names:
            self.plug.call()
        return {"selections": [name.partition("_")[2] for name in names]}

    def door(self, is_open: bool) -> Mapping[str, Any]:
        """The door is opened or closed; an open machine does not sell."""
        with self._lock:
            changed = self.memory.raise_fault(DOOR, _now_ms()) if is_open else self.memory.clear_fault(DOOR)
        if changed:
            self.plug.call()
        return {"open": is_open}

    def power(self, on: bool) -> Mapping[str, Any]:
        """The mains: without it the machine neither sells nor answers; it counts the outage when it comes back."""
        with self._lock:
            if on and not self.plug.powered:
                self.memory.outages += 1
            self.plug.powered = on
        return {"mains": on}

    def restock(self) -> Mapping[str, Any]:
        """All spirals are filled and the cash box is emptied."""
        with self._lock:
            return self._fill(_now_ms())

    def reset(self) -> Mapping[str, Any]:
        """A technician initialises the board: all counters start from zero."""
        with self._lock:
            self.memory.initialise(_now_ms())
            self._untold = []  # the board forgot them before anybody read them
        return {"initialised": True}

    def near_the_end(self) -> Mapping[str, Any]:
        """The board's counters are about to begin at zero again: two sales of a spiral are left."""
        with self._lock:
            self.memory.near_the_end()
        return {"digits": self.memory.digits}

    def triggers(self) -> Mapping[str, Callable[[str, Mapping[str, Any]], Mapping[str, Any]]]:
        """`selection` names a spiral; ``noise`` damages `frames`; ``slow`` delays every answer by `seconds`."""
        return {
            "vending-sale": lambda device, params: self.sell(params.get("selection")),
            "vending-jam": lambda device, params: self.jam(params.get("selection")),
            "vending-clear": lambda device, params: self.clear(),
            "vending-door-open": lambda device, params: self.door(True),
            "vending-door-close": lambda device, params: self.door(False),
            "vending-warm": lambda device, params: self.warm(float(params.get("to", 15.0))),
            "vending-restock": lambda device, params: self.restock(),
            "vending-reset": lambda device, params: self.reset(),
            "vending-wrap": lambda device, params: self.near_the_end(),
            "power-cut": lambda device, params: self.power(False),
            "power-restore": lambda device, params: self.power(True),
            "noise": self._make_noise,
            "slow": self._make_slow,
            "echo": self._make_echo,
            "unplug": self._unplug,
            "cut": self._cut,
            "plug": self._plug,
        }

    def state(self) -> Mapping[str, Any]:
        """The board's memory, and the sales that no gateway has taken yet."""
        with self._lock:
            return {
                "memory": self.memory.to_state(),
                "untold": list(self._untold),
                "read-before": self._read_before,
            }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave."""
        with self._lock:
            self.memory = Memory.from_state(state["memory"])
            self._untold = list(state["untold"])
            self._read_before = bool(state["read-before"])

    def _sell(self, selection: str | None, now_ms: int) -> Mapping[str, Any]:
        able = [
            s for s in self.memory.selections.values() if s.level and f"{JAM}_{s.number}" not in self.memory.active(JAM)
        ]
        chosen = self._rng.choice(able) if selection is None and able else self.memory.selections.get(selection or "")
        if chosen is None or chosen not in able or not self.plug.powered or self.memory.active(DOOR):
            return {"sold": False, "selection": selection}
        chosen.level -= 1
        chosen.count += 1
        chosen.value += chosen.price
        self._pay(chosen.price)
        sale = {"selection": chosen.number, "counter": chosen.count, "value": chosen.price, "at_ms": now_ms}
        self._untold.append(sale)
        return {"sold": True, **sale}

    def _pay(self, price: int) -> None:
        """One in four pays cash, with coins that go into the tubes while there is room, else into the box."""
        if self._rng.random() >= 0.25:
            self.memory.cashless[0] += price
            self.memory.cashless[1] += 1
            return
        self.memory.cash[0] += price
        self.memory.cash[1] += 1
        rest = price
        for coin in sorted(self.memory.coins, reverse=True):
            pieces = min(rest // coin, 80 - self.memory.coins[coin])
            self.memory.coins[coin] += max(0, pieces)
            rest -= max(0, pieces) * coin
        self.memory.cash_box += rest

    def _fill(self, now_ms: int) -> Mapping[str, Any]:
        for selection in self.memory.selections.values():
            selection.level = selection.capacity
        self.memory.collect()
        if self.memory.raise_fault(DOOR, now_ms):
            self.memory.clear_fault(DOOR)
        return {"stock": self.memory.stock}

    def _make_audit(self) -> bytes:
        with self._lock:
            self._in_audit = list(self._untold)
            return self.memory.audit(self._id.id, _now_ms())

    def _take_prices(self, configuration: bytes) -> bool:
        """A data carrier sends prices: all of them count, or none."""
        prices = prices_of(configuration)
        with self._lock:
            if prices is None or not prices.keys() <= self.memory.selections.keys() or not all(prices.values()):
                return False
            for number, price in prices.items():
                self.memory.selections[number].price = price
        return True

    def _audit_taken(self) -> None:
        """The gateway has the audit: what it held goes into the ledger, except what the first one ever begins with."""
        with self._lock:
            self.memory.reads += 1
            taken, self._in_audit = self._in_audit, []
            self._untold = [sale for sale in self._untold if sale not in taken]
            first, self._read_before = not self._read_before, True
        for sale in [] if first else taken:
            metric = f"vending.sale/{sale['selection']}"
            self._ledger.observed(self._device, metric, sale["counter"], sale["value"], sale["at_ms"])

    def _make_noise(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self.plug.damage = int(params.get("frames", 3))
        return {"frames": self.plug.damage}

    def _make_slow(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self.plug.slow_s = float(params.get("seconds", 0.5))
        return {"seconds": self.plug.slow_s}

    def _make_echo(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self.plug.line.echoes = bool(params.get("on"))
        return {"on": self.plug.line.echoes}

    def _unplug(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self.plug.line.unplug()
        return {"line": self.plug.line.path.name, "plugged": False}

    def _cut(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Pull the line in the middle of what the gateway sends: after so many `bytes`."""
        self.plug.cut_after = max(1, int(params.get("bytes", 1)))
        return {"bytes": self.plug.cut_after}

    def _plug(self, device: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        self.plug.line.plug()
        return {"line": self.plug.line.path.name, "plugged": True}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
