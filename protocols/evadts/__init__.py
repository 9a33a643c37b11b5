"""EVA-DTS 6.1: what a vending machine says of itself (`read`, `write`, `sales`), and the DEX/UCS link (`dex`).

Pure: bytes in, models out; `now` is passed in.
"""

from __future__ import annotations

from protocols.evadts.crc import crc16
from protocols.evadts.findings import Finding
from protocols.evadts.reader import decode_evadts, read
from protocols.evadts.records import Audit, Currency, Field, Record
from protocols.evadts.writer import write

__all__ = ["Audit", "Currency", "Field", "Finding", "Record", "crc16", "decode_evadts", "read", "write"]
