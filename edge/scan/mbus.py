"""Meters on an M-Bus: by secondary address, narrowed down where several answer, then by primary address.

EN 13757-3, 11: a selection with F for any digit is acknowledged by everybody whom it fits; what they then send at once
is damaged, and so the next digit is tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from edge.scan.findings import Budget, Found, Refused
from edge.scan.line import ScanLine
from edge.scan.walk import Heard, by_address, narrow
from protocols.capture import pieces
from protocols.mbus import Frame, decode_mbus, parse
from protocols.mbus.frame import measure
from protocols.mbus.messages import ACKNOWLEDGED, SELECTED, initialise, request_data, response, select
from protocols.meters import SecondaryAddress

PRIMARY: Final = range(251)
_DIGITS: Final = 8
_BITS: Final = 330
_BASE_S: Final = 0.05
"""A slave answers within 330 bit times and 50 ms (EN 13757-2, 5.5)."""
_QUIET_S: Final = 0.15
_TYPES: Final = {
    "electricity": "power-meter",
    "gas": "gas-meter",
    "heat-outlet": "heat-meter",
    "heat-inlet": "heat-meter",
    "heat-and-cooling": "heat-meter",
    "water": "water-meter",
    "warm-water": "water-meter",
    "hot-water": "water-meter",
    "cold-water": "water-meter",
}


def search(line: ScanLine, addresses: Sequence[int], budget: Budget) -> Iterator[Found | Refused]:
    """Every meter once, whose secondary address is known by it; those without one by primary address.

    Raises DeviceError for a lost line.
    """
    seen: set[str] = set()
    budget.tell(f"{line.name} mbus {line.setting}")
    if not budget.over:
        _exchange(line, initialise(SELECTED))
    for one in narrow(lambda begin: _select(line, begin), "0123456789", _DIGITS, budget):
        if isinstance(one, str):
            yield Refused(port=line.name, code="edge.scan.same-number", params={"port": line.name, "number": one})
        elif one.address not in seen:
            seen.add(str(one.address))
            yield one
    if seen:
        _exchange(line, initialise(SELECTED))  # whoever is still selected listens to its own address again

    def tell(primary: int, frame: Frame, answer_ms: float) -> Found | None:
        found = _found(line, frame)
        # Who did not answer to its number does not know selection.
        return None if found.address in seen else replace(found, address=str(primary), answer_ms=answer_ms)

    yield from by_address(line, "mbus", addresses, PRIMARY, budget, lambda primary: _one(line, primary), tell)


def _select(line: ScanLine, begin: str) -> Heard[Found]:
    """Who has a number that begins so. Whomever a selection does not fit is no longer selected."""
    pattern = SecondaryAddress(identification=begin.ljust(_DIGITS, "F"))
    if not _exchange(line, select(pattern.encode())):
        return Heard()
    heard, took_s = _request(line, SELECTED)
    found = None if heard.reply is None else replace(_found(line, heard.reply), answer_ms=round(took_s * 1000, 1))
    # Whoever acknowledged and is not understood is several; a single E5 may be noise, too, so silence counts as nobody.
    return Heard(reply=found, several=heard.several)


def _one(line: ScanLine, primary: int) -> tuple[Frame | None, float]:
    """Who answers to a primary address, and after how many seconds."""
    if not _exchange(line, initialise(primary)):
        return None, 0.0
    heard, took_s = _request(line, primary)
    return heard.reply, took_s


def _request(line: ScanLine, station: int) -> tuple[Heard[Frame], float]:
    question = request_data(station, frame_count=True)

    def answer(data: bytes) -> Frame | None:
        whole = (piece.data for piece in pieces(data.removeprefix(question), measure) if piece.whole)
        frames = (frame for frame in map(parse, whole) if frame.form == "long" and frame.said == frame.computed)
        return next((frame for frame in frames if frame.control is not None and frame.control & 0xCF == 0x08), None)

    data, took_s = line.ask(question, _wait_s(line), lambda got: answer(got) is not None, _QUIET_S)
    frame = answer(data)
    return Heard(reply=frame, several=frame is None and bool(data.removeprefix(question))), took_s


def _exchange(line: ScanLine, question: bytes) -> bool:
    """Send what is acknowledged with one byte; whether anything came (several E5 at once need not look like one)."""
    data, _ = line.ask(question, _wait_s(line), lambda got: got.removeprefix(question).endswith(ACKNOWLEDGED))
    return bool(data.removeprefix(question))


def _wait_s(line: ScanLine) -> float:
    return _BASE_S + _BITS / (line.setting.baud or 2400)


def _found(line: ScanLine, frame: Frame) -> Found:
    assert frame.address is not None
    assert frame.ci is not None
    told = decode_mbus(response(frame.address, frame.ci, frame.data))["frames"][0]
    meter = told.get("meter")
    number = str(meter["identification"]) if meter else ""
    maker = str(meter.get("manufacturer") or "") if meter else ""
    medium = str(meter.get("medium") or "") if meter else ""
    return Found(
        port=line.name,
        kind="mbus",
        setting=line.setting,
        address=number if len(number) == _DIGITS and number.isdecimal() else str(frame.address),
        model=" ".join(part for part in (maker, medium) if part),
        type=_TYPES.get(medium, ""),
        manufacturer=maker,
        primary=frame.address,
    )
