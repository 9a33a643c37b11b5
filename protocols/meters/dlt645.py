"""Reading an electricity meter by DL/T 645-1997 or -2007: an identifier at a time, follow-up frames put together."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Final

from protocols.dlt645 import Edition, Frame, Item, encode, item, parse, read_form, read_request
from protocols.dlt645.counters import part
from protocols.dlt645.frame import measure
from protocols.dlt645.messages import more_request
from protocols.errors import ProtocolError
from protocols.meters.talk import Ask, Measured, Talk, Tell, Wanted, listener, same_address
from protocols.meters.units import convert

MOST_FOLLOW_UPS: Final = 16
_METRICS: Final[dict[Edition, tuple[tuple[int, str, str], ...]]] = {
    "2007": (
        (0x00010000, "energy-import", "kW.h"),
        (0x02010100, "voltage", "V"),
        (0x02020100, "current", "A"),
        (0x02030000, "power", "W"),
    ),
    "1997": (
        (0x9010, "energy-import", "kW.h"),
        (0xB611, "voltage", "V"),
        (0xB621, "current", "A"),
        (0xB630, "power", "W"),
    ),
}
"""What is read of every electricity meter: identifier, metric, the catalogue's unit."""


def read_dlt645(address: str, edition: Edition, extra: Sequence[Wanted], lacks: set[int], tell: Tell) -> Talk:
    """Read the meter `address` (twelve digits, A = any). What it refuses is put into `lacks` and not asked again.

    Raises ProtocolError when it refuses everything.
    """
    rows = [*_METRICS[edition], *((one.identifier, one.metric, "") for one in extra)]
    told = 0
    for identifier, metric, unit in rows:
        if identifier in lacks:
            continue
        payload = yield from _payload(address, identifier, edition)
        if payload is None:
            lacks.add(identifier)
            continue
        told += 1
        for measured in _values(identifier, edition, metric, unit, payload):
            tell(measured)
    if not told:
        lacks.clear()
        raise ProtocolError("protocols.meters.refused", address=address)


def _payload(address: str, identifier: int, edition: Edition) -> Generator[Ask, Frame, bytes | None]:
    """All data of `identifier` behind the identifier itself, or None when the meter refuses it."""
    size = 2 if edition == "1997" else 4
    frame = yield _ask(read_request(address, identifier, edition), identifier, size)
    if frame.refused:
        return None
    payload = frame.data[size:]
    for sequence in range(1, MOST_FOLLOW_UPS + 1):
        if not frame.more:
            break
        # The meter that answered to A…A is asked on by its own address.
        frame = yield _ask(more_request(frame.address, identifier, sequence, edition), identifier, size, sequence)
        if frame.refused:
            break
        payload += frame.data[size:] if edition == "1997" else frame.data[size:-1]
    return payload


def _ask(request: Frame, identifier: int, size: int, sequence: int | None = None) -> Ask:
    wanted = identifier.to_bytes(size, "little")

    def whose(frame: Frame) -> str | None:
        if not frame.reply:
            return None  # the echo of the question
        if not same_address(request.address, frame.address):
            return frame.address
        if frame.function != request.function:
            return None
        right = frame.refused or frame.data[:size] == wanted
        repeated = size == 4 and sequence is not None and frame.data[-1:] != bytes([sequence])
        return "" if right and (frame.refused or not repeated) else None

    return Ask(send=encode(request), listen=listener(measure, parse, lambda frame: frame.fits, whose))


def _values(identifier: int, edition: Edition, metric: str, unit: str, payload: bytes) -> Iterator[Measured]:
    known = item(identifier, edition)
    if known is None:
        yield Measured(metric=metric, value=payload[::-1].hex().upper())
        return
    group = sum(form.size for form in known.forms)
    count = max(1, len(payload) // group) if known.parts else 1
    for number in range(count):
        name = f"{metric}-{_part(known, number)}" if known.parts else metric
        yield _value(known, name, unit, payload[number * group : (number + 1) * group])


def _part(known: Item, number: int) -> str:
    return str(part(known.parts or "", known.facts["first"] + number)).lower()


def _value(known: Item, metric: str, unit: str, raw: bytes) -> Measured:
    """The first value of a group: a maximum demand is told without the time at which it was."""
    form = known.forms[0]
    if len(raw) < form.size:
        return Measured(metric=metric, value=None, quality="bad")
    value, readable = read_form(form, raw[: form.size])
    if value is None:
        return Measured(metric=metric, value=None, quality="good" if readable else "bad")
    if unit and form.unit and isinstance(value, int | float):
        value = convert(value, form.unit, unit)
    return Measured(metric=metric, value=value)
