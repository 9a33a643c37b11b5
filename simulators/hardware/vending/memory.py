"""What the machine's board remembers: counters, stock, coins and events, and the audit that it makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from protocols.evadts import write

_LOCAL_TIME: Final = timezone(timedelta(hours=8))  # the board's clock shows the street's time and knows no zone
_LOG_LENGTH: Final = 10
JAM: Final = "EJB"
DOOR: Final = "EGS"
COOLING: Final = "EJJ"


@dataclass(slots=True, kw_only=True)
class Selection:
    """A spiral, money in minor units. Sales since initialisation; `start_*` is where the last collection found them."""

    number: str
    product: str
    price: int
    capacity: int = 10
    level: int = 10
    minimum: int = 2
    count: int = 0
    value: int = 0
    start_count: int = 0
    start_value: int = 0


@dataclass(slots=True, kw_only=True)
class Fault:
    """One event of the board: how often, active now or not, and when it began last (ms since 1970 UTC)."""

    count: int = 0
    active: bool = False
    at_ms: int = 0


@dataclass(slots=True, kw_only=True)
class Memory:
    """The board. `coins` maps a coin's value to the pieces in its tube."""

    serial: str
    selections: dict[str, Selection]
    coins: dict[int, int] = field(default_factory=lambda: {50: 40, 100: 40})
    decimals: int = 2
    currency: tuple[str, str] = ("1156", "CNY")
    cash: list[int] = field(default_factory=lambda: [0, 0])  # value, count
    cashless: list[int] = field(default_factory=lambda: [0, 0])
    cash_box: int = 0
    dispensed: int = 0
    faults: dict[str, Fault] = field(default_factory=dict)
    log: list[tuple[str, int]] = field(default_factory=list)
    reads: int = 0
    outages: int = 0
    initialised_ms: int = 0
    temperature: float = 4.0
    digits: int = 8
    """Of its counters of sales and of what they were worth: then they begin at zero again."""

    @property
    def count(self) -> int:
        """Sales since initialisation."""
        return self.cash[1] + self.cashless[1]

    @property
    def value(self) -> int:
        """Their value in minor units."""
        return self.cash[0] + self.cashless[0]

    @property
    def stock(self) -> int:
        """Pieces in all spirals."""
        return sum(selection.level for selection in self.selections.values())

    @property
    def tube_value(self) -> int:
        """Money in the tubes."""
        return sum(coin * pieces for coin, pieces in self.coins.items())

    def active(self, code: str) -> list[str]:
        """The events of `code` (``EJB_11`` is one of ``EJB``) that are active."""
        return [name for name, fault in self.faults.items() if fault.active and name.partition("_")[0] == code]

    def raise_fault(self, name: str, now_ms: int) -> bool:
        """Note that `name` began; False when it is active already."""
        fault = self.faults.setdefault(name, Fault())
        if fault.active:
            return False
        fault.count += 1
        fault.active = True
        fault.at_ms = now_ms
        self.log = [*self.log, (name, now_ms)][-_LOG_LENGTH:]
        return True

    def clear_fault(self, name: str) -> bool:
        """Note that `name` is over; False when it was not active."""
        fault = self.faults.get(name)
        if fault is None or not fault.active:
            return False
        fault.active = False
        return True

    def initialise(self, now_ms: int) -> None:
        """All counters from zero, as a service technician does it; stock and coins stay."""
        for selection in self.selections.values():
            selection.count = selection.value = selection.start_count = selection.start_value = 0
        self.cash, self.cashless = [0, 0], [0, 0]
        self.cash_box = self.dispensed = self.reads = self.outages = 0
        self.faults = {name: Fault(active=fault.active, count=1) for name, fault in self.faults.items() if fault.active}
        self.log = []
        self.initialised_ms = now_ms

    def near_the_end(self) -> None:
        """The counters of every spiral stand two sales before their end."""
        end = 10**self.digits
        for selection in self.selections.values():
            selection.count, selection.value = end - 2, end - 2 * selection.price
        rows = self.selections.values()
        self.cash, self.cashless = [0, 0], [sum(one.value for one in rows), sum(one.count for one in rows)]

    def collect(self) -> None:
        """Empty the cash box; what is counted since the last reset begins again."""
        self.cash_box = 0
        for selection in self.selections.values():
            selection.start_count, selection.start_value = selection.count, selection.value

    def to_state(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self) | {"coins": {str(coin): pieces for coin, pieces in self.coins.items()}}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Memory:
        """The memory that `to_state` wrote."""
        return cls(
            **{
                **state,
                "selections": {key: Selection(**row) for key, row in state["selections"].items()},
                "coins": {int(coin): pieces for coin, pieces in state["coins"].items()},
                "currency": tuple(state["currency"]),
                "faults": {key: Fault(**row) for key, row in state["faults"].items()},
                "log": [(name, at_ms) for name, at_ms in state["log"]],
            }
        )

    def audit(self, communication_id: str, now_ms: int) -> bytes:
        """The whole audit at `now_ms`."""
        return write(self._records(now_ms), communication_id=communication_id)

    def _records(self, now_ms: int) -> list[tuple[str, tuple[object, ...]]]:
        count_reset = sum(selection.count - selection.start_count for selection in self.selections.values())
        value_reset = sum(selection.value - selection.start_value for selection in self.selections.values())
        records: list[tuple[str, tuple[object, ...]]] = [
            ("ID1", (self.serial, "LD-SPIRAL40", "0001", "", "", "", 6, 1)),
            ("ID4", (self.decimals, *self.currency)),
            ("ID5", _clock(now_ms)),
            ("CB1", (self.serial, "LD-BOARD", "2.4")),
            ("VA1", self._shown(self.value, self.count, value_reset, count_reset)),
            ("CA2", self._shown(*self.cash)),
            ("DA2", self._shown(*self.cashless)),
            ("CA3", ("", "", "", "", self.cash[0] + self.dispensed, self.cash_box)),
            ("CA4", ("", "", self.dispensed)),
            ("CA15", (self.tube_value,)),
        ]
        coins = enumerate(sorted(self.coins.items()), start=1)
        records += [("CA17", (place, coin, pieces, "", "", int(pieces >= 80))) for place, (coin, pieces) in coins]
        for selection in self.selections.values():
            records += self._selection_records(selection)
        records += [("EA1", (name, *_clock(at_ms))) for name, at_ms in self.log]
        records += [
            ("EA2", (name, fault.count, fault.count, "", int(fault.active))) for name, fault in self.faults.items()
        ]
        records += [
            ("EA3", (self.reads, *_clock(now_ms))),
            ("EA4", _clock(self.initialised_ms)),
            ("EA7", (self.outages, self.outages)),
            ("MA5", ("TEMP", f"{self.temperature:.1f}", "C")),
        ]
        return records

    def _selection_records(self, selection: Selection) -> list[tuple[str, tuple[object, ...]]]:
        stock = (selection.capacity, selection.capacity, "", 0, selection.level, selection.minimum)
        since = selection.count - selection.start_count, selection.value - selection.start_value
        return [
            ("PA1", (selection.number, selection.price, selection.product, *stock)),
            ("PA2", self._shown(selection.count, selection.value, *since)),
        ]

    def _shown(self, *counters: int) -> tuple[int, ...]:
        """Counters as the board shows them: only the digits that they have."""
        return tuple(counter % 10**self.digits for counter in counters)


def _clock(at_ms: int) -> tuple[str, str]:
    """Date and time as the board writes them."""
    local = datetime.fromtimestamp(at_ms / 1000, _LOCAL_TIME)
    return local.strftime("%Y%m%d"), local.strftime("%H%M%S")
