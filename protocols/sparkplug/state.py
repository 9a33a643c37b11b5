"""The STATE message of a Host Application (3.0.0, tck-id-host-topic-phid-birth-payload, …-death-payload)."""

from __future__ import annotations

import json
from dataclasses import dataclass

from protocols.errors import ProtocolError

_MAX_BYTES = 4096
_MAX_TIMESTAMP_MS = (1 << 53) - 1  # what every JSON reader keeps exactly


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """Whether the host is there, and since when (milliseconds since 1970-01-01 UTC)."""

    online: bool
    timestamp_ms: int


def encode_state(state: HostState) -> bytes:
    """The JSON payload of `state`."""
    return json.dumps({"online": state.online, "timestamp": state.timestamp_ms}, separators=(",", ":")).encode()


def decode_state(data: bytes) -> HostState:
    """The state that `data` says; unknown keys are ignored. Raises ProtocolError for what is no STATE payload."""
    try:
        if len(data) > _MAX_BYTES:
            raise ValueError("size")
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("protocols.sparkplug.bad-state", what="JSON") from error
    online = document.get("online") if isinstance(document, dict) else None
    stamp = document.get("timestamp") if isinstance(document, dict) else None
    if not isinstance(online, bool) or type(stamp) is not int or not 0 <= stamp <= _MAX_TIMESTAMP_MS:
        raise ProtocolError("protocols.sparkplug.bad-state", what="online, timestamp")
    return HostState(online=online, timestamp_ms=stamp)
