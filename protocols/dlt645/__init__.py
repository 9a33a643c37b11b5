"""DL/T 645-1997 and -2007: the electricity meters of China, on RS-485 or infrared (commonly 2400 8E1).

Pure: bytes in, frames and values out.
"""

from __future__ import annotations

from protocols.dlt645.explain import decode_dlt645
from protocols.dlt645.forms import Form, Item, read_form, write_number
from protocols.dlt645.frame import BROADCAST_READ, BROADCAST_TIME, Edition, Frame, encode, parse, take
from protocols.dlt645.items import item
from protocols.dlt645.messages import (
    address_reply,
    address_request,
    more_reply,
    more_request,
    read_reply,
    read_request,
    refusal,
)

__all__ = [
    "BROADCAST_READ",
    "BROADCAST_TIME",
    "Edition",
    "Form",
    "Frame",
    "Item",
    "address_reply",
    "address_request",
    "decode_dlt645",
    "encode",
    "item",
    "more_reply",
    "more_request",
    "parse",
    "read_form",
    "read_reply",
    "read_request",
    "refusal",
    "take",
    "write_number",
]
