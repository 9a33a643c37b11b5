"""Mosquitto for benchmarks: on a port of the loopback, for anybody, for what the embedded broker is too small for."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from liandong.up.broker import listening
from liandong.up.layout import replace_file
from liandong.up.supervisor import Part

# As docker/broker, but nothing that waits for a busy cloud is dropped. Births may be 1 MB.
_CONFIG: Final = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence false
max_connections -1
max_packet_size 1100000
max_queued_messages 0
max_inflight_messages 200
set_tcp_nodelay true
log_type error
log_type warning
"""


def program() -> str | None:
    """Where Mosquitto is installed; None where it is not."""
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")


def mosquitto(program: str, home: Path, port: int) -> Part:
    """A broker as a part; its configuration is written to `home`."""
    config = home / "mosquitto.conf"
    # Started by root it would change to a user of its own, who cannot read `home`.
    replace_file(config, _CONFIG.format(port=port) + ("user root\n" if os.geteuid() == 0 else ""))
    return Part(name="broker", command=[program, "-c", str(config)], ready=lambda: listening(port))
