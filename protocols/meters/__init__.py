"""Reading a meter, whatever it speaks: what to ask on the line, which bytes answer it, and what they mean in our units.

Pure: a `Talk` is a generator of questions that is sent the answers; nothing here opens a line or knows the time.
"""

from __future__ import annotations

from protocols.meters.cjt188 import order_valve, read_cjt188
from protocols.meters.dlt645 import read_dlt645
from protocols.meters.mbus import SecondaryAddress, read_mbus
from protocols.meters.talk import Ask, Heard, Measured, Talk, Wanted
from protocols.meters.units import convert

__all__ = [
    "Ask",
    "Heard",
    "Measured",
    "SecondaryAddress",
    "Talk",
    "Wanted",
    "convert",
    "order_valve",
    "read_cjt188",
    "read_dlt645",
    "read_mbus",
]
