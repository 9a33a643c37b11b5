"""Modbus: RTU and TCP frames, register profiles, the fewest reads that fetch a profile, and writes that are allowed.

Sources: MODBUS Application Protocol Specification V1.1b3 (functions, exceptions); MODBUS over Serial Line V1.02,
sections 2.5.1 (RTU frame) and 6.2.2 (CRC); MODBUS Messaging on TCP/IP V1.0b, section 3.1.3. Register maps: the
manufacturers' tables named in each profile.
"""

from protocols.modbus.frame import (
    Reply,
    Request,
    build_exception,
    build_read_reply,
    crc16,
    seal,
    take_reply,
    take_request,
)
from protocols.modbus.profile import Output, Profile, Register, load_profile, parse_profile, profile_names
from protocols.modbus.reads import Block, Sample, decode_block, plan_reads
from protocols.modbus.writes import Write, plan_write, read_back

__all__ = [
    "Block",
    "Output",
    "Profile",
    "Register",
    "Reply",
    "Request",
    "Sample",
    "Write",
    "build_exception",
    "build_read_reply",
    "crc16",
    "decode_block",
    "load_profile",
    "parse_profile",
    "plan_reads",
    "plan_write",
    "profile_names",
    "read_back",
    "seal",
    "take_reply",
    "take_request",
]
