"""The embedded MQTT broker (iotcore, rumqttd in a wheel): loopback only, users with passwords, payloads up to 1 MB."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from liandong.up.layout import replace_file
from liandong.up.supervisor import Part

# Births may be 1 MB. What is in flight per connection is bounded by the senders' own window.
_CONFIG: Final = """\
id = 0

[router]
id = 0
max_connections = 10010
max_outgoing_packet_count = 200
max_segment_size = 8388608
max_segment_count = 8

[v4.1]
name = "mqtt"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1
    [v4.1.connections]
    connection_timeout_ms = 20000
    max_payload_size = 1100000
    max_inflight_count = 200
    dynamic_filters = true
    [v4.1.connections.auth]
{users}
"""


def embedded_broker(name: str, home: Path, port: int, users: Mapping[str, Path]) -> Part:
    """A broker as a part, for MQTT 3.1.1. `users`: name → file of the password."""
    lines = "\n".join(f"    {json.dumps(user)} = {json.dumps(secret.read_text())}" for user, secret in users.items())
    config = home / f"{name}.toml"
    replace_file(config, _CONFIG.format(port=port, users=lines))
    return Part(
        name=name,
        command=[sys.executable, "-m", "iotcore", "--config", str(config), "--log-level", "CRITICAL"],
        ready=lambda: listening(port),
    )


def listening(port: int) -> bool:
    """Whether somebody listens on this port of the loopback."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
