"""The DDCMP link of EVA-DTS, sans I/O, for both ends of the cable: an audit is read, nothing is sent to the machine."""

from __future__ import annotations

from protocols.evadts.ddcmp.carrier import Carrier
from protocols.evadts.ddcmp.explain import decode_ddcmp
from protocols.evadts.ddcmp.frames import Control, Data, Decoder, control, message
from protocols.evadts.ddcmp.machine import Machine

__all__ = ["Carrier", "Control", "Data", "Decoder", "Machine", "control", "decode_ddcmp", "message"]
