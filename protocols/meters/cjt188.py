"""A water, heat or gas meter by CJ/T 188: the current reading, its valve, and which order of bytes this meter wants."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from protocols.catalog import DEVICE_TYPES
from protocols.cjt188 import (
    BROADCAST,
    VALVE_CLOSE,
    VALVE_OPEN,
    ByteOrder,
    Frame,
    decode_cjt188,
    encode,
    parse,
    read_request,
    valve_request,
)
from protocols.cjt188.frame import measure
from protocols.errors import ProtocolError
from protocols.meters.talk import Ask, Measured, Talk, Tell, Wanted, listener, same_address
from protocols.meters.units import convert

READING: Final = 0x901F
_ASSUMED: Final = {"volume": "m³", "settled-volume": "m³", "flow": "m³/h", "energy": "kWh", "power": "kW"}
"""The unit of a value whose unit byte says nothing: what such a value mostly is. It is told as uncertain."""


@dataclass(slots=True, kw_only=True)
class Learned:
    """What is known of a meter's habits: the `order` of an identifier's bytes that it answered last, if any.

    `failures` are the visits since then, `serial` is the last question's number.
    """

    order: ByteOrder | None = None
    serial: int = 0
    failures: int = 0

    def next_order(self) -> ByteOrder:
        """What to try: what is known; both in turn while nothing is, or once it failed twice: the meter may be new."""
        usual: ByteOrder = self.order or "little"
        if self.failures % 2 == (self.order is None) and (self.order is None or self.failures >= 2):
            return "little" if usual == "big" else "big"
        return usual


def read_cjt188(
    address: str,
    meter: int,
    device_type: str,
    extra: Sequence[Wanted],
    learned: Learned,
    tell: Tell,
    *,
    valve: bool = False,
) -> Talk:
    """Read the meter `address` (fourteen digits, A = any) of type `meter` (10H cold water …).

    Its status speaks of a valve also where there is none: that is told only of a meter with a `valve`.
    Raises ProtocolError when it refuses.
    """
    order = learned.next_order()
    learned.failures += 1
    for identifier, metric in ((READING, ""), *((one.identifier, one.metric) for one in extra)):
        learned.serial = learned.serial + 1 & 0xFF
        request = read_request(meter, address, identifier, ser=learned.serial, order=order)
        frame = yield _ask(request)
        if frame.refused and identifier == READING:
            raise ProtocolError("protocols.meters.refused", address=address)
        if frame.refused:
            tell(Measured(metric=metric, value=None, quality="bad"))
            continue
        learned.order, learned.failures = order, 0
        document = decode_cjt188(encode(frame, preamble=0))["frames"][0]
        for measured in _reading(document, device_type) if identifier == READING else _extra(document, metric):
            tell(measured)
        if valve and identifier == READING:
            _tell_valve(document, tell)


def order_valve(address: str, meter: int, closed: bool, learned: Learned) -> Talk:
    """Let the meter `address` close its valve, or open it; the answer says that it was told, not that it has moved.

    Raises ProtocolError when it refuses.
    """
    learned.serial = learned.serial + 1 & 0xFF
    code = VALVE_CLOSE if closed else VALVE_OPEN
    order = learned.order or learned.next_order()
    frame = yield _ask(valve_request(meter, address, code, ser=learned.serial, order=order))
    if frame.refused:
        raise ProtocolError("protocols.meters.valve-refused", address=address)


def _ask(request: Frame) -> Ask:
    def whose(frame: Frame) -> str | None:
        if not frame.reply:
            return None
        if request.address != BROADCAST and not same_address(request.address, frame.address):
            return frame.address
        if frame.function != request.function:
            return None
        # A meter may answer in the other order than it was asked; and its type may be the maker's own.
        asked, said = request.data[:2], frame.data[:2]
        return "" if frame.refused or said in (asked, asked[::-1]) else None

    return Ask(send=encode(request), listen=listener(measure, parse, lambda frame: frame.fits, whose))


def _reading(document: dict[str, Any], device_type: str) -> Iterator[Measured]:
    row = DEVICE_TYPES[device_type]
    for value in document.get("values", ()):
        spec = row.metric(value["name"])
        if spec is not None:
            yield _value(value, spec.name, spec.unit)
    status = document.get("status")
    if status is not None and row.metric("battery-low"):
        yield Measured(metric="battery-low", value=status["battery_low"])


def _tell_valve(document: dict[str, Any], tell: Tell) -> None:
    """Open, closed, or bad where the meter says that its valve has a fault."""
    told = document.get("status", {}).get("valve")
    if told in ("open", "closed"):
        tell(Measured(metric="valve-closed", value=told == "closed"))
    elif told == "fault":
        tell(Measured(metric="valve-closed", value=None, quality="bad"))


def _extra(document: dict[str, Any], metric: str) -> Iterator[Measured]:
    values = document.get("values")
    if not values:
        yield Measured(metric=metric, value=document["data"])
    for value in values or ():
        yield _value(value, metric if len(values or ()) == 1 else f"{metric}-{value['name']}", "")


def _value(value: dict[str, Any], metric: str, unit: str) -> Measured:
    number = value["value"]
    if number is None:
        absent = set(value["raw"][:-2]) == {"F"}
        return Measured(metric=metric, value=None, quality="good" if absent else "bad")
    if not unit or not isinstance(number, int | float):
        return Measured(metric=metric, value=number)
    said = value["unit"] or _ASSUMED.get(value["name"], "")
    converted = convert(number, said, unit)
    if converted is None:
        return Measured(metric=metric, value=None, quality="bad")
    return Measured(metric=metric, value=converted, quality="good" if value["unit"] else "uncertain")
