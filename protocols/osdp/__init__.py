"""OSDP (IEC 60839-11-5), the bus between door controllers and readers: packets for captures and for tests.

Pure: bytes in, packets out. The live bus is served by libosdp.
"""

from __future__ import annotations

from protocols.osdp.codes import COMMANDS, REPLIES
from protocols.osdp.explain import decode_osdp
from protocols.osdp.packet import BROADCAST, Packet, encode, parse

__all__ = ["BROADCAST", "COMMANDS", "REPLIES", "Packet", "decode_osdp", "encode", "parse"]
