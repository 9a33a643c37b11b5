"""Meters of DL/T 645 and CJ/T 188: all are asked at once, and where several answer the address is narrowed down.

Only reading is asked for. DL/T 645 knows addresses of which only the low digits are given (5.2: the others are AA);
what several CJ/T 188 meters answer at once cannot be told apart: whoever installs them must know their addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from edge.scan.findings import Budget, Found, Refused
from edge.scan.line import ScanLine
from edge.scan.walk import Heard, narrow
from protocols import cjt188, dlt645
from protocols.capture import Measure, pieces
from protocols.cjt188.frame import measure as measure_cjt188
from protocols.dlt645.frame import measure as measure_dlt645
from protocols.dlt645.messages import address_request

_WAIT_S: Final = 0.7
"""A meter begins its answer within 500 ms (DL/T 645-2007, 5.4)."""
_QUIET_S: Final = 0.15
_DIGITS: Final = 12
_PAIRS: Final = tuple(f"{number:02d}" for number in range(100))
_ENERGY: Final[dict[dlt645.Edition, int]] = {"2007": 0x00010000, "1997": 0x9010}
_TYPES: Final = {"water": "water-meter", "heat": "heat-meter", "gas": "gas-meter"}


def search_dlt645(line: ScanLine, budget: Budget) -> Iterator[Found | Refused]:
    """Electricity meters of both editions. Raises DeviceError for a lost line."""
    seen: set[str] = set()
    for edition in ("2007", "1997"):
        budget.tell(f"{line.name} dlt645-{edition} {line.setting}")

        def ask(low: str, edition: dlt645.Edition = edition) -> Heard[Found]:
            """The low digits come first in the pattern, pair by pair, as they do on the wire."""
            pairs = [low[at : at + 2] for at in range(0, len(low), 2)]
            pattern = "".join(reversed(pairs)).rjust(_DIGITS, "A")
            request = dlt645.read_request(pattern, _ENERGY[edition], edition)
            if not low and edition == "2007":
                request = address_request()
            heard = _ask(line, dlt645.encode(request), measure_dlt645, dlt645.parse)
            return Heard(reply=_power_meter(line, heard.reply, edition), several=heard.several)

        for one in narrow(ask, _PAIRS, _DIGITS // 2, budget):
            if isinstance(one, str):
                yield Refused(port=line.name, code="edge.scan.several", params={"port": line.name, "kind": "DL/T 645"})
            elif one.address not in seen:
                seen.add(str(one.address))
                yield one


def search_cjt188(line: ScanLine, budget: Budget) -> Iterator[Found | Refused]:
    """Water, gas and heat meters; the identifier's bytes in both orders. Raises DeviceError for a lost line."""
    seen: set[str] = set()
    orders: tuple[cjt188.ByteOrder, ...] = ("little", "big")
    for order in orders:
        if budget.over:
            return
        budget.tell(f"{line.name} cjt188 {line.setting}")
        request = cjt188.read_request(0xAA, cjt188.BROADCAST, order=order)
        heard = _ask(line, cjt188.encode(request), measure_cjt188, cjt188.parse)
        if heard.several:
            yield Refused(port=line.name, code="edge.scan.several", params={"port": line.name, "kind": "CJ/T 188"})
        frame = heard.reply
        if frame is None or frame.address in seen:
            continue
        seen.add(frame.address)
        yield Found(
            port=line.name,
            kind="cjt188",
            setting=line.setting,
            address=frame.address,
            model=cjt188.meter_name(frame.meter),
            type=_TYPES.get(cjt188.family(frame.meter), ""),
            meter_kind=frame.meter,
        )


def _power_meter(line: ScanLine, frame: dlt645.Frame | None, edition: dlt645.Edition) -> Found | None:
    if frame is None:
        return None
    model = f"DL/T 645-{edition}"
    return Found(
        port=line.name,
        kind="dlt645",
        setting=line.setting,
        address=frame.address,
        model=model,
        type="power-meter",
        edition=edition,
    )


def _ask(line: ScanLine, question: bytes, measure: Measure, parse: Callable[[bytes], Any]) -> Heard[Any]:
    def answer(data: bytes) -> Any:
        frames = (parse(piece.data) for piece in pieces(data.removeprefix(question), measure) if piece.whole)
        return next((frame for frame in frames if frame.reply and frame.fits), None)

    data, _ = line.ask(question, _WAIT_S, lambda got: answer(got) is not None, _QUIET_S)
    frame = answer(data)
    return Heard(reply=frame, several=frame is None and bool(data.removeprefix(question)))
