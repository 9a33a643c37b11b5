"""The information objects of GB/T 26875.3-2011 (clause 8): layouts by type, status bits, and what numbers mean.

Names for people are in the catalogue (``protocols.gb26875.component.42``); this module knows the shapes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

Shape = Literal["number", "system", "component", "address", "flags", "analog", "text", "short-text", "time", "version"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One field of an object: `size` bytes; 0 = one byte of length, then that many bytes."""

    name: str
    size: int
    shape: Shape = "number"
    bits: tuple[str, ...] = ()


# Bits are named by what a one says (8.2.1.1, 8.2.1.2, 8.2.1.4, 8.2.1.8, 8.2.1.9); bit 0 of a state is 1 = normal
# operation, 0 = test.
_STATE: Final = ("normal", "fire", "fault", "disabled", "supervisory", "started", "feedback", "delayed")
SYSTEM_BITS: Final = (*_STATE, "mains-fault", "battery-fault", "bus-fault", "manual", "configuration-changed", "reset")
COMPONENT_BITS: Final = (*_STATE, "power-fault")
DEVICE_BITS: Final = ("normal", "fire", "fault", "mains-fault", "battery-fault", "link-fault", "line-fault")
_OPERATION: Final = ("reset", "silence", "manual-alarm", "alarm-cleared", "self-test")
SYSTEM_OPERATIONS: Final = (*_OPERATION, "confirm", "test")
DEVICE_OPERATIONS: Final = (*_OPERATION, "guard-answer", "test")

_SYSTEM: Final = (Part(name="system_type", size=1, shape="system"), Part(name="system_address", size=1))
_COMPONENT: Final = (
    Part(name="component_type", size=1, shape="component"),
    Part(name="component_address", size=4, shape="address"),
)
_TEXT: Final = Part(name="text", size=31, shape="text")
_TIME: Final = Part(name="time", size=6, shape="time")
_VERSION: Final = Part(name="version", size=2, shape="version")
_COUNT: Final = Part(name="count", size=1)
_RESERVED: Final = Part(name="reserved", size=1)
_ONE_COMPONENT: Final = (*_SYSTEM, Part(name="component_address", size=4, shape="address"))

OBJECTS: Final[dict[int, tuple[Part, ...]]] = {
    1: (*_SYSTEM, Part(name="state", size=2, shape="flags", bits=SYSTEM_BITS), _TIME),
    2: (*_SYSTEM, *_COMPONENT, Part(name="state", size=2, shape="flags", bits=COMPONENT_BITS), _TEXT, _TIME),
    3: (*_SYSTEM, *_COMPONENT, Part(name="analog", size=3, shape="analog"), _TIME),
    4: (
        *_SYSTEM,
        Part(name="operation", size=1, shape="flags", bits=SYSTEM_OPERATIONS),
        Part(name="operator", size=1),
        _TIME,
    ),
    5: (*_SYSTEM, _VERSION),
    6: (*_SYSTEM, Part(name="text", size=0, shape="short-text")),
    7: (*_SYSTEM, *_COMPONENT, _TEXT),
    8: (*_SYSTEM, _TIME),
    21: (Part(name="state", size=1, shape="flags", bits=DEVICE_BITS), _TIME),
    24: (
        Part(name="operation", size=1, shape="flags", bits=DEVICE_OPERATIONS),
        Part(name="operator", size=1),
        _TIME,
    ),
    25: (_VERSION,),
    26: (Part(name="text", size=0, shape="short-text"),),
    28: (_TIME,),
    61: _SYSTEM,
    62: _ONE_COMPONENT,
    63: _ONE_COMPONENT,
    64: (*_SYSTEM, _COUNT, _TIME),
    65: _SYSTEM,
    66: _SYSTEM,
    67: _ONE_COMPONENT,
    68: _SYSTEM,
    81: (_RESERVED,),
    84: (_COUNT, _TIME),
    85: (_RESERVED,),
    86: (_RESERVED,),
    88: (_RESERVED,),
    89: (_RESERVED,),
    90: (_TIME,),
    91: (Part(name="within_minutes", size=1),),
}

ANALOG: Final[dict[int, tuple[str, str | None, int]]] = {
    0: ("unused", None, 0),
    1: ("events", None, 0),
    2: ("height", "m", 2),
    3: ("temperature", "°C", 1),
    4: ("pressure", "MPa", 1),
    5: ("pressure", "kPa", 1),
    6: ("gas", "%LEL", 1),
    7: ("duration", "s", 0),
    8: ("voltage", "V", 1),
    9: ("current", "A", 1),
    10: ("flow", "L/s", 1),
    11: ("air-volume", "m³/min", 1),
    12: ("air-speed", "m/s", 0),
}
"""Quantity, unit and decimals of an analogue value (8.2.1.3); the value is a signed number of two bytes."""


def object_size(parts: tuple[Part, ...]) -> int | None:
    """How many bytes an object of `parts` has; None when it carries its own length."""
    return None if any(part.size == 0 for part in parts) else sum(part.size for part in parts)


def flags(bits: tuple[str, ...], value: int) -> list[str]:
    """The names of the bits that are set in `value`; reserved bits are named ``bit-N``."""
    return [
        bits[place] if place < len(bits) else f"bit-{place}"
        for place in range(max(value.bit_length(), 1))
        if value >> place & 1
    ]


def read_time(raw: bytes) -> tuple[datetime | None, bool]:
    """The local time that six bytes say, and whether they were BCD (some makers do that, the standard is binary).

    None when they are neither (or all zero: unknown).
    """
    if not any(raw):
        return None, False
    for decimal in (False, True):
        digits = raw.hex(" ").split()
        if decimal and not "".join(digits).isdecimal():
            continue
        second, minute, hour, day, month, year = map(int, digits) if decimal else raw
        try:
            return datetime(2000 + year, month, day, hour, minute, second), decimal  # noqa: DTZ001 - the panel has no zone
        except ValueError:
            continue
    return None, False


_BLANKS: Final = "".join(map(chr, range(0x21)))
"""Makers leave control characters at the ends of their texts."""


def read_text(raw: bytes) -> tuple[str, bool]:
    """The text in `raw` (GB 18030, padded with zeros or blanks), and whether all of it was readable."""
    body = raw.split(b"\0", 1)[0]
    try:
        return body.decode("gb18030").strip(_BLANKS), True
    except UnicodeDecodeError as error:
        # A fixed field often cuts the last character in two.
        cut = error.start >= len(body) - 3
        return body.decode("gb18030", "replace").strip("\ufffd" + _BLANKS), cut
