"""Modbus: RTU frames, register profiles, and the fewest reads that fetch a profile.

Sources: MODBUS Application Protocol Specification V1.1b3 (functions, exceptions); MODBUS over Serial Line V1.02,
sections 2.5.1 (RTU frame) and 6.2.2 (CRC). Register maps: the manufacturers' tables named in each profile.
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
from protocols.modbus.profile import Profile, Register, load_profile, parse_profile, profile_names
from protocols.modbus.reads import Block, Sample, decode_block, plan_reads

__all__ = [
    "Block",
    "Profile",
    "Register",
    "Reply",
    "Request",
    "Sample",
    "build_exception",
    "build_read_reply",
    "crc16",
    "decode_block",
    "load_profile",
    "parse_profile",
    "plan_reads",
    "profile_names",
    "seal",
    "take_reply",
    "take_request",
]
