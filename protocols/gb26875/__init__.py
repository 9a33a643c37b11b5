"""GB/T 26875.3-2011: how a user information transmission device reports a building's fire panels over TCP.

Pure: bytes in, frames and objects out; `now` is passed in.
"""

from __future__ import annotations

from protocols.gb26875.explain import decode_gb26875, label
from protocols.gb26875.frame import (
    ACK,
    CONTROL,
    DENY,
    REPLY,
    REQUEST,
    SEND,
    Frame,
    answer,
    encode,
    parse,
    question,
    take,
    time_bytes,
)
from protocols.gb26875.inbox import Arrived, Inbox
from protocols.gb26875.objects import ANALOG, OBJECTS, flags, read_text, read_time

__all__ = [
    "ACK",
    "ANALOG",
    "CONTROL",
    "DENY",
    "OBJECTS",
    "REPLY",
    "REQUEST",
    "SEND",
    "Arrived",
    "Frame",
    "Inbox",
    "answer",
    "decode_gb26875",
    "encode",
    "flags",
    "label",
    "parse",
    "question",
    "read_text",
    "read_time",
    "take",
    "time_bytes",
]
