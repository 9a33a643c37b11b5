"""Payloads of Milesight's sensors: a run of channels, each `id type value`; and the frame of the GS524N smoke detector.

Source: Milesight's user guides and the payload tables that it publishes for each model (tests/cases/chirpstack has
frames). Numbers are little-endian. What a channel means depends on the model: 03 00 is the magnet of one and the leak
of another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from protocols.events import Value

Channel = tuple[int, int]
Meaning = tuple[str, Callable[[bytes], Value]]

PORT: Final = 85
_HISTORY: Final = 0xCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What a payload says: `metrics` and `events` of the catalogue, `about` the device itself, and `findings`.

    A finding is a code with its parameters (``protocols.chirpstack.…``) and the byte that it is about.
    """

    metrics: Mapping[str, Value] = field(default_factory=dict)
    events: tuple[tuple[str, Mapping[str, Value]], ...] = ()
    about: Mapping[str, Value] = field(default_factory=dict)
    findings: tuple[tuple[int, str, Mapping[str, object]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """`type`: the row of the catalogue. `press`: the kind of event that a pressed button is."""

    type: str
    channels: Mapping[Channel, Meaning]
    press: str = ""


def _bit(data: bytes) -> bool:
    return data[0] != 0


def _u8(data: bytes) -> float:
    return float(data[0])


def _tenths(data: bytes) -> float:
    return int.from_bytes(data, "little", signed=True) / 10


def _centimetres(data: bytes) -> float:
    return int.from_bytes(data, "little", signed=True) / 100


def _halves(data: bytes) -> float:
    return data[0] / 2


def _u32(data: bytes) -> float:
    return float(int.from_bytes(data, "little"))


_BATTERY: Final[Mapping[Channel, Meaning]] = {(0x01, 0x75): ("battery", _u8)}
_CLIMATE: Final[Mapping[Channel, Meaning]] = {
    **_BATTERY,
    (0x03, 0x67): ("temperature", _tenths),
    (0x04, 0x68): ("humidity", _halves),
}
MODELS: Final[Mapping[str, Model]] = {
    "milesight-ws101": Model(type="button", channels=_BATTERY, press="button.pressed"),
    "milesight-ws101-sos": Model(type="sos-button", channels=_BATTERY, press="sos"),
    "milesight-ws202": Model(type="motion", channels={**_BATTERY, (0x03, 0x00): ("occupancy", _bit)}),
    "milesight-ws301": Model(
        type="contact",
        channels={**_BATTERY, (0x03, 0x00): ("contact-open", _bit), (0x04, 0x00): ("tamper", _bit)},
    ),
    "milesight-ws303": Model(type="water-leak", channels={**_BATTERY, (0x03, 0x00): ("leak", _bit)}),
    "milesight-ws203": Model(type="motion", channels={**_BATTERY, (0x05, 0x00): ("occupancy", _bit)}),
    "milesight-em300-th": Model(type="climate", channels=_CLIMATE),
    "milesight-em320-th": Model(type="climate", channels=_CLIMATE),
    "milesight-em300-mcs": Model(type="contact", channels={**_BATTERY, (0x06, 0x00): ("contact-open", _bit)}),
    "milesight-em300-sld": Model(type="water-leak", channels={**_BATTERY, (0x05, 0x00): ("leak", _bit)}),
    "milesight-em300-zld": Model(type="water-leak", channels={**_BATTERY, (0x05, 0x00): ("leak", _bit)}),
    "milesight-em500-pt100": Model(type="climate", channels={**_BATTERY, (0x03, 0x67): ("temperature", _tenths)}),
    "milesight-em500-swl": Model(type="water-level", channels={**_BATTERY, (0x03, 0x77): ("level", _centimetres)}),
    "milesight-gs101": Model(type="gas-detector", channels={(0x05, 0x8E): ("gas-alarm", _bit)}),
}
"""Models by their codec's name. Two channels of other models that are no metric here are read and left out."""

_LENGTHS: Final[Mapping[int, int]] = {
    0x00: 1, 0x01: 1, 0x5B: 7, 0x67: 2, 0x68: 1, 0x75: 1, 0x77: 2, 0x7D: 2, 0x8E: 1, 0x90: 4, 0x94: 4,
    0xC8: 4, 0xD7: 5, 0xE1: 8, 0xEA: 5,
}  # fmt: skip
"""Bytes of a value by its type."""
_ALARM_LENGTHS: Final[Mapping[int, int]] = {0x00: 2, 0x67: 3, 0xD7: 5, 0xE1: 9}
"""The same for channels with their highest bit set: a value that crossed a limit, and the limit's number behind it."""
_OWN_LENGTHS: Final[Mapping[int, int]] = {
    0x01: 1, 0x08: 6, 0x09: 2, 0x0A: 2, 0x0B: 1, 0x0F: 1, 0x16: 8, 0x18: 2, 0x2E: 1, 0x3F: 1, 0xFE: 1, 0xFF: 2,
}  # fmt: skip
"""Bytes behind FF: what the device tells of itself."""
_HISTORY_LENGTHS: Final[Mapping[str, int]] = {
    "milesight-em320-th": 7, "milesight-em500-pt100": 6, "milesight-em500-swl": 6, "milesight-ws203": 9,
}  # fmt: skip
_PRESSES: Final[Mapping[int, str]] = {1: "short", 2: "long", 3: "double"}
_ABOUT: Final[Mapping[int, str]] = {0x08: "serial", 0x09: "hardware", 0x0A: "firmware", 0x0F: "class", 0x16: "serial"}


def decode(codec: str, data: bytes) -> Decoded:
    """The payload of the model `codec`. What comes behind a channel of unknown length cannot be read: a finding."""
    model = MODELS[codec]
    metrics: dict[str, Value] = {}
    about: dict[str, Value] = {}
    events: list[tuple[str, Mapping[str, Value]]] = []
    findings: list[tuple[int, str, Mapping[str, object]]] = []
    for at, channel, value in _channels(codec, data):
        shown = {"channel": f"{channel[0]:02X} {channel[1]:02X}"}
        if value is None:
            findings.append((at, "channel", shown))
            break
        number, kind = channel
        if channel in model.channels:
            name, read = model.channels[channel]
            metrics[name] = read(value)
        elif (number & 0x7F, kind) in model.channels and number & 0x80 and number != 0xFF:
            name, read = model.channels[number & 0x7F, kind]
            metrics[name] = read(value[:-1])
        elif channel == (0xFF, 0x2E) and model.press:
            events.append((model.press, {"press": _PRESSES.get(value[0], str(value[0]))}))
        elif number == 0xFF:
            about |= {_ABOUT[kind]: value.hex()} if kind in _ABOUT else {}
        elif kind == _HISTORY:
            findings.append((at, "history", shown))
    return Decoded(metrics=metrics, events=tuple(events), about=about, findings=tuple(findings))


def _channels(codec: str, data: bytes) -> Iterator[tuple[int, Channel, bytes | None]]:
    """Each channel with the byte where it begins and its value; None as the value of one that cannot be read."""
    at = 0
    while at < len(data):
        if at + 2 > len(data):
            yield at, (data[at], 0), None
            return
        channel = data[at], data[at + 1]
        size = _length(codec, channel)
        value = data[at + 2 : at + 2 + size] if size is not None else b""
        if size is None or len(value) < size:
            yield at, channel, None
            return
        yield at, channel, value
        at += 2 + size


def _length(codec: str, channel: Channel) -> int | None:
    number, kind = channel
    if number == 0xFF:
        return _OWN_LENGTHS.get(kind)
    if kind == _HISTORY:
        return _HISTORY_LENGTHS.get(codec, 8)
    return (_ALARM_LENGTHS if number & 0x80 else _LENGTHS).get(kind)


_SMOKE: Final[Mapping[int, str]] = {
    1: "alarm",
    2: "silenced",
    4: "battery",
    5: "fault",
    7: "normal",
    10: "removed",
    11: "installed",
    14: "test",
    15: "test",
}


def decode_gs524n(data: bytes) -> Decoded:
    """The six bytes of a GS524N: versions, message and sensor type, battery, concentration, temperature, check byte.

    All six bytes add up to 0 (mod 256). A silenced detector still smells smoke; a test is none.
    """
    if len(data) != 6 or sum(data) & 0xFF:
        return Decoded(findings=((0, "gs524n", {"size": len(data)}),))
    message = data[1] & 0x0F
    word = _SMOKE.get(message)
    metrics: dict[str, Value] = {"battery": float(data[2])}
    if word is None:
        return Decoded(metrics=metrics, findings=((1, "gs524n-message", {"message": message}),))
    metrics["smoke"] = word in ("alarm", "silenced")
    metrics["battery-low"] = message in (4, 15)
    if word in ("removed", "installed", "normal"):
        metrics["tamper"] = word == "removed"
    about: dict[str, Value] = {"message": word, "concentration": float(data[3])}
    about["temperature"] = float(int.from_bytes(data[4:5], "big", signed=True))
    return Decoded(metrics=metrics, about=about)
