"""What an audit means, decided purely: what was sold, what is wrong, what is true now, and what to remember of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from protocols.evadts import Audit
from protocols.evadts.facts import EventState, Facts, Fault, Slot, Snapshot, facts, fault_of
from protocols.evadts.sales import Change, Difference, Sale, difference
from protocols.events import Event, Observation, Reading

# Above this many sales between two audits (a gateway that was away for weeks) those of a selection share an event.
_ONE_BY_ONE: Final = 1000
_FINDINGS_TOLD: Final = 10
_NEVER: Final = EventState(count=0)
_KINDS: Final[Mapping[Fault, tuple[str, str]]] = {
    "jam": ("vending.jam", "vending.jam-cleared"),
    "door-open": ("vending.door-opened", "vending.door-closed"),
    "cooling": ("vending.cooling-failed", "vending.cooling-restored"),
}
_QUIET: Final = frozenset({"price-changed", "selection-new", "selection-gone", "wrapped"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceWish:
    """A price that was, or may have been, sent to the machine, which asked `before` then. The next audit decides."""

    selection: str
    price: int
    before: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What is kept of the audit before: counters, when it was read, which events were open, which findings were told.

    `wish`: a price of which is not known yet whether the machine has taken it.
    """

    snapshot: Snapshot | None = None
    stock: int | None = None
    wish: PriceWish | None = None
    at_ms: int | None = None
    open: frozenset[str] = frozenset()
    findings: tuple[str, ...] = ()

    def to_state(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "snapshot": self.snapshot.to_state() if self.snapshot else None,
            "at_ms": self.at_ms,
            "open": sorted(self.open),
            "findings": list(self.findings),
            "stock": self.stock,
            "wish": asdict(self.wish) if self.wish else None,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Memory:
        """What `to_state` wrote; an empty memory for what cannot be read: then the next audit is the first."""
        try:
            return cls(
                snapshot=Snapshot.from_state(state["snapshot"]) if state["snapshot"] else None,
                at_ms=state["at_ms"],
                open=frozenset(state["open"] if "open" in state else state["jams"]),
                findings=tuple(state["findings"]),
                stock=state.get("stock"),
                wish=PriceWish(**state["wish"]) if state.get("wish") else None,
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            return cls()


def understand(memory: Memory, audit: Audit, *, device: str, now_ms: int) -> tuple[list[Observation], Memory]:
    """All that `audit`, read at `now_ms`, tells of `device` after what is in `memory`, and the memory that follows."""
    now = facts(audit)
    elapsed_s = None if memory.at_ms is None else (now_ms - memory.at_ms) / 1000
    found = difference(memory.snapshot, now.snapshot, elapsed_s)
    still, told_faults = _faults(memory, now.snapshot, found, device=device, now_ms=now_ms)
    told_findings = tuple(f"{finding.level}/{finding.code}" for finding in audit.findings if finding.level != "info")
    observations: list[Observation] = [
        *_sales(found.sales, now.snapshot, device=device, now_ms=now_ms),
        *(_changed(change, device, now_ms) for change in found.changes if change.code not in _QUIET),
        *told_faults,
        *_prices(memory.wish, now.snapshot, found, device=device, now_ms=now_ms),
        *_restocked(memory, now, found, device=device, now_ms=now_ms),
    ]
    if told_findings != memory.findings:
        observations.append(_findings(audit, device, now_ms))
    observations += _readings(now, still, memory.open, device=device, now_ms=now_ms)
    stock = now.stock if now.stock is not None else memory.stock
    after = Memory(snapshot=found.baseline, at_ms=now_ms, open=still, findings=told_findings, stock=stock)
    return observations, after


def _prices(wish: PriceWish | None, now: Snapshot, found: Difference, *, device: str, now_ms: int) -> Iterator[Event]:
    """What became of the price that was sent, and prices that changed at the machine itself."""
    for change in found.changes:
        if change.code == "price-changed" and (wish is None or change.selection != wish.selection):
            data = {"selection": change.selection, "before": change.before, "after": change.after, "by": "machine"}
            yield Event(device=device, kind="vending.price-changed", at_ms=now_ms, data=data)
    if wish is None:
        return
    asked = now.slots.get(wish.selection, Slot()).price
    if asked == wish.price:
        data = {"selection": wish.selection, "before": wish.before, "after": asked, "by": "command"}
        yield Event(device=device, kind="vending.price-changed", at_ms=now_ms, data=data)
    else:
        data = {"selection": wish.selection, "wanted": wish.price, "price": asked}
        yield Event(device=device, kind="vending.price-kept", at_ms=now_ms, data=data)


def _restocked(memory: Memory, now: Facts, found: Difference, *, device: str, now_ms: int) -> Iterator[Event]:
    """More pieces than are left after what was sold: somebody has filled the machine."""
    swapped = any(change.code == "swapped" for change in found.changes)
    if memory.stock is None or now.stock is None or now.stock <= memory.stock or swapped:
        return
    sold = sum(sale.count for sale in found.sales)
    data = {"before": memory.stock, "after": now.stock, "added": now.stock - memory.stock + sold}
    yield Event(device=device, kind="vending.restocked", at_ms=now_ms, data=data)


def _sales(sales: Sequence[Sale], now: Snapshot, *, device: str, now_ms: int) -> Iterator[Event]:
    one_by_one = sum(sale.count for sale in sales) <= _ONE_BY_ONE
    for sale in sales:
        data: dict[str, Any] = {
            "selection": sale.selection,
            "product": sale.product,
            "currency": now.currency,
            "decimals": now.decimals,
        }
        if sale.estimated:
            data["estimated"] = True
        singles = ((counter, 1, value) for counter, value in sale.each())
        for counter, count, value in singles if one_by_one else [(sale.first, sale.count, sale.value)]:
            body = {**data, "counter": counter, "count": count, "value": value}
            yield Event(device=device, kind="vending.sale", at_ms=now_ms, data=body)


def _changed(change: Change, device: str, now_ms: int) -> Event:
    data = {"what": change.code, "selection": change.selection, "before": change.before, "after": change.after}
    return Event(device=device, kind="vending.reset", at_ms=now_ms, data=data)


def _faults(
    memory: Memory, now: Snapshot, found: Difference, *, device: str, now_ms: int
) -> tuple[frozenset[str], list[Event]]:
    """Which events of the machine are open (jams, its door, its cooling), and what began and ended since.

    A machine that marks active events is believed. For others one begins when its counter grows or its log goes on. A
    jam then ends when the selection (or, where none is named, the machine) sells again, another with the next audit.
    """
    sold = {sale.selection for sale in found.sales}
    first = memory.snapshot is None
    before = memory.snapshot.events if memory.snapshot else {}
    still: set[str] = set()
    told: list[Event] = []
    for name, event in now.events.items():
        fault, selection = fault_of(name)
        was, grew = name in memory.open, not first and event.grew(before.get(name, _NEVER))
        over = fault != "jam" or (selection in sold if selection else bool(sold))
        active = event.active if event.active is not None else grew or (was and not over)
        if not was and (active or grew):
            told.append(_told(name, 0, event, device=device, now_ms=now_ms))
        if (was or grew) and not active:
            told.append(_told(name, 1, event, device=device, now_ms=now_ms))
        if active:
            still.add(name)
    gone = sorted(memory.open - now.events.keys())  # the machine no longer lists them
    told += [_told(name, 1, EventState(), device=device, now_ms=now_ms) for name in gone]
    return frozenset(still), told


def _told(name: str, place: int, event: EventState, *, device: str, now_ms: int) -> Event:
    """That event `name` began (`place` 0) or ended (1); `machine-time` is when the machine's own clock logged it."""
    fault, part = fault_of(name)
    if fault == "jam":
        data = {"selection": part, "event": name}
    else:
        data = {"event": name} | ({"machine-time": event.last.strip("T")} if event.last.strip("T") else {})
    return Event(device=device, kind=_KINDS[fault or "jam"][place], at_ms=now_ms, data=data)


def _findings(audit: Audit, device: str, now_ms: int) -> Event:
    """What deviates from the standard, when it is not the same as at the last reading."""
    worth = [finding for finding in audit.findings if finding.level != "info"]
    shown = [{"level": f.level, "at": f.at, "code": f.code} for f in worth[:_FINDINGS_TOLD]]
    data = {"ok": audit.ok, "count": len(worth), "findings": shown}
    return Event(device=device, kind="vending.audit-findings", at_ms=now_ms, data=data)


def _readings(
    now: Facts, still: frozenset[str], before: frozenset[str], *, device: str, now_ms: int
) -> Iterator[Reading]:
    """What is true now. An event that the machine never lists is not known; one that was open `before` is over."""
    listed = {fault_of(name)[0] for name in now.snapshot.events.keys() | before}
    holds = {fault_of(name)[0] for name in still}
    values: dict[str, float | int | bool | None] = {
        "sales-count": now.snapshot.total.count,
        "sales-value": now.snapshot.total.value,
        "cash-in-tubes": now.tubes,
        "stock": now.stock,
        "stock-capacity": now.capacity,
        "selections-low": now.low,
        "selections-empty": now.empty,
        "temperature": now.temperature,
        "jam": "jam" in holds,
        "door-open": "door-open" in holds if "door-open" in listed else None,
        "cooling-fault": "cooling" in holds if "cooling" in listed else None,
    }
    for metric, value in values.items():
        if value is not None:
            yield Reading(device=device, metric=metric, value=value, at_ms=now_ms)
