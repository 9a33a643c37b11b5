"""The difference of two audits: what was sold, and what else happened to the counters.

Counters grow, wrap at their width, start again after an initialisation, are taken back by a restored memory, or jump
when a board is damaged or changed. Only what can have been sold in the time is a sale; all else is a `Change` for
people to see.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from protocols.evadts.facts import MAX_SELECTIONS, Slot, Snapshot

ChangeCode = Literal[
    "swapped",
    "reset",
    "selection-reset",
    "rollback",
    "jump",
    "wrapped",
    "price-changed",
    "selection-new",
    "selection-gone",
]

_WIDTHS: Final = (10_000, 65_536, 100_000, 1_000_000, 10_000_000, 16_777_216, 100_000_000, 4_294_967_296)
_ALWAYS_PLAUSIBLE: Final = 200  # sales of one selection between two audits, however short the time
_UNKNOWN_TIME: Final = 10_000
_MOST_PER_SECOND: Final = 1.0
_MOST: Final = 20_000  # each sale becomes an event of its own: a clock that was wrong for years must not make millions
_MOST_ABOVE_PRICE: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """One or more sales of a selection at one price, numbered `first` to `last` by the machine's own counter.

    `value` is their sum in minor units (None = unknown); `estimated` when it is count × price for want of a counter.
    """

    selection: str
    product: str
    first: int
    count: int
    price: int | None
    value: int | None
    estimated: bool = False

    def each(self) -> Iterator[tuple[int, int | None]]:
        """(counter, value) of every single sale; the values add up to `value` exactly."""
        share, rest = divmod(self.value or 0, self.count)
        for place in range(self.count):
            yield self.first + place, None if self.value is None else share + (place < rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something other than a sale that the counters show; `selection` empty = the whole machine."""

    code: ChangeCode
    selection: str = ""
    before: int | str | None = None
    after: int | str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What happened between two audits, and the snapshot to compare the next one with."""

    sales: tuple[Sale, ...]
    changes: tuple[Change, ...]
    baseline: Snapshot


def difference(before: Snapshot | None, after: Snapshot, elapsed_s: float | None = None) -> Difference:
    """What was sold between `before` and `after`, `elapsed_s` seconds apart (None = unknown)."""
    if before is None:
        return Difference(sales=(), changes=(), baseline=after)
    if before.machine and after.machine and before.machine != after.machine:
        change = Change(code="swapped", before=before.machine, after=after.machine)
        return Difference(sales=(), changes=(change,), baseline=after)
    limit = _plausible(elapsed_s)
    if _all_fell(before, after, limit):
        return _after_reset(before, after, limit)
    return _compare(before, after, limit)


def _plausible(elapsed_s: float | None) -> int:
    """How many sales of one selection can have happened in the time."""
    if elapsed_s is None or elapsed_s < 0:
        return _UNKNOWN_TIME
    return int(min(max(_ALWAYS_PLAUSIBLE, elapsed_s * _MOST_PER_SECOND), _MOST))


def _wrapped(before: int, after: int, limit: int) -> int | None:
    """The number of steps from `before` over the end of a counter to `after`; None when it did not wrap."""
    for width in _WIDTHS:
        if before < width and width - before + after <= min(limit, width // 10):
            return width - before + after
    return None


def _fell(before: int | None, after: int | None, limit: int) -> bool:
    return before is not None and after is not None and after < before and _wrapped(before, after, limit) is None


def _all_fell(before: Snapshot, after: Snapshot, limit: int) -> bool:
    """The whole machine began again: it says so, its total fell, or (without a total) every selection did."""
    if before.initialised and after.initialised and before.initialised != after.initialised:
        return any((slot.count or 0) < (before.slots.get(key, Slot()).count or 0) for key, slot in after.slots.items())
    if before.total.count is not None and after.total.count is not None:
        return _fell(before.total.count, after.total.count, limit)
    sold = {key: slot.count for key, slot in before.slots.items() if key in after.slots and slot.count}
    return bool(sold) and all(_fell(count, after.slots[key].count, limit) for key, count in sold.items())


def _after_reset(before: Snapshot, after: Snapshot, limit: int) -> Difference:
    """After an initialisation what stands in the counters was sold since; after a rollback it was sold long ago."""
    old = sum(slot.count or 0 for slot in before.slots.values())
    new = sum(slot.count or 0 for slot in after.slots.values())
    stated = bool(before.initialised and after.initialised and before.initialised != after.initialised)
    genuine = new <= limit and (stated or new * 2 <= old)
    change = Change(code="reset" if genuine else "rollback", before=old, after=new)
    sales: list[Sale] = []
    if genuine:
        for key, slot in after.slots.items():
            sales += _sold(key, Slot(count=0, value=0, price=slot.price), slot, slot.count or 0)
    return Difference(sales=tuple(sales), changes=(change,), baseline=after)


def _compare(before: Snapshot, after: Snapshot, limit: int) -> Difference:
    sales: list[Sale] = []
    changes: list[Change] = []
    kept = dict(after.slots)
    for key, slot in after.slots.items():
        old = before.slots.get(key)
        if old is None or old.count is None:
            continue
        if slot.count is None:
            kept[key] = replace(slot, count=old.count, value=old.value)
            continue
        if old.price is not None and slot.price is not None and old.price != slot.price:
            changes.append(Change(code="price-changed", selection=key, before=old.price, after=slot.price))
        number, change = _step(key, old.count, slot.count, limit)
        changes += [change] if change else []
        base = replace(old, count=0, value=0) if change and change.code == "selection-reset" else old
        sales += _sold(key, base, slot, number)
    for key in before.slots.keys() - after.slots.keys():
        if len(kept) < MAX_SELECTIONS:
            kept[key] = before.slots[key]
        changes.append(Change(code="selection-gone", selection=key, before=before.slots[key].count))
    new_sales, new_changes = _new_selections(before, after, sum(sale.count for sale in sales), limit)
    baseline = replace(after, slots=kept)
    return Difference(sales=(*sales, *new_sales), changes=(*changes, *new_changes), baseline=baseline)


def _step(key: str, before: int, after: int, limit: int) -> tuple[int, Change | None]:
    """How many were sold when a counter went from `before` to `after`, and what else that means."""
    if after >= before:
        if after - before <= limit:
            return after - before, None
        return 0, Change(code="jump", selection=key, before=before, after=after)
    wrapped = _wrapped(before, after, limit)
    if wrapped is not None:
        return wrapped, Change(code="wrapped", selection=key, before=before, after=after)
    if after <= limit and after * 2 <= before:
        return after, Change(code="selection-reset", selection=key, before=before, after=after)
    return 0, Change(code="rollback", selection=key, before=before, after=after)


def _new_selections(before: Snapshot, after: Snapshot, sold: int, limit: int) -> tuple[list[Sale], list[Change]]:
    """Selections that were not listed before (some machines list only what was sold): sales if the total agrees."""
    sales: list[Sale] = []
    changes: list[Change] = []
    room = limit
    if before.total.count is not None and after.total.count is not None:
        room = min(limit, after.total.count - before.total.count - sold)
    for key, slot in after.slots.items():
        if key in before.slots:
            continue
        changes.append(Change(code="selection-new", selection=key, after=slot.count))
        if slot.count and slot.count <= room:
            room -= slot.count
            sales += _sold(key, Slot(count=0, value=0, price=slot.price), slot, slot.count)
    return sales, changes


def _sold(key: str, old: Slot, new: Slot, number: int) -> list[Sale]:
    """`number` sales of a selection with the values that its counters and prices give, those at the old price first."""
    if number <= 0:
        return []
    first = (old.count or 0) + 1
    whole = Sale(selection=key, product=new.product, first=first, count=number, price=new.price, value=None)
    value = _worth(old, new, number)
    highest = max(price for price in (old.price, new.price, 0) if price is not None)
    if value < 0 or (highest and value > highest * number * _MOST_ABOVE_PRICE):
        return [replace(whole, value=None if new.price is None else new.price * number, estimated=True)]
    at_old = _at_old_price(value, number, old.price, new.price)
    if at_old is None:
        return [replace(whole, price=None, value=value)]
    parts = [
        replace(whole, count=at_old, price=old.price, value=(old.price or 0) * at_old),
        replace(whole, first=first + at_old, count=number - at_old, value=(new.price or 0) * (number - at_old)),
    ]
    return [part for part in parts if part.count]


def _worth(old: Slot, new: Slot, number: int) -> int:
    """By how much the money grew; where its counter went over its end, by what the prices explain. -1: not known."""
    if new.value is None or old.value is None:
        return -1
    if new.value >= old.value:
        return new.value - old.value
    over = [width - old.value + new.value for width in _WIDTHS if old.value < width]
    return next((value for value in over if _at_old_price(value, number, old.price, new.price) is not None), -1)


def _at_old_price(value: int, number: int, old: int | None, new: int | None) -> int | None:
    """How many of `number` sales worth `value` were made at the old price; None when no split explains the value."""
    if new is None:
        return None
    if value == number * new:
        return 0
    if old is None or old == new:
        return None
    at_old, rest = divmod(value - number * new, old - new)
    return at_old if rest == 0 and 0 <= at_old <= number else None
