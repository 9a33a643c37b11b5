"""What an audit says about the machine now: counters, stock, cash, temperature, faults; a `Snapshot` is kept of it.

Sources in EVA-DTS 6.2: ID1, CB1, ID4, EA4, VA1, PA1, PA2, PA7, CA15, CA17, EA1, EA2; the temperature stands in a
maker's own record, such as ``MA5*TEMP*<value>*<C or F>``.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from protocols.evadts.records import Audit, Record

Fault = Literal["jam", "door-open", "cooling"]

# Events of the machine (EVA-DTS 6.2, appendix C). After the code stands the selection or the unit, behind an underscore
# or, on some machines, as a bare number.
FAULTS: Final[Mapping[str, Fault]] = {
    "EJB": "jam",
    "EJL": "jam",
    "ELA": "jam",
    "EGS": "door-open",
    "EJJ": "cooling",  # refrigeration
    "EJH": "cooling",  # health timer: too warm for too long, the machine may have locked its food
    "EJK": "cooling",  # thermostat
    "OBT": "cooling",
}
_EVENT: Final = re.compile(r"([EO][A-Z]{2})(?:_(.*)|([0-9]+))?\Z")
_DOOR_CLOSED: Final = "EGT"  # the door's other event: active while it is closed

# A snapshot stays under 64 KB whatever a machine sends.
MAX_SELECTIONS: Final = 400
_MAX_EVENTS: Final = 100
_SELECTION_CHARACTERS: Final = 8
_EVENT_CHARACTERS: Final = 12
_DEGREES: Final = re.compile(r"[+-]?[0-9]{1,4}(\.[0-9]{1,4})?\Z")
_PLAUSIBLE: Final = (-60.0, 100.0)  # °C in or at a machine; anything else is in a unit of the maker's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One selection: sales since initialisation and their value, the price, in minor units. None = not said."""

    count: int | None = None
    value: int | None = None
    price: int | None = None
    product: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventState:
    """One event of the machine: how often since initialisation, active now or not (None = not said), last seen when."""

    count: int | None = None
    active: bool | None = None
    last: str = ""

    def grew(self, before: EventState) -> bool:
        """True when it happened again since `before`."""
        if self.count is not None and before.count is not None:
            return self.count > before.count
        return bool(self.last) and self.last != before.last


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What the next audit is compared with. Plain JSON, without the products, through `to_state` and `from_state`."""

    machine: str = ""
    initialised: str = ""
    decimals: int | None = None
    currency: str | None = None
    total: Slot = Slot()
    slots: Mapping[str, Slot] = field(default_factory=dict)
    events: Mapping[str, EventState] = field(default_factory=dict)

    def to_state(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "machine": self.machine,
            "initialised": self.initialised,
            "decimals": self.decimals,
            "currency": self.currency,
            "total": [self.total.count, self.total.value],
            "slots": {key: [slot.count, slot.value, slot.price] for key, slot in self.slots.items()},
            "events": {key: [event.count, event.active, event.last] for key, event in self.events.items()},
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Snapshot:
        """The snapshot that `to_state` wrote. Raises KeyError, TypeError or ValueError for anything else."""
        total_count, total_value = state["total"]
        return cls(
            machine=state["machine"],
            initialised=state["initialised"],
            decimals=state["decimals"],
            currency=state["currency"],
            total=Slot(count=total_count, value=total_value),
            slots={
                key: Slot(count=count, value=value, price=price)
                for key, (count, value, price) in state["slots"].items()
            },
            events={
                key: EventState(count=count, active=active, last=last)
                for key, (count, active, last) in state["events"].items()
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is true now. Money in minor units, temperature in °C; None = the machine does not say.

    `stock` and `capacity` are pieces in all selections, `low` the selections at or below their minimum (with pieces
    left), `empty` those without any.
    """

    snapshot: Snapshot
    stock: int | None
    capacity: int | None
    low: int | None
    empty: int | None
    tubes: int | None
    cash_sales: int | None
    cashless_sales: int | None
    temperature: float | None


def facts(audit: Audit) -> Facts:
    """The facts in `audit`."""
    cashless = [record.minor("value-init") for kind in ("DA2", "DB2") for record in audit.of(kind)]
    cash = audit.first("CA2")
    stocked = [(record.count("level"), record.count("capacity"), record.count("minimum")) for record in audit.of("PA1")]
    return Facts(
        snapshot=_snapshot(audit),
        stock=_total(level for level, _, _ in stocked),
        capacity=_total(capacity for _, capacity, _ in stocked),
        low=_total(level is not None and 0 < level <= least for level, _, least in stocked if least is not None),
        empty=_total(level == 0 for level, _, _ in stocked if level is not None),
        tubes=_tubes(audit),
        cash_sales=cash.minor("value-init") if cash else None,
        cashless_sales=_total(cashless),
        temperature=_temperature(audit),
    )


def fault_of(event: str) -> tuple[Fault | None, str]:
    """What event id ``EJB_12`` (or ``EJB12``) means and for which selection or unit (empty = the whole machine)."""
    match = _EVENT.match(event.strip())
    if match is None or match[1] not in FAULTS:
        return None, ""
    return FAULTS[match[1]], (match[2] or match[3] or "").strip()


def _snapshot(audit: Audit) -> Snapshot:
    total = audit.first("VA1")
    total_slot = Slot(count=total.count("count-init"), value=total.minor("value-init")) if total else Slot()
    slots = _slots(audit)
    if not _counting(slots) and (total_slot.count or not any(slot.count is not None for slot in slots.values())):
        slots = {"": total_slot} if total_slot.count is not None else {}
    begun = audit.first("EA4")
    return Snapshot(
        machine=_identity(audit),
        initialised=f"{begun['date'] or ''} {begun['time'] or ''}".strip() if begun else "",
        decimals=audit.currency.decimals,
        currency=audit.currency.name,
        total=total_slot,
        slots=slots,
        events=_events(audit),
    )


def _identity(audit: Audit) -> str:
    """The serial number of the machine, else of its board, else the communication id."""
    for kind, name in (("ID1", "serial"), ("CB1", "serial"), ("DXS", "communication-id")):
        record = audit.first(kind)
        word = record.word(name) if record else ""
        if word.strip("0"):
            return word[:40]
    return ""


def _counting(slots: Mapping[str, Slot]) -> bool:
    """True when a selection has sold. Machines that keep no such counters leave them out, or send zeros for ever."""
    return any(slot.count for slot in slots.values())


def _slots(audit: Audit) -> dict[str, Slot]:
    """Each selection with the counters of its PA2, or, where the machine does not count there, the sum of its PA7."""
    slots: dict[str, Slot] = {}
    current = ""
    for record in audit.records:
        if record.kind == "PA1":
            current = record.word("selection")[:_SELECTION_CHARACTERS]
            if current and current not in slots and len(slots) < MAX_SELECTIONS:
                slots[current] = Slot(price=record.minor("price"), product=record.word("product")[:40])
        elif record.kind == "PA2" and current in slots and slots[current].count is None:
            count, value = record.count("count-init"), record.minor("value-init")
            slots[current] = replace(slots[current], count=count, value=value)
    return slots if _counting(slots) else _by_price_lists(audit, slots)


def _by_price_lists(audit: Audit, listed: Mapping[str, Slot]) -> dict[str, Slot]:
    slots = {key: replace(slot, count=None, value=None) for key, slot in listed.items()}
    for record in audit.of("PA7"):
        selection = record.word("selection")[:_SELECTION_CHARACTERS]
        count, value = record.count("count-init"), record.minor("value-init")
        if selection not in slots or count is None:
            continue
        slot = slots[selection]
        known = slot.value if slot.count is not None else 0
        if count:
            known = None if known is None or value is None else known + value
        slots[selection] = replace(slot, count=(slot.count or 0) + count, value=known)
    return slots if any(slot.count is not None for slot in slots.values()) else dict(listed)


def _events(audit: Audit) -> dict[str, EventState]:
    """The events that mean something to us, from the counters of EA2 and the log of EA1."""
    events: dict[str, EventState] = {}
    closed: bool | None = None
    for record in audit.records:
        name = record.word("event")[:_EVENT_CHARACTERS] if record.kind in ("EA1", "EA2") else ""
        active = record["active"]
        if name == _DOOR_CLOSED and isinstance(active, bool):
            closed = active
        if fault_of(name)[0] is None or (len(events) >= _MAX_EVENTS and name not in events):
            continue
        event = events.get(name, EventState())
        if record.kind == "EA2":
            event = replace(event, count=_count(record), active=active if isinstance(active, bool) else None)
        else:
            event = replace(event, last=max(event.last, f"{record['date'] or ''}T{record['time'] or ''}"))
        events[name] = event
    if closed is not None and all(fault_of(name)[0] != "door-open" for name in events):
        events["EGS"] = EventState(active=not closed)
    return events


def _count(record: Record) -> int | None:
    since_init = record.count("count-init")
    return since_init if since_init is not None else record.count("count-reset")


def _total(values: Any) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _tubes(audit: Audit) -> int | None:
    stated = audit.first("CA15")
    if stated and (value := stated.minor("tube-value")) is not None:
        return value
    coins = [(record.minor("coin"), record.count("in-tube")) for record in audit.of("CA17")]
    return _total(coin * pieces for coin, pieces in coins if coin is not None and pieces is not None)


def _temperature(audit: Audit) -> float | None:
    """The first reading in °C: makers write a value and its unit side by side into an MA5 that names a temperature."""
    for record in audit.of("MA5"):
        words = [word.strip() for word in record.raw]
        if not words or "TEMP" not in words[0].upper():
            continue
        for value, unit in itertools.pairwise(words[1:]):
            if _DEGREES.match(value) and unit in ("C", "F"):
                degrees = float(value) if unit == "C" else round((float(value) - 32) / 1.8, 2)
                if _PLAUSIBLE[0] <= degrees <= _PLAUSIBLE[1]:
                    return degrees
    return None
