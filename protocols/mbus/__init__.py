"""M-Bus: water, heat, gas and electricity meters on two wires (EN 13757-2 and -3).

Pure: bytes in, frames and values out.
"""

from __future__ import annotations

from protocols.mbus.explain import decode_mbus
from protocols.mbus.frame import Frame, measure, parse
from protocols.mbus.records import Record, records

__all__ = ["Frame", "Record", "decode_mbus", "measure", "parse", "records"]
