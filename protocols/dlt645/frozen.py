"""What a meter keeps of the past: frozen values (DL/T 645-2007, table A.6) and load records (table A.7 and annex B).

A load record is ``A0 A0 length YYMMDDhhmm class AA class AA … sum E5``: six classes of values, each of them there or
empty, each with its mark behind it. Two bytes E0 at its beginning say that the meter knows the record to be damaged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from protocols.dlt645.counters import MINUTE, PHASES, QUANTITIES, demand, energy
from protocols.dlt645.forms import Form, Item
from protocols.summed import check_sum

LOAD: Final = 0x06

_FREEZES: Final = {
    0x00: "timed",
    0x01: "instant",
    0x02: "time-zones-switched",
    0x03: "day-table-switched",
    0x04: "hourly",
    0x05: "prices-switched",
    0x06: "daily",
    0x07: "steps-switched",
}
_HOURLY: Final = 0x04
_FORWARD_DEMAND: Final = 0x09
_REVERSE_DEMAND: Final = 0x0A
_POWERS: Final = 0x10


def _phased(name: str, form: Form, phases: tuple[int, ...]) -> tuple[Form, ...]:
    return tuple(replace(form, name=name, phase=PHASES[phase]) for phase in phases)


def _counters(*rows: int) -> tuple[Form, ...]:
    return tuple(replace(energy(row), name=f"{QUANTITIES[row][0]}-energy") for row in rows)


_EACH: Final = (1, 2, 3)
_ALL: Final = (0, 1, 2, 3)
_ACTIVE: Final = Form(size=3, decimals=4, unit="kW", signed=True)
_REACTIVE: Final = Form(size=3, decimals=4, unit="kvar", signed=True)
_ALL_POWERS: Final = (*_phased("active-power", _ACTIVE, _ALL), *_phased("reactive-power", _REACTIVE, _ALL))
_CLASSES: Final[tuple[tuple[Form, ...], ...]] = (
    (
        *_phased("voltage", Form(size=2, decimals=1, unit="V"), _EACH),
        *_phased("current", Form(size=3, decimals=3, unit="A", signed=True), _EACH),
        Form(size=2, decimals=2, unit="Hz", name="frequency"),
    ),
    _ALL_POWERS,
    _phased("power-factor", Form(size=2, decimals=3, signed=True), _ALL),
    _counters(1, 2, 3, 4),
    _counters(5, 6, 7, 8),
    (
        Form(size=3, decimals=4, unit="kW", signed=True, name="active-demand"),
        Form(size=3, decimals=4, unit="kvar", signed=True, name="reactive-demand"),
    ),
)


def frozen_item(identifier: int) -> Item | None:
    """What ``05 freeze quantity ago`` stands for; None = not described (blocks of several quantities)."""
    _, freeze, what, ago = identifier.to_bytes(4, "big")
    if freeze not in _FREEZES:
        return None
    facts = {"freeze": _FREEZES[freeze], "ago": ago}
    if what == 0:
        return Item(name="frozen-at", forms=(replace(MINUTE, name="frozen-at"),), facts=facts)
    if freeze == _HOURLY and what not in (1, 2):
        return None
    block = facts | {"first": 0}
    if 1 <= what <= 8:
        name = f"frozen-{QUANTITIES[what][0]}-energy"
        if freeze == _HOURLY:
            return Item(name=name, forms=(energy(what),), facts=facts | {"tariff": "total"})
        return Item(name=name, forms=(energy(what),), facts=block, parts="tariff")
    if what in (_FORWARD_DEMAND, _REVERSE_DEMAND):
        row = 1 if what == _FORWARD_DEMAND else 2
        return Item(name=f"frozen-{QUANTITIES[row][0]}-maximum-demand", forms=demand(row), facts=block, parts="tariff")
    return Item(name="frozen-powers", forms=_ALL_POWERS, facts=facts) if what == _POWERS else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRecord:
    """What the meter had stored at one moment. `values` are the form, the place in the payload and the bytes of each.

    `whole` is False where the record ends early, its sum (`said`, `computed`) or its marks do not fit.
    """

    at: int
    damaged: bool
    moment: bytes
    values: tuple[tuple[Form, int, bytes], ...]
    said: int
    computed: int
    whole: bool


_STARTS: Final = (b"\xa0\xa0", b"\xe0\xe0")
_HEAD: Final = 3
_MOMENT: Final = 5
_MARK: Final = 0xAA
_MOST_MARKS: Final = 8
_END: Final = 0xE5


def load_records(payload: bytes, kind: int) -> Iterator[LoadRecord]:
    """The records in `payload`; of class `kind` (1–6), or with all classes (0)."""
    at = 0
    while payload[at : at + 2] in _STARTS and at + _HEAD + _MOMENT <= len(payload):
        size = _HEAD + payload[at + 2] + 2
        yield _record(payload[at : at + size], at, kind, size)
        at += size


def _record(raw: bytes, at: int, kind: int, size: int) -> LoadRecord:
    whole = len(raw) == size and raw[-1] == _END
    body = raw[: size - 2]
    place, index = _HEAD + _MOMENT, 0
    values: list[tuple[Form, int, bytes]] = []
    while place < len(body) and index < _MOST_MARKS:
        if body[place] == _MARK:
            place, index = place + 1, index + 1
            continue
        # Meters that tell one class only may leave out the marks of those before it.
        number = kind - 1 if kind else index
        forms = _CLASSES[number] if number < len(_CLASSES) else ()
        end = place + sum(form.size for form in forms)
        if not forms or end > len(body) or body[end : end + 1] not in (b"", bytes([_MARK])):
            break
        for form in forms:
            values.append((form, at + place, body[place : place + form.size]))
            place += form.size
    return LoadRecord(
        at=at,
        damaged=raw[:2] == _STARTS[1],
        moment=raw[_HEAD : _HEAD + _MOMENT],
        values=tuple(values),
        said=raw[-2] if whole else 0,
        computed=check_sum(body) if whole else 0,
        whole=whole and place == len(body),
    )
