"""Reading a meter on an M-Bus by its primary or secondary address, over several telegrams when it has more to say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from protocols.catalog import DEVICE_TYPES
from protocols.errors import ProtocolError
from protocols.mbus import Frame, decode_mbus, parse
from protocols.mbus.frame import measure
from protocols.mbus.messages import ACKNOWLEDGED, SELECTED, TEST_ADDRESS, initialise, request_data, response, select
from protocols.meters.talk import Ask, Heard, Measured, Talk, Tell, Wanted, listener
from protocols.meters.units import convert

MOST_TELEGRAMS: Final = 8
_METRICS: Final = {
    "volume": ("volume",),
    "volume-flow": ("flow",),
    "energy": ("energy", "energy-import"),
    "power": ("power",),
    "flow-temperature": ("supply-temperature",),
    "return-temperature": ("return-temperature",),
    "voltage": ("voltage",),
    "current": ("current",),
}
"""What a record is in the catalogue; the first that the device type has."""
_ANY: Final = b"\xff"
_HARMLESS: Final = frozenset({"3B"})
"""An extension that leaves a value what it is: only what flows forwards was counted (EN 13757-3, table 15)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondaryAddress:
    """Eight digits of identification (F = any), and the maker (three letters) where it is to fit, too."""

    identification: str
    manufacturer: str = ""

    def encode(self) -> bytes:
        """The eight bytes that select the meter (EN 13757-3, 11.3)."""
        maker = _ANY + _ANY
        if self.manufacturer:
            number = 0
            for letter in self.manufacturer.upper():
                number = number << 5 | ord(letter) - 64
            maker = number.to_bytes(2, "little")
        return bytes.fromhex(self.identification)[::-1] + maker + _ANY + _ANY

    def fits(self, identification: str) -> bool:
        """Whether a meter of this identification may answer."""
        pairs = zip(self.identification.upper(), identification, strict=False)
        return all(wanted in ("F", said) for wanted, said in pairs)


def read_mbus(address: int | SecondaryAddress, device_type: str, extra: Sequence[Wanted], tell: Tell) -> Talk:
    """Read the meter at `address`. Raises ProtocolError when its data are encrypted or an error of its application.

    Each visit begins anew (SND_NKE), so that the meter never takes a question for the repetition of an older one.
    """
    station = address if isinstance(address, int) else SELECTED
    yield Ask(send=initialise(station), listen=_acknowledged, optional=True)
    if not isinstance(address, int):
        yield Ask(send=select(address.encode()), listen=_acknowledged)
    seen: set[str] = set()
    frame_count = True
    for _ in range(MOST_TELEGRAMS):
        frame = yield Ask(send=request_data(station, frame_count=frame_count), listen=_data(address))
        frame_count = not frame_count
        document = decode_mbus(response(frame.address, frame.ci, frame.data))
        told = document["frames"][0]
        _refuse(document, told)
        for measured in _values(told.get("records", ()), device_type, extra, seen):
            tell(measured)
        if not told.get("more_follows"):
            return


def _acknowledged(data: bytes) -> Heard:
    """E5 as the last that is heard: a byte alone cannot be told from noise by more than its place."""
    return Heard(frame=parse(ACKNOWLEDGED)) if data.endswith(ACKNOWLEDGED) else Heard()


def _data(address: int | SecondaryAddress) -> Callable[[bytes], Heard]:
    def whose(frame: Frame) -> str | None:
        if frame.form != "long" or frame.control is None or frame.control & 0xCF != 0x08:
            return None  # an acknowledgement, or the echo of what we sent
        if isinstance(address, int):
            return "" if address in (TEST_ADDRESS, frame.address) else str(frame.address)
        known = frame.ci in (0x72, 0x73) and len(frame.data) >= 4
        identification = frame.data[3::-1].hex().upper() if known else ""
        return "" if address.fits(identification) else identification

    return listener(measure, parse, _fits, whose)


def _fits(frame: Frame) -> bool:
    return frame.said == frame.computed


def _refuse(document: dict[str, Any], told: dict[str, Any]) -> None:
    if "error" in told:
        raise ProtocolError("protocols.meters.mbus-error", error=told["error"])
    if any(finding["code"] == "protocols.mbus.encrypted" for finding in document["findings"]):
        raise ProtocolError("protocols.meters.encrypted")


def _values(
    records: Iterable[dict[str, Any]], device_type: str, extra: Sequence[Wanted], seen: set[str]
) -> Iterable[Measured]:
    for record in records:
        if record["function"] != "instantaneous":
            continue
        place = (record["name"], record["storage"], record.get("tariff", 0))
        for one in extra:
            if (one.record, one.storage, one.tariff) == place and one.metric not in seen:
                seen.add(one.metric)
                yield _value(record, one.metric, "")
        if place[1:] != (0, 0) or record.get("subunit") or set(record.get("modifiers", ())) - _HARMLESS:
            continue
        row = DEVICE_TYPES[device_type]
        for metric in _METRICS.get(record["name"] or "", ()):
            spec = row.metric(metric)
            if spec is not None and metric not in seen:
                seen.add(metric)
                yield _value(record, metric, spec.unit)
                break


def _value(record: dict[str, Any], metric: str, unit: str) -> Measured:
    value = record["value"]
    if value is None:
        return Measured(metric=metric, value=None, quality="bad" if record["raw"] else "good")
    if unit and isinstance(value, int | float):
        value = convert(value, record["unit"] or "", unit)
        return Measured(metric=metric, value=value, quality="good" if value is not None else "bad")
    return Measured(metric=metric, value=value)
