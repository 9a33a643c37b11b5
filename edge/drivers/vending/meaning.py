"""What an audit means, decided purely: what was sold, what is wrong, what is true now, and what to remember of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from protocols.evadts import Audit
from protocols.evadts.facts import EventState, Facts, Slot, Snapshot, facts, fault_of
from protocols.evadts.sales import Change, Difference, Sale, difference
from protocols.events import Event, Observation, Reading

# Above this many sales between two audits (a gateway that was away for weeks) those of a selection share an event.
_ONE_BY_ONE: Final = 1000
_FINDINGS_TOLD: Final = 10
_NEVER: Final = EventState(count=0)
_QUIET: Final = frozenset({"price-changed", "selection-new", "selection-gone", "wrapped"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceWish:
    """A price that was, or may have been, sent to the machine, which asked `before` then. The next audit decides."""

    selection: str
    price: int
    before: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What is kept of the audit before: counters, when it was read, which jams were open, which findings were told.

    `wish`: a price of which is not known yet whether the machine has taken it.
    """

    snapshot: Snapshot | None = None
    stock: int | None = None
    wish: PriceWish | None = None
    at_ms: int | None = None
    jams: frozenset[str] = frozenset()
    findings: tuple[str, ...] = ()

    def to_state(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "snapshot": self.snapshot.to_state() if self.snapshot else None,
            "at_ms": self.at_ms,
            "jams": sorted(self.jams),
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
                jams=frozenset(state["jams"]),
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
    jams, told_jams = _jams(memory, now.snapshot, found, device=device, now_ms=now_ms)
    told_findings = tuple(f"{finding.level}/{finding.code}" for finding in audit.findings if finding.level != "info")
    observations: list[Observation] = [
        *_sales(found.sales, now.snapshot, device=device, now_ms=now_ms),
        *(_changed(change, device, now_ms) for change in found.changes if change.code not in _QUIET),
        *told_jams,
        *_prices(memory.wish, now.snapshot, found, device=device, now_ms=now_ms),
        *_restocked(memory, now, found, device=device, now_ms=now_ms),
    ]
    if told_findings != memory.findings:
        observations.append(_findings(audit, device, now_ms))
    observations += _readings(now, jams, device=device, now_ms=now_ms)
    stock = now.stock if now.stock is not None else memory.stock
    after = Memory(snapshot=found.baseline, at_ms=now_ms, jams=jams, findings=told_findings, stock=stock)
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


def _jams(
    memory: Memory, now: Snapshot, found: Difference, *, device: str, now_ms: int
) -> tuple[frozenset[str], list[Event]]:
    """Which jams are open, and the events that tell of new and cleared ones.

    A machine that marks active events is believed. For others a jam begins when its counter grows, and ends when the
    selection (or, where none is named, the machine) sells again.
    """
    sold = {sale.selection for sale in found.sales}
    first = memory.snapshot is None
    before = memory.snapshot.events if memory.snapshot else {}
    jams: set[str] = set()
    told: list[Event] = []
    for name, event in now.events.items():
        fault, selection = fault_of(name)
        if fault != "jam":
            continue
        was, grew = name in memory.jams, not first and event.grew(before.get(name, _NEVER))
        sells = selection in sold if selection else bool(sold)
        active = event.active if event.active is not None else grew or (was and not sells)
        data = {"selection": selection, "event": name}
        if not was and (active or grew):
            told.append(Event(device=device, kind="vending.jam", at_ms=now_ms, data=data))
        if (was or grew) and not active:
            told.append(Event(device=device, kind="vending.jam-cleared", at_ms=now_ms, data=data))
        if active:
            jams.add(name)
    for name in sorted(memory.jams - now.events.keys()):  # the machine no longer lists it
        data = {"selection": fault_of(name)[1], "event": name}
        told.append(Event(device=device, kind="vending.jam-cleared", at_ms=now_ms, data=data))
    return frozenset(jams), told


def _findings(audit: Audit, device: str, now_ms: int) -> Event:
    """What deviates from the standard, when it is not the same as at the last reading."""
    worth = [finding for finding in audit.findings if finding.level != "info"]
    shown = [{"level": f.level, "at": f.at, "code": f.code} for f in worth[:_FINDINGS_TOLD]]
    data = {"ok": audit.ok, "count": len(worth), "findings": shown}
    return Event(device=device, kind="vending.audit-findings", at_ms=now_ms, data=data)


def _readings(now: Facts, jams: frozenset[str], *, device: str, now_ms: int) -> Iterator[Reading]:
    doors = [event.active for name, event in now.snapshot.events.items() if fault_of(name)[0] == "door-open"]
    door_known = [active for active in doors if active is not None]
    values: dict[str, float | int | bool | None] = {
        "sales-count": now.snapshot.total.count,
        "sales-value": now.snapshot.total.value,
        "cash-in-tubes": now.tubes,
        "stock": now.stock,
        "stock-capacity": now.capacity,
        "selections-low": now.low,
        "selections-empty": now.empty,
        "temperature": now.temperature,
        "jam": bool(jams),
        "door-open": any(door_known) if door_known else None,
    }
    for metric, value in values.items():
        if value is not None:
            yield Reading(device=device, metric=metric, value=value, at_ms=now_ms)
