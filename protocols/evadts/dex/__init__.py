"""The DEX/UCS link of EVA-DTS 6.1, sans I/O, for both ends of the cable."""

from __future__ import annotations

from protocols.evadts.dex.carrier import Carrier
from protocols.evadts.dex.frames import MAX_BODY, Block, Control, Decoder, block, data_blocks
from protocols.evadts.dex.machine import Machine
from protocols.evadts.dex.phases import Timers
from protocols.evadts.dex.session import (
    AuditReceived,
    AuditSent,
    Closed,
    ConfigurationSent,
    ConfigurationTaken,
    DexEvent,
    Failed,
    Greeted,
    Identity,
    Step,
)

__all__ = [
    "MAX_BODY",
    "AuditReceived",
    "AuditSent",
    "Block",
    "Carrier",
    "Closed",
    "ConfigurationSent",
    "ConfigurationTaken",
    "Control",
    "Decoder",
    "DexEvent",
    "Failed",
    "Greeted",
    "Identity",
    "Machine",
    "Step",
    "Timers",
    "block",
    "data_blocks",
]
