"""CJ/T 188-2004 and -2018: the water, heat and gas meters of China, on RS-485 or M-Bus levels.

Pure: bytes in, frames and values out.
"""

from __future__ import annotations

from protocols.cjt188.explain import decode_cjt188
from protocols.cjt188.frame import (
    BROADCAST,
    ByteOrder,
    Frame,
    encode,
    parse,
    read_reply,
    read_request,
    refusal,
    take,
    valve_request,
)
from protocols.cjt188.readings import UNITS, VALVE_CLOSE, VALVE_OPEN, Field, family, layout, meter_name

__all__ = [
    "BROADCAST",
    "UNITS",
    "VALVE_CLOSE",
    "VALVE_OPEN",
    "ByteOrder",
    "Field",
    "Frame",
    "decode_cjt188",
    "encode",
    "family",
    "layout",
    "meter_name",
    "parse",
    "read_reply",
    "read_request",
    "refusal",
    "take",
    "valve_request",
]
